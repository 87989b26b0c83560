"""Target files: read with what is needed to put them back unharmed, and swapped atomically.

`read` says what a file is and refuses what cannot be written safely; `swap` replaces it through a temporary file in
the same folder, so that at any moment, a crash or a full disk included, the file is whole: the old one or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from headroomd.errors import TargetError

__all__ = ["MAX_SIZE", "ChangedError", "Snapshot", "read", "swap"]

MAX_SIZE: Final = 8 * 1024 * 1024
"""Bytes of the largest file that gets a block; no agent loads as much."""

_TEMPORARY: Final = ".headroomd-"  # a short prefix of its own: the target's name may already be as long as can be
_STALE: Final = 3600  # seconds after which a temporary file belongs to a run that was killed

_WRITABLE: Final = "make it writable (chmod u+w), or leave the project out"
_REMEDIES: Final = {
    errno.EACCES: _WRITABLE,
    errno.EPERM: _WRITABLE,
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "free some space and run again",
    errno.EDQUOT: "free some space and run again",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.ELOOP: "repair the symlink",
    errno.ENOTDIR: "a part of the path is a file: name another target",
    errno.ENOENT: "create its folder first",
}


class ChangedError(TargetError):
    """The file is not what was read: someone wrote it meanwhile. Read it again and plan anew."""


class Snapshot(Struct, frozen=True):
    """A target file as it was read."""

    path: Path  # as asked for
    real: Path  # the file itself, behind all symlinks
    data: bytes = b""
    existed: bool = False
    mode: int = 0  # st_mode
    mtime_ns: int = 0
    dev: int = 0
    ino: int = 0


def read(path: Path, project: Path, *roots: Path) -> Snapshot:
    """The file at `path`, which need not exist yet.

    `roots` are folders outside `project` in which targets may also lie (an agent's memory folder).
    Raises TargetError for what cannot be written safely: a symlink that leads out of all of these, or nowhere; what is
    no regular file; a file with more than one name (hard links would come apart); one of more than MAX_SIZE bytes;
    one that is read-only or cannot be read.
    """
    with _told(path):
        real = _inside(path, project, *roots)
        try:
            _check(path, real.lstat())
            if not os.access(real, os.W_OK):
                raise TargetError(f"{path} is read-only", _WRITABLE)
            data, status = _load(real)
        except FileNotFoundError:
            return Snapshot(path, real)
        _check(path, status)
    return Snapshot(path, real, data, True, status.st_mode, status.st_mtime_ns, status.st_dev, status.st_ino)


def swap(snapshot: Snapshot, data: bytes | None, *, make_parents: bool = False) -> None:
    """Put `data` in the place of what `snapshot` read; None takes the file away. The same content writes nothing.

    Mode, owner and extended attributes are kept as far as the system lets us; a new file gets what the umask leaves
    of 0644. `make_parents` creates missing folders (for a memory folder, never in a project).
    Raises ChangedError where the file is no longer what was read, TargetError where it cannot be written; the file is
    then what it was, and no temporary file is left behind.
    """
    if data == (snapshot.data if snapshot.existed else None):
        return
    with _told(snapshot.path):
        folder = snapshot.real.parent
        if make_parents:
            folder.mkdir(parents=True, exist_ok=True)
        _check_folder(snapshot.path, folder)
        _check_unchanged(snapshot)
        if data is None:
            snapshot.real.unlink()
        else:
            _replace(snapshot, data)
        _sync_folder(folder)


def _replace(snapshot: Snapshot, data: bytes) -> None:
    folder = snapshot.real.parent
    _remove_stale(folder)
    temporary = folder / f"{_TEMPORARY}{secrets.token_hex(8)}.tmp"
    # Nobody else may read along while the mode of the old file is not yet on the new one.
    handle = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if snapshot.existed else 0o644
    )
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if snapshot.existed:
                _take_over(snapshot.real, handle)
            os.fsync(handle)
        _check_unchanged(snapshot)
        temporary.replace(snapshot.real)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _take_over(old_file: Path, handle: int) -> None:
    """Give the new file what the old one has: owner, extended attributes (access lists among them), mode."""
    old, new = old_file.lstat(), os.fstat(handle)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        with contextlib.suppress(OSError):  # only root may give a file away
            os.fchown(handle, old.st_uid, old.st_gid)
    if hasattr(os, "listxattr"):  # Linux
        with contextlib.suppress(OSError):
            for attribute in os.listxattr(old_file, follow_symlinks=False):
                with contextlib.suppress(OSError):  # security.* needs rights that we may not have
                    os.setxattr(handle, attribute, os.getxattr(old_file, attribute, follow_symlinks=False))
    os.fchmod(handle, stat.S_IMODE(old.st_mode))


def _check_unchanged(snapshot: Snapshot) -> None:
    """The last look before the swap. A change in the microseconds after it is what no rename can rule out."""
    try:
        moved = _real(snapshot.path) != snapshot.real
        now = None if moved else _load(snapshot.real)[0]
    except FileNotFoundError:
        moved, now = False, None
    if moved or now != (snapshot.data if snapshot.existed else None):
        raise ChangedError(f"{snapshot.path} was changed while its block was being written", "run again")


def _load(real: Path) -> tuple[bytes, os.stat_result]:
    """At most MAX_SIZE + 1 bytes of a file. O_NONBLOCK: opening what became a pipe must not wait for a writer."""
    with os.fdopen(os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return file.read(MAX_SIZE + 1), os.fstat(file.fileno())


def _inside(path: Path, *roots: Path) -> Path:
    real = _real(path)
    if path.is_symlink() and not real.exists():
        raise TargetError(f"{path} is a symlink that leads nowhere", "repair or remove it")
    if not any(real.is_relative_to(_real(root)) for root in roots):
        raise TargetError(f"{path} leads out of the project, to {real}", "replace the symlink by a file of its own")
    return real


def _real(path: Path) -> Path:
    """`path` behind all symlinks; unlike Path.resolve the same on Python 3.11 to 3.14, where a loop stays as it is."""
    return Path(os.path.realpath(path))


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise TargetError(f"{path} is not a regular file", "remove it or name another target")
    if status.st_nlink > 1:
        raise TargetError(f"{path} has a second name (hard link) that would keep the old text", "use a symlink instead")
    if status.st_size > MAX_SIZE:
        raise TargetError(f"{path} is larger than {MAX_SIZE // 1024**2} MiB", "no agent loads so much: make it smaller")
    # Whoever takes away every write permission means it, for root too, whom the system would let through.
    if not status.st_mode & 0o222:
        raise TargetError(f"{path} is read-only", _WRITABLE)


def _check_folder(path: Path, folder: Path) -> None:
    # Unlike a file's, a folder's write permission is often lost without meaning it (a copied tree): ask the system.
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        raise TargetError(
            f"the folder of {path} is read-only", "make it writable (chmod u+w), or leave the project out"
        )


def _remove_stale(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{_TEMPORARY}*.tmp"):
            if path.lstat().st_mtime < time.time() - _STALE:
                path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the rename last. The swap is done by now, so a file system that cannot sync a folder is no failure."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the system says, in words for a person."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        remedy = _REMEDIES.get(error.errno or 0, "look at the file and its folder, then run again")
        raise TargetError(f"{path} cannot be read or written ({reason})", remedy) from error
