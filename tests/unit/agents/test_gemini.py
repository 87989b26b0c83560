"""Gemini CLI's session files as events. tests/fixtures/gemini was recorded with 0.61.0 and trimmed."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from headroomd.agents.base import Environment, FileShape, InUse
from headroomd.agents.gemini import plugin
from headroomd.model import Action, Event, Outcome, SessionStart, ToolCall, UserMessage

FIXTURES = Path(__file__).parents[2] / "fixtures/gemini"
PROJECT = "/home/dev/work/shop"
HASH = sha256(PROJECT.encode()).hexdigest()
TIME = "2026-11-23T01:24:55.560Z"


def env_of(home: Path, **variables: str) -> Environment:
    return Environment(home=home, variables=variables)


def read(path: Path, home: Path, state: bytes = b"") -> tuple[list[Event], bytes]:
    """All events of a file, and the state carried on."""
    reader = plugin.reader(path, env_of(home), state)
    data = path.read_bytes()
    lines = [data] if plugin.shape(path) is FileShape.WHOLE else data.splitlines(keepends=True)
    return list(reader.read(lines)), reader.dump()


def calls_of(events: list[Event]) -> list[ToolCall]:
    return [event for event in events if isinstance(event, ToolCall)]


def place(home: Path, name: str, content: str | bytes, folder: str = "shop") -> Path:
    path = home / ".gemini/tmp" / folder / "chats" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def recorded(home: Path, name: str, folder: str = "shop") -> Path:
    return place(home, f"session-2026-11-23T01-24-{name}", (FIXTURES / name).read_bytes(), folder)


def call(ident: str = "c1", name: str = "read_file", status: str | None = "success", **more: Any) -> dict[str, Any]:
    response = more.pop("response", {"output": "text"})
    result = [{"functionResponse": {"id": ident, "name": name, "response": response}}]
    base = {"id": ident, "name": name, "args": {"file_path": "a.py"}, "result": result, "status": status}
    return {**base, "timestamp": TIME, **more}


def message(*calls: dict[str, Any], ident: str = "m1") -> dict[str, Any]:
    return {"id": ident, "timestamp": TIME, "type": "gemini", "content": "", "toolCalls": list(calls)}


def head(session: str = "s1", project: str = PROJECT, **more: Any) -> dict[str, Any]:
    digest = sha256(project.encode()).hexdigest()
    return {"sessionId": session, "projectHash": digest, "startTime": TIME, "kind": "main", **more}


def said(text: str, ident: str = "u1", **more: Any) -> dict[str, Any]:
    return {"id": ident, "timestamp": TIME, "type": "user", "content": [{"text": text}], **more}


def lines(*records: Any) -> str:
    return "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)


def document(*messages: Any, **more: Any) -> str:
    return json.dumps({**head(**more), "messages": list(messages)}, indent=2)


@pytest.fixture
def known_home(tmp_path: Path) -> Path:
    """A home folder whose CLI knows the project under the slug `shop`."""
    gemini = tmp_path / ".gemini"
    gemini.mkdir()
    (gemini / "projects.json").write_text(json.dumps({"projects": {PROJECT: "shop"}}))
    return tmp_path


class TestRecordedAnswers:
    """What the real CLI wrote, tool by tool."""

    EXPECTED = (
        ("run_shell_command", Outcome.OK, 0),
        ("run_shell_command", Outcome.OK, 0),  # printed nothing
        ("run_shell_command", Outcome.FAILED, 4),
        ("run_shell_command", Outcome.OK, 0),  # printed "Exit Code: 3" and exited with 0
        ("run_shell_command", Outcome.FAILED, 5),  # printed "Exit Code: 9" and exited with 5
        ("run_shell_command", Outcome.CANCELLED, None),  # killed by a signal
        ("read_file", Outcome.TRUNCATED, None),
        ("read_file", Outcome.OK, None),  # the same file in part
        ("read_file", Outcome.FAILED, None),
        ("grep_search", Outcome.EMPTY, None),
        ("glob", Outcome.EMPTY, None),
        ("list_directory", Outcome.OK, None),
        ("replace", Outcome.OK, None),
        ("replace", Outcome.FAILED, None),
        ("write_file", Outcome.OK, None),
        ("run_shell_command", Outcome.OK, 0),  # too long an output, cut in the middle
        ("run_shell_command", Outcome.FAILED, 6),  # the same, failed
        ("run_shell_command", Outcome.OK, None),  # went on in the background
    )

    def test_outcomes(self, known_home: Path) -> None:
        """Each call has the outcome that a person reads from the recording."""
        calls = calls_of(read(recorded(known_home, "answers.jsonl"), known_home)[0])
        assert tuple((c.tool, c.outcome, c.exit_code) for c in calls) == self.EXPECTED

    def test_silence_and_excerpts(self, known_home: Path) -> None:
        """`silent` marks commands that printed nothing; a failed command's output is what it printed, unwrapped."""
        calls = calls_of(read(recorded(known_home, "answers.jsonl"), known_home)[0])
        assert [c.silent for c in calls[:6]] == [False, True, True, False, False, True]
        assert (calls[2].output, calls[4].output) == ("", "Exit Code: 9")
        assert calls[0].output == ""

    def test_where_a_command_ran(self, known_home: Path) -> None:
        """A command runs in the project root, or in the folder below it that `dir_path` names."""
        calls = calls_of(read(recorded(known_home, "answers.jsonl"), known_home)[0])
        assert (calls[0].cwd, calls[3].cwd) == (PROJECT, f"{PROJECT}/lib")

    def test_time_size_and_stream(self, known_home: Path) -> None:
        """Calls carry their own time, a rough size, and the session as their stream."""
        first = calls_of(read(recorded(known_home, "answers.jsonl"), known_home)[0])[0]
        assert first.at == pytest.approx(1795397088, abs=60)
        assert 50 < first.size < 300
        assert first.stream == first.session == "320bc855-6b9a-4aa4-bfb7-b42add4b0e9c"

    def test_only_the_prompt_is_a_persons_word(self, known_home: Path) -> None:
        """Session context and results handed back are user messages in the file, but nobody typed them."""
        events, _ = read(recorded(known_home, "answers.jsonl"), known_home)
        assert [e.text for e in events if isinstance(e, UserMessage)] == ["look around"]


class TestRecordedRefusals:
    """A person pressed Escape at approval prompts, while a command ran, and at a question."""

    def test_refusal_and_interruption_are_told_apart(self, known_home: Path) -> None:
        """Escape at the prompt is a refusal; Escape while the command runs, or at a question, is none."""
        calls = calls_of(read(recorded(known_home, "refused.jsonl"), known_home)[0])
        assert [(c.operation.command or c.tool, c.outcome) for c in calls] == [
            ("replace", Outcome.REJECTED),
            ("touch one", Outcome.REJECTED),
            ("touch two", Outcome.REJECTED),
            ("sleep 60", Outcome.CANCELLED),
            ("ask_user", Outcome.CANCELLED),
        ]

    def test_words_once_and_as_typed(self, known_home: Path) -> None:
        """What the CLI merges and records again after a cancellation is not said again; @file contents are left out."""
        events, _ = read(recorded(known_home, "refused.jsonl"), known_home)
        words = [e.text for e in events if isinstance(e, UserMessage) and not e.interrupts]
        assert words == ["edit the title", "touch them", "wait a bit", "ask me about @README.md", "thanks"]

    def test_interruptions(self, known_home: Path) -> None:
        """Each "Request cancelled." of the CLI tells that the user stopped the agent."""
        events, _ = read(recorded(known_home, "refused.jsonl"), known_home)
        assert sum(isinstance(e, UserMessage) and e.interrupts for e in events) == 4


class TestEveryCallOnce:
    """Re-emitted messages, checkpoints, resumes, migrations and rewinds add nothing and lose nothing."""

    def test_resume(self, known_home: Path) -> None:
        """The checkpoint of --resume, which has no toolCalls, neither deletes earlier calls nor repeats words."""
        events, _ = read(recorded(known_home, "resumed.jsonl"), known_home)
        assert [c.operation.command or c.operation.path for c in calls_of(events)] == [
            "ls nope",
            "src/a.py",
            "echo back",
        ]
        assert [e.text for e in events if isinstance(e, UserMessage)] == ["first part", "second part"]
        assert sum(isinstance(e, SessionStart) for e in events) == 1

    @pytest.mark.parametrize("name", ["answers.jsonl", "refused.jsonl", "resumed.jsonl"])
    def test_reading_in_two_goes(self, known_home: Path, name: str) -> None:
        """Wherever a reading stops, going on from the carried state gives the same events as one reading."""
        path = recorded(known_home, name)
        whole, _ = read(path, known_home)
        parts = path.read_bytes().splitlines(keepends=True)
        for cut in range(len(parts)):
            first = plugin.reader(path, env_of(known_home))
            events = list(first.read(parts[:cut]))
            events += plugin.reader(path, env_of(known_home), first.dump()).read(parts[cut:])
            assert events == whole

    def test_growing_message(self, known_home: Path) -> None:
        """A message re-emitted with more calls gives each call when it is final, once."""
        running = call("c2", status="executing", result=None)
        path = place(
            known_home,
            "session-a.jsonl",
            lines(head(), message(call()), message(call(), running), message(call(), call("c2"))),
        )
        assert [c.key for c in calls_of(read(path, known_home)[0])] == ["gemini:s1:c1", "gemini:s1:c2"]

    def test_rewind_keeps_calls(self, known_home: Path) -> None:
        """What the user takes back from the conversation was done all the same."""
        path = place(
            known_home, "session-a.jsonl", lines(head(), message(call()), {"$rewindTo": "m1"}, message(call("c2")))
        )
        assert len(calls_of(read(path, known_home)[0])) == 2

    def test_checkpoint_with_calls(self, known_home: Path) -> None:
        """A checkpoint whose copies do have toolCalls gives those that were not seen, by call id."""
        masked = {"$set": {"messages": [said("hi"), message(call(), call("c9"))]}}
        events, _ = read(
            place(known_home, "session-a.jsonl", lines(head(), said("hi"), message(call()), masked)), known_home
        )
        assert [c.key for c in calls_of(events)] == ["gemini:s1:c1", "gemini:s1:c9"]
        assert sum(isinstance(e, UserMessage) for e in events) == 1

    def test_migration_and_resume_of_the_old_format(self, known_home: Path) -> None:
        """The copy below the hash, the one below the slug, and the .jsonl that a resume made hold equal keys."""
        old = document(said("hi"), message(call(), call("c2")))
        new = lines(head(), said("hi"), message(call(), call("c2")), {"$set": {"sessionId": "s1"}})
        paths = [place(known_home, "session-a.json", old, HASH), place(known_home, "session-a.json", old)]
        paths.append(place(known_home, "session-a.jsonl", new))
        events = [read(path, known_home)[0] for path in paths]
        assert len(calls_of(events[0])) == 2
        first, second, third = ([structs.replace(c, size=0) for c in calls_of(e)] for e in events)  # indented: longer
        assert first == second == third
        assert events[0][:2] == events[2][:2]

    def test_equal_ids_in_two_sessions(self, known_home: Path) -> None:
        """Call ids that two sessions share are two calls: the CLI makes ids of tool, millisecond and counter."""
        keys = set()
        for name, session in (("session-a.jsonl", "s1"), ("session-b.jsonl", "s2")):
            keys |= {
                c.key
                for c in calls_of(read(place(known_home, name, lines(head(session), message(call()))), known_home)[0])
            }
        assert len(keys) == 2

    def test_sessions_of_the_a2a_server(self, known_home: Path) -> None:
        """All its sessions call themselves "a2a-server": the file's name tells them apart."""
        sessions = set()
        for name in ("session-1-a2a-serv.jsonl", "session-2-a2a-serv.jsonl"):
            path = place(known_home, name, lines(head("a2a-server"), message(call())))
            sessions |= {(c.session, c.key) for c in calls_of(read(path, known_home)[0])}
        assert len(sessions) == 2

    def test_state_is_bounded(self, known_home: Path) -> None:
        """However long a session is, what is carried on stays small."""
        path = place(known_home, "session-a.jsonl", lines(head(), *(message(call(f"c{i}")) for i in range(5000))))
        events, state = read(path, known_home)
        assert len(calls_of(events)) == 5000
        assert len(state) < 50_000


class TestProject:
    """Which project a session belongs to; no record holds its working directory."""

    def cwd(self, path: Path, known_home: Path) -> str:
        return calls_of(read(path, known_home)[0])[0].cwd

    def test_project_root_note(self, tmp_path: Path) -> None:
        """Without a registry entry the CLI's own .project_root tells, in tmp/ or in history/."""
        path = place(tmp_path, "session-a.jsonl", lines(head(), message(call())), "slug")
        assert self.cwd(path, tmp_path) == ""
        history = tmp_path / ".gemini/history/slug"
        history.mkdir(parents=True)
        (history / ".project_root").write_text("/from/history")
        assert self.cwd(path, tmp_path) == "/from/history"
        (path.parents[1] / ".project_root").write_text("/from/tmp")
        assert self.cwd(path, tmp_path) == "/from/tmp"

    def test_hash_of_a_registered_path(self, known_home: Path) -> None:
        """A folder named by a hash belongs to the known path with that hash."""
        assert self.cwd(place(known_home, "session-a.json", document(message(call())), HASH), known_home) == PROJECT

    def test_hash_of_a_path_known_by_any_name(self, tmp_path: Path) -> None:
        """A session below an unknown slug belongs to the path, of those that the CLI remembers, with its hash."""
        path = place(tmp_path, "session-a.jsonl", lines(head(), message(call())), "unknown")
        (tmp_path / ".gemini/trustedFolders.json").write_text(
            json.dumps({"/x": "TRUST_FOLDER", PROJECT: "TRUST_FOLDER"})
        )
        assert self.cwd(path, tmp_path) == PROJECT

    def test_hash_proves_the_workspace_listed(self, tmp_path: Path) -> None:
        """The folder that the session context lists is the project if its hash is the file's."""
        context = f"<session_context>\n- **Workspace Directories:**\n  - /elsewhere\n  - {PROJECT}\n</session_context>"
        first = {"$set": {"messages": [said(context)]}}
        path = place(tmp_path, "session-a.jsonl", lines(head(), first, message(call())), "gone")
        events, _ = read(path, tmp_path)
        assert calls_of(events)[0].cwd == PROJECT
        assert [e.cwd for e in events if isinstance(e, SessionStart)] == ["", PROJECT]

    def test_hash_proves_a_folder_above_a_file(self, tmp_path: Path) -> None:
        """Old sessions name absolute paths: of the folders above them the one with the file's hash is the project."""
        late = call("c2", args={"absolute_path": f"{PROJECT}/src/deep/a.py"})
        path = place(tmp_path, "session-a.json", document(message(call()), message(late)), HASH)
        assert {c.cwd for c in calls_of(read(path, tmp_path)[0])} == {PROJECT}

    def test_unproven_is_unattributed(self, tmp_path: Path) -> None:
        """A path whose hash is another's is no project: never a guess."""
        other = call(args={"absolute_path": "/known_home/dev/other/a.py"})
        path = place(tmp_path, "session-a.json", document(message(other)), HASH)
        assert [e.cwd for e in read(path, tmp_path)[0] if isinstance(e, SessionStart)] == [""]

    def test_damaged_registry(self, tmp_path: Path) -> None:
        """A registry that is no JSON, or not an object of strings, costs the attribution and nothing else."""
        path = place(tmp_path, "session-a.jsonl", lines(head(), message(call())))
        for content in ("{", "[]", '{"projects":[]}', '{"projects":{"/a":5,"b":"shop"}}', "\udcff"):
            (tmp_path / ".gemini/projects.json").write_bytes(content.encode("utf-8", "surrogateescape"))
            assert self.cwd(path, tmp_path) == ""


class TestSubagents:
    """chats/<parent session>/<id>.jsonl."""

    def test_belongs_to_the_parent(self, known_home: Path) -> None:
        """A subagent's calls carry the parent's session and a stream of their own; nobody typed its prompt."""
        record = lines(head("agent-7", kind="subagent"), said("find it"), message(call()))
        path = place(known_home, "parent-1/agent-7.jsonl", record)
        events, _ = read(path, known_home)
        (only,) = calls_of(events)
        assert (only.session, only.stream, only.cwd) == ("parent-1", "parent-1/agent-7", PROJECT)
        assert not [e for e in events if isinstance(e, UserMessage)]
        assert plugin.is_subagent_file(path)

    def test_project_called_chats(self, known_home: Path) -> None:
        """A project whose slug is `chats` does not make a main session a subagent's."""
        path = place(known_home, "session-a.jsonl", lines(head(), message(call())), "chats")
        assert not plugin.is_subagent_file(path)


class TestWords:
    """User messages of which a person typed nothing."""

    @pytest.mark.parametrize(
        "record",
        [
            said("<session_context>\nThis is the Gemini CLI.\n</session_context>"),
            said("<hook_context>note</hook_context>"),
            said("System: Please continue."),
            said("Please continue."),
            said("   "),
            {**said(""), "content": [{"functionResponse": {"id": "c1", "response": {}}}, {"text": "more"}]},
            {**said(""), "content": {"functionResponse": {}}},
            {**said(""), "content": None},
            {**said(""), "content": 5},
        ],
    )
    def test_not_typed(self, known_home: Path, record: dict[str, Any]) -> None:
        """What the CLI wrote, and what it hands back to the model, is nobody's word."""
        events, _ = read(place(known_home, "session-a.jsonl", lines(head(), record)), known_home)
        assert not [e for e in events if isinstance(e, UserMessage)]

    @pytest.mark.parametrize("content", ["use uv", {"text": "use uv"}, ["use uv"], [{"text": "use "}, {"text": "uv"}]])
    def test_every_shape_of_content(self, known_home: Path, content: object) -> None:
        """Content is a string, a part, or a list of both."""
        events, _ = read(
            place(known_home, "session-a.jsonl", lines(head(), {**said(""), "content": content})), known_home
        )
        assert [e.text for e in events if isinstance(e, UserMessage)] == ["use uv"]


class TestPlugin:
    """Where session files lie, and which files the CLI loads."""

    def test_session_files(self, known_home: Path) -> None:
        """Sessions of every layout are found; logs, checkpoints, and half-written files are not sessions."""
        wanted = {
            place(known_home, "session-a.json", "{}", HASH),
            place(known_home, "session-a.jsonl", ""),
            place(known_home, "parent/sub.jsonl", ""),
        }
        for name in ("session-a.jsonl.tmp-12", "session-a.jsonl.unreadable-9", "other.jsonl", "p/q/deep.jsonl"):
            place(known_home, name, "")
        tmp = known_home / ".gemini/tmp/shop"
        for name in ("logs.json", "checkpoints/x.json", "logs/session-a.jsonl", "tool-outputs/session-a/x.txt"):
            (tmp / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp / name).write_text("")
        env = env_of(known_home)
        assert set(plugin.session_files(env)) == wanted
        assert not plugin.is_session_file(Path("/elsewhere/x/chats/session-a.jsonl"), env)

    def test_gemini_cli_home(self, known_home: Path, tmp_path: Path) -> None:
        """GEMINI_CLI_HOME stands for the home folder: `.gemini` is below it."""
        place(known_home, "session-a.jsonl", "")
        moved = env_of(Path("/nobody"), GEMINI_CLI_HOME=str(tmp_path))
        assert plugin.roots(moved)[0] == tmp_path / ".gemini/tmp"
        assert len(list(plugin.session_files(moved))) == 1
        assert list(plugin.session_files(env_of(known_home, GEMINI_CLI_HOME="/nobody"))) == []

    def test_shape_and_use(self, known_home: Path) -> None:
        """Old files are documents; whether a session is in use cannot be told."""
        assert plugin.shape(Path("session-a.json")) is FileShape.WHOLE
        assert plugin.shape(Path("session-a.jsonl")) is FileShape.LINES
        assert plugin.in_use(Path("session-a.jsonl"), env_of(known_home)) is InUse.CANNOT_TELL

    def test_default_target(self, known_home: Path) -> None:
        """Context and memory both go to GEMINI.md unless settings name another file."""
        targets = plugin.targets(Path("/p"), env_of(known_home))
        assert targets.context == targets.memory == Path("/p/GEMINI.md")
        assert plugin.shadows(Path("/p"), env_of(known_home)) == []

    @pytest.mark.parametrize(
        ("settings", "name"),
        [
            ('{"context":{"fileName":"AGENTS.md"}}', "AGENTS.md"),
            ('{"context":{"fileName":["/abs.md","../up.md"," CONTEXT.md "]}}', "CONTEXT.md"),
            ('{\n// old\n"contextFileName": "NOTES.md" /* here */}', "NOTES.md"),
            ('{"context":{"fileName":"http://x"}, "a": "// no comment"}', "http:/x"),
            ('{"context":{"fileName":[5]}}', "GEMINI.md"),
            ('{"context":5}', "GEMINI.md"),
            ("{", "GEMINI.md"),
        ],
    )
    def test_configured_target(self, known_home: Path, settings: str, name: str) -> None:
        """The first usable name of context.fileName is the target; damaged settings change nothing."""
        (known_home / ".gemini/settings.json").write_text(settings)
        assert plugin.targets(Path("/p"), env_of(known_home)).context == Path("/p") / name

    def test_project_settings_come_first(self, known_home: Path, tmp_path: Path) -> None:
        """The project's own settings override the user's."""
        project = tmp_path / "p"
        (project / ".gemini").mkdir(parents=True)
        (project / ".gemini/settings.json").write_text('{"context":{"fileName":"HERE.md"}}')
        (known_home / ".gemini/settings.json").write_text('{"context":{"fileName":"THERE.md"}}')
        assert plugin.targets(project, env_of(known_home)).context == project / "HERE.md"

    def test_shadows(self, known_home: Path) -> None:
        """A fileName that names nothing in the project, and a folder that is not trusted, hide the block."""
        (known_home / ".gemini/settings.json").write_text('{"context":{"fileName":"/etc/x.md"}}')
        (known_home / ".gemini/trustedFolders.json").write_text('{"/work":"TRUST_FOLDER","/work/p":"DO_NOT_TRUST"}')
        causes = [shadow.cause for shadow in plugin.shadows(Path("/work/p/lib"), env_of(known_home))]
        assert ["fileName" in cause for cause in causes] == [True, False]
        assert [s.cause for s in plugin.shadows(Path("/work/q"), env_of(known_home))] == causes[:1]
        assert all(shadow.remedy for shadow in plugin.shadows(Path("/work/p"), env_of(known_home)))

    def test_trust_switched_off(self, known_home: Path) -> None:
        """Where folder trust is switched off, every folder is trusted."""
        (known_home / ".gemini/settings.json").write_text('{"security":{"folderTrust":{"enabled":false}}}')
        (known_home / ".gemini/trustedFolders.json").write_text('{"/work/p":"DO_NOT_TRUST"}')
        assert plugin.shadows(Path("/work/p"), env_of(known_home)) == []


def test_same_answers_without_timestamps(known_home: Path) -> None:
    """Records without usable times are read all the same, at 0.0."""
    odd = {**message(call(timestamp="yesterday")), "timestamp": None}
    (only,) = calls_of(read(place(known_home, "session-a.jsonl", lines(head(startTime=None), odd)), known_home)[0])
    assert (only.at, only.operation.action) == (0.0, Action.READ)


def test_without_metadata(known_home: Path) -> None:
    """A file whose first line is lost still counts; its name stands for the session."""
    path = place(known_home, "session-x.jsonl", lines(message(call())))
    start, only = read(path, known_home)[0]
    assert isinstance(start, SessionStart)
    assert (start.session, start.cwd) == ("session-x", PROJECT)
    assert isinstance(only, ToolCall)
