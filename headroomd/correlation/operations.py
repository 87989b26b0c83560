"""What a call meant, whatever the agent's tool is called, with paths relative to the project's root.

Understanding a call depends on its operation, its working directory and the project alone, so it is done once for all
the calls that are the same: most of a session's calls are.
"""

from __future__ import annotations

import posixpath
import re
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zlib import crc32

from msgspec import Struct

from headroomd.correlation.places import locate, words
from headroomd.correlation.programs import (
    ARCHIVERS_AND_MOVERS,
    INERT,
    PROBES,
    code_option,
    head_length,
    is_install,
    names_package,
    split_folder,
)
from headroomd.correlation.readers import Searching, answers_with_one, reading, searching
from headroomd.model import Action, Operation, Outcome, ToolCall
from headroomd.shell import Command, basename, deciders, parse, proven, unwrap

__all__ = ["Invocation", "Meaning", "Search", "Use", "Using", "command_key", "outcome_of", "path_mark", "understand"]


class Using(StrEnum):
    """How a call used a path."""

    READ = "read"
    PART = "part"
    EDIT = "edit"
    WRITE = "write"
    SCOPE = "scope"  # searched in
    FOLDER = "folder"  # changed into
    OPERAND = "operand"  # named on the command line of a program that is neither reader nor search
    PROBE = "probe"  # asked for: its absence is an answer


class Use(Struct, frozen=True):
    """A path inside the project that a call used."""

    path: str  # relative to the root
    written: str  # as the agent wrote it
    how: Using
    sure: bool = True  # where the whole call is OK, so was this use
    mark: int = 0  # of the path: what a session remembers of it
    name_mark: int = 0  # of its last part


def path_mark(path: str) -> int:
    """A short number for a path, the same in every process; two paths of one session hardly ever share one."""
    return crc32(path.encode("utf-8", "replace"))


def use_of(path: str, written: str, how: Using, sure: bool = True) -> Use:
    """A use of `path`, with the marks by which paths and names are compared."""
    return Use(path, written, how, sure, path_mark(path), path_mark(basename(path)))


class Search(Struct, frozen=True):
    """A search with one scope."""

    pattern: str
    scope: str  # "." is the root
    filters: tuple[str, ...] = ()
    quiet: bool = False


class Invocation(Struct, frozen=True):
    """One command that a script ran, in a form that two scripts can be compared by."""

    argv: tuple[str, ...]  # without transparent wrappers and folder options
    folder: str | None  # where it ran, relative to the root; None where that is not known or outside
    variables: tuple[str, ...] = ()  # names that were set for it
    activation: str = ""  # `source .venv/bin/activate` in front of it
    background: bool = False  # left running
    raised: bool = False  # run by sudo or doas
    stdin: str = ""  # heredoc: another text is another invocation


class Meaning(Struct, frozen=True):
    """What a call meant."""

    action: Action
    keys: tuple[str, ...] = ()  # under which the attempt counts where it worked
    failed_keys: tuple[str, ...] = ()  # ... and where it failed: only what the failure is certain to be of
    uses: tuple[Use, ...] = ()
    search: Search | None = None
    blamed: tuple[Invocation, ...] = ()  # what a failure can mean, programs that do nothing left out
    moved: bool = False  # a failure can also mean a `cd` that went wrong
    proven: tuple[Invocation, ...] = ()  # what certainly ran and passed where the call is OK
    started: tuple[Invocation, ...] = ()  # what was left running in the background
    answers: bool = False  # exit status 1 is an answer
    edits: bool = False  # may change files of the project
    installs: bool = False  # changes what is installed
    adds_package: bool = False  # ... by naming a package
    sole: Invocation | None = None  # the one command of a script that does only one thing


_CACHED_LENGTH: Final = 2_000
_KEY: Final = 160  # characters
_KEYS: Final = 12


def understand(call: ToolCall, root: str, home: str) -> Meaning:
    """The meaning of a call of a session of the project at `root`."""
    operation = call.operation
    if len(operation.command) > _CACHED_LENGTH:
        return _understand(operation, call.cwd, root, home)
    return _understand_cached(operation, call.cwd, root, home)


def _understand(operation: Operation, cwd: str, root: str, home: str) -> Meaning:
    if operation.action is Action.RUN:
        return _ScriptReading(operation.command, cwd, root, home).meaning()
    if operation.action is Action.SEARCH:
        return _search_meaning(operation, cwd, root, home)
    if operation.action is Action.OTHER:
        return Meaning(Action.OTHER)
    path = locate(operation.path, cwd, root, home)
    edits = operation.action in (Action.EDIT, Action.WRITE)
    if path is None:
        # An edit whose file is not told (a patch of several) must still close what it may have mended.
        return Meaning(operation.action, edits=edits and not operation.path)
    how = Using.PART if operation.action is Action.READ and operation.partial else Using(operation.action.value)
    return Meaning(
        operation.action,
        keys=(key := (f"{operation.action.value} {path}",)),
        failed_keys=key,
        uses=(use_of(path, operation.path, how),),
        edits=edits,
    )


_understand_cached = lru_cache(maxsize=8192)(_understand)


def _search_meaning(operation: Operation, cwd: str, root: str, home: str) -> Meaning:
    scope, pattern = operation.path, operation.pattern
    if "**/" in pattern:  # a glob that names its folder: "src/**/X*" looks for "X*" in "src"
        prefix, _, pattern = pattern.rpartition("**/")
        scope = "/".join(part for part in (scope, prefix.rstrip("/")) if part)
    path = locate(scope or ".", cwd, root, home)
    if path is None:
        return Meaning(Action.SEARCH)
    uses = (use_of(path, operation.path, Using.SCOPE),) if operation.path else ()
    key = (f"search {path}",)
    return Meaning(Action.SEARCH, keys=key, failed_keys=key, uses=uses, search=Search(pattern, path))


def command_key(argv: tuple[str, ...]) -> str:
    """Program and verb: what an attempt of a command counts under."""
    return " ".join(argv[: head_length(argv)])


_CODE_WRITES: Final = re.compile(
    r"write|open\s*\(|unlink|rename|remove|mkdir|copy|replace|save|dump|touch|shutil|subprocess|system|exec|spawn|rmtree|<<"
)
_WRITING_FLAGS: Final = frozenset({"--write", "--fix", "--in-place", "--apply", "--fix-only", "--autocorrect"})
_FORMATTERS: Final = words("black isort rustfmt autopep8 yapf swiftformat gofmt gofumpt goimports shfmt")
_FORMATTING_VERBS: Final = re.compile(r"(?:.*:)?(?:fmt|format|fix|spotlessApply)")
_GIT_CHANGES: Final = words(
    """checkout switch restore apply stash merge rebase pull reset revert cherry-pick clean am mv rm worktree"""
)


_QUIET_PROGRAMS: Final = words("cd pushd export set true :")
_FILTERS: Final = words("head tail sort uniq cat less cut nl column")


def _is_inert(command: Command) -> bool:
    return basename(command.argv[0]) in INERT


def _passes_through(command: Command) -> bool:
    return command.connector in ("|", "|&") and basename(command.argv[0]) in _FILTERS


class _ScriptReading:
    """Turns one script into a Meaning; lives for that only."""

    def __init__(self, text: str, cwd: str, root: str, home: str) -> None:
        self.cwd, self.root, self.home = cwd, root, home
        self.script = parse(text)
        self.proven = {id(command) for command in proven(self.script)}
        self.uses: list[Use] = []
        self.searches: list[Search] = []

    def meaning(self) -> Meaning:
        script = self.script
        commands = [command for command in script.commands if command.argv]
        for at, command in enumerate(commands):
            following = commands[at + 1] if at + 1 < len(commands) else None
            self._collect(command, piped=following is not None and following.connector in ("|", "|&"))
        deciding = [command for command in deciders(script) if command.argv]
        blamed = [command for command in deciding if not _is_inert(command)] if not script.broken else []
        passing = [command for command in proven(script) if command.argv and not command.background]
        installs = [argv for command in commands if (argv := _bare(command)) and is_install(argv)]
        return Meaning(
            Action.RUN,
            keys=self._keys(passing),
            failed_keys=self._keys(blamed) if len(blamed) == 1 else (),
            uses=tuple(self.uses),
            search=self._search(commands),
            blamed=self._invocations(blamed),
            moved=any(command.argv[0] in ("cd", "pushd") for command in deciding),
            proven=self._invocations([] if script.broken else [c for c in passing if not _is_inert(c)]),
            started=self._invocations([] if script.broken else [c for c in commands if c.background]),
            answers=bool(deciding) and answers_with_one(deciding[-1]),
            edits=any(self._edits(command) for command in commands),
            installs=bool(installs),
            adds_package=any(names_package(argv) for argv in installs),
            sole=self._sole(commands),
        )

    def _collect(self, command: Command, piped: bool) -> None:
        sure = id(command) in self.proven and not self.script.broken
        folder = self._folder(command)
        if found := searching(command):
            self._collect_search(found, folder, sure)
        elif (read := reading(command)) and command.connector not in ("|", "|&"):
            self._use(read.files, folder, Using.PART if read.partial or piped else Using.READ, sure and not piped)
        elif command.argv[0] in ("cd", "pushd") and len(command.argv) == 2:
            self._use(command.argv[1:], folder, Using.FOLDER, sure)
        else:
            probe = basename(command.argv[0]) in PROBES
            paths = tuple(word for word in command.argv[1:30] if "/" in word or "." in word[1:])
            self._use(paths, folder, Using.PROBE if probe else Using.OPERAND, sure)
            if "/" in command.argv[0]:
                self._use(command.argv[:1], folder, Using.OPERAND, sure)
        self._use(command.writes, folder, Using.WRITE, True)
        if basename(command.argv[0]) in ARCHIVERS_AND_MOVERS | {"tee"}:
            self._use(command.argv[1:30], folder, Using.WRITE, True)

    def _collect_search(self, found: Searching, folder: str | None, sure: bool) -> None:
        self._use(found.scopes, folder, Using.SCOPE, sure)
        if len(found.scopes) <= 1:
            scope = locate(found.scopes[0] if found.scopes else ".", folder, self.root, self.home)
            if scope is not None:
                self.searches.append(Search(found.pattern, scope, found.filters, found.quiet))

    def _search(self, commands: list[Command]) -> Search | None:
        """The one search that all of the script's output speaks of, if that is all that the script does."""
        alone = all(
            searching(command) or command.argv[0] in _QUIET_PROGRAMS or _passes_through(command) for command in commands
        )
        return self.searches[0] if alone and len(self.searches) == 1 else None

    def _use(self, words: tuple[str, ...], folder: str | None, how: Using, sure: bool) -> None:
        for word in words:
            path = locate(word, folder, self.root, self.home) if not word.startswith("-") else None
            if path is not None and path != ".":
                self.uses.append(use_of(path, word, how, sure))

    def _keys(self, commands: list[Command]) -> tuple[str, ...]:
        """The attempts that `commands` are, each under its program and under program and verb."""
        chosen = {id(command) for command in commands}
        keys = [f"read {use.path}" for use in self.uses if use.how in (Using.READ, Using.PART) and use.sure]
        if self._search(commands) is not None:
            keys.append(f"search {self.searches[0].scope}")
        for command in self.script.commands:
            bare = _bare(command)
            if id(command) not in chosen or not bare or basename(bare[0]) in INERT or command.dynamic:
                continue
            if not (reading(command) or searching(command)):
                keys += [f"run {bare[0]}", f"run {command_key(split_folder(bare)[0])}"]
        return tuple(key for key in dict.fromkeys(keys) if len(key) <= _KEY)[:_KEYS]

    def _sole(self, commands: list[Command]) -> Invocation | None:
        working = [command for command in commands if not _is_inert(command)]
        if len(working) != 1 or self.script.broken or working[0].dynamic:
            return None
        return self._invocation(working[0])

    def _invocations(self, commands: list[Command]) -> tuple[Invocation, ...]:
        return tuple(self._invocation(command) for command in commands)

    def _invocation(self, command: Command) -> Invocation:
        prefix, argv = unwrap(command.argv)
        argv, option = split_folder(argv)
        folder = self._folder(command)
        if option and folder is not None:
            folder = option if option.startswith("/") else f"{folder}/{option}"
        return Invocation(
            argv=self._near(argv, self._folder(command)),
            folder=locate(folder, None, self.root, self.home) if folder else None,
            variables=tuple(sorted({*command.variables, *(word[:-1] for word in prefix if word.endswith("="))})),
            activation=self._activation(command),
            background=command.background,
            raised=any(word in ("sudo", "doas") for word in prefix),
            stdin=command.heredoc,
        )

    def _near(self, argv: tuple[str, ...], folder: str | None) -> tuple[str, ...]:
        """The command with a program of the project named from its folder: `/p/.venv/bin/x` is `.venv/bin/x`."""
        if not argv[0].startswith("/") or folder is None or locate(argv[0], None, self.root, self.home) is None:
            return argv
        return (posixpath.relpath(argv[0], folder), *argv[1:])

    def _folder(self, command: Command) -> str | None:
        """Absolute folder in which the command ran; None where that is not known."""
        if command.folder == "?":
            return None
        if command.folder.startswith("~"):
            return self.home + command.folder[1:]
        if command.folder.startswith("/"):
            return command.folder
        if not self.cwd:
            return None
        return f"{self.cwd}/{command.folder}" if command.folder else self.cwd

    def _activation(self, command: Command) -> str:
        """The script sourced in front of the command, as a command that works from the root."""
        for earlier in self.script.commands:
            if earlier is command:
                break
            if len(earlier.argv) == 2 and earlier.argv[0] in ("source", ".") and id(earlier) in self.proven:
                path = locate(earlier.argv[1], self._folder(earlier), self.root, self.home)
                if path is not None:
                    return f"source {path}"
        return ""

    def _edits(self, command: Command) -> bool:
        """Whether the command may change a file of the project; in doubt it may."""
        folder = self._folder(command)
        if any(self._inside(word, folder) for word in command.writes):
            return True
        argv = _bare(command)
        if not argv:
            return False
        program = basename(argv[0])
        if program in ARCHIVERS_AND_MOVERS or program == "tee":
            return any(self._inside(word, folder) for word in argv[1:] if not word.startswith("-"))
        if program == "git":
            return any(word in _GIT_CHANGES for word in argv[1:5])
        if program in ("sed", "perl", "ruby", "gsed"):
            return any(word.startswith(("-i", "--in-place", "-pi")) for word in argv[1:])
        if program in ("apply_patch", "patch") or program in _FORMATTERS:
            return "--check" not in argv
        if command.heredoc or code_option(argv):
            return _CODE_WRITES.search(command.heredoc + " ".join(argv[2:])) is not None
        return not _WRITING_FLAGS.isdisjoint(argv) or any(_FORMATTING_VERBS.fullmatch(word) for word in argv[1:3])

    def _inside(self, word: str, folder: str | None) -> bool:
        """Whether a written path may lie in the project."""
        if word.startswith(("/dev/", "/tmp/", "/var/tmp/", "$TMPDIR", "~")):  # noqa: S108 (paths are only compared)
            return False
        return not word.startswith("/") or locate(word, folder, self.root, self.home) is not None


def _bare(command: Command) -> tuple[str, ...]:
    return unwrap(command.argv)[1]


def outcome_of(call: ToolCall, meaning: Meaning) -> Outcome:
    """The outcome with equal facts counting equally: "nothing found" and "no" are answers, whatever the agent says."""
    outcome = call.outcome
    if outcome is Outcome.OK:
        silent = call.silent and meaning.search is not None and not meaning.search.quiet
        return Outcome.EMPTY if silent and meaning.action is Action.RUN else outcome
    if outcome is Outcome.FAILED and meaning.answers and call.exit_code == 1 and call.kind is None:
        if (meaning.moved or len(meaning.blamed) > 1) and "No such file" in call.output:
            return outcome  # an earlier link of the chain broke
        return Outcome.EMPTY if meaning.search is not None else Outcome.OK
    return outcome
