"""What became of Codex's calls: every form of answer, and Codex's own wordings."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.agents.codex_calls import Asked, asked_of
from headroomd.agents.codex_results import Verdict, judge
from headroomd.model import FailureKind, Outcome

RUN = asked_of("exec_command", '{"cmd":"make"}')
ESCALATED = asked_of("exec_command", '{"cmd":"make","sandbox_permissions":"require_escalated"}')
PATCH = asked_of("apply_patch", "*** Begin Patch\n*** Update File: a\n*** End Patch")
POLL = asked_of("write_stdin", '{"session_id":7}')
OTHER = asked_of("update_plan", "{}")
CHUNK = "Chunk ID: 80b3b8\nWall time: 0.1 seconds\nProcess exited with code {}\nOriginal token count: 9\nOutput:\n"
SPAWN = "exec_command failed for `x`: CreateProcess {{ message: {} }}"


def wrapped(code: int, output: str) -> str:
    return json.dumps(
        {"output": output, "metadata": {"exit_code": code, "duration_seconds": 0.1}}, separators=(",", ":")
    )


@pytest.mark.parametrize(
    ("text", "outcome", "code", "said"),
    [
        ("Exit code: 1\nWall time: 0.1 seconds\nOutput:\nboom\n", Outcome.FAILED, 1, "boom\n"),
        ("Exit code: 0\nWall time: 0.1 seconds\nOutput:\nfine", Outcome.OK, 0, "fine"),
        ("Exit code: 3\nWall time: 2 seconds\nTotal output lines: 9\nOutput:\nx", Outcome.FAILED, 3, "x"),
        (CHUNK.format(2) + "boom", Outcome.FAILED, 2, "boom"),
        (CHUNK.format(0), Outcome.OK, 0, ""),
        (CHUNK.format(-1) + "^C", Outcome.CANCELLED, -1, "^C"),
        ("Wall time: 0.1 seconds\nProcess exited with code 4\nOutput:\nx", Outcome.FAILED, 4, "x"),
        ("Command: /bin/bash -lc 'a\nb'\n" + CHUNK.format(5) + "x", Outcome.FAILED, 5, "x"),
        (wrapped(2, "boom"), Outcome.FAILED, 2, "boom"),
        (wrapped(0, ""), Outcome.OK, 0, ""),
        ("Wall time: 0 seconds\nOutput:\nExit code: 1\nWall time: 0 seconds\nOutput:\nno", Outcome.FAILED, 1, "no"),
        (
            (
                "failed in sandbox LinuxSeccomp with execution error: sandbox denied exec error, "
                "exit code: 1, stdout: out, stderr: err"
            ),
            Outcome.FAILED,
            1,
            "out\nerr",
        ),
    ],
)
def test_exit_codes(text: str, outcome: Outcome, code: int, said: str) -> None:
    """Every form that tells an exit code is read; the text is what the command printed."""
    assert judge(text, RUN) == Verdict(outcome, code, text=said)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("failed to parse function arguments: missing field `cmd`", FailureKind.MISUSE),
        ("unsupported call: nope", FailureKind.MISUSE),
        ("unsupported custom tool call: apply_patch", FailureKind.MISUSE),
        ("apply_patch verification failed: Failed to find expected lines in a.py:\nx", FailureKind.MISUSE),
        ("error: invalid hunk at line 8, Expected update hunk to start with @@", FailureKind.MISUSE),
        ("write_stdin failed: stdin is closed for this session", FailureKind.MISUSE),
        (
            "apply_patch verification failed: Failed to read file to update /p/a: No such file",
            FailureKind.FILE_NOT_FOUND,
        ),
        ("execution error: command timed out after 10032 milliseconds", FailureKind.TIMEOUT),
        (SPAWN.format('"Sandbox(Denied { exit_code: 1 })"'), FailureKind.GUARD),
        (SPAWN.format('"Rejected(\\"`rm -rf /` rejected: blocked by policy\\")"'), FailureKind.GUARD),
        ("`rm -rf /` rejected: blocked by policy", FailureKind.GUARD),
        ("patch rejected: writing outside of the project; rejected by user approval settings", FailureKind.GUARD),
        ("approval policy is Never; reject command — you should not ask", FailureKind.GUARD),
        (SPAWN.format('"Rejected(\\"Failed to create unified exec process\\")"'), None),
        ("execution error: Io(Os { code: 2 })", None),
    ],
)
def test_wordings_of_failure(text: str, kind: FailureKind | None) -> None:
    """Codex's own sentences settle a failure, and where they can, its kind."""
    assert judge(text, RUN) == Verdict(Outcome.FAILED, kind=kind, text=text)


def test_timeout() -> None:
    """124 is a timeout where Codex says so; a program may also end with 124 by itself."""
    stopped = judge("Exit code: 124\nWall time: 10 seconds\nOutput:\ncommand timed out after 10032 milliseconds\n", RUN)
    assert (stopped.outcome, stopped.kind) == (Outcome.FAILED, FailureKind.TIMEOUT)
    assert judge("Exit code: 124\nWall time: 10 seconds\nOutput:\nno", RUN).kind is None


@pytest.mark.parametrize(
    "text",
    ["exec command rejected by user", "patch rejected by user", SPAWN.format('"Rejected(\\"rejected by user\\")"')],
)
def test_refusals(text: str) -> None:
    """A person's no is a rejection."""
    assert judge(text, RUN).outcome is Outcome.REJECTED


@pytest.mark.parametrize("text", ["aborted by user after 55.6s", "Wall time: 6.4 seconds\naborted by user"])
def test_aborted(text: str) -> None:
    """Stopping a call refuses it only where the user was being asked for it."""
    assert judge(text, ESCALATED, policy="on-request").outcome is Outcome.REJECTED
    assert judge(text, ESCALATED, policy="never").outcome is Outcome.CANCELLED
    assert judge(text, RUN, policy="on-request").outcome is Outcome.CANCELLED
    assert judge("aborted", RUN).outcome is Outcome.CANCELLED


@pytest.mark.parametrize(
    "text",
    [
        CHUNK.format(0) + "Warning: truncated output (original token count: 149447)\nTotal output lines: 8000\n\nx",
        CHUNK.format(0) + "Total output lines: 8000\n\nx",
        "Exit code: 0\nWall time: 0.1 seconds\nTotal output lines: 9000\nOutput:\nx",
        wrapped(0, "a\n[... omitted 100 of 356 lines ...]\nb"),
        CHUNK.format(0) + "a…3000 tokens truncated…b",
    ],
)
def test_truncated(text: str) -> None:
    """An output that Codex cut is no whole reading, unless the agent had asked for little."""
    assert judge(text, RUN).outcome is Outcome.TRUNCATED
    assert judge(text, asked_of("exec_command", '{"cmd":"x","max_output_tokens":100}')).outcome is Outcome.OK


def test_no_verdict_yet() -> None:
    """A process that goes on running has no outcome, only an id."""
    verdict = judge("Chunk ID: a\nWall time: 1 seconds\nProcess running with session ID 48416\nOutput:\nhi", RUN)
    assert (verdict.outcome, verdict.process, verdict.text) == (Outcome.UNKNOWN, "48416", "hi")


def test_other_records_help_where_the_answer_tells_nothing() -> None:
    """Status and exit code of other records count only for an answer without a verdict of its own."""
    assert judge("plain", RUN).outcome is Outcome.UNKNOWN
    assert judge("plain", RUN, exit_code=3) == Verdict(Outcome.FAILED, 3, text="plain")
    assert judge("plain", RUN, "completed").outcome is Outcome.OK
    assert judge("plain", OTHER, "failed").outcome is Outcome.FAILED
    assert judge("plain", RUN, "declined").outcome is Outcome.REJECTED
    assert judge(CHUNK.format(0), RUN, "failed", 7).outcome is Outcome.OK


def test_answers_without_an_exit_code() -> None:
    """Tools that run nothing are judged by Codex's wordings only; a patch says that it is done."""
    assert judge("Plan updated", OTHER).outcome is Outcome.OK
    assert judge("Exit code: 1\nOutput:\nx", OTHER).outcome is Outcome.OK
    assert judge("Success. Updated the following files:\nA a", PATCH).outcome is Outcome.OK
    assert (
        judge("Exit code: 1\nWall time: 0 seconds\nOutput:\nFailed to find context 'x'", PATCH).kind
        is FailureKind.MISUSE
    )
    assert judge("error: the word in an output proves nothing", OTHER).outcome is Outcome.OK


@given(st.text(), st.sampled_from([RUN, ESCALATED, PATCH, POLL, OTHER]))
def test_any_text(text: str, asked: Asked) -> None:
    """Whatever an answer says, there is a verdict."""
    assert judge(text, asked).outcome in Outcome
