"""One instance a user: a file in the state folder, locked for as long as its owner lives.

The kernel gives the lock back when the owner dies, however it dies, so nobody has to guess whether a pid is stale.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Self

from headroomd import __version__
from headroomd.errors import ConfigError, LockHeldError

__all__ = ["InstanceLock"]


class InstanceLock:
    """The lock at a path, held from `acquire` to `release`; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def acquire(self) -> Self:
        """Take the lock, and write into the file who holds it.

        Raises LockHeldError (which names the holder) where another process has it, ConfigError where the file cannot
        be opened or its file system knows no locks.
        """
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(self._path, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip()
            os.close(fd)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise _unusable(self._path, error) from error
            raise LockHeldError(
                f"another headroomd is at work ({holder or 'it has not said which yet'})",
                "`headroomd status` shows what it does",
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"pid {os.getpid()}, version {__version__}\n".encode(), 0)
        self._fd = fd
        return self

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two owners lock two files of one name."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self if self._fd >= 0 else self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def _unusable(path: Path, error: OSError) -> ConfigError:
    remedy = "check the owner and mode of its folder; it must not lie on a network file system"
    return ConfigError(f"the lock {path} cannot be taken ({error.strerror})", remedy)
