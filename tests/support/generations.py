"""A home folder full of session files in every format that the three agents have written, whole or damaged.

    python -m tests.support.generations HOME 1000 [SEED]

What each writer makes is what docs of the readers say of that version: enough of it to be counted, with the noise
that stands between. Every session holds `CALLS` tool calls of its own, the first of which failed.
"""

from __future__ import annotations

import copy
import json
import random
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard

__all__ = ["CALLS", "Session", "codex_forked", "lay_out"]

CALLS = 3

Record = dict[str, Any]
Line = Record | str | bytes
Writer = Callable[["Session"], Iterator[tuple[str, list[Line]]]]


class Session:
    """One session to be written: its id, its folder, and what was run in it."""

    def __init__(self, number: int, project: Path) -> None:
        self.id = f"{number:08x}-1111-4222-8333-444455556666"
        self.number = number
        self.cwd = str(project)
        self.runs = [(f"tool{number % 7} --step {step}", step == 0) for step in range(CALLS)]

    def at(self, second: int) -> str:
        return f"2026-10-{self.number % 28 + 1:02d}T10:{second // 60:02d}:{second % 60:02d}.000Z"


# -- Claude Code -------------------------------------------------------------------------------------------


def _claude_lines(session: Session, version: str, prefix: str = "", **extra: Any) -> list[Line]:
    lines: list[Line] = []
    base = {"sessionId": session.id, "cwd": session.cwd, "version": version, "userType": "external", **extra}
    old = version.startswith("1.")
    for step, (command, failed) in enumerate(session.runs):
        ident = f"toolu_{prefix}{session.number}_{step}"
        use = {"type": "tool_use", "id": ident, "name": "Bash", "input": {"command": command}}
        text = "not found" if old else "Exit code 1\nnot found"
        result: Record = {"type": "tool_result", "tool_use_id": ident, "content": text if failed else "fine"}
        if step == 2:
            result["content"] = [{"type": "text", "text": "fine"}]
        if failed:
            result["is_error"] = True
        lines += [
            {
                "type": "assistant",
                "message": {"id": f"msg_{step}", "content": [{"type": "text", "text": "Now \ud83d"}]},
            },
            {"type": "assistant", "message": {"id": f"msg_{step}", "content": [use]}},
            {
                "type": "user",
                "message": {"role": "user", "content": [result]},
                **({} if old else {"toolUseResult": f"Error: {text}" if failed else {"stdout": "fine"}}),
            },
        ]
        if not old:
            lines.append({"type": "progress", "data": {"type": "hook_progress"}})
    numbered = enumerate(line for line in lines if isinstance(line, dict))
    return [
        {"uuid": f"{prefix}{session.number}-{n}", "timestamp": session.at(n), **base, **line} for n, line in numbered
    ]


def _claude_folder(session: Session) -> str:
    name = "".join(char if char.isascii() and char.isalnum() else "-" for char in session.cwd)
    return f".claude/projects/{name}"


def claude_1_0(session: Session) -> Iterator[tuple[str, list[Line]]]:
    """Subagents in the same file, no prefix before what a command said."""
    lines = _claude_lines(session, "1.0.88", isSidechain=bool(session.number % 2))
    yield (
        f"{_claude_folder(session)}/{session.id}.jsonl",
        [{"type": "summary", "summary": "x", "leafUuid": "y"}, *lines],
    )


def claude_2_0(session: Session) -> Iterator[tuple[str, list[Line]]]:
    """A subagent's file beside the session's, which may hold nothing else."""
    lines = _claude_lines(session, "2.0.40", isSidechain=True, agentId=f"{session.number:08x}")
    yield f"{_claude_folder(session)}/agent-{session.number:08x}.jsonl", lines


def claude_2_1(session: Session) -> Iterator[tuple[str, list[Line]]]:
    """Subagents in the session's folder, a copy made for compacting, a fork, and a summary in the middle."""
    lines = _claude_lines(session, "2.1.197", isSidechain=False)
    lines[4:4] = [
        {"type": "system", "subtype": "compact_boundary", "parentUuid": None, "compactMetadata": {"trigger": "auto"}},
        {"type": "user", "isCompactSummary": True, "message": {"role": "user", "content": "so far"}},
    ]
    folder = _claude_folder(session)
    yield f"{folder}/{session.id}.jsonl", lines
    yield f"{folder}/{session.id}/subagents/agent-acompact-{session.number:x}.jsonl", lines
    fork = f"ffff{session.id[4:]}"
    yield f"{folder}/{fork}.jsonl", [{**line, "sessionId": fork} if isinstance(line, dict) else line for line in lines]


def claude_subagent(session: Session) -> Iterator[tuple[str, list[Line]]]:
    """A subagent of today's, whose parent's file is gone."""
    lines = _claude_lines(session, "2.1.197", "sub", isSidechain=True, agentId=f"a{session.number:x}")
    yield f"{_claude_folder(session)}/{session.id}/subagents/agent-a{session.number:x}.jsonl", lines


# -- Codex CLI ---------------------------------------------------------------------------------------------


def _codex_output(form: int, failed: bool) -> Any:
    code, text = int(failed), "not found" if failed else "fine"
    return [
        f"Exit code: {code}\nWall time: 0.1 seconds\nOutput:\n{text}",
        f"Chunk ID: 80b3b8\nWall time: 0.1 seconds\nProcess exited with code {code}\nOutput:\n{text}",
        json.dumps({"output": text, "metadata": {"exit_code": code, "duration_seconds": 0.1}}),
        f"failed in sandbox LinuxSeccomp with execution error: sandbox denied exec error, exit code: {code}, "
        f"stdout: , stderr: {text}"
        if failed
        else text,
        [{"type": "input_text", "text": f"Exit code: {code}\nOutput:\n{text}"}],
    ][form]


def _codex_lines(session: Session, form: int, *, modern: bool, meta: Record | None = None) -> list[Line]:
    records: list[tuple[str, Record]] = [
        ("session_meta", {"id": session.id, "cwd": session.cwd, "originator": "codex_exec", **(meta or {})}),
        ("turn_context", {"cwd": session.cwd, "approval_policy": "never"}),
    ]
    for step, (command, failed) in enumerate(session.runs):
        call = f"call_{step:04d}"
        tool, arguments = [
            ("shell_command", {"command": command, "workdir": session.cwd}),
            ("exec_command", {"cmd": command, "workdir": session.cwd}),
            ("shell", {"command": ["bash", "-lc", command], "workdir": session.cwd}),
            ("shell", {"command": ["bash", "-lc", command]}),
            ("shell_command", {"command": command}),
        ][form]
        asked = {"type": "function_call", "name": tool, "arguments": json.dumps(arguments), "call_id": call}
        output = {"type": "function_call_output", "call_id": call, "output": _codex_output(form, failed)}
        records += [("response_item", asked), ("response_item", output), ("event_msg", {"type": "token_count"})]
    return [
        {"timestamp": session.at(n), **({"ordinal": n} if modern else {}), "type": kind, "payload": payload}
        for n, (kind, payload) in enumerate(records)
    ]


def _rollout(session: Session) -> str:
    return f"rollout-2026-10-{session.number % 28 + 1:02d}T10-00-00-{session.id}.jsonl"


def _codex_form(form: int, *, modern: bool) -> Writer:
    def write(session: Session) -> Iterator[tuple[str, list[Line]]]:
        yield f".codex/sessions/2026/10/01/{_rollout(session)}", _codex_lines(session, form, modern=modern)

    return write


def codex_archived(session: Session) -> Iterator[tuple[str, list[Line]]]:
    """Moved to the flat folder and compressed."""
    yield f".codex/archived_sessions/{_rollout(session)}.zst", _codex_lines(session, 0, modern=True)


def codex_forked(session: Session) -> Iterator[tuple[str, list[Line]]]:
    """A session and its fork: copied items under new times behind a second session_meta."""
    own = _codex_lines(session, 1, modern=True)
    yield f".codex/sessions/2026/10/01/{_rollout(session)}", own
    fork = Session(session.number, Path(session.cwd))
    fork.id = f"ffff{session.id[4:]}"
    head = _codex_lines(fork, 1, modern=True, meta={"forked_from_id": session.id})[:1]
    copied = [{**line, "timestamp": fork.at(59)} for line in own if isinstance(line, dict)]
    yield f".codex/sessions/2026/10/02/{_rollout(fork)}", [*head, *copied]


# -- Gemini CLI --------------------------------------------------------------------------------------------


def _gemini_messages(session: Session) -> list[Record]:
    messages: list[Record] = []
    for step, (command, failed) in enumerate(session.runs):
        ident = f"run_shell_command-{session.number}-{step}"
        answer = (
            f"<untrusted_context>\nOutput: x\nExit Code: {int(failed)}\nProcess Group PGID: 7\n</untrusted_context>"
            if session.number % 2
            else f"Command: {command}\nDirectory: (root)\nOutput: x\nError: (none)\nExit Code: {int(failed)}\n"
            "Signal: (none)\nBackground PIDs: (none)"
        )
        response = {"id": ident, "name": "run_shell_command", "response": {"output": answer}}
        call = {
            "id": ident,
            "name": "run_shell_command",
            "args": {"command": command},
            "result": [{"functionResponse": response}],
            "status": "success",
            "timestamp": session.at(step),
        }
        head = {"id": f"m{step}", "timestamp": session.at(step), "type": "gemini", "content": "Now"}
        messages += [head, {**head, "toolCalls": [call], "tokens": {"total": 5}}]
    return messages


def _gemini_head(session: Session, **extra: Any) -> Record:
    digest = sha256(session.cwd.encode()).hexdigest()
    times = {"startTime": session.at(0), "lastUpdated": session.at(9)}
    return {"sessionId": session.id, "projectHash": digest, **times, **extra}


def gemini_whole(session: Session) -> Iterator[tuple[str, list[Line]]]:
    """One document, in the folder that is named by the hash of the project, and copied to the one with its name."""
    document = {**_gemini_head(session), "messages": _gemini_messages(session)}
    name = f"session-2026-10-01T10-00-{session.id[:8]}.json"
    for folder in (document["projectHash"], Path(session.cwd).name):
        yield f".gemini/tmp/{folder}/chats/{name}", [json.dumps(document, indent=2)]


def gemini_lines(session: Session) -> Iterator[tuple[str, list[Line]]]:
    """Appended lines, with a checkpoint without calls and messages that are taken back."""
    head = _gemini_head(session, kind="main")
    messages = _gemini_messages(session)
    bare = [{key: message[key] for key in ("id", "timestamp", "type", "content")} for message in messages]
    lines: list[Line] = [head, *messages, {"$set": {"lastUpdated": session.at(5)}}, {"$set": {"messages": bare}}]
    lines += [head, {"$rewindTo": "m1"}]
    yield f".gemini/tmp/{Path(session.cwd).name}/chats/session-2026-10-01T10-00-{session.id[:8]}.jsonl", lines


def gemini_subagent(session: Session) -> Iterator[tuple[str, list[Line]]]:
    """A subagent's file in a folder named by its parent."""
    lines: list[Line] = [_gemini_head(session, kind="subagent"), *_gemini_messages(session)]
    yield f".gemini/tmp/{Path(session.cwd).name}/chats/parent-{session.number}/{session.id}.jsonl", lines


WRITERS: tuple[Writer, ...] = (
    *(claude_1_0, claude_2_0, claude_2_1, claude_subagent),
    *(_codex_form(form, modern=form < 2) for form in range(5)),
    *(codex_archived, codex_forked, gemini_whole, gemini_lines, gemini_subagent),
)


# -- damage ------------------------------------------------------------------------------------------------


_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e308,
    2**70,
    "",
    "\0",
    "\ud83d",
    [],
    {},
    [[]],
    {"type": []},
    ["x"] * 50,
    "x" * 5000,
)
_ODD_LINES = (b"null", b"[]", b'"x"', b"7", b"{}", b"", b"{", b"\xff\xfe\x00", b"[" * 5000, b'{"a":' * 5000, b"\0" * 99)


def _dumped(line: Line) -> bytes:
    """As Node writes it: lone surrogates as escapes."""
    if isinstance(line, dict):
        line = json.dumps(line)
    return line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line


def _damaged(data: bytes, rng: random.Random) -> bytes:
    """One line, or document, with something wrong in it."""
    match rng.randrange(5):
        case 0:
            return data[: rng.randrange(len(data) + 1)]
        case 1:
            return rng.choice(_ODD_LINES)
        case 2:
            at = rng.randrange(len(data) + 1)
            return (
                data[:at]
                + bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9))).replace(b"\n", b"")
                + data[at:]
            )
        case _:
            value = json.loads(data)
            for _ in range(rng.randrange(1, 4)):
                _spoil(value, rng)
            return json.dumps(value).encode()


def _spoil(value: Any, rng: random.Random) -> None:
    """Put something odd in the place of one value, somewhere inside."""
    while isinstance(value, dict | list) and value:
        key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if not isinstance(value[key], dict | list) or not value[key] or rng.random() < 0.2:
            value[key] = copy.deepcopy(rng.choice(_ODD))
            return
        value = value[key]


# -- the home folder ---------------------------------------------------------------------------------------


def lay_out(home: Path, sessions: int, seed: int = 0, *, damage: float = 0.0) -> tuple[int, int]:
    """Write `sessions` sessions below `home`, a share of `damage` of them damaged.

    Returns how many calls there are in all of them, and in those that are whole.
    """
    rng = random.Random(seed)
    projects = [home / "work" / name for name in ("shop", "api", "tools")]
    for project in projects:
        (project / ".git").mkdir(parents=True, exist_ok=True)
    (home / ".gemini").mkdir(parents=True, exist_ok=True)
    names = {str(project): project.name for project in projects}
    (home / ".gemini/projects.json").write_text(json.dumps({"projects": names}))
    whole = 0
    for number in range(sessions):
        session = Session(number, rng.choice(projects))
        is_damaged = rng.random() < damage
        whole += 0 if is_damaged else CALLS
        for name, lines in WRITERS[number % len(WRITERS)](session):
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = [_dumped(line) for line in lines]
            if is_damaged:
                data = [_damaged(line, rng) if rng.random() < 0.3 else line for line in data]
                if rng.random() < 0.2:
                    rng.shuffle(data)
            content = b"\n".join(data) + (b"" if is_damaged and rng.random() < 0.3 else b"\n")
            if path.suffix == ".zst":
                content = zstandard.compress(content)
                content = content[: rng.randrange(len(content))] if is_damaged and rng.random() < 0.5 else content
            path.write_bytes(content)
    return sessions * CALLS, whole


if __name__ == "__main__":
    folder, count, *more = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    print(lay_out(Path(folder), int(count), *map(int, more), damage=0.5))
