"""What is new in a file: whole lines past a cursor, in constant memory and time in proportion to what is new.

A file is told by what it holds, not by its inode (ext4 gives a freed inode to the next file): a cursor remembers a
hash of the file's first bytes and one of the bytes just before the offset. Where both still match, reading goes on;
where either does not, the file was truncated or rewritten and is read afresh. The limit of this: a rewrite that
keeps the first kilobyte and the last one before the offset, and is no shorter, passes for an append.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from hashlib import blake2b
from io import BufferedReader, FileIO, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from msgspec import Struct

from headroomd.agents.base import FileShape
from headroomd.agents.lines import MAX_LINE

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["MAX_DOCUMENT", "Cursor", "Tail", "is_unchanged", "open_tail"]

MAX_DOCUMENT: Final = 64 * 1024 * 1024
"""Bytes of the largest FileShape.WHOLE document that is read; a larger one is skipped and counted."""

_BLOCK: Final = 256 * 1024  # bytes asked of the system at a time
_WINDOW: Final = 1024  # bytes that are hashed: agents' lines end in constants, fewer would be the same everywhere
_MAX_ZSTD_WINDOW: Final = 32 * 1024 * 1024  # what a decompressor may allocate; zstd level 3 needs 2 MiB
_SQLITE_INTEGER: Final = 2**63 - 1  # dev and ino are unsigned 64-bit numbers, SQLite's integers are signed


class Cursor(Struct, frozen=True):
    """How far a file was read, and how to tell later that it is still the same file.

    The offset in a `.zst` file is one of its decompressed bytes.
    """

    path: str
    dev: int
    ino: int
    size: int  # bytes, when the file was opened
    mtime_ns: int  # when the file was opened; 0 unless it was read to its end
    offset: int  # bytes consumed, always at the start of a line
    head_len: int  # how many bytes `head_hash` covers
    head_hash: bytes
    tail_hash: bytes  # of the last bytes before `offset`; of a whole document, of all of it
    generation: int = 0  # how often the file was begun afresh


def is_unchanged(path: Path, cursor: Cursor) -> bool:
    """Whether there is nothing to read, as far as one stat tells; False for a file that is gone."""
    try:
        info = path.stat()
    except OSError:
        return False
    return (
        info.st_size == cursor.size
        and info.st_mtime_ns == cursor.mtime_ns
        and info.st_ino & _SQLITE_INTEGER == cursor.ino
        and info.st_dev & _SQLITE_INTEGER == cursor.dev
    )


def open_tail(path: Path, cursor: Cursor | None, shape: FileShape = FileShape.LINES) -> Tail:
    """What `path` holds past `cursor`; a context manager. Raises OSError where it is not a readable, regular file."""
    file = FileIO(str(path), opener=_open_without_waiting)
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if shape is FileShape.WHOLE:
            return _DocumentTail(path, file, cursor)
        return (_CompressedTail if path.suffix == ".zst" else _LineTail)(path, file, cursor)
    except BaseException:
        file.close()
        raise


class Tail(ABC):
    """The unread part of one open file."""

    fresh: bool  # reading starts at the first byte: what readers carried from earlier readings must be dropped
    skipped: int = 0  # lines or documents too long to be read, and damaged ends of compressed files

    def __init__(self, path: Path, file: FileIO, cursor: Cursor | None) -> None:
        self._path = path
        self._file = file
        self._info = os.fstat(file.fileno())
        self._known = cursor
        self._offset = 0
        self._at_end = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @abstractmethod
    def lines(self, max_bytes: int | None = None) -> Iterator[bytes]:
        """Whole lines with their ends; a line that is not finished yet is left for the next reading.

        Stops after the line that reaches `max_bytes`; called again, it goes on. A line counts as consumed when it is
        handed out. A FileShape.WHOLE document is one line, handed out only if it is not what was read last time.
        """

    def cursor(self) -> Cursor:
        """Where to go on after what was consumed so far."""
        head, tail_hash = self._proof()
        known = self._known
        return Cursor(
            path=str(self._path),
            dev=self._info.st_dev & _SQLITE_INTEGER,
            ino=self._info.st_ino & _SQLITE_INTEGER,
            size=self._info.st_size,
            mtime_ns=self._info.st_mtime_ns if self._at_end else 0,
            offset=self._offset,
            head_len=len(head),
            head_hash=_digest(head),
            tail_hash=tail_hash,
            generation=known.generation + self.fresh if known else 0,
        )

    @abstractmethod
    def _proof(self) -> tuple[bytes, bytes]:
        """The first bytes consumed, and the hash of the last ones: what a later reading is to find again."""


class _LineTail(Tail):
    """A file that grows line by line."""

    def __init__(self, path: Path, file: FileIO, cursor: Cursor | None) -> None:
        super().__init__(path, file, cursor)
        self._stream: BufferedReader = self._opened(file)
        self._last = b""  # the line that was consumed last
        self.fresh = cursor is None or not self._is_same(cursor)
        if cursor is not None and not self.fresh:
            self._go_to(cursor.offset)

    def _opened(self, file: FileIO) -> BufferedReader:
        return BufferedReader(file, _BLOCK)

    def _is_same(self, cursor: Cursor) -> bool:
        """Whether what comes before the cursor is what was read then."""
        return (
            _digest(self._bytes(0, cursor.head_len)) == cursor.head_hash
            and _digest(self._bytes(cursor.offset - _WINDOW, cursor.offset)) == cursor.tail_hash
        )

    def _go_to(self, offset: int) -> None:
        self._offset = self._stream.seek(offset)

    def _bytes(self, start: int, end: int) -> bytes:
        start = max(0, start)
        return os.pread(self._file.fileno(), end - start, start)

    def lines(self, max_bytes: int | None = None) -> Iterator[bytes]:
        readline = self._stream.readline
        stop = None if max_bytes is None else self._offset + max_bytes
        while not self._at_end and (stop is None or self._offset < stop):
            line = readline(MAX_LINE + 1)
            if line[-1:] == b"\n":
                self._offset += len(line)
                self._last = line
                yield line
            elif len(line) <= MAX_LINE:
                self._end(line)
            else:
                self._discard(line)

    def _end(self, unfinished: bytes) -> None:  # noqa: ARG002 (it is read again when it has been finished)
        self._at_end = True

    def _discard(self, start: bytes) -> None:
        """Pass over a line too long to be read, of which `start` was."""
        length, data = len(start), start
        while data and data[-1:] != b"\n":
            data = self._stream.readline(_BLOCK)
            length += len(data)
        if data:
            self._offset += length
            self._last = data
            self.skipped += 1
        else:
            self._end(start)

    def _proof(self) -> tuple[bytes, bytes]:
        head = self._bytes(0, min(self._offset, _WINDOW))
        if self._known and not self.fresh and self._offset == self._known.offset:
            return head, self._known.tail_hash
        tail = self._bytes(self._offset - _WINDOW, self._offset)
        last = self._last[-_WINDOW:]
        # Should the file have been rewritten since, the line that was read stands for it, and will not be found again.
        return head, _digest(tail if tail.endswith(last) else last)


class _CompressedTail(_LineTail):
    """A zstd file. It does not grow: while it keeps its size and inode it is the same, otherwise it is read afresh."""

    def _opened(self, file: FileIO) -> BufferedReader:
        self._source = _Decompressor(file)
        return BufferedReader(self._source, _BLOCK)

    def _is_same(self, cursor: Cursor) -> bool:
        return (cursor.size, cursor.ino) == (self._info.st_size, self._info.st_ino & _SQLITE_INTEGER)

    def _go_to(self, offset: int) -> None:
        while data := self._stream.read(min(_BLOCK, offset - self._offset)):
            self._offset += len(data)

    def _end(self, unfinished: bytes) -> None:
        super()._end(unfinished)
        self.skipped += bool(unfinished) or self._source.damaged

    def _proof(self) -> tuple[bytes, bytes]:
        return b"", b""


class _DocumentTail(Tail):
    """A document that is rewritten whole at every change."""

    def __init__(self, path: Path, file: FileIO, cursor: Cursor | None) -> None:
        super().__init__(path, file, cursor)
        self.skipped = int(self._info.st_size > MAX_DOCUMENT)
        self._document = b"" if self.skipped else file.read(self._info.st_size)
        self.fresh = cursor is None or _digest(self._document) != cursor.tail_hash

    def lines(self, max_bytes: int | None = None) -> Iterator[bytes]:  # noqa: ARG002 (a document is read whole or not)
        if self._at_end:
            return
        self._at_end = True
        self._offset = len(self._document)
        if self.fresh and self._document:
            yield self._document

    def _proof(self) -> tuple[bytes, bytes]:
        if not self._at_end:
            return b"", self._known.tail_hash if self._known else b""
        return self._document[:_WINDOW], _digest(self._document)


class _Decompressor(RawIOBase):
    """The decompressed bytes of a zstd file, ending early where it is damaged."""

    def __init__(self, file: FileIO) -> None:
        import zstandard  # few homes hold a compressed session, and `status` should not pay for it

        self._error = zstandard.ZstdError
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
        self._reader = decompressor.stream_reader(file, read_across_frames=True, closefd=False)
        self.damaged = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        try:
            return (
                0 if self.damaged else self._reader.readinto1(buffer)
            )  # all that came before the damage, unlike readinto
        except self._error:
            self.damaged = True
            return 0


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file: without O_NONBLOCK, a pipe that somebody left there would be waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
