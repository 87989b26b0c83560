"""One session file on its way from bytes to findings: read what is new, tell whose it is, correlate it.

Pure but for reading the file: what was counted before is asked of the caller, so that this runs in a worker process
as well as beside the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec
from msgspec import Struct

from headroomd.agents.base import AgentPlugin, Environment
from headroomd.agents.tail import Cursor, is_unchanged, open_tail
from headroomd.correlation.correlator import Correlator, Findings
from headroomd.correlation.operations import outcome_of, understand
from headroomd.errors import PluginError
from headroomd.ledger import Portion
from headroomd.ledger.facts import stable_hash
from headroomd.ledger.scrub import scrubbed
from headroomd.model import Event, Outcome, SessionStart, ToolCall
from headroomd.paths import is_analyst_folder
from headroomd.projects import Place, ProjectFinder, ProjectRoot
from headroomd.redact import redact

__all__ = [
    "PORTION_BYTES",
    "FileReading",
    "Job",
    "find_jobs",
    "list_files",
    "own_folders",
    "plugin_error",
    "read_whole",
]

PORTION_BYTES: Final = 8 * 1024 * 1024
"""Bytes of a file that are read, correlated and stored at a time: what bounds memory, and the loss in a crash."""

_LONGEST_REASON: Final = 200  # characters
Known = Callable[[Collection[int]], set[int]]


class Job(Struct, frozen=True):
    """One session file that has something new."""

    plugin: AgentPlugin
    path: Path
    cursor: Cursor | None
    size: int  # bytes still to be read, about
    mtime_ns: int


class _Carried(Struct, frozen=True):
    """What one reading of a file leaves to the next."""

    start: SessionStart | None = None
    reader: bytes = b""
    correlator: bytes = b""


_encode = msgspec.msgpack.encode
_decode_carried = msgspec.msgpack.Decoder(_Carried).decode


def own_folders(plugin: AgentPlugin, env: Environment) -> list[Path]:
    """Folders that an agent keeps for itself (~/.claude): no project, though somebody may have worked there."""
    try:
        return [root.parent for root in plugin.roots(env)]
    except Exception:
        return []  # listing its files fails as well, and that is reported


def list_files(plugin: AgentPlugin, env: Environment) -> list[Path]:
    """Every session file of one agent. Raises PluginError where the plugin cannot list them."""
    try:
        return list(plugin.session_files(env))
    except Exception as error:
        raise plugin_error(plugin, "could not list its session files", error) from error


def find_jobs(plugin: AgentPlugin, paths: Iterable[Path], cursors: Mapping[str, Cursor]) -> list[Job]:
    """Those of `paths` that have something new, at the cost of one stat for each of the others."""
    jobs = []
    for path in paths:
        cursor = cursors.get(str(path))
        # A cursor without a time did not reach the end, though a file's own time may be the epoch, too.
        if cursor is not None and cursor.mtime_ns and is_unchanged(path, cursor):
            continue
        try:
            info = path.stat()
        except OSError:  # gone since it was listed
            continue
        left = info.st_size - cursor.offset if cursor and cursor.offset <= info.st_size else info.st_size
        jobs.append(Job(plugin, path, cursor, left, info.st_mtime_ns))
    return jobs


class FileReading:
    """The reading of one job, a portion at a time; a context manager.

    Raises OSError where the file cannot be read, PluginError where the plugin's reader fails.
    """

    def __init__(self, job: Job, state: bytes, env: Environment, finder: ProjectFinder) -> None:
        self._job = job
        self._env = env
        self._finder = finder
        self._tail = open_tail(job.path, job.cursor, job.plugin.shape(job.path))
        self._fresh = self._tail.fresh
        carried = _Carried() if self._fresh or not state else _decode_carried(state)
        try:
            self._reader = job.plugin.reader(job.path, env, carried.reader)
        except Exception as error:
            self.close()
            raise plugin_error(job.plugin, f"could not read {job.path}", error) from error
        self._start = carried.start
        self._root = ProjectRoot(Place.UNKNOWN)
        self._correlator: Correlator | None = None
        self._settle(carried.correlator)
        self._cursor = self._tail.cursor()
        self._offset = self._cursor.offset
        self._counted = _Lines(0, 0, 0)
        self._at_end = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._tail.__exit__(None, None, None)

    @property
    def is_at_end(self) -> bool:
        """Whether the portion read last was the file's last."""
        return self._at_end

    def read(self) -> list[Event] | None:
        """The events of the next portion; None when the file is at its end."""
        if self._at_end:
            return None
        self._offset = self._cursor.offset
        try:
            events = list(self._reader.read(self._tail.lines(PORTION_BYTES)))
        except OSError:
            raise
        except Exception as error:
            raise plugin_error(self._job.plugin, f"could not read {self._job.path}", error) from error
        self._cursor = self._tail.cursor()
        # A cursor bears a time once the end was reached; one that does not move is at the end of a file without one.
        self._at_end = self._cursor.mtime_ns != 0 or self._cursor.offset == self._offset
        return events

    def digest(self, events: list[Event], known: Known) -> Portion:
        """What `events`, just read, say. Calls that are `known` were counted before, for this file or another."""
        self._identify(events)
        calls = [event for event in events if type(event) is ToolCall]
        keys = [stable_hash(call.key) for call in calls]
        counted = known(keys) if keys else set()
        if self._correlator is None:
            findings = _only_counted(calls, keys, counted, str(self._env.home))
        else:
            findings = _correlated(self._correlator, events, keys, counted)
        times = [event.at for event in events if event.at > 0]
        lines = _Lines(self._reader.odd_lines, self._reader.repaired_lines, self._tail.skipped)
        portion = Portion(
            path=str(self._job.path),
            agent=self._job.plugin.name,
            start=self._start,
            root=self._root,
            first_at=min(times, default=0.0),
            last_at=max(times, default=0.0),
            keys=keys,
            findings=findings,
            cursor=self._cursor,
            state=_encode(
                _Carried(
                    self._start, scrubbed(self._reader.dump()), self._correlator.dump() if self._correlator else b""
                )
            ),
            fresh=self._fresh,
            size=self._cursor.offset - self._offset,
            odd=lines.odd - self._counted.odd,
            repaired=lines.repaired - self._counted.repaired,
            skipped=lines.skipped - self._counted.skipped,
        )
        self._counted = lines
        self._fresh = False
        return portion

    def _identify(self, events: list[Event]) -> None:
        """Whose session this is: what the file says first, until it says where the session ran."""
        for event in events:
            if self._start is not None and self._start.cwd:
                return
            if type(event) is SessionStart:
                self._start = event
                self._settle()
        if self._start is None and events:
            first = events[0]
            self._start = SessionStart(first.agent, first.session, first.at, "")

    def _settle(self, correlator_state: bytes = b"") -> None:
        if self._start is not None and not is_analyst_folder(self._start.cwd):
            self._root = self._finder.find(self._start.cwd)
        if self._root.path:
            self._correlator = Correlator(self._root.checkout, str(self._env.home), correlator_state)


class _Lines(NamedTuple):
    odd: int
    repaired: int
    skipped: int


def read_whole(job: Job, state: bytes, env: Environment, finder: ProjectFinder) -> list[Portion]:
    """All portions of a job, for a worker process: as if none of its calls had been counted before."""
    with FileReading(job, state, env, finder) as reading:
        portions = []
        seen: set[int] = set()
        while (events := reading.read()) is not None:
            portions.append(reading.digest(events, seen.intersection))
            seen.update(portions[-1].keys)
        return portions


def _correlated(correlator: Correlator, events: list[Event], keys: list[int], counted: set[int]) -> Findings:
    feed = correlator.feed
    key = iter(keys)
    for event in events:
        if type(event) is ToolCall:
            number = next(key)
            feed(event, number in counted)
            counted.add(number)
        else:
            feed(event)
    return correlator.take()


def _only_counted(calls: list[ToolCall], keys: list[int], counted: set[int], home: str) -> Findings:
    """Findings of a session without a project: how much there was, and nothing that it teaches."""
    new = {key: call for key, call in zip(keys, calls, strict=True) if key not in counted}
    failures = (call for call in new.values() if call.outcome is Outcome.FAILED)
    failed = sum(outcome_of(call, understand(call, "", home)) is Outcome.FAILED for call in failures)
    return Findings(evidence=[], attempts={}, calls=len(new), failed=failed, kinds={})


def plugin_error(plugin: AgentPlugin, what: str, error: Exception) -> PluginError:
    """What to tell a person of an exception that a plugin raised."""
    reason = redact(f"{type(error).__name__}: {error}")[:_LONGEST_REASON]
    return PluginError(f"agent plugin {plugin.name!r} {what} ({reason})", "update or uninstall it, or report this")
