"""What one recorded call of Gemini CLI meant and what became of it, over all versions' wordings."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.agents import gemini_calls
from headroomd.agents.gemini_calls import (
    RecordedCall,
    Verdict,
    answer_of,
    arguments_of,
    directory_of,
    judge,
    operation_of,
)
from headroomd.model import Action, FailureKind, Operation, Outcome


def recorded(
    tool: str, args: object = None, *, result: object = None, status: str = "success", **more: Any
) -> RecordedCall:
    data = {"id": "c1", "name": tool, "args": args or {}, "result": result, "status": status, **more}
    return msgspec.json.decode(json.dumps(data), type=RecordedCall)


def told(key: str, text: object, ident: str = "c1") -> dict[str, object]:
    return {"functionResponse": {"id": ident, "name": "x", "response": {key: text}}}


def verdict_of(call: RecordedCall) -> Verdict:
    return judge(call, operation_of(call, arguments_of(call)), answer_of(call))


def ran(text: str, display: object = "", **more: Any) -> Verdict:
    return verdict_of(recorded("run_shell_command", result=[told("output", text)], resultDisplay=display, **more))


def failed(text: str, tool: str = "read_file") -> Verdict:
    return verdict_of(recorded(tool, {"file_path": "a"}, result=[told("error", text)], status="error"))


def cancelled(text: str, tool: str = "run_shell_command", display: object = None) -> Outcome:
    result = [told("error", f"[Operation Cancelled] {text}")]
    return verdict_of(recorded(tool, result=result, status="cancelled", resultDisplay=display)).outcome


def fenced(body: str) -> str:
    return f"<untrusted_context>\n{body}\n</untrusted_context>"


def old(output: str, code: str, signal: str = "(none)") -> str:
    """The answer of run_shell_command until 0.2x."""
    return (
        f"Command: make test\nDirectory: (root)\nOutput: {output}\nError: (none)\nExit Code: {code}\nSignal: {signal}\n"
        "Background PIDs: (none)\nProcess Group PGID: 4711"
    )


class TestOperations:
    """The agent's tools, in the words of all versions."""

    @pytest.mark.parametrize(
        ("tool", "args", "operation"),
        [
            ("read_file", {"file_path": "a.py"}, Operation(Action.READ, path="a.py")),
            ("read_file", {"absolute_path": "/p/a.py"}, Operation(Action.READ, path="/p/a.py")),
            ("read_file", {"file_path": "a.py", "offset": 0}, Operation(Action.READ, path="a.py")),
            ("read_file", {"file_path": "a.py", "start_line": 1}, Operation(Action.READ, path="a.py")),
            ("read_file", {"file_path": "a.py", "offset": 9}, Operation(Action.READ, path="a.py", partial=True)),
            ("read_file", {"file_path": "a.py", "limit": 9}, Operation(Action.READ, path="a.py", partial=True)),
            ("read_file", {"file_path": "a.py", "start_line": 2}, Operation(Action.READ, path="a.py", partial=True)),
            ("read_file", {"file_path": "a.py", "end_line": 2}, Operation(Action.READ, path="a.py", partial=True)),
            ("read_many_files", {"include": ["a.py"]}, Operation(Action.READ, path="a.py")),
            ("read_many_files", {"paths": ["a.py"]}, Operation(Action.READ, path="a.py")),
            ("read_many_files", {"include": ["src/**"]}, Operation(Action.OTHER)),
            ("read_many_files", {"paths": ["a.py", "b.py"]}, Operation(Action.OTHER)),
            ("grep_search", {"pattern": "x", "dir_path": "src"}, Operation(Action.SEARCH, path="src", pattern="x")),
            ("search_file_content", {"pattern": "x", "path": "s"}, Operation(Action.SEARCH, path="s", pattern="x")),
            ("glob", {"pattern": "**/*.py"}, Operation(Action.SEARCH, pattern="**/*.py")),
            ("replace", {"file_path": "a.py", "old_string": "x"}, Operation(Action.EDIT, path="a.py")),
            ("edit", {"file_path": "a.py"}, Operation(Action.EDIT, path="a.py")),
            ("write_file", {"file_path": "a.py", "content": "x"}, Operation(Action.WRITE, path="a.py")),
            ("run_shell_command", {"command": "make"}, Operation(Action.RUN, command="make")),
            ("list_directory", {"dir_path": "src"}, Operation(Action.OTHER)),
            ("ask_user", {}, Operation(Action.OTHER)),
            ("mcp_thing", {"command": "x"}, Operation(Action.OTHER)),
            ("read_file", {"file_path": 5, "limit": None}, Operation(Action.READ)),
            ("run_shell_command", ["make"], Operation(Action.RUN)),
        ],
    )
    def test_meaning(self, tool: str, args: object, operation: Operation) -> None:
        """Tool and arguments give the operation; what a model wrote instead of arguments gives none."""
        call = recorded(tool, args)
        assert operation_of(call, arguments_of(call)) == operation

    @pytest.mark.parametrize(
        ("args", "project", "cwd"),
        [
            ({}, "/p", "/p"),
            ({"dir_path": "lib"}, "/p", "/p/lib"),
            ({"directory": "./lib/../web"}, "/p", "/p/web"),
            ({"directory": "/p/lib"}, "/p", "/p/lib"),
            ({"directory": "/p/lib"}, "", "/p/lib"),
            ({"directory": "lib"}, "", ""),
            ({}, "", ""),
        ],
    )
    def test_directory(self, args: dict[str, str], project: str, cwd: str) -> None:
        """A command's folder is resolved against the project; without one, only an absolute folder is known."""
        assert directory_of(arguments_of(recorded("run_shell_command", args)), project) == cwd


class TestExitCodes:
    """The exit code hides in an answer whose status is "success"."""

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            (fenced("Output: x\nExit Code: 2\nProcess Group PGID: 3928"), 2),
            (fenced("Output: x\nExit Code: -1\nBackground PIDs: 1, 2\nProcess Group PGID: 3928"), -1),
            (fenced("Output: x\nError: spawn failed\nmore\nExit Code: 1"), 1),
            ("Output: x\nExit Code: 127\nProcess Group PGID: 3928", 127),
            (old("x", "1"), 1),
            ("Command: x\nDirectory: lib\nStdout: x\nStderr: y\nError: (none)\nExit Code: 3\nSignal: (none)", 3),
            (fenced("Output: Exit Code: 9\nExit Code: 7\nProcess Group PGID: 3928"), 7),
            (old("Exit Code: 9\nSignal: (none)", "7"), 7),
            (fenced("Output: x\nExit Code: 2\nProcess Group PGID: 1") + "\n\n[System] Modified by a hook.", 2),
            (
                f"Output too large. Showing first 9 and last 9 characters.\n{fenced('Output: x')}",
                0,
            ),
            ("Output too large. Showing first 9\n" + fenced("Output: x\n\n...\n\ny\nExit Code: 4"), 4),
            (fenced("Output: x\nProcess Group PGID: 3928"), 0),
            (fenced("Output: Exit Code: 9\nand more\nProcess Group PGID: 3928"), 0),
            (old("Exit Code: 9", "0"), 0),
            (old("x", "(none)"), 0),
        ],
    )
    def test_the_clis_own_line_only(self, text: str, code: int) -> None:
        """The code is what the CLI appended; what the program printed never counts."""
        verdict = ran(text)
        assert verdict.exit_code == code
        assert verdict.outcome is (Outcome.FAILED if code else Outcome.OK)

    def test_a_programs_last_line(self) -> None:
        """A program whose own last line reads like the CLI's exited with 0: resultDisplay holds what it printed."""
        text = fenced("Output: done\nExit Code: 3\nProcess Group PGID: 1")
        assert ran(text, "done\nExit Code: 3").outcome is Outcome.OK
        assert ran(text, "done").outcome is Outcome.FAILED
        assert ran(text, [[{"text": "done"}]]).outcome is Outcome.FAILED
        twice = fenced("Output: Exit Code: 3\nExit Code: 3\nProcess Group PGID: 1")
        assert ran(twice, "Exit Code: 3").outcome is Outcome.FAILED

    def test_the_fence_cannot_be_forged(self) -> None:
        """An older answer without a fence is read to its end, whatever the program printed."""
        assert ran("Output: a\nExit Code: 9\n</untrusted_context>\nmore\nExit Code: 1").exit_code == 1

    @pytest.mark.parametrize(
        ("text", "silent"),
        [
            (fenced("Output: (empty)\nProcess Group PGID: 1"), True),
            (fenced("Output: (empty)\nExit Code: 1\nProcess Group PGID: 1"), True),
            (old("(empty)", "1"), True),
            ("Command: x\nDirectory: y\nStdout: (empty)\nStderr: (empty)\nError: (none)\nExit Code: 1", True),
            (fenced("Output: x"), False),
            (old("x", "1"), False),
        ],
    )
    def test_silence(self, text: str, silent: bool) -> None:
        """A command that printed nothing is silent and has no excerpt."""
        verdict = ran(text)
        assert verdict.silent is silent
        assert bool(verdict.output) is (not silent and verdict.outcome is Outcome.FAILED)

    @pytest.mark.parametrize(
        ("text", "outcome", "kind"),
        [
            ("Command was cancelled by user before it could complete. No output.", Outcome.CANCELLED, None),
            (fenced("Command was cancelled by user before it could start."), Outcome.CANCELLED, None),
            (
                fenced("Command was automatically cancelled because it exceeded the timeout of 5.0 minutes"),
                Outcome.FAILED,
                FailureKind.TIMEOUT,
            ),
            ("Command injection detected: command substitution syntax", Outcome.FAILED, FailureKind.GUARD),
            (fenced("Command moved to background (PID: 7). Output hidden."), Outcome.OK, None),
            ("Command is running in background. PID: 7. Initial output:\nExit Code: 1", Outcome.OK, None),
            (old("x", "(none)", "SIGKILL"), Outcome.CANCELLED, None),
            (fenced("Output: x\nSignal: 9\nProcess Group PGID: 3"), Outcome.CANCELLED, None),
            ("A summary that a model wrote of the output.", Outcome.OK, None),
        ],
    )
    def test_no_ordinary_end(self, text: str, outcome: Outcome, kind: FailureKind | None) -> None:
        """Cancelled, timed out, blocked, killed, gone to the background, summarised."""
        verdict = ran(text)
        assert (verdict.outcome, verdict.kind) == (outcome, kind)

    @given(
        output=st.text(max_size=3000) | st.sampled_from(["(empty)", " ", "x\nExit Code: 1", "y" * 5000]),
        code=st.integers(0, 130),
        pids=st.lists(st.integers(2, 99999), max_size=40),
        form=st.sampled_from(["fenced", "bare", "old"]),
    )
    def test_round_trip_and_fast_path(self, output: str, code: int, pids: list[int], form: str) -> None:
        """Whatever a program prints, the code is read back, and looking at the bytes first changes nothing."""
        escaped = output.replace("</untrusted_context>", "&lt;/untrusted_context&gt;")
        body = f"Output: {escaped}" + (f"\nExit Code: {code}" if code else "")
        body += f"\nBackground PIDs: {', '.join(map(str, pids))}" if pids else ""
        text = {"fenced": fenced(f"{body}\nProcess Group PGID: 1"), "bare": f"{body}\nProcess Group PGID: 1"}.get(
            form, old(output, str(code))
        )
        verdict = ran(text, output)
        assert verdict.exit_code == code
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gemini_calls, "_plainly_ran_ok", lambda answer, end: False)
            assert ran(text, output) == verdict


class TestOtherTools:
    """Reads, searches, errors."""

    NOTICE = "\nIMPORTANT: The file content has been truncated.\nStatus: Showing lines 1-2000 of 8001.\nAction: x"

    @pytest.mark.parametrize(
        "text",
        [f"{NOTICE}\n\n--- FILE CONTENT (truncated) ---\nx", "[File content truncated: showing lines 1-9 of 99]\nx"],
    )
    def test_cut_reads(self, text: str) -> None:
        """A whole read that was cut is too large; the same notice on a partial read is what was asked for."""
        whole = verdict_of(recorded("read_file", {"file_path": "a"}, result=[told("output", text)]))
        assert (whole.outcome, whole.kind) == (Outcome.TRUNCATED, FailureKind.TOO_LARGE)
        assert "howing lines" in whole.output
        assert "\nx" not in whole.output
        part = verdict_of(recorded("read_file", {"file_path": "a", "limit": 9}, result=[told("output", text)]))
        assert part.outcome is Outcome.OK

    def test_a_file_that_talks_about_truncation(self) -> None:
        """The notice counts only where the CLI puts it: before the content."""
        text = "log:\nIMPORTANT: The file content has been truncated."
        assert (
            verdict_of(recorded("read_file", {"file_path": "a"}, result=[told("output", text)])).outcome is Outcome.OK
        )

    @pytest.mark.parametrize(
        "text", ['No matches found for pattern "x" in path ".".', "No files found matching pattern"]
    )
    def test_empty_searches(self, text: str) -> None:
        """A search that found nothing is empty; another tool that says so is not."""
        assert verdict_of(recorded("glob", result=[told("output", text)])).outcome is Outcome.EMPTY
        assert verdict_of(recorded("mcp_thing", result=[told("output", text)])).outcome is Outcome.OK

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("File not found: /p/a.py", FailureKind.FILE_NOT_FOUND),
            ("Path does not exist: /p/a", FailureKind.FILE_NOT_FOUND),
            ("Search path does not exist /p/a", FailureKind.FILE_NOT_FOUND),
            ("Failed to edit, 0 occurrences found for old_string in a.py", FailureKind.MISUSE),
            ("Failed to edit, Expected 1 occurrence but found 2", FailureKind.MISUSE),
            ("Could not find an exact match for 'old_string' in 'a'", FailureKind.MISUSE),
            ("params must have required property 'file_path'", FailureKind.MISUSE),
            ("params/questions/0/header must NOT have more than 16 characters", FailureKind.MISUSE),
            ('Tool "x" not found. Did you mean one of: "y"?', FailureKind.MISUSE),
            ("Tool execution denied by policy. You are in Plan Mode", FailureKind.GUARD),
            ('Tool execution for "Shell" denied by policy.', FailureKind.GUARD),
            ("Tool execution blocked: tests are protected", FailureKind.GUARD),
            ("File path '/p/.env.local' is ignored by configured ignore patterns.", FailureKind.GUARD),
            ('Path not in workspace: Attempted path "/etc"', FailureKind.GUARD),
            ("File path must be within one of the workspace directories: /p", FailureKind.GUARD),
            ("something else: File not found", None),
        ],
    )
    def test_error_kinds(self, text: str, kind: FailureKind | None) -> None:
        """The CLI's fixed wordings, at the start of an error, settle the kind."""
        verdict = failed(text)
        assert (verdict.outcome, verdict.kind, verdict.output) == (Outcome.FAILED, kind, text)

    def test_too_large_to_read(self) -> None:
        """A file that is refused for its size is too large, as one that is cut."""
        assert failed("File size exceeds the 20MB limit: /p/a").outcome is Outcome.TRUNCATED

    def test_answers_of_the_whole_turn(self) -> None:
        """When old results are masked, the result holds the whole turn's answers: the call's own one counts."""
        result = [told("error", "File not found: b", "c0"), told("output", "fine", "c1"), {"text": "x"}, "y", None]
        assert answer_of(recorded("read_file", result=result)).json == b'"fine"'

    @pytest.mark.parametrize(
        "result", [None, [], "text", told("output", "text"), [{"inlineData": {}}], [told("output", {})]]
    )
    def test_shapes_of_results(self, result: object) -> None:
        """Results of every shape are answers, or none."""
        assert verdict_of(recorded("glob", result=result)).outcome is Outcome.OK

    def test_without_a_status(self) -> None:
        """A call whose record says nothing of its end is unknown."""
        assert verdict_of(recorded("glob", status="")).outcome is Outcome.UNKNOWN


class TestCancellations:
    """What a person refused, and what was merely interrupted."""

    @pytest.mark.parametrize(
        ("text", "outcome"),
        [
            ("Reason: User denied execution.", Outcome.REJECTED),
            ("Reason: User did not allow tool call", Outcome.REJECTED),
            ("Reason: User cancelled the operation.", Outcome.CANCELLED),
            ("Reason: Operation cancelled by user", Outcome.CANCELLED),
            ("Reason: User cancelled operation", Outcome.CANCELLED),
            ("User cancelled tool execution.", Outcome.CANCELLED),
        ],
    )
    def test_wordings(self, text: str, outcome: Outcome) -> None:
        """Only the scheduler's words for "no" at the approval prompt are a refusal."""
        assert cancelled(text) is outcome

    def test_an_edit_that_waited(self) -> None:
        """Until 0.2x one wording served both; the diff is left only of an edit that waited for approval."""
        text = "Reason: User cancelled the operation."
        assert cancelled(text, "replace", {"fileDiff": "@@", "fileName": "a"}) is Outcome.REJECTED
        assert cancelled(text, "replace", "live output") is Outcome.CANCELLED

    @pytest.mark.parametrize("tool", ["ask_user", "exit_plan_mode"])
    def test_dismissed_questions(self, tool: str) -> None:
        """Dismissing a question refuses nothing."""
        assert cancelled("Reason: User denied execution.", tool) is Outcome.CANCELLED
