"""The daemon's parts on real files, sockets and watches, without a process around them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from headroomd.agents.base import AgentPlugin, Environment, FileShape, InUse, SessionReader, Targets
from headroomd.agents.registry import Plugins, load_plugins
from headroomd.config import Config
from headroomd.daemon import learner
from headroomd.daemon.analyst import Analyst
from headroomd.daemon.lock import InstanceLock
from headroomd.daemon.loop import Daemon
from headroomd.daemon.problems import Problems
from headroomd.daemon.sessions import Sessions
from headroomd.daemon.state import Watching
from headroomd.daemon.wake import Waker
from headroomd.daemon.watcher import Watcher
from headroomd.errors import BackendError, ConfigError, LockHeldError
from headroomd.ledger import JobState, Ledger
from headroomd.paths import Places
from headroomd.truth import Truth
from tests.support.waiting import until

QUIET = 600.0


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger") as ledger:
        yield ledger


class Pretend(AgentPlugin):
    """An agent whose sessions are *.log files, and which tells what the test wants told."""

    name = "pretend"
    title = "Pretend"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.use = InUse.CANNOT_TELL

    def roots(self, env: Environment) -> list[Path]:
        return [self.root]

    def session_files(self, env: Environment) -> Iterator[Path]:
        return self.root.rglob("*.log")

    def is_session_file(self, path: Path, env: Environment) -> bool:
        return path.suffix == ".log"

    def shape(self, path: Path) -> FileShape:
        return FileShape.LINES

    def reader(self, path: Path, env: Environment, state: bytes = b"") -> SessionReader:
        raise NotImplementedError

    def in_use(self, path: Path, env: Environment) -> InUse:
        return self.use

    def targets(self, project: Path, env: Environment) -> Targets:
        raise NotImplementedError


class Desk:
    """Sessions of one pretended agent, under a clock that the test sets."""

    def __init__(self, ledger: Ledger, root: Path) -> None:
        self.now = time.time()
        self.ledger = ledger
        self.root = root
        root.mkdir()
        self.plugin = Pretend(root)
        self.sessions = self.fresh()

    def fresh(self) -> Sessions:
        """As after a restart."""
        env = Environment(home=self.root, variables={})
        return Sessions(
            self.ledger, {"pretend": self.plugin}, env, quiet_period=QUIET, correlate_delay=1.0, clock=lambda: self.now
        )

    def write(self, name: str, text: str = "x", *, ago: float = 0.0) -> str:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.write(text)
        os.utime(path, (self.now - ago, self.now - ago))
        return str(path)

    def states(self) -> dict[str, str]:
        found = (self.ledger.queue.find(str(path)) for path in sorted(self.root.rglob("*")))
        return {Path(job.path).name: job.state.value for job in found if job is not None}


@pytest.fixture
def desk(ledger: Ledger, tmp_path: Path) -> Desk:
    return Desk(ledger, tmp_path / "sessions")


def test_sweep_finds_what_closed_and_what_is_open(desk: Desk) -> None:
    """Old sessions wait to be read at once, fresh ones stay open until they have been quiet."""
    desk.write("old.log", ago=QUIET + 1)
    desk.write("new.log")
    desk.write("other.txt")
    found = desk.sessions.sweep()
    assert (found.files, found.changed, found.gone) == ({"pretend": 2}, 2, 0)
    assert desk.states() == {"old.log": "queued", "new.log": "open"}
    assert desk.sessions.next_look() == pytest.approx(desk.now + QUIET)
    desk.now += QUIET
    desk.sessions.judge()
    assert desk.states()["new.log"] == "queued"
    assert desk.sessions.sweep().changed == 0


def test_a_clean_end_closes_at_once(desk: Desk) -> None:
    """However fresh the last line is."""
    desk.plugin.use = InUse.YES
    path = desk.write("a.log")
    assert desk.sessions.look_at([path]) == 1
    desk.sessions.judge()
    desk.now += 2
    desk.sessions.judge()
    assert desk.states() == {"a.log": "open"}
    desk.plugin.use = InUse.ENDED
    desk.now += 5
    desk.sessions.judge()
    job = desk.ledger.queue.find(path)
    assert job is not None
    assert (job.state, job.due) == (JobState.QUEUED, desk.now + 1.0)


def test_growth_opens_a_session_again(desk: Desk) -> None:
    """One that was read, and one that waits; a change that nobody told of is found by the sweep."""
    paths = [desk.write(name, ago=QUIET) for name in ("read.log", "waits.log")]
    desk.sessions.sweep()
    with desk.ledger.transaction():
        desk.ledger.queue.lease(1)
        desk.ledger.queue.settle(paths[0], 1, Path(paths[0]).stat().st_mtime_ns, has_taught=True)
        desk.ledger.facts.fail(paths[0], "pretend", "")  # a row in files, as reading leaves it
    assert desk.sessions.look_at(paths) == 0
    desk.write("read.log")
    desk.write("waits.log")
    assert desk.sessions.look_at(paths[:1]) == 1
    assert desk.sessions.sweep().changed == 1
    assert desk.states() == {"read.log": "open", "waits.log": "open"}


def test_what_is_gone_is_forgotten(desk: Desk) -> None:
    """Deleted files leave the queue; those of a folder that vanished whole (a disk taken out) are kept in mind."""
    kept, deleted = desk.write("kept.log", ago=QUIET), desk.write("deleted.log")
    desk.sessions.sweep()
    Path(deleted).unlink()
    desk.sessions.judge()
    desk.now += QUIET
    assert desk.sessions.look_at([deleted]) == 0
    assert desk.ledger.queue.find(deleted) is None
    away = desk.root.rename(desk.root.with_name("away"))
    assert desk.sessions.sweep().gone == 0
    assert desk.ledger.queue.find(kept) is not None
    away.rename(desk.root)
    Path(kept).unlink()
    assert desk.sessions.sweep().gone == 1


def test_folders_that_appear_are_looked_through(desk: Desk) -> None:
    """A folder may have filled before it was watched."""
    desk.write("project/a.log")
    desk.write("project/b.txt")
    assert desk.sessions.look_at([str(desk.root / "project"), "/elsewhere/c.log"]) == 1


def test_times_in_the_future(desk: Desk) -> None:
    """A file from the future (a wrong clock) closes after the quiet period like any other."""
    desk.write("a.log", ago=-1e7)
    desk.sessions.sweep()
    desk.now += QUIET
    desk.sessions.judge()
    assert desk.states() == {"a.log": "queued"}


def test_open_sessions_survive_a_restart(desk: Desk) -> None:
    """They stand in the queue; a new daemon goes on with them."""
    desk.write("a.log")
    desk.sessions.sweep()
    again = desk.fresh()
    desk.now += QUIET
    again.judge()
    assert desk.states() == {"a.log": "queued"}


def test_broken_plugins_cost_only_themselves(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that raises wherever it is asked is named, and takes nobody down."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    path = desk.write("a.log")
    for name in ("in_use", "is_session_file"):
        monkeypatch.setattr(desk.plugin, name, broken)
    desk.sessions.look_at([path])
    assert desk.sessions.sweep().changed == 1
    monkeypatch.setattr(desk.plugin, "session_files", broken)
    (problem,) = desk.sessions.sweep().problems
    assert "ZeroDivisionError" in problem.cause


# -- watcher -----------------------------------------------------------------------------------------------------


def test_events_become_hints(tmp_path: Path) -> None:
    """Writing, creating, moving and deleting are told of; reading is not."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_text("1")
    woken = threading.Event()
    watcher = Watcher([root], woken.set)
    watcher.start()
    try:
        assert watcher.states()[0].watching is Watching.WATCHING
        (root / "a").read_text()
        (root / "b").write_text("2")
        assert woken.wait(10)
        hints: set[str] = set()
        (root / "b").rename(root / "c")
        until(lambda: hints.update(watcher.take().paths) or str(root / "c") in hints)
        assert str(root / "a") not in hints
        (root / "sub/deep").mkdir(parents=True)
        (root / "sub/deep/d").write_text("3")
        until(lambda: hints.update(watcher.take().paths) or any(hint.startswith(str(root / "sub")) for hint in hints))
    finally:
        watcher.stop()


def test_overflow_asks_for_a_sweep(tmp_path: Path) -> None:
    """Whatever watchdog warns of, and more hints than are worth keeping."""
    watcher = Watcher([tmp_path / "root"], lambda: None)
    watcher.start()
    try:
        logging.getLogger("watchdog.observers.inotify_c").warning(
            "Inotify queue overflowed; filesystem events were lost"
        )
        assert watcher.has_hints
        assert watcher.take().overflowed
        assert not watcher.take().overflowed
        for number in range(20_001):
            watcher._hint(str(number))
        hints = watcher.take()
        assert hints.overflowed
        assert not hints.paths
    finally:
        watcher.stop()


def test_network_folders_are_polled(tmp_path: Path) -> None:
    """They are not watched at all, and it is said why."""
    watcher = Watcher([tmp_path], lambda: None, find_network=lambda _: "nfs4")
    watcher.start()
    assert watcher.is_polling()
    assert "nfs4" in watcher.states()[0].reason
    (problem,) = watcher.problems()
    assert problem.code == "network-folder"
    watcher.stop()


def test_a_watch_that_died_is_set_again(tmp_path: Path) -> None:
    """An emitter whose thread ended is noticed and replaced."""
    watcher = Watcher([tmp_path], lambda: None)
    watcher.start()
    try:
        (root,) = watcher._roots.values()
        assert root.emitter is not None
        assert not watcher.check()
        root.emitter.stop()
        root.emitter.join(10)
        assert watcher.check()
        (tmp_path / "a").write_text("1")
        until(lambda: str(tmp_path / "a") in watcher.take().paths)
    finally:
        watcher.stop()


# -- lock, waker, analyst, loop ------------------------------------------------------------------------------------


def _try_lock(path: Path) -> str:
    try:
        with InstanceLock(path):
            return "taken"
    except LockHeldError as error:
        return error.cause


def test_lock(tmp_path: Path) -> None:
    """Held against this process and others, naming the holder; free again afterwards."""
    path = tmp_path / "lock"
    with InstanceLock(path), multiprocessing.get_context("spawn").Pool(1) as pool:
        assert f"pid {os.getpid()}" in pool.apply(_try_lock, (path,))
        assert f"pid {os.getpid()}" in _try_lock(path)
    assert _try_lock(path) == "taken"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b""
    with pytest.raises(ConfigError, match="cannot be taken"):
        InstanceLock(tmp_path / "missing/lock").acquire()


def test_waker() -> None:
    """A wake before the wait is not lost, and many count as one."""
    waker = Waker()
    for _ in range(100_000):
        waker.wake()
    began = time.monotonic()
    waker.wait(10)
    assert time.monotonic() - began < 5
    waker.wait(0.01)
    threading.Timer(0.05, waker.wake).start()
    waker.wait(10)
    assert time.monotonic() - began < 5
    waker.close()
    waker.wake()


def test_analyst() -> None:
    """What it changed is kept until it was seen to; what goes wrong is told, and takes nobody down."""
    problems = Problems()
    results: list[object] = [["/p"], BackendError("no answer", "wait"), ZeroDivisionError()]

    def analyse(config: Config, should_stop: object) -> list[str]:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, list)
        return result

    analyst = Analyst(analyse, problems, lambda: None, lambda: False)
    analyst.start(Config())
    analyst.stop()
    assert analyst.changed() == ["/p"]
    analyst.take(1)
    assert analyst.changed() == []
    analyst.start(Config())
    analyst.stop()
    assert [problem.code for problem in problems.all()] == ["analysis"]
    analyst.start(Config())
    analyst.stop()
    assert not results
    Analyst(None, problems, lambda: None, lambda: False).start(Config())


def test_a_clock_that_jumps(ledger: Ledger, home: Path) -> None:
    """After sleep everything is looked through at once, and what was missed is due."""
    env = Environment(home=home, variables={})
    daemon = Daemon(ledger, Plugins(load_plugins().plugins, []), env, Places.current(), Config())
    daemon.start()
    try:
        until(lambda: daemon._rung)
        daemon._turn()
        swept = daemon.swept_at
        daemon._jumps._last = (daemon._jumps._last[0] - 7200, daemon._jumps._last[1])
        daemon._do("tick")
        (problem,) = daemon.state().problems
        assert problem.code == "clock-jump"
        assert "7200 s" in problem.cause
        until(lambda: daemon._rung)
        daemon._turn()
        assert daemon.swept_at > swept
        assert msgspec.json.encode(daemon.state())
    finally:
        daemon.close()


def test_a_fault_of_ours_costs_one_project(ledger: Ledger, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project at which the program stumbles is named and tried again later; the others are brought up to date."""
    projects = [home / name for name in ("bad", "good")]
    for number, project in enumerate(projects):
        project.mkdir()
        ledger._connection.execute("INSERT INTO projects (id, path) VALUES (?, ?)", (number, str(project)))
        ledger.queue.mark_stale(str(project))

    def check(project: Path, *_: object) -> Truth:
        if project.name == "bad":
            raise ZeroDivisionError
        return Truth(project, home)

    monkeypatch.setattr(learner, "Truth", check)
    one = learner.Learner(ledger, Plugins({}, []), Environment(home=home, variables={}))
    one.refresh(Config(), learner.Run(0.0))
    assert [problem.code for problem in one.problems.values()] == ["target"]
    assert ledger.queue.stale() == []
    assert ledger.queue.next_stale() == pytest.approx(time.time() + 900, abs=60)
