"""Pairs the failures of one session file with what fixed them. Deterministic: events in, evidence out.

A failure is kept open for a number of calls of its own stream; each later call that worked is held against the open
failures only. What must be carried from one part of a file to the next is bounded and can be dumped, and feeding a
file in parts finds what feeding it at once finds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct, field, structs

from headroomd.correlation.command_lessons import CommandLessons
from headroomd.correlation.kinds import BLAMELESS, cause_of
from headroomd.correlation.large_files import LargeFiles
from headroomd.correlation.operations import Meaning, outcome_of, understand
from headroomd.correlation.path_lessons import PathLessons, SeenPaths
from headroomd.correlation.permissions import refused
from headroomd.correlation.search_lessons import SearchLessons
from headroomd.correlation.steps import Step, one_line
from headroomd.correlation.words import Trouble, corrections, is_outside_text, reasons, trouble
from headroomd.model import CallRef, Event, Evidence, FailureKind, Outcome, ToolCall, UserMessage
from headroomd.redact import holds_secret

__all__ = ["Correlator", "Findings"]

_WINDOW: Final = 30  # calls: the longest that anything stays open
_STREAMS: Final = 32  # subagents of one file that are remembered
_NO_FAULT: Final = frozenset({FailureKind.TEST_FAILURE, FailureKind.SYNTAX})  # the command ran: its subject was red


class Findings(Struct):
    """What has been found since it was last taken.

    Evidence with an id that was given before replaces what was given before (a refusal whose reason came later);
    `withdrawn` are ids of evidence given before that the rest of the session has refuted. Evidence is redacted; the
    keys of attempts are not: they serve for counting, and are to be stored as hashes.
    """

    evidence: list[Evidence] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    attempts: dict[str, tuple[int, int]] = field(default_factory=dict)  # key -> (worked, failed); no copied calls
    calls: int = 0  # copied calls left out, here and below
    failed: int = 0
    kinds: dict[str, int] = field(default_factory=dict)  # FailureKind -> failed calls


class _Stream(Struct):
    """What one stream of calls has open."""

    at: int = 0  # calls so far
    open_until: int = 0  # after so many calls nothing is open any more, whatever the lists still hold
    paths: PathLessons = field(default_factory=PathLessons)
    searches: SearchLessons = field(default_factory=SearchLessons)
    files: LargeFiles = field(default_factory=LargeFiles)
    commands: CommandLessons = field(default_factory=CommandLessons)
    refusals: list[Evidence] = field(default_factory=list)  # whose reason may be in the user's next words
    trouble: Trouble | None = None  # what the user's next words may be about

    def seal(self) -> None:
        """Leaves what must be carried on, and nothing secret."""
        self.trouble = self.trouble.sealed() if self.trouble else None
        self.paths.seal(self.at)
        self.searches.seal(self.at)
        self.files.seal(self.at)
        self.commands.seal(self.at)


class _State(Struct):
    streams: dict[str, _Stream] = field(default_factory=dict)
    seen: SeenPaths = field(default_factory=SeenPaths)
    tainted: bool = False  # text from the web or an MCP server has come in, and may be behind whatever follows


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class Correlator:
    """Correlates the events of one session file, given in order.

    `root` is the project's root and `home` the user's home folder, both absolute and free of symlinks; `state` is
    what another correlator of the same file dumped. A state that cannot be read (of another version) starts afresh.
    """

    def __init__(self, root: str, home: str, state: bytes = b"") -> None:
        self._root, self._home = root.rstrip("/"), home.rstrip("/")
        self._state = _load(state)
        self._findings = Findings()
        self._evidence: dict[str, Evidence] = {}

    def feed(self, event: Event, copied: bool = False) -> None:
        """Takes in the next event; `copied` marks a call that counts in another file already."""
        if isinstance(event, ToolCall):
            self._call(event, copied)
        elif isinstance(event, UserMessage):
            self._words(event)

    def take(self) -> Findings:
        """What has been found since the last time."""
        findings, self._findings = self._findings, Findings()
        findings.evidence = list(self._evidence.values())
        self._evidence = {}
        return findings

    def dump(self) -> bytes:
        """What to carry to the correlator of the file's next part; of bounded size, and free of secrets."""
        for stream in self._state.streams.values():
            stream.seal()
        return _encode(self._state)

    def _call(self, call: ToolCall, copied: bool) -> None:
        if not self._state.tainted:
            self._state.tainted = is_outside_text(call)
        meaning = understand(call, self._root, self._home)
        outcome = outcome_of(call, meaning)
        stream = self._stream(call.stream)
        stream.at += 1
        if stream.refusals:
            stream.refusals = []
        if not copied:
            self._findings.calls += 1
        if outcome is Outcome.OK and call.outcome is Outcome.OK:
            if not copied:
                self._attempted(meaning.keys, worked=True)
            if stream.at <= stream.open_until:
                self._worked(stream, Step(call, meaning, outcome, stream.at))
            elif meaning.uses:
                self._found(self._state.seen.note(meaning.uses))
        else:
            self._uncommon(stream, Step(call, meaning, outcome, stream.at), copied)

    def _uncommon(self, stream: _Stream, step: Step, copied: bool) -> None:
        """Whatever did not simply work."""
        stream.open_until = step.at + _WINDOW
        if step.outcome is Outcome.FAILED:
            self._failed(stream, step.call, step.meaning, copied)
        elif step.outcome is Outcome.REJECTED:
            self._refused(stream, step)
        elif step.outcome is Outcome.CANCELLED:
            stream.trouble = trouble(step.call, "an interruption")
        elif step.outcome in (Outcome.OK, Outcome.EMPTY, Outcome.TRUNCATED):
            if not copied:
                self._attempted(step.meaning.failed_keys, worked=step.outcome is Outcome.OK)
            if step.call.outcome is Outcome.FAILED:
                self._answered(stream, step)
            else:
                self._worked(stream, step)

    def _failed(self, stream: _Stream, call: ToolCall, meaning: Meaning, copied: bool) -> None:
        cause = cause_of(call.output, call.exit_code, call.kind)
        if not copied:
            self._findings.failed += 1
            kinds = self._findings.kinds
            kinds[cause.kind.value] = kinds.get(cause.kind.value, 0) + 1
        if cause.kind in BLAMELESS:
            return
        if not copied:
            self._attempted(meaning.failed_keys, worked=cause.kind in _NO_FAULT)
        step = Step(call, meaning, Outcome.FAILED, stream.at, cause)
        stream.trouble = trouble(call, "a failure", stream.at)
        stream.paths.failed(step, self._state.seen)
        if cause.kind is FailureKind.TOO_LARGE:
            stream.files.cut(step)
        self._found(stream.commands.failed(step))

    def _answered(self, stream: _Stream, step: Step) -> None:
        """Exit status 1 that means "no": nothing before it in the script is known to have passed."""
        if step.outcome is Outcome.EMPTY:
            stream.searches.empty(step)
        if step.meaning.edits:
            self._found(stream.commands.changed())
            stream.searches.open = []

    def _worked(self, stream: _Stream, step: Step) -> None:
        """A call that did what it was asked to, be it that it found nothing or was cut."""
        if stream.paths.open:
            self._found(stream.paths.passed(step, self._state.seen))
        if step.meaning.uses:
            self._found(self._state.seen.note(step.meaning.uses))
        if step.outcome is Outcome.EMPTY:
            stream.searches.empty(step)
        elif stream.searches.open:
            self._found(stream.searches.found(step))
        if step.outcome is Outcome.TRUNCATED:
            stream.files.cut(step)
        elif stream.files.open:
            self._found(stream.files.passed(step))
        if stream.commands.open:
            self._found(stream.commands.passed(step))
        if step.meaning.edits:
            stream.searches.open = []  # what is found from now on may have been written just now

    def _refused(self, stream: _Stream, step: Step) -> None:
        refusals = list(refused(step))
        self._found(refusals)
        stream.refusals = [refusal for refusal in refusals if not refusal.note]
        if step.call.reason:
            self._found(reasons(step.call), is_users=True)
        else:
            stream.trouble = trouble(step.call, "a refusal")

    def _words(self, message: UserMessage) -> None:
        stream = self._stream(message.stream)
        if message.interrupts and stream.trouble is None:
            stream.trouble = Trouble(CallRef(message.key, message.at, ""), "after an interruption")
        if not message.text.strip():
            return
        self._found(structs.replace(refusal, note=one_line(message.text)) for refusal in stream.refusals)
        self._found(corrections(message, stream.trouble, stream.at), is_users=True)
        stream.refusals = []
        stream.trouble = None

    def _found(self, found: Iterable[Evidence | str], *, is_users: bool = False) -> None:
        """Takes in evidence, and ids of evidence that has been refuted. The user's own words are never tainted."""
        for evidence in found:
            if isinstance(evidence, str):
                self._withdraw(evidence)
            elif not holds_secret(f"{evidence.lesson.subject}\n{evidence.lesson.remedy}"):
                tainted = self._state.tainted and not is_users
                self._evidence[evidence.id] = structs.replace(evidence, tainted=True) if tainted else evidence

    def _withdraw(self, id_: str) -> None:
        if self._evidence.pop(id_, None) is None:
            self._findings.withdrawn.append(id_)

    def _attempted(self, keys: tuple[str, ...], worked: bool) -> None:
        attempts = self._findings.attempts
        for key in keys:
            ok, failed = attempts.get(key, (0, 0))
            attempts[key] = (ok + 1, failed) if worked else (ok, failed + 1)

    def _stream(self, name: str) -> _Stream:
        streams = self._state.streams
        stream = streams.get(name)
        if stream is None:
            stream = streams[name] = _Stream()
            if len(streams) > _STREAMS:
                del streams[next(iter(streams))]
        return stream


def _load(state: bytes) -> _State:
    if not state:
        return _State()
    try:
        return _decode(state)
    except msgspec.MsgspecError:
        return _State()
