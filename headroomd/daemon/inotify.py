"""How much room the kernel has for more file watches (Linux; elsewhere there is always room).

watchdog 7 passes over folders that it could not watch without a word, so the kernel itself is asked.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Final

__all__ = ["limit", "room_left"]

_IN_DELETE_SELF: Final = 0x400
_SYSCTL: Final = Path("/proc/sys/fs/inotify")


def limit(name: str) -> int:
    """The value of fs.inotify.`name`; 0 where it cannot be read."""
    try:
        return int((_SYSCTL / name).read_text())
    except (OSError, ValueError):
        return 0


def room_left(folder: Path) -> None:
    """Raises OSError (ENOSPC) where the user may set no further watch, as a trial with `folder` shows."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    if fd < 0:
        return  # no further instance is needed: watchdog has its own
    try:
        if libc.inotify_add_watch(fd, os.fsencode(folder), _IN_DELETE_SELF) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(fd)
