"""Watching the agents' folders: file events become hints that a file may have changed.

Hints are never more than that. Events get lost (a full queue, a folder that filled before it was watched, another
machine's writes), so the sweep decides what changed; where events cannot be had at all, a root is polled.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct

from headroomd.daemon.inotify import limit, room_left
from headroomd.daemon.mounts import network_type
from headroomd.daemon.state import Problem, RootState, Watching

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver, EventEmitter, ObservedWatch

__all__ = ["Hints", "Watcher"]

_MOST_HINTS: Final = 20_000  # paths; more than that, and a sweep is cheaper
_JOIN: Final = 2.0  # seconds to wait for threads at the end
_LIMITS: Final = {errno.ENOSPC: "max_user_watches", errno.EMFILE: "max_user_instances"}


class Hints(NamedTuple):
    """What events told since they were last taken."""

    paths: set[str]  # files, and folders that appeared
    overflowed: bool  # some events were lost: only a sweep can tell what changed


class _Root(Struct):
    """One folder that is, or is to be, watched."""

    path: Path
    state: RootState
    identity: tuple[int, int] = (0, 0)  # device and inode of what is watched
    watch: ObservedWatch | None = None
    emitter: EventEmitter | None = None


class Watcher:
    """Watches `roots`; calls `wake` when there are hints. Use it from one thread."""

    def __init__(
        self, roots: Iterable[Path], wake: Callable[[], None], *, find_network: Callable[[Path], str] = network_type
    ) -> None:
        self._roots = {path: _Root(path, RootState(str(path), Watching.ABSENT)) for path in roots}
        self._wake = wake
        self._find_network = find_network
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._overflowed = False
        self._problems: dict[str, Problem] = {}
        self._observer: BaseObserver | None = None
        self._listener = _OverflowListener(self._overflow)

    def start(self) -> None:
        """Start watching the roots that exist; the others are looked for by `check`."""
        # watchdog 7.1 prints its whole watch table at each new folder, and under -W error dies of it.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")
        logging.getLogger("watchdog").addHandler(self._listener)
        self.check()

    def stop(self) -> None:
        """Watch no more, and wait for the threads that did."""
        logging.getLogger("watchdog").removeHandler(self._listener)
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(_JOIN)
            self._observer = None

    def check(self) -> bool:
        """See to it that every root that exists is watched or polled; whether anything was new.

        Cheap enough for every few seconds: one stat a root.
        """
        return sum(self._check(root) for root in self._roots.values()) > 0

    def retry(self) -> None:
        """Try again to watch what the system had no room for."""
        for root in self._roots.values():
            if root.state.watching is Watching.POLLING:
                root.identity = (0, 0)
        self._problems.clear()
        self.check()

    @property
    def has_hints(self) -> bool:
        """Whether something may have changed."""
        return bool(self._paths) or self._overflowed

    def take(self) -> Hints:
        """The hints since the last call."""
        with self._lock:
            hints = Hints(self._paths, self._overflowed)
            self._paths, self._overflowed = set(), False
        return hints

    def states(self) -> list[RootState]:
        """How each root is watched."""
        return [root.state for root in self._roots.values()]

    def is_polling(self) -> bool:
        """Whether any root has to be looked through often because it cannot be watched."""
        return any(root.state.watching is Watching.POLLING for root in self._roots.values())

    def problems(self) -> list[Problem]:
        """What keeps roots from being watched."""
        return list(self._problems.values())

    # -- one root ----------------------------------------------------------------------------------------------

    def _check(self, root: _Root) -> bool:
        identity = _identity(root.path)
        if identity is None:
            was_there = root.state.watching is not Watching.ABSENT
            self._unwatch(root)
            root.identity = (0, 0)
            root.state = RootState(str(root.path), Watching.ABSENT)
            return was_there
        died = root.emitter is not None and not root.emitter.is_alive()
        if identity == root.identity and not died:
            return False
        self._unwatch(root)
        root.identity = identity
        root.state = self._watch(root)
        return True

    def _watch(self, root: _Root) -> RootState:
        network = self._find_network(root.path)
        if network:
            cause = f"{root.path} lies on a network file system ({network}), which tells nothing of others' changes"
            self._problems[str(root.path)] = Problem("network-folder", cause, "nothing to do: it is polled instead")
            return RootState(str(root.path), Watching.POLLING, f"network file system ({network})")
        try:
            self._schedule(root)
            room_left(root.path)
        except OSError as error:
            self._unwatch(root)
            return RootState(str(root.path), Watching.POLLING, self._note_limit(error))
        return RootState(str(root.path), Watching.WATCHING)

    def _schedule(self, root: _Root) -> None:
        from watchdog import events
        from watchdog.observers import Observer

        if self._observer is None:
            observer = Observer()  # 7 asks for its inotify instance here, 6 in `schedule`
            observer.start()
            self._observer = observer
        # Links in the root itself are not followed by inotify, and FSEvents names real paths in any case.
        real = os.path.realpath(root.path)
        handler = _Handler(real, str(root.path), self._hint)
        before = set(self._observer.emitters)
        root.watch = self._observer.schedule(
            handler,  # type: ignore[arg-type]  # only `dispatch` is called
            real,
            recursive=True,
            event_filter=[  # without a filter, watchdog reports our own reads
                *(events.FileModifiedEvent, events.FileCreatedEvent, events.FileMovedEvent, events.FileDeletedEvent),
                *(events.DirCreatedEvent, events.DirMovedEvent, events.DirDeletedEvent),
            ],
        )
        root.emitter = next(iter(set(self._observer.emitters) - before), None)

    def _unwatch(self, root: _Root) -> None:
        if root.watch is not None and self._observer is not None:
            with contextlib.suppress(KeyError, OSError):  # its folder is gone, and its emitter with it
                self._observer.unschedule(root.watch)
        root.watch, root.emitter = None, None

    def _note_limit(self, error: OSError) -> str:
        """Make a problem of the system's refusal to watch more; the reason in few words."""
        name = _LIMITS.get(error.errno or 0)
        if name is None:
            reason = f"cannot be watched ({error.strerror})"
            self._problems["watch"] = Problem("watcher", reason, "nothing to do: it is polled instead")
            return reason
        now = limit(name)
        code = "inotify-watches" if error.errno == errno.ENOSPC else "inotify-instances"
        wanted = max(now * 2, 524_288 if error.errno == errno.ENOSPC else 1024)
        cause = f"the system has no room for more file watches (fs.inotify.{name} = {now}), so folders are polled"
        self._problems[code] = Problem(code, cause, f"sudo sysctl fs.inotify.{name}={wanted}, then restart headroomd")
        return f"fs.inotify.{name} = {now} is used up"

    # -- called by watchdog's threads --------------------------------------------------------------------------

    def _hint(self, path: str) -> None:
        with self._lock:
            is_first = not self._paths and not self._overflowed
            if len(self._paths) >= _MOST_HINTS:
                self._paths.clear()
                self._overflowed = True
            elif not self._overflowed:
                self._paths.add(path)
        if is_first:
            self._wake()

    def _overflow(self) -> None:
        with self._lock:
            self._overflowed = True
        self._wake()


class _Handler:
    """Takes the events of one root (watchdog's FileSystemEventHandler, of which only `dispatch` is ever called)."""

    def __init__(self, real: str, path: str, hint: Callable[[str], None]) -> None:
        self._real = real
        self._path = path
        self._hint = hint

    def dispatch(self, event: FileSystemEvent) -> None:
        """A file or folder changed, or was moved."""
        for path in (event.src_path, event.dest_path):
            if path:
                self._hint(self._path + os.fsdecode(path).removeprefix(self._real))


class _OverflowListener(logging.Handler):
    """Hears what watchdog logs: the only sign of an overflow that version 7 gives (6 gives none)."""

    def __init__(self, overflow: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._overflow = overflow

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 (whatever it was, only a sweep helps)
        self._overflow()


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a folder; None where there is none."""
    try:
        info = os.stat(path)  # noqa: PTH116 (called every few seconds)
    except OSError:
        return None
    return info.st_dev, info.st_ino
