"""Calls of Codex CLI that wait for their answer, or, answered, for the process that they left running.

A call is given out once, when its outcome is known. One without an answer is not given out: it is running, waits for
the user, or was killed with the session.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from headroomd.agents.codex_calls import CODE_MODE, Asked, command_of
from headroomd.agents.codex_records import Item
from headroomd.agents.codex_results import BLANK, Verdict, by_exit_code, judge
from headroomd.agents.codex_threads import Thread
from headroomd.agents.lines import excerpt
from headroomd.model import Action, FailureKind, Operation, Outcome, ToolCall

__all__ = ["AGENT", "Call", "Waiting"]

AGENT: Final = "codex"
_MOST: Final = 64  # calls, and processes, that are carried
_KILLED: Final = -1  # the exit code that Codex writes for a process that it ended


class Call(Struct):
    """A call that waits."""

    id: str
    tool: str
    asked: Asked
    at: float
    cwd: str
    thread: Thread
    size: int
    status: str = ""  # what other records say of it: "completed", "failed", "declined"
    exit_code: int | None = None
    printed: str = ""  # by its process so far
    stopped: bool = False  # the agent sent its process Ctrl-C

    def event(
        self,
        outcome: Outcome,
        exit_code: int | None,
        *,
        silent: bool,
        kind: FailureKind | None = None,
        text: str = "",
    ) -> ToolCall:
        """The call as the rest of the program sees it."""
        return ToolCall(
            key=f"{AGENT}:{self.thread.id}:{self.id}",
            agent=AGENT,
            session=self.thread.session,
            stream=self.thread.id,
            at=self.at,
            cwd=self.cwd,
            tool=self.tool,
            operation=self.asked.operation,
            outcome=outcome,
            exit_code=exit_code,
            kind=kind,
            output="" if outcome is Outcome.OK else excerpt(text),
            silent=silent,
            size=self.size,
        )

    def judged(self, verdict: Verdict) -> ToolCall:
        """The call with what became of it."""
        silent = not verdict.text.strip(BLANK)
        return self.event(verdict.outcome, verdict.exit_code, silent=silent, kind=verdict.kind, text=verdict.text)


class Waiting(Struct):
    """All calls of one rollout that wait."""

    calls: dict[str, Call] = {}  # by id
    processes: dict[str, Call] = {}  # by the id under which Codex runs them

    def ask(self, call: Call) -> None:
        """A call was made: its answer is to come."""
        self.calls.pop(call.id, None)
        self.calls[call.id] = call
        if len(self.calls) > _MOST:
            del self.calls[next(iter(self.calls))]
        if call.asked.stops and call.asked.process in self.processes:
            self.processes[call.asked.process].stopped = True

    def answer(self, call: Call, text: str, policy: str) -> list[ToolCall]:
        """Take up the answer of a call that no longer waits for one; `policy` is the turn's approval policy."""
        verdict = judge(text, call.asked, call.status, call.exit_code, policy)
        if call.asked.process:
            return [*self._polled(call, verdict), call.judged(_of_poll(verdict))]
        if verdict.process:
            return self._leave_running(call, verdict)
        return [call.judged(verdict)]

    def _leave_running(self, call: Call, verdict: Verdict) -> list[ToolCall]:
        call.printed = excerpt(verdict.text)
        lost = [self.processes.pop(verdict.process)] if verdict.process in self.processes else []
        self.processes[verdict.process] = call
        if len(self.processes) > _MOST:
            lost.append(self.processes.pop(next(iter(self.processes))))
        return [old.judged(Verdict(Outcome.UNKNOWN, text=old.printed)) for old in lost]

    def _polled(self, poll: Call, verdict: Verdict) -> list[ToolCall]:
        """What a write_stdin says about the call whose process it wrote to."""
        call = self.processes.get(poll.asked.process)
        if call is None:
            return []
        text = excerpt(call.printed + verdict.text)
        if verdict.exit_code is not None:
            return [self._ended(poll.asked.process, verdict.exit_code, text)]
        if verdict.process:
            call.printed = text
        return []

    def _ended(self, process: str, exit_code: int, text: str) -> ToolCall:
        call = self.processes.pop(process)
        verdict = by_exit_code(exit_code, text, call.asked)
        if call.stopped and verdict.outcome is Outcome.FAILED:
            verdict = Verdict(Outcome.CANCELLED, exit_code, text=text)
        return call.judged(verdict)

    def note(self, call_id: str, status: str, exit_code: int | None, text: str) -> list[ToolCall]:
        """Take up what another record says: about a call before its answer, or about a process that has ended."""
        call = self.calls.get(call_id)
        if call is not None:
            call.status = status or call.status
            call.exit_code = exit_code
            return []
        process = next((name for name, call in self.processes.items() if call.id == call_id), None)
        if process is None:
            return []
        return [self._ended(process, _KILLED if exit_code is None else exit_code, text)]

    def runs_script(self) -> bool:
        """Whether a script of code mode is at work."""
        return any(call.tool == CODE_MODE for call in self.calls.values())

    def of_script(self, item: Item, at: float, thread: Thread) -> list[ToolCall]:
        """A command that a script ran: a call of its own, recorded only as an item."""
        if not item.id or item.exit_code is None:
            return []
        asked = Asked(Operation(Action.RUN, command=command_of(item.command)), runs=True)
        text = item.aggregated_output or ""
        cwd = unquote(urlsplit(item.cwd or "").path)
        call = Call(item.id, CODE_MODE, asked, at, cwd, thread, len(text))
        return [call.judged(by_exit_code(item.exit_code, text, asked))]


def _of_poll(verdict: Verdict) -> Verdict:
    """A write_stdin did its work whatever its process ended with."""
    reached = verdict.process or verdict.exit_code is not None
    return Verdict(Outcome.OK, text=verdict.text) if reached else verdict
