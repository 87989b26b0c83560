"""Codex's rollouts as events: recorded ones (0.169) and, written after their description, older ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headroomd.agents.base import Environment
from headroomd.agents.codex import plugin
from headroomd.agents.codex_reader import CodexReader
from headroomd.model import Action, Event, FailureKind, Outcome, SessionStart, ToolCall, UserMessage

FIXTURES = Path(__file__).parents[2] / "fixtures/codex"
ENV = Environment(home=Path("/nobody"), variables={})
SOURCE, FORK, FORK_OF_FORK = (
    "01a1aaaa-0ccf-79d0-be5a-7a010861d2d7",
    "01a205f0-003e-77c3-95be-c429a23d1486",
    "01a205f1-833a-7e52-a494-127131b86c7e",
)
PARENT, CHILD = "01a205f2-f829-7511-bc92-8e7bdefc977f", "01a205f2-f907-78a1-b11b-24b67127a426"


def recorded(name: str) -> list[Event]:
    """The events of a recorded rollout."""
    with (FIXTURES / f"{name}.jsonl").open("rb") as lines:
        return list(CodexReader(b"", name).read(lines))


def line(kind: str, payload: dict[str, object], second: float = 0, **more: object) -> bytes:
    """A line as Codex writes it."""
    stamp = f"2025-09-16T06:{int(second) // 60:02d}:{second % 60:06.3f}Z"
    return (
        json.dumps({"timestamp": stamp, **more, "type": kind, "payload": payload}, separators=(",", ":")).encode()
        + b"\n"
    )


def meta(thread: str, **more: object) -> bytes:
    return line("session_meta", {"id": thread, "timestamp": "2025-09-16T06:00:00Z", "cwd": "/p", **more})


def item(second: float = 0, **payload: object) -> bytes:
    return line("response_item", payload, second)


def event(second: float = 0, **payload: object) -> bytes:
    return line("event_msg", payload, second)


def asks(call: str, command: str = "make", second: float = 0, **arguments: object) -> bytes:
    values = {"command": ["bash", "-lc", command], **arguments}
    return item(second, type="function_call", name="shell", arguments=json.dumps(values), call_id=call)


def answers(call: str, code: int = 0, text: str = "", second: float = 0) -> bytes:
    output = json.dumps({"output": text, "metadata": {"exit_code": code, "duration_seconds": 0.1}})
    return item(second, type="function_call_output", call_id=call, output=output)


def read(*lines: bytes, thread: str = "named") -> list[Event]:
    return list(CodexReader(b"", thread).read(lines))


def calls(events: list[Event]) -> list[ToolCall]:
    return [event for event in events if isinstance(event, ToolCall)]


def keys(events: list[Event]) -> list[str]:
    return [call.key.removeprefix("codex:") for call in calls(events)]


def said(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, UserMessage)]


# -- one thread --


def test_recorded_session() -> None:
    """A session gives its home first, then what was typed, then each call with what became of it."""
    events = recorded("source")
    assert events[0] == SessionStart("codex", SOURCE, events[0].at, "/home/dev/work/shop")
    assert said(events) == ["first words"]
    assert [(call.operation.command, call.outcome, call.exit_code, call.cwd) for call in calls(events)] == [
        ("ls nope", Outcome.FAILED, 2, "/home/dev/work/shop"),
        ("echo hi", Outcome.OK, 0, "/tmp"),
        ("sleep 3; exit 4", Outcome.CANCELLED, -1, "/home/dev/work/shop"),
    ]


def test_every_tool() -> None:
    """Calls of tools that do not exist, patches and cut outputs each have their outcome."""
    found = {(call.tool, call.operation.path or call.operation.command): call for call in calls(recorded("tools"))}
    outcomes = {name: (call.outcome, call.kind) for name, call in found.items()}
    assert outcomes["shell_command", "ls nope"] == (Outcome.FAILED, FailureKind.MISUSE)
    assert outcomes["exec_command", "seq 1 90000"] == (Outcome.TRUNCATED, None)
    assert outcomes["exec_command", "cat nope"] == (Outcome.FAILED, None)
    assert outcomes["view_image", "nope.png"] == (Outcome.FAILED, None)
    assert found["exec_command", "cat nope"].cwd == "/nowhere"
    patches = [
        call for call in calls(recorded("tools")) if call.operation.path == "new.txt" and call.tool == "exec_command"
    ]
    assert [(call.operation.action, call.outcome, call.kind) for call in patches] == [
        (Action.WRITE, Outcome.OK, None),
        (Action.EDIT, Outcome.FAILED, FailureKind.MISUSE),
    ]


def test_code_mode() -> None:
    """A script tells nothing for sure; the commands that it ran are calls of their own."""
    script = [call for call in calls(recorded("code_mode")) if call.tool == "exec"]
    assert [(call.operation.action, call.operation.command, call.outcome, call.exit_code) for call in script] == [
        (Action.RUN, "ls nope", Outcome.FAILED, 2),
        (Action.OTHER, "", Outcome.OK, None),
    ]


def test_running_processes() -> None:
    """The verdict on a process that went on running comes later, once, and is that of the call that began it."""
    found = calls(recorded("polled"))
    assert [(call.tool, call.outcome, call.exit_code) for call in found] == [
        ("exec_command", Outcome.FAILED, 2),
        ("write_stdin", Outcome.OK, None),
        ("write_stdin", Outcome.FAILED, None),
        ("exec_command", Outcome.CANCELLED, 1),
        ("write_stdin", Outcome.OK, None),
    ]
    assert found[0].output == "start\nls: cannot access 'nope': No such file or directory\n"


def test_poll_without_other_records() -> None:
    """Where only write_stdin tells the end of a process, its text joins what was printed before."""
    head = "Wall time: 1 seconds\nProcess {}\nOutput:\n{}"
    poll = {"type": "function_call", "name": "write_stdin", "arguments": '{"session_id":7}'}
    lines = [
        meta("t"),
        asks("c1", "make"),
        item(type="function_call_output", call_id="c1", output=head.format("running with session ID 7", "one\n")),
        item(**poll, call_id="c2"),
        item(type="function_call_output", call_id="c2", output=head.format("running with session ID 7", "two\n")),
        item(**poll, call_id="c3"),
        item(type="function_call_output", call_id="c3", output=head.format("exited with code 2", "three\n")),
    ]
    found = calls(read(*lines))
    assert [(call.key, call.outcome) for call in found] == [
        ("codex:t:c2", Outcome.OK),
        ("codex:t:c1", Outcome.FAILED),
        ("codex:t:c3", Outcome.OK),
    ]
    assert found[1].output == "one\ntwo\nthree\n"


def test_lost_process() -> None:
    """A process whose id is used again has lost its verdict."""
    running = "Wall time: 1 seconds\nProcess running with session ID 7\nOutput:\n"
    lines = [meta("t")]
    for call in ("c1", "c2"):
        lines += [asks(call), item(type="function_call_output", call_id=call, output=running)]
    assert [(call.key, call.outcome) for call in calls(read(*lines))] == [("codex:t:c1", Outcome.UNKNOWN)]


def test_refused_and_interrupted() -> None:
    """Stopped while the user was being asked: refused. Stopped while it ran by itself: cancelled."""
    events = recorded("attended")
    assert [(call.operation.command, call.outcome) for call in calls(events)] == [
        ("sleep 20; ls nope", Outcome.REJECTED),
        ("sleep 21; ls nope", Outcome.CANCELLED),
        ("echo quick; sleep 1; ls nope", Outcome.FAILED),
    ]
    words = [(event.text, event.interrupts) for event in events if isinstance(event, UserMessage)]
    assert words == [("second", False), ("", True), ("third", False), ("", True), ("fourth", False)]


def test_call_without_an_answer() -> None:
    """A call that nobody answered is not given out."""
    assert calls(read(meta("t"), asks("c1"))) == []


def test_ids_are_of_their_thread() -> None:
    """The same call id in two threads is two calls."""
    lines = (asks("call_0000"), answers("call_0000"))
    assert keys(read(meta("a"), *lines)) + keys(read(meta("b"), *lines)) == ["a:call_0000", "b:call_0000"]


def test_folders() -> None:
    """A call's folder is its workdir below the turn's, or the turn's, or the session's."""
    lines = [meta("t"), asks("c1"), answers("c1"), line("turn_context", {"cwd": "/p/web", "approval_policy": "never"})]
    lines += [
        asks("c2"),
        answers("c2"),
        asks("c3", workdir="api"),
        answers("c3"),
        asks("c4", workdir="/q"),
        answers("c4"),
    ]
    assert [call.cwd for call in calls(read(*lines))] == ["/p", "/p/web", "/p/web/api", "/q"]


def test_other_records_are_never_calls() -> None:
    """Event copies of a call tell its exit code where the answer does not, and are not counted."""
    lines = [
        meta("t"),
        asks("c1"),
        event(type="exec_command_end", call_id="c1", exit_code=3, aggregated_output="boom"),
        item(type="function_call_output", call_id="c1", output="boom"),
        item(type="function_call", name="mcp__a__b", arguments="{}", call_id="c2"),
        event(type="mcp_tool_call_end", call_id="c2", result={"Err": "no"}),
        item(type="function_call_output", call_id="c2", output="no"),
        item(type="custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id="c3"),
        event(type="patch_apply_end", call_id="c3", success=False),
        item(type="custom_tool_call_output", call_id="c3", output="no"),
        event(type="exec_command_end", call_id="c9", exit_code=1),
    ]
    assert [(call.outcome, call.exit_code) for call in calls(read(*lines))] == [
        (Outcome.FAILED, 3),
        (Outcome.FAILED, None),
        (Outcome.FAILED, None),
    ]


def test_declined_item() -> None:
    """An item that was declined is a refusal whatever its answer says."""
    declined = {"type": "CommandExecution", "id": "c1", "status": "declined", "exit_code": -1, "aggregated_output": ""}
    lines = [meta("t"), asks("c1"), event(type="item_completed", item=declined), answers("c1", 1)]
    assert [call.outcome for call in calls(read(*lines))] == [Outcome.REJECTED]


def test_output_as_a_list() -> None:
    """An answer may be a list of texts and images."""
    output = [{"type": "input_text", "text": "Exit code: 2\nWall time: 1 seconds\n"}, {"type": "input_image"}]
    output.append({"type": "input_text", "text": "Output:\nboom"})
    (call,) = calls(read(meta("t"), asks("c1"), item(type="function_call_output", call_id="c1", output=output)))
    assert (call.outcome, call.exit_code, call.output) == (Outcome.FAILED, 2, "boom")


def test_local_shell_call() -> None:
    """`local_shell_call` carries its command in an action."""
    action = {"type": "exec", "command": ["bash", "-lc", "ls"], "working_directory": "/q"}
    (call,) = calls(read(meta("t"), item(type="local_shell_call", call_id="c1", action=action), answers("c1")))
    assert (call.tool, call.operation.command, call.cwd) == ("local_shell", "ls", "/q")


def test_history_is_not_replayed() -> None:
    """A compaction's replacement history and a rollback neither add calls nor take them back."""
    old = {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c9"}
    lines = [meta("t"), asks("c1"), answers("c1"), line("compacted", {"message": "", "replacement_history": [old]})]
    lines += [event(type="thread_rolled_back", num_turns=1)]
    assert keys(read(*lines)) == ["t:c1"]


def test_before_envelopes() -> None:
    """Lines without an envelope are read too; the folder stands in the environment given to the model."""
    lines = [
        {"id": "t", "timestamp": "2025-05-07T17:24:21Z", "instructions": None},
        {"record_type": "state"},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "<env>\n<cwd>/p</cwd>\n</env>"}],
        },
        {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "c1"},
        {"type": "function_call_output", "call_id": "c1", "output": '{"output":"","metadata":{"exit_code":1}}'},
    ]
    events = read(*(json.dumps(record).encode() + b"\n" for record in lines))
    assert [event.cwd for event in events if isinstance(event, SessionStart)] == ["", "/p"]
    assert [(call.key, call.cwd, call.outcome) for call in calls(events)] == [("codex:t:c1", "/p", Outcome.FAILED)]


def test_without_a_session_meta() -> None:
    """A file that lost its first line is known by its name; the folder comes with the first turn."""
    turn = line("turn_context", {"cwd": "/p", "approval_policy": "never"})
    events = read(turn, asks("c1"), answers("c1"), thread="t")
    assert [event.cwd for event in events if isinstance(event, SessionStart)] == ["", "/p"]
    assert keys(events) == ["t:c1"]


# -- what a person typed --


def user(text: str, **more: object) -> bytes:
    return item(type="message", role="user", content=[{"type": "input_text", "text": text}], **more)


def test_words_are_given_once() -> None:
    """A message and the event about it are one; what no event confirms, where there are events, was not typed."""
    lines = [meta("t"), user("fix it"), event(type="user_message", message="fix it"), user("injected"), asks("c1")]
    assert said(read(*lines)) == ["fix it"]


def test_words_without_events() -> None:
    """Without events, a message was typed if the model answers it and Codex did not wrap it."""
    injected = [
        "<environment_context>\n</environment_context>",
        "# AGENTS.md instructions for /p\n\nx",
        "<skill>x</skill>",
    ]
    lines = [meta("t"), *(user(text) for text in injected), user("fix it"), item(type="message", role="assistant")]
    assert said(read(*lines)) == ["fix it"]
    assert said(read(*lines[:-1], event(type="turn_aborted", reason="interrupted"))) == ["fix it", ""]


def test_words_from_an_editor() -> None:
    """What an editor adds before the request is left out."""
    text = "# Context from my IDE setup:\n\n## Active file: a.py\n\n## My request for Codex:\nfix it\n"
    assert said(read(meta("t"), event(type="user_message", message=text))) == ["fix it"]


def test_words_by_provenance() -> None:
    """Where pieces of a message say where they come from, only the user's count."""
    pieces = [{"provenance": {"type": "harness", "hook": False}}, {"provenance": {"type": "user"}}]
    content = [{"type": "input_text", "text": "reminder"}, {"type": "input_text", "text": "fix it"}]
    noted = {"internal_chat_message_metadata_passthrough": {"content_item_metadata": pieces}}
    assert said(read(meta("t"), item(type="message", role="user", content=content, **noted))) == ["fix it"]


# -- several threads in one file --


def test_fork_with_copied_history() -> None:
    """A fork's copied calls and words are the source's, under the same keys; its own are its own."""
    source, fork = recorded("source"), recorded("fork")
    own = "call_00000036287052", "call_00010018648325"
    assert keys(fork) == [*keys(source)[:2], *(f"{FORK}:{call}" for call in own)]
    assert [(call.session, call.stream) for call in calls(fork)[:2]] == [(SOURCE, SOURCE)] * 2
    starts = [(start.session, start.parent) for start in fork if isinstance(start, SessionStart)]
    assert starts == [(FORK, SOURCE), (SOURCE, "")]
    words = [event.key for event in fork if isinstance(event, UserMessage)]
    assert words[0] in [event.key for event in source if isinstance(event, UserMessage)]
    assert said(fork) == ["first words", "forked from legacy"]


def test_fork_of_a_fork() -> None:
    """Each copied call belongs to the thread that made it, however many forks lie between."""
    nested = recorded("fork_of_fork")
    assert keys(nested) == [*keys(recorded("fork")), f"{FORK_OF_FORK}:call_00010037958917"]
    assert said(nested) == [*said(recorded("fork")), "fork of a fork"]


def test_paginated_fork() -> None:
    """A fork that only refers to its source holds nothing but its own calls."""
    fork = recorded("paginated_fork")
    assert {call.session for call in calls(fork)} == {"01a205ee-9651-7592-ae33-4bbaadc03066"}
    assert said(fork) == ["forked words"]


def test_subagent() -> None:
    """A subagent's calls are its parent's session in a stream of their own; its prompt is nobody's words."""
    parent, child = recorded("parent"), recorded("subagent")
    assert child[0] == SessionStart("codex", PARENT, child[0].at, "/home/dev/work/shop", PARENT)
    assert {(call.session, call.stream) for call in calls(child)} == {(PARENT, CHILD)}
    assert not set(keys(parent)) & set(keys(child))
    assert said(child) == said(parent) == ["parent words"]
    assert plugin.is_subagent_file(FIXTURES / "subagent.jsonl")
    assert not plugin.is_subagent_file(FIXTURES / "parent.jsonl")


def test_old_fork_ends_with_a_pause() -> None:
    """Before turns had ids, a copy was over when the instant of its writing was."""
    copied = [meta("b", forked_from_id="a"), meta("a"), asks("c1", second=0.1), answers("c1", second=0.9)]
    own = [asks("c1", "other", second=9), answers("c1", second=9.1)]
    assert keys(read(*copied, *own)) == ["a:c1", "b:c1"]


def test_own_history_begins_at_an_ordinal() -> None:
    """A subagent says at which ordinal its own history begins."""
    source = {"subagent": {"thread_spawn": {"parent_thread_id": "a"}}}
    lines = [meta("b", source=source, subagent_history_start_ordinal=4), meta("a")]
    for ordinal, call in ((2, "c1"), (4, "c2")):
        arguments = {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": call}
        lines += [line("response_item", arguments, ordinal=ordinal)]
        lines += [
            line(
                "response_item",
                {"type": "function_call_output", "call_id": call, "output": "aborted"},
                ordinal=ordinal + 1,
            )
        ]
    assert keys(read(*lines)) == ["a:c1", "b:c2"]
    assert {call.session for call in calls(read(*lines))} == {"a"}


def test_meta_that_repeats() -> None:
    """The same thread's session_meta again is no fork."""
    lines = [meta("t"), asks("c1"), meta("t"), answers("c1")]
    assert keys(read(*lines)) == ["t:c1"]


# -- the plugin --


@pytest.mark.parametrize(
    ("name", "is_session"),
    [
        ("rollout-2026-11-22T14-11-03-01a20398-9d10-7ec3-9f7a-275bee0311cb.jsonl", True),
        ("rollout-2026-11-22T14-11-03-01a20398-9d10-7ec3-9f7a-275bee0311cb.jsonl.zst", True),
        ("rollout-2026-11-22T14-11-03-x.jsonl.tmp", False),
        ("session_index.jsonl", False),
        ("rollout-2026-11-22.json", False),
    ],
)
def test_names_of_session_files(name: str, is_session: bool) -> None:
    """A session file is told by its name."""
    assert plugin.is_session_file(Path("/nobody/.codex/sessions/2026/11/22") / name, ENV) is is_session


def test_folders_follow_codex_home() -> None:
    """CODEX_HOME moves all that Codex writes."""
    moved = Environment(home=Path("/nobody"), variables={"CODEX_HOME": "/elsewhere"})
    assert plugin.roots(ENV) == [Path("/nobody/.codex/sessions"), Path("/nobody/.codex/archived_sessions")]
    assert plugin.roots(moved) == [Path("/elsewhere/sessions"), Path("/elsewhere/archived_sessions")]


def test_targets() -> None:
    """Memory goes to a file that Codex does not load, so that AGENTS.md must point to it."""
    targets = plugin.targets(Path("/p"), ENV)
    assert (targets.context, targets.memory) == (Path("/p/AGENTS.md"), Path("/p/instructions.md"))
    assert "instructions.md" in targets.pointer
