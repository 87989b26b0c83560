"""What Claude Code's results say: each fixed wording, told from what a command or a file may say in the same words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.agents.claude_results import found_nothing, judge_failure, said_nothing
from headroomd.model import FailureKind, Outcome

REFUSED = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the "
    "new_string was NOT written to the file). "
)


def wrapped(text: str) -> str:
    return f"<tool_use_error>{text}</tool_use_error>"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (REFUSED + "STOP what you are doing and wait for the user to tell you how to proceed.", ""),
        (REFUSED + "To tell you how to proceed, the user said:\nuse make instead", "use make instead"),
        (REFUSED + "The user provided the following reason for the rejection:  not now", "not now"),
        (
            REFUSED
            + "To tell you how to proceed, the user said:\nuse make\n\nNote: The user's next message may contain "
            "a correction or preference. Pay close attention",
            "use make",
        ),
        ("The user doesn't want to take this action right now. STOP what you are doing", ""),
        (
            "Permission for this tool use was denied. The tool use was rejected. The user said:\nnever touch that",
            "never touch that",
        ),
    ],
)
def test_a_persons_no(text: str, reason: str) -> None:
    """What a person refused is rejected, with the words that they typed and no others."""
    verdict = judge_failure("Bash", text, "2.1.197")
    assert (verdict.outcome, verdict.kind, verdict.reason) == (Outcome.REJECTED, None, reason)


@pytest.mark.parametrize(
    "text",
    [
        wrapped("Sibling tool call errored"),
        wrapped("Cancelled: parallel tool call Bash(find . -name x) errored"),
        "[Request interrupted by user for tool use]",
        "Exit code 137\npartial output\n[Request interrupted by user for tool use]",
        "<error>Command was aborted before completion</error>",
    ],
)
def test_nobodys_verdict(text: str) -> None:
    """What was interrupted, or fell with its sibling, is cancelled: it says nothing about the call."""
    assert judge_failure("Bash", text, "2.1.197").outcome is Outcome.CANCELLED


@pytest.mark.parametrize(
    ("tool", "text", "kind"),
    [
        ("Bash", "Permission to use Bash with command npm publish has been denied.", FailureKind.GUARD),
        ("Edit", "Permission to use Edit has been denied because Claude Code is running in don't ask mode.", "guard"),
        ("Bash", "Permission for this action was denied by the Claude Code auto mode classifier. Reason: x", "guard"),
        ("WebFetch", "Claude requested permissions to use WebFetch, but you haven't granted it yet.", "guard"),
        ("Read", wrapped("File is in a directory that is denied by your permission settings."), "guard"),
        ("Write", "PreToolUse:Write hook error: [./guard.py]: BLOCKED: protected", "guard"),
        ("Bash", "cd to '/etc' was blocked. For security, Claude Code may only change directories to", "guard"),
        ("Bash", "Not on my watch", "guard"),
        ("Bash", "[Tool result missing due to internal error]", "harness"),
        ("Read", wrapped("Error: Streaming fallback - tool execution discarded"), "harness"),
        ("Read", "Warmup", "harness"),
        ("Bash", wrapped("InputValidationError: Bash failed due to the following issues:\nmissing"), "tool misuse"),
        ("Nope", wrapped("Error: No such tool available: Nope"), "tool misuse"),
        ("Edit", wrapped("File has not been read yet. Read it first before writing to it."), "tool misuse"),
        ("Edit", "File has been modified since read, either by the user or by a linter.", "tool misuse"),
        ("Edit", "File has been unexpectedly modified. Read it again", "tool misuse"),
        ("Edit", wrapped("String to replace not found in file.\nString: x"), "tool misuse"),
        ("Edit", wrapped("Found 3 matches of the string to replace, but replace_all is false."), "tool misuse"),
        ("Edit", wrapped("No changes to make: old_string and new_string are exactly the same."), "tool misuse"),
        ("Agent", wrapped("Agent type 'Director' not found."), "tool misuse"),
        ("Read", "File does not exist. Note: your current working directory is /home/dev.", "file not found"),
        ("Read", wrapped("File does not exist."), "file not found"),
        ("Grep", wrapped("Path does not exist: /home/dev/src"), "file not found"),
        ("Write", "ENOENT: no such file or directory, mkdir '/proc/nope'", "file not found"),
        ("Write", "EACCES: permission denied, open '/etc/passwd'", "permission denied"),
        ("Read", "EISDIR: illegal operation on a directory, read '/home/dev'", "other"),
        ("WebFetch", "Request failed with status code 404", None),
    ],
)
def test_how_it_failed(tool: str, text: str, kind: str | None) -> None:
    """The agent's own wording tells a guard, a slip of the model's, a mishap of the harness and a wrong path apart."""
    verdict = judge_failure(tool, text, "2.1.197")
    assert (verdict.outcome, verdict.kind) == (Outcome.FAILED, kind)


@pytest.mark.parametrize(
    "limit", ["(11013 tokens) exceeds maximum allowed tokens (10000)", "(1.2MB) exceeds maximum allowed size (256KB)"]
)
def test_too_large_to_read(limit: str) -> None:
    """A file that was too large to be read whole is truncated, whatever the version's limit is."""
    verdict = judge_failure("Read", f"File content {limit}. Use offset and limit parameters", "2.0.1")
    assert (verdict.outcome, verdict.kind) == (Outcome.TRUNCATED, FailureKind.TOO_LARGE)


@pytest.mark.parametrize(
    ("text", "version", "kind", "exit_code", "silent"),
    [
        ("Exit code 127\n/bin/bash: line 1: gti: command not found", "2.1.197", None, 127, False),
        ("Exit code 1", "2.1.197", None, 1, True),
        ("Exit code 143\nCommand timed out after 2m 0.0s", "2.1.197", FailureKind.TIMEOUT, 143, False),
        ("Command timed out after 2m 0.0s", "1.0.80", FailureKind.TIMEOUT, None, False),
        ("ls: cannot access 'x': No such file or directory", "1.0.80", None, None, False),
        ("fatal: not a git repository", "", None, None, False),
        ("Exit code 1\nENOENT: no such file or directory, open 'x'", "2.1.197", None, 1, False),
        ("Exit code 1\nFile has not been read yet", "2.1.197", None, 1, False),
    ],
)
def test_a_command_that_failed(
    text: str, version: str, kind: FailureKind | None, exit_code: int | None, silent: bool
) -> None:
    """A command's own output settles nothing but what was printed; older versions do not state the exit code."""
    verdict = judge_failure("Bash", text, version)
    assert verdict.outcome is Outcome.FAILED
    assert (verdict.kind, verdict.exit_code, verdict.silent) == (kind, exit_code, silent)


def test_whole_answers_only() -> None:
    """Nothing found, and nothing said, are whole answers: output that only begins like one is output."""
    assert found_nothing("No files found")
    assert found_nothing("No matches found\n\nFound 0 total occurrences across 0 files.")
    assert not found_nothing("No matches found in the cache, says log.txt")
    assert said_nothing("(Bash completed with no output)")
    assert said_nothing("\n")
    assert not said_nothing("(Bash completed with no output) is what it printed")


@given(tool=st.sampled_from(["Bash", "Read", "Grep", "mcp__x__y", ""]), text=st.text(), version=st.text(max_size=9))
def test_any_text(tool: str, text: str, version: str) -> None:
    """Whatever a flagged result says, it is never taken for a success, and never raises."""
    assert judge_failure(tool, text, version).outcome not in (Outcome.OK, Outcome.EMPTY, Outcome.UNKNOWN)
