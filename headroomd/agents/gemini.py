"""Gemini CLI: session files below `~/.gemini/tmp`, in all layouts and formats up to 0.61.0.

tmp/<sha256 of the project>/chats/session-*.json   until 0.28: one document, rewritten whole
tmp/<slug>/chats/session-*.json                    until 0.38
tmp/<slug>/chats/session-*.jsonl                   from 0.39: appended
tmp/<slug>/chats/<parent session>/<id>.jsonl       a subagent's
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Raw, Struct

from headroomd.agents import gemini_home
from headroomd.agents.base import AgentPlugin, Environment, FileShape, SessionReader, Shadow, Targets
from headroomd.agents.gemini_calls import (
    FINAL_STATUSES,
    RecordedCall,
    answer_of,
    arguments_of,
    directory_of,
    judge,
    operation_of,
)
from headroomd.agents.lines import LineDecoder, excerpt, seconds_of
from headroomd.model import Action, Event, SessionStart, ToolCall, UserMessage

__all__ = ["GeminiPlugin", "GeminiReader", "plugin"]

_SHARED_SESSION_ID: Final = "a2a-server"  # what every session of the A2A server and Code Assist calls itself
_REMEMBERED: Final = 1000  # ids of emitted calls and messages carried on; older copies are the ledger's to tell

_HEAD: Final = re.compile(
    rb'\{"(?:\$set":\{"lastUpdated":"[\w:.+-]*"\}\}\s*\Z|(\$set":\{"messages":)|id":"[\w-]*","timestamp":"[\w:.+-]*",'
    rb'"type":"(?:user","content":\[\{"functionResponse":|(gemini")))'
)
"""How lines begin that cannot matter: new times, user messages that only hand results back (a third of all bytes, and
all of it also in toolCalls), and, where a group is set, histories and the model's messages, unless with toolCalls."""

_INJECTED: Final = (
    "<session_context>",
    "<hook_context>",
    "System: ",
    "[System: ",
    "Please continue.",
    "This is the Gemini CLI.",
)
"""How user messages begin that the CLI wrote itself (sessionUtils.ts, client.ts, geminiChat.ts)."""

_ATTACHMENTS: Final = "--- Content from referenced files ---"  # what follows "@file" in a prompt
_REQUEST_CANCELLED: Final = "Request cancelled."
_DEFAULT_CONTEXT_FILE: Final = "GEMINI.md"
_LISTED_FOLDER: Final = re.compile(r"^\s*- (/.+?)\s*$", re.MULTILINE)


def _mark(key: str) -> int:
    """64 bits that stand for a key in what is carried on: a tenth of its size, and nothing that may be secret."""
    return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=8).digest())


class _Update(Struct, rename="camel", gc=False):
    messages: list[Raw] | None = None
    directories: list[object] | None = None


class _Record(Struct, rename="camel", gc=False):
    """Any line: metadata, a message, an update; and a whole document of the old format."""

    # metadata
    session_id: str | None = None
    project_hash: str | None = None
    start_time: str | None = None
    kind: str | None = None
    directories: list[object] | None = None
    messages: list[Raw] | None = None
    # an update
    update: _Update | None = msgspec.field(default=None, name="$set")
    # a message
    id: str | None = None
    timestamp: str | None = None
    type: str | None = None
    content: Raw = Raw()
    display_content: Raw = Raw()
    tool_calls: list[RecordedCall | None] | None = None


class _State(Struct):
    """What is carried from one reading of a file to the next."""

    session_id: str = ""
    project_hash: str = ""
    kind: str = ""
    started: float = 0.0
    cwd: str = ""
    announced: tuple[str, str] | None = None  # session and cwd of the last SessionStart
    seen: list[int] = []  # marks of calls and messages, oldest first


_decode_content = LineDecoder[object](object).decode


class GeminiReader(SessionReader):
    """Reads one session file. Calls are taken from every line as it passes, for later lines may drop them:

    on --resume the CLI writes a `$set.messages` with the whole history but without toolCalls, and a `$rewindTo` takes
    messages back; neither undoes that the calls were made.
    """

    def __init__(self, path: Path, state: bytes = b"") -> None:
        self._file = path.name.split(".json", 1)[0]
        self._parent = path.parent.name if _is_subagent(path) else ""
        folder = path.parents[2] if self._parent else path.parents[1]
        self._runtime = folder.parent.parent
        self._decoder = LineDecoder(_Record)
        self._state = msgspec.msgpack.decode(state, type=_State) if state else _State()
        self._state.cwd = gemini_home.project_of(folder) or self._state.cwd
        if not self._state.project_hash and gemini_home.is_hash(folder.name):
            self._state.project_hash = folder.name
        self._seen = dict.fromkeys(self._state.seen)
        self._order = deque(self._seen)
        self._name_session()

    def read(self, lines: Iterable[bytes]) -> Iterator[Event]:
        for line in lines:
            head = _HEAD.match(line)
            if head is not None and (head.lastindex is None or (self._state.cwd and b'"toolCalls"' not in line)):
                continue
            record = self._decoder.decode(line)
            if record is not None:
                yield from self._record(record)
            self.odd_lines = self._decoder.odd
            self.repaired_lines = self._decoder.repaired

    def dump(self) -> bytes:
        self._state.seen = list(self._order)
        return msgspec.msgpack.encode(self._state)

    # -- records --

    def _record(self, record: _Record) -> list[Event]:
        update = record.update
        if record.type is not None or record.tool_calls:
            messages = [record]
        else:
            messages = self._messages(record.messages or (update.messages if update else None) or ())
        if record.session_id:
            self._identify(record)
        if not self._state.cwd:  # before anything is emitted: a document may tell its project anywhere
            self._prove(record.directories or (update.directories if update else None) or ())
            for message in messages:
                self._prove(_folders_named_in(message))
        events: list[Event] = []
        for message in messages:
            if message.tool_calls:
                events += self._calls(message)
            elif update is None:  # what an update repeats was said before
                events += self._words(message)
        return [*self._announcement(), *events] if events or record.session_id else events

    def _messages(self, raw: Iterable[Raw]) -> list[_Record]:
        decoded = (self._decoder.decode(bytes(data)) for data in raw)
        return [message for message in decoded if message is not None]

    def _identify(self, record: _Record) -> None:
        state = self._state
        state.session_id = record.session_id or ""
        state.project_hash = record.project_hash or state.project_hash
        state.kind = record.kind or state.kind
        state.started = state.started or seconds_of(record.start_time)
        if not state.cwd:
            self._prove(gemini_home.known_paths(self._runtime))
        self._name_session()

    def _name_session(self) -> None:
        own = self._state.session_id
        if not own or own == _SHARED_SESSION_ID:
            own = f"{own}:{self._file}" if own else self._file
        self._own = own
        self._session = self._parent or own
        self._stream = f"{self._parent}/{own}" if self._parent else own

    def _prove(self, folders: Iterable[object]) -> None:
        """Take for the project that folder of `folders` whose hash the file holds, if there is one."""
        if not self._state.cwd and self._state.project_hash:
            named = (folder for folder in folders if isinstance(folder, str))
            self._state.cwd = gemini_home.path_with_hash(self._state.project_hash, named)

    def _announcement(self) -> list[SessionStart]:
        identity = (self._session, self._state.cwd)
        if identity == self._state.announced:
            return []
        self._state.announced = identity
        return [SessionStart(agent=plugin.name, session=self._session, at=self._state.started, cwd=self._state.cwd)]

    def _is_new(self, key: str) -> bool:
        mark = _mark(key)
        if mark in self._seen:
            return False
        self._seen[mark] = None
        self._order.append(mark)
        if len(self._order) > _REMEMBERED:
            del self._seen[self._order.popleft()]
        return True

    # -- messages --

    def _calls(self, message: _Record) -> list[ToolCall]:
        calls = []
        for call in message.tool_calls or ():
            if call is None or not call.id or (call.status and call.status not in FINAL_STATUSES):
                continue
            # The CLI makes ids of the tool, the millisecond and a counter where the model gives none, so that two
            # sessions may use the same one; copies of a session keep its id.
            key = f"{plugin.name}:{self._own}:{call.id}"
            if self._is_new(key):
                calls.append(self._call(key, call, message.timestamp))
        return calls

    def _call(self, key: str, call: RecordedCall, asked: str | None) -> ToolCall:
        arguments, answer = arguments_of(call), answer_of(call)
        operation = operation_of(call, arguments)
        verdict = judge(call, operation, answer)
        cwd = self._state.cwd
        return ToolCall(
            key=key,
            agent=plugin.name,
            session=self._session,
            stream=self._stream,
            at=seconds_of(call.timestamp) or seconds_of(asked),
            cwd=directory_of(arguments, cwd) if operation.action is Action.RUN else cwd,
            tool=call.name or "",
            operation=operation,
            outcome=verdict.outcome,
            exit_code=verdict.exit_code,
            kind=verdict.kind,
            output=verdict.output,
            silent=verdict.silent,
            size=memoryview(call.args).nbytes + len(answer.json),
        )

    def _words(self, message: _Record) -> list[UserMessage]:
        interrupts = message.type == "info" and _decode_content(bytes(message.content)) == _REQUEST_CANCELLED
        text = _typed_words(message) if message.type == "user" and self._is_persons() else ""
        key = f"{plugin.name}:{self._own}:{message.id}"
        if not (text or interrupts) or not message.id or not self._is_new(key):
            return []
        return [
            UserMessage(
                key=key,
                agent=plugin.name,
                session=self._session,
                stream=self._stream,
                at=seconds_of(message.timestamp),
                text=excerpt(text),
                interrupts=interrupts,
            )
        ]

    def _is_persons(self) -> bool:
        """Whether a person speaks in this file; to a subagent, the main agent does."""
        return not self._parent and self._state.kind != "subagent"


def _parts(content: object) -> list[object]:
    """The parts of a message's content, which is a string, a part, or a list of both."""
    return content if isinstance(content, list) else [content]


def _texts(content: object) -> Iterator[str]:
    for part in _parts(content):
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            yield text


def _typed_words(message: _Record) -> str:
    """What a person typed; "" for results handed back and for what the CLI wrote itself."""
    content = _decode_content(bytes(message.content))
    if any(isinstance(part, dict) and "functionResponse" in part for part in _parts(content)):
        return ""
    said = list(_texts(content))
    if not said or said[0].lstrip().startswith(_INJECTED):
        return ""
    shown = list(_texts(_decode_content(bytes(message.display_content))))
    typed = itertools.takewhile(lambda text: text.strip() != _ATTACHMENTS, shown or said)
    return "".join(typed).strip()


def _folders_named_in(message: _Record) -> Iterator[str]:
    """Folders of which one may be the project: those that the CLI lists as its workspace, and those above files."""
    if message.type == "user":
        for text in _texts(_decode_content(bytes(message.content))):
            if text.lstrip().startswith(_INJECTED):
                yield from _LISTED_FOLDER.findall(text)
    for call in message.tool_calls or ():
        path = operation_of(call, arguments_of(call)).path if call is not None else ""
        while path.startswith("/") and path.strip("/"):
            yield path
            path = posixpath.dirname(path)


# -- the plugin -------------------------------------------------------------------------------------


def _is_session(path: Path, root: Path) -> bool:
    """Whether a path below `root` is a session file; asked for thousands of them every few minutes."""
    if not path.name.endswith((".json", ".jsonl")):
        return False
    match path.parts[len(root.parts) :]:
        case (_, "chats", name):
            return name.startswith("session-")
        case (_, "chats", _, _):
            return True
    return False


def _is_subagent(path: Path) -> bool:
    return path.parent.name != "chats"


class GeminiPlugin(AgentPlugin):
    """Gemini CLI leaves no sign of life beside its session files: whether one is in use cannot be told."""

    name = "gemini"
    title = "Gemini CLI"

    def roots(self, env: Environment) -> list[Path]:
        return [folder / "tmp" for folder in gemini_home.runtime_dirs(env)]

    def session_files(self, env: Environment) -> Iterator[Path]:
        for root in self.roots(env):
            for pattern in ("*/chats/*.json*", "*/chats/*/*.json*"):
                yield from (path for path in root.glob(pattern) if _is_session(path, root))

    def is_session_file(self, path: Path, env: Environment) -> bool:
        return any(path.is_relative_to(root) and _is_session(path, root) for root in self.roots(env))

    def is_subagent_file(self, path: Path) -> bool:
        return _is_subagent(path)

    def shape(self, path: Path) -> FileShape:
        return FileShape.WHOLE if path.suffix == ".json" else FileShape.LINES

    def reader(self, path: Path, env: Environment, state: bytes = b"") -> SessionReader:  # noqa: ARG002 (the path tells all)
        return GeminiReader(path, state)

    def targets(self, project: Path, env: Environment) -> Targets:
        """The first context file that the settings name: the one that the CLI's own save_memory writes to."""
        return _loaded_from(project, gemini_home.context_file_names(project, env))

    def global_targets(self, env: Environment) -> Targets:
        return _loaded_from(gemini_home.gemini_dir(env), gemini_home.context_file_names(env.home, env))

    def shadows(self, project: Path, env: Environment) -> list[Shadow]:
        file = self.targets(project, env).context
        found = []
        names = gemini_home.context_file_names(project, env)
        if names and not any(map(_is_usable, names)):
            cause = f"Gemini CLI's setting context.fileName names no file inside the project: {', '.join(names)}"
            found.append(Shadow(file, cause, f'add "{_DEFAULT_CONTEXT_FILE}" to context.fileName'))
        if gemini_home.distrusts(project, env):
            cause = "Gemini CLI was told not to trust this folder and loads no context file from it"
            found.append(Shadow(file, cause, "trust the folder with /permissions in Gemini CLI"))
        return found


def _loaded_from(folder: Path, names: list[str]) -> Targets:
    file = folder / next(filter(_is_usable, names), _DEFAULT_CONTEXT_FILE)
    return Targets(context=file, memory=file)


def _is_usable(name: str) -> bool:
    """Whether a configured name is that of a file inside the project."""
    return not posixpath.isabs(name) and ".." not in Path(name).parts and name not in ("", ".")


plugin = GeminiPlugin()
