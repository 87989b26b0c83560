"""A session written down as a story: one line a call."""

from __future__ import annotations

import pytest

from headroomd.correlation.correlator import Correlator, Findings
from headroomd.model import Action, Event, Evidence, FailureKind, Operation, Outcome, ToolCall, UserMessage

ROOT, HOME = "/work/shop", "/home/ann"


class Story:
    """Collects the events of a session and says what they teach."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def call(
        self,
        operation: Operation,
        outcome: Outcome = Outcome.OK,
        output: str = "",
        *,
        code: int | None = None,
        cwd: str = ROOT,
        kind: FailureKind | None = None,
        silent: bool = False,
        reason: str = "",
        stream: str = "main",
    ) -> Story:
        number = len(self.events) + 1
        self.events.append(
            ToolCall(
                key=f"call-{number}",
                agent="claude",
                session="session",
                stream=stream,
                at=float(number),
                cwd=cwd,
                tool="tool",
                operation=operation,
                outcome=outcome,
                exit_code=code,
                kind=kind,
                output=output,
                silent=silent,
                reason=reason,
                size=100,
            )
        )
        return self

    def run(self, command: str, **more: object) -> Story:
        """A shell command that passed."""
        return self.call(Operation(Action.RUN, command=command), **more)  # type: ignore[arg-type]

    def broke(self, command: str, output: str = "", code: int = 1, **more: object) -> Story:
        """A shell command that failed."""
        operation = Operation(Action.RUN, command=command)
        return self.call(operation, Outcome.FAILED, output, code=code, **more)  # type: ignore[arg-type]

    def refused(self, command: str, reason: str = "") -> Story:
        """A shell command that the user did not allow."""
        return self.call(Operation(Action.RUN, command=command), Outcome.REJECTED, reason=reason)

    def read(self, path: str, outcome: Outcome = Outcome.OK, *, partial: bool = False, **more: object) -> Story:
        operation = Operation(Action.READ, path=path, partial=partial)
        return self.call(operation, outcome, **more)  # type: ignore[arg-type]

    def missing(self, path: str, **more: object) -> Story:
        """A read of a file that is not there."""
        return self.read(path, Outcome.FAILED, output="File does not exist.", **more)

    def edit(self, path: str, outcome: Outcome = Outcome.OK, **more: object) -> Story:
        return self.call(Operation(Action.EDIT, path=path), outcome, **more)  # type: ignore[arg-type]

    def write(self, path: str, **more: object) -> Story:
        return self.call(Operation(Action.WRITE, path=path), **more)  # type: ignore[arg-type]

    def search(self, pattern: str, scope: str = "", outcome: Outcome = Outcome.OK, **more: object) -> Story:
        return self.call(Operation(Action.SEARCH, pattern=pattern, path=scope), outcome, **more)  # type: ignore[arg-type]

    def said(self, text: str, stream: str = "main") -> Story:
        """What the user typed."""
        key = f"message-{len(self.events)}"
        self.events.append(UserMessage(key, "claude", "session", stream, float(len(self.events)), text))
        return self

    def findings(self) -> Findings:
        correlator = Correlator(ROOT, HOME)
        for event in self.events:
            correlator.feed(event)
        return correlator.take()

    @property
    def evidence(self) -> list[Evidence]:
        return self.findings().evidence

    @property
    def lessons(self) -> dict[str, int]:
        """What the session teaches: "Section: subject -> remedy", with the sessions that it needs."""
        return {
            f"{one.lesson.section.name}: {one.lesson.subject} -> {one.lesson.remedy}".removesuffix(
                " -> "
            ): one.needs_sessions
            for one in self.evidence
        }


@pytest.fixture
def story() -> Story:
    """A session in which nothing has happened yet."""
    return Story()
