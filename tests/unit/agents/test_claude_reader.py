"""Claude Code's records, of every version known: which calls, words and sessions they hold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.agents import claude_reader
from headroomd.agents.claude_reader import ClaudeReader
from headroomd.model import Action, Event, FailureKind, Operation, Outcome, SessionStart, ToolCall, UserMessage

FIXTURES = Path(__file__).parents[2] / "fixtures/claude"
RECORDED = [line for path in sorted(FIXTURES.rglob("*.jsonl")) for line in path.read_bytes().splitlines()]
AT = "2026-11-22T14:02:08.460Z"
AT_SECONDS = 1795356128.46
LEFT_OUT = object()


def line(**fields: object) -> bytes:
    record = {"sessionId": "s1", "cwd": "/home/dev/app", "version": "2.1.197", "timestamp": AT, "uuid": "u1"}
    record |= {"isSidechain": False} | fields
    return json.dumps({key: value for key, value in record.items() if value is not LEFT_OUT}).encode()


def asked(tool: str, call_id: str = "t1", given: object = None, **fields: object) -> bytes:
    block = {"type": "tool_use", "id": call_id, "name": tool, "input": given if given is not None else {}}
    return line(type="assistant", message={"id": "m1", "role": "assistant", "content": [block]}, **fields)


def answered(content: object, call_id: str = "t1", error: object = LEFT_OUT, **fields: object) -> bytes:
    block: dict[str, object] = {"tool_use_id": call_id, "type": "tool_result", "content": content}
    if error is not LEFT_OUT:
        block["is_error"] = error
    return line(type="user", message={"role": "user", "content": [block]}, **fields)


def said(text: object, **fields: object) -> bytes:
    return line(type="user", message={"role": "user", "content": text}, **fields)


def events(*lines: bytes) -> list[Event]:
    return list(ClaudeReader("file").read(lines))


def calls(*lines: bytes) -> list[ToolCall]:
    return [event for event in events(*lines) if isinstance(event, ToolCall)]


def words(*lines: bytes) -> list[str]:
    return [event.text for event in events(*lines) if isinstance(event, UserMessage)]


def read_file(path: Path) -> list[Event]:
    return events(*path.read_bytes().splitlines())


# -- calls -------------------------------------------------------------------------------------------------


def test_call_and_result() -> None:
    """A call is told when its result is there, with the working directory and the time that it was asked at."""
    start, call = events(
        asked("Read", given={"file_path": "/home/dev/app/a.py"}),
        answered("File does not exist.", error=True, cwd="/home/dev/app/lib", timestamp="2026-11-22T15:00:00Z"),
    )
    assert start == SessionStart(agent="claude", session="s1", at=AT_SECONDS, cwd="/home/dev/app")
    assert isinstance(call, ToolCall)
    assert call == ToolCall(
        key="claude:t1",
        agent="claude",
        session="s1",
        stream="s1",
        at=AT_SECONDS,
        cwd="/home/dev/app",
        tool="Read",
        operation=Operation(Action.READ, path="/home/dev/app/a.py"),
        outcome=Outcome.FAILED,
        kind=FailureKind.FILE_NOT_FOUND,
        output="File does not exist.",
        size=call.size,
    )
    assert call.size > len("File does not exist.")


@pytest.mark.parametrize(
    ("tool", "given", "operation"),
    [
        ("Read", {"file_path": "a", "offset": 5}, Operation(Action.READ, path="a", partial=True)),
        ("Read", {"file_path": "a", "pages": "1-3"}, Operation(Action.READ, path="a", partial=True)),
        ("Grep", {"pattern": "x", "path": "src"}, Operation(Action.SEARCH, path="src", pattern="x")),
        ("Glob", {"pattern": "**/*.py", "path": None}, Operation(Action.SEARCH, pattern="**/*.py")),
        ("Edit", {"file_path": "a", "old_string": "x"}, Operation(Action.EDIT, path="a")),
        ("MultiEdit", {"file_path": "a", "edits": []}, Operation(Action.EDIT, path="a")),
        ("NotebookEdit", {"notebook_path": "a.ipynb"}, Operation(Action.EDIT, path="a.ipynb")),
        ("Write", {"file_path": "a", "content": "x"}, Operation(Action.WRITE, path="a")),
        ("Bash", {"command": "ls", "description": "d"}, Operation(Action.RUN, command="ls")),
        ("PowerShell", {"command": "dir"}, Operation(Action.RUN, command="dir")),
        ("LS", {"path": "src"}, Operation(Action.OTHER, path="src")),
        ("mcp__jira__find", {"query": "x"}, Operation(Action.OTHER)),
        ("Bash", {"command": 5}, Operation(Action.RUN)),
        ("Read", "not an object", Operation(Action.READ)),
    ],
)
def test_operations(tool: str, given: object, operation: Operation) -> None:
    """A call means the same whatever the agent's tool is called; arguments of a wrong type are as good as none."""
    assert calls(asked(tool, given=given), answered("ok"))[0].operation == operation


def test_results_in_any_order() -> None:
    """Of calls made at once, in one record or in many, each gets its own result."""
    both = [{"type": "tool_use", "id": name, "name": "Bash", "input": {"command": name}} for name in "ab"]
    found = calls(
        line(type="assistant", message={"id": "m", "content": both}),
        asked("Bash", "c", {"command": "c"}),
        answered("3", "c"),
        answered("Exit code 2\n2", "b", error=True),
        answered("1", "a"),
    )
    assert [(call.operation.command, call.outcome, call.exit_code) for call in found] == [
        ("c", Outcome.OK, None),
        ("b", Outcome.FAILED, 2),
        ("a", Outcome.OK, None),
    ]


@pytest.mark.parametrize("error", [LEFT_OUT, False, None])
def test_no_error_flag(error: object) -> None:
    """A result without is_error, or with a false one, is ok, whatever words are in it."""
    (call,) = calls(asked("Bash"), answered("Exit code 1\nError: File does not exist.", error=error))
    assert (call.outcome, call.kind, call.exit_code, call.output) == (Outcome.OK, None, None, "")


def test_content_in_blocks() -> None:
    """A result's text may come as a list of blocks, images and references among them."""
    content = [{"type": "text", "text": "Exit code 2"}, {"type": "image", "source": {}}, {"type": "tool_reference"}]
    (call,) = calls(asked("Bash"), answered(content, error=True))
    assert (call.exit_code, call.output) == (2, "Exit code 2\n\n")


@pytest.mark.parametrize(
    ("tool", "content", "details", "outcome", "silent"),
    [
        ("Grep", "No matches found", {"mode": "content", "numFiles": 0, "numLines": 0}, Outcome.EMPTY, False),
        ("Grep", "No matches found", {"mode": "content", "numFiles": 0, "numLines": 1}, Outcome.OK, False),
        ("Grep", "No files found", LEFT_OUT, Outcome.EMPTY, False),
        ("Glob", "No files found", {"filenames": [], "numFiles": 0}, Outcome.EMPTY, False),
        ("Read", "No files found", LEFT_OUT, Outcome.OK, False),
        ("Bash", "(Bash completed with no output)", {"returnCodeInterpretation": "No matches found"}, Outcome.OK, True),
        ("Bash", "", {"stdout": "", "stderr": ""}, Outcome.OK, True),
        ("Bash", "Command running in background with ID: b1", {"backgroundTaskId": "b1"}, Outcome.UNKNOWN, False),
        ("Bash", "fine", {"backgroundTaskId": None, "interrupted": False}, Outcome.OK, False),
        ("Bash", "<persisted-output>\nOutput too large (58.9KB).", {"persistedOutputPath": "/x"}, Outcome.OK, False),
        ("Bash", "fine", ["a", "list"], Outcome.OK, False),
    ],
)
def test_what_ok_results_say(tool: str, content: str, details: object, outcome: Outcome, silent: bool) -> None:
    """A search that found nothing is empty, a command started in the background has no verdict; the rest is ok."""
    (call,) = calls(asked(tool), answered(content, toolUseResult=details))
    assert (call.outcome, call.silent) == (outcome, silent)


def test_interrupted_command() -> None:
    """A command that the user stopped is cancelled, whatever it had printed."""
    (call,) = calls(asked("Bash"), answered("half a line", error=True, toolUseResult={"interrupted": True}))
    assert call.outcome is Outcome.CANCELLED


def test_refusal_with_words() -> None:
    """What a person typed when refusing is the call's reason."""
    text = "The user doesn't want to proceed with this tool use. To tell you how to proceed, the user said:\nuse make"
    (call,) = calls(asked("Bash"), answered(text, error=True, toolUseResult="User rejected tool use"))
    assert (call.outcome, call.reason) == (Outcome.REJECTED, "use make")


def test_no_result() -> None:
    """A call without a result is not told: it is running, killed, or waits for approval."""
    assert calls(asked("Bash")) == []


def test_result_without_call() -> None:
    """A result whose call is not on file cannot be told, and costs nothing else."""
    assert len(calls(answered("x", "unknown"), asked("Bash"), answered("x"))) == 1


def test_progress_records() -> None:
    """Copies of a subagent's messages inside progress records (2.1.11 to 2.1.83) are not calls."""
    inner = json.loads(asked("Bash", "inner"))
    copy = line(type="progress", data={"type": "agent_progress", "message": inner}, message=inner["message"])
    assert calls(copy, answered("x", "inner")) == []


def test_first_bytes() -> None:
    """Records whose type comes first are passed over unread, but for the types that hold messages."""
    record = json.loads(asked("Bash"))
    typed_first = json.dumps({"type": record.pop("type"), **record}, separators=(",", ":")).encode()
    title = b'{"type":"custom-title","customTitle":"x","sessionId":"s1"}'
    assert len(calls(title, typed_first, b'{"type":"summary"', answered("x"))) == 1


# -- sessions and streams ------------------------------------------------------------------------------------


def test_session_follows_the_records() -> None:
    """A session is told once, with the first working directory, and again when that was not known at first."""
    found = events(said("a", cwd=LEFT_OUT), said("b"), said("c", cwd="/home/dev/app/lib"), said("d", sessionId="s2"))
    assert [(event.session, event.cwd) for event in found if isinstance(event, SessionStart)] == [
        ("s1", ""),
        ("s1", "/home/dev/app"),
        ("s2", "/home/dev/app"),
    ]


def test_session_without_an_id() -> None:
    """A record that names no session belongs to the one that the file is named after."""
    assert events(said("a", sessionId=LEFT_OUT))[0].session == "file"


def test_branch() -> None:
    """Records that /branch copied belong to the session that they come from, which is the parent of the new one."""
    origin = {"sessionId": "old", "messageUuid": "x"}
    found = events(
        asked("Bash", forkedFrom=origin, sessionId="new"),
        answered("x", forkedFrom=origin, sessionId="new"),
        asked("Bash", "t2", sessionId="new"),
        answered("x", "t2", sessionId="new"),
    )
    assert [(event.session, event.parent) for event in found if isinstance(event, SessionStart)] == [
        ("old", ""),
        ("new", "old"),
    ]
    assert [(event.key, event.session) for event in found if isinstance(event, ToolCall)] == [
        ("claude:t1", "old"),
        ("claude:t2", "new"),
    ]


def test_subagent_file() -> None:
    """A subagent's calls carry the parent's session, and a stream of their own; its prompt is not a person's."""
    (call,) = calls(
        said("find it", isSidechain=True, agentId="a1"),
        asked("Bash", isSidechain=True, agentId="a1"),
        answered("x", isSidechain=True, agentId="a1"),
    )
    assert (call.session, call.stream) == ("s1", "s1/a1")
    assert words(said("find it", isSidechain=True, agentId="a1")) == []


def test_inline_sidechains() -> None:
    """Sidechains inside the session's file (up to 2.0.21) have no name: each chain is a stream."""

    def inside(uuid: str, parent: str | None) -> dict[str, object]:
        return {"isSidechain": True, "version": "1.0.80", "uuid": uuid, "parentUuid": parent}

    found = calls(
        said("one", **inside("a0", None)),
        said("two", **inside("b0", None)),
        asked("Bash", "b", **inside("b1", "b0")),
        asked("Bash", "a", **inside("a1", "a0")),
        answered("x", "a", **inside("a2", "a1")),
        answered("x", "b", **inside("b2", "b1")),
        asked("Bash", "c", **inside("a3", "a2")),
        answered("x", "c", **inside("a4", "a3")),
        asked("Bash", "d"),
        answered("x", "d"),
    )
    assert {call.key[-1]: call.stream for call in found} == {"a": "s1/a0", "b": "s1/b0", "c": "s1/a0", "d": "s1"}


# -- a person's words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        said("a summary", isCompactSummary=True, isVisibleInTranscriptOnly=True),
        said("injected", isMeta=True),
        said(
            "<command-name>/clear</command-name>\n<command-message>clear</command-message>\n<command-args></command-args>"
        ),
        said("<local-command-stdout>done</local-command-stdout>"),
        said("<system-reminder>\nbe good\n</system-reminder>"),
        said("<task-notification>\n<task-id>b1</task-id>\n</task-notification>", origin={"kind": "task-notification"}),
        said("go on", origin={"kind": "auto-continuation"}),
        said("Caveat: The messages below were generated by the user while running local commands. DO NOT respond"),
        said("This session is being continued from a previous conversation that ran out of context. The"),
        said([]),
        said(None),
        answered("a result"),
        line(type="system", subtype="compact_boundary", content="Conversation compacted"),
    ],
)
def test_not_typed(record: bytes) -> None:
    """Reminders, summaries, commands and notifications are records of the user's too, but nobody typed them."""
    assert words(record) == []


def test_typed() -> None:
    """Words come as text or as blocks; what was put around them is taken off."""
    assert words(
        said("hello"),
        said([{"type": "text", "text": "use uv"}, {"type": "image", "source": {}}]),
        said("<system-reminder>x</system-reminder>\nno, <b>bold</b>", origin={"kind": "human"}),
        said([{"type": "text", "text": "<ide_opened_file>a.py</ide_opened_file>"}, {"type": "text", "text": "fix"}]),
    ) == ["hello", "use uv", "no, <b>bold</b>", "fix"]


def test_interruption() -> None:
    """That the user stopped the agent is told without words."""
    found = events(said([{"type": "text", "text": "[Request interrupted by user for tool use]"}]))
    assert [(event.text, event.interrupts) for event in found if isinstance(event, UserMessage)] == [("", True)]


# -- recordings ----------------------------------------------------------------------------------------------


def test_recorded_session() -> None:
    """A session recorded with claude 2.1.197: guards, siblings, background, nothing found, a moving folder."""
    (path,) = (FIXTURES / "-home-dev-work-app").glob("*.jsonl")
    found = [event for event in read_file(path) if isinstance(event, ToolCall)]
    summary = [(call.tool, call.operation.command, call.outcome.value, call.kind and call.kind.value) for call in found]
    assert summary == [
        ("Bash", "echo two", "failed", "guard"),
        ("Bash", "echo json", "failed", "guard"),
        ("Bash", "npm publish", "failed", "guard"),
        ("Read", "", "failed", "guard"),
        ("WebFetch", "", "failed", "guard"),
        ("Read", "", "ok", None),
        ("Bash", "echo sibling", "ok", None),
        ("Bash", "false", "failed", None),
        ("Bash", "seq 1 20000", "ok", None),
        ("Bash", "sleep 1; echo bg", "unknown", None),
        ("Glob", "", "empty", None),
        ("Grep", "", "empty", None),
        ("Grep", "", "empty", None),
        ("Bash", "cd lib && echo moved", "ok", None),
        ("Bash", "pwd", "ok", None),
        ("Edit", "", "failed", "tool misuse"),
        ("Write", "", "failed", "tool misuse"),
        ("Write", "", "failed", "file not found"),
        ("Agent", "", "ok", None),
    ]
    assert [call.cwd for call in found[-6:-4]] == ["/home/dev/work/app", "/home/dev/work/app/lib"]
    assert [event.text for event in read_file(path) if isinstance(event, UserMessage)] == ["do it"]


def test_recorded_resume_and_fork() -> None:
    """A session that was resumed, and the fork of it: what was copied has the same keys, so that it counts once."""
    files = sorted((FIXTURES / "-home-dev-work-svc").glob("*.jsonl"))
    keys = [[event.key for event in read_file(path) if isinstance(event, ToolCall)] for path in files]
    assert sorted(map(len, keys)) == [4, 5]
    assert len({key for file in keys for key in file}) == 5
    assert {event.session for path in files for event in read_file(path)} == {path.stem for path in files}


def test_reading_in_parts() -> None:
    """Wherever reading stops and goes on with what was carried, the events are the same."""
    for path in sorted(FIXTURES.rglob("*.jsonl")):
        lines = path.read_bytes().splitlines()
        for cut in range(len(lines)):
            first = ClaudeReader(path.stem)
            events_before = list(first.read(lines[:cut]))
            second = ClaudeReader(path.stem, first.dump())
            assert events_before + list(second.read(lines[cut:])) == list(ClaudeReader(path.stem).read(lines))


def test_carried_state_is_bounded() -> None:
    """Calls that never get a result, however many and large, do not pile up."""
    reader = ClaudeReader("file")
    given = {"command": "x" * 100_000}
    sidechain = {"isSidechain": True, "version": "1.0.80"}
    for number in range(1000):
        list(reader.read([asked("Bash", f"t{number}", given, uuid=f"u{number}", **sidechain)]))
    assert len(reader.dump()) < claude_reader._MOST_PENDING * (claude_reader._MOST_TEXT + 1000)
    assert len([*reader.read([answered("x", "t999"), answered("x", "t1")])]) == 1


# -- damage --------------------------------------------------------------------------------------------------

LAST = [asked("Bash", "last"), answered("x", "last")]


def survives(broken: Iterable[bytes]) -> ClaudeReader:
    reader = ClaudeReader("file")
    last = [event for event in reader.read([*broken, *LAST]) if isinstance(event, ToolCall)][-1]
    assert last.key == "claude:last"
    return reader


@given(recorded=st.sampled_from(RECORDED), data=st.data())
def test_cut_and_overwritten(recorded: bytes, data: st.DataObject) -> None:
    """A line cut short, or overwritten anywhere with anything, costs at most itself."""
    cut = data.draw(st.integers(0, len(recorded)))
    junk = data.draw(st.binary(max_size=6))
    survives([recorded[:cut], recorded[:cut] + junk + recorded[cut + len(junk) :]])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


@given(recorded=st.sampled_from([asked("Bash"), answered("x"), said("x"), said([{"type": "text"}])]), data=st.data())
def test_any_value_in_any_place(recorded: bytes, data: st.DataObject) -> None:
    """Any field, at any depth, may hold anything; so may the line as a whole."""
    record = json.loads(recorded)
    place = record
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    value = data.draw(JSON)
    place[key] = value
    survives([json.dumps(record).encode(), json.dumps(value).encode()])


@pytest.mark.parametrize(
    "broken", [b"[]", b'"x"', b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"5"]
)
def test_odd_lines(broken: bytes) -> None:
    """A line that holds no record is counted as odd."""
    assert survives([broken]).odd_lines == 1


def test_blank_lines() -> None:
    """A blank line is not odd."""
    assert survives([b"", b"\n", b"  \n"]).odd_lines == 0


def test_lone_surrogates() -> None:
    """Node cuts strings in the middle of a surrogate pair: the line is repaired, counted, and can be stored."""
    cut = answered("Exit code 1\n", error=True).replace(b"Exit code 1", b"Exit code 1\\n\\ud83d")
    reader = ClaudeReader("file")
    call = next(event for event in reader.read([asked("Bash"), cut]) if isinstance(event, ToolCall))
    assert (reader.repaired_lines, call.exit_code) == (1, 1)
    assert "\N{REPLACEMENT CHARACTER}" in call.output.encode().decode()


def test_invalid_utf8() -> None:
    """Bytes that are not UTF-8, in a result or in an input, cost at most themselves."""
    use = asked("Bash", given={"command": "cat #"}).replace(b"#", b"\xc3\x28")
    result = answered("Exit code 1\n#", error=True).replace(b"#", b"\xff")
    (call,) = calls(use, result)
    assert (call.exit_code, call.operation.command) == (1, "cat \N{REPLACEMENT CHARACTER}(")
    assert call.output.encode()


def test_nesting_at_the_limit() -> None:
    """Whichever part it is that is nested deeper than a parser goes, nothing raises."""
    for depth in range(880, 1010):
        deep = b"[" * depth + b"]" * depth
        survives([asked("Bash", given="#").replace(b'"#"', deep), answered("#", error=True).replace(b'"#"', deep)])
