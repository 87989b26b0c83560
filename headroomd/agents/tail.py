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

_BLOCK: Final = 1024 * 1024  # bytes asked of the system at a time
_WINDOW: Final = (
    1024  # bytes hashed: agents' lines end in constants, so that fewer would be the same at every line's end
)
_MAX_ZSTD_WINDOW: Final = 32 * 1024 * 1024  # what a decompressor may allocate; zstd level 3 needs 2 MiB
_SQLITE_INTEGER: Final = 2**63 - 1  # dev and ino are unsigned 64-bit numbers, SQLite's integers are signed


class Cursor(Struct, frozen=True):
    """How far a file was read, and how to tell later that it is still the same file.

    Offsets and hashes are of the decompressed bytes of a `.zst` file; size, mtime, dev and ino are of the file itself.
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
    # Without O_NONBLOCK, opening a pipe that somebody left there would wait for ever.
    file: BufferedReader = BufferedReader(FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)), _BLOCK)
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return _DocumentTail(path, file, cursor) if shape is FileShape.WHOLE else _LineTail(path, file, cursor)
    except BaseException:
        file.close()
        raise


class Tail(ABC):
    """The unread part of one open file."""

    fresh: bool  # reading starts at the first byte: what readers carried from earlier readings must be dropped
    skipped: int = 0  # lines or documents too long to be read, and damaged ends of compressed files

    def __init__(self, path: Path, file: BufferedReader, cursor: Cursor | None) -> None:
        self._path = path
        self._file = file
        self._info = os.fstat(file.fileno())
        self._generation = cursor.generation if cursor else 0
        self._offset = 0
        self._head = b""  # the first bytes consumed, at least _WINDOW of them if there are so many
        self._tail = b""  # the last bytes consumed, likewise
        self._at_end = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @abstractmethod
    def lines(self, max_bytes: int | None = None) -> Iterator[bytes]:
        """Whole lines with their line ends; a line that is not finished yet is left for the next reading.

        Stops after the line that reaches `max_bytes`; called again, it goes on. A line counts as consumed when it
        is handed out. A FileShape.WHOLE document is one line, handed out only if it is not what was read last time.
        """

    def cursor(self) -> Cursor:
        """Where to go on after what was consumed so far."""
        head = self._head[: min(self._offset, _WINDOW)]
        return Cursor(
            path=str(self._path),
            dev=self._info.st_dev & _SQLITE_INTEGER,
            ino=self._info.st_ino & _SQLITE_INTEGER,
            size=self._info.st_size,
            mtime_ns=self._info.st_mtime_ns if self._at_end else 0,
            offset=self._offset,
            head_len=len(head),
            head_hash=_digest(head),
            tail_hash=self._tail_hash(),
            generation=self._generation,
        )

    def _tail_hash(self) -> bytes:
        return _digest(self._tail[-_WINDOW:])


class _LineTail(Tail):
    """A file that grows line by line, plain or compressed."""

    def __init__(self, path: Path, file: BufferedReader, cursor: Cursor | None) -> None:
        super().__init__(path, file, cursor)
        self._compressed = path.suffix == ".zst"
        self._stream = _decompressed(file) if self._compressed else file
        self.fresh = cursor is None or not self._resume(cursor)
        if cursor is not None and self.fresh:
            self._generation += 1
            self._offset, self._head, self._tail = 0, b"", b""
            file.seek(0)
            self._stream = _decompressed(file) if self._compressed else file

    def _resume(self, cursor: Cursor) -> bool:
        """Stand at the cursor's offset, if what comes before it is what was read then."""
        if self._compressed:
            self._read_up_to(cursor.offset)
        else:
            self._jump_to(cursor)
        return (
            self._offset == cursor.offset
            and _digest(self._head[: cursor.head_len]) == cursor.head_hash
            and self._tail_hash() == cursor.tail_hash
        )

    def _jump_to(self, cursor: Cursor) -> None:
        if self._info.st_size < cursor.offset:
            return
        start = max(0, cursor.offset - _WINDOW)
        descriptor = self._file.fileno()
        self._head = os.pread(descriptor, cursor.head_len, 0)
        self._tail = os.pread(descriptor, cursor.offset - start, start)
        self._offset = self._file.seek(cursor.offset)

    def _read_up_to(self, offset: int) -> None:
        while block := self._stream.read(min(_BLOCK, offset - self._offset)):
            self._consume(block)

    def lines(self, max_bytes: int | None = None) -> Iterator[bytes]:
        readline = self._stream.readline
        stop = None if max_bytes is None else self._offset + max_bytes
        while not self._at_end and (stop is None or self._offset < stop):
            line = readline(MAX_LINE + 1)
            if line[-1:] == b"\n":
                self._consume(line)
                yield line
            elif len(line) <= MAX_LINE or not self._discard(line):
                # A compressed file does not grow: what misses its end there is damaged.
                self.skipped += self._compressed and bool(line or _is_damaged(self._stream))
                self._at_end = True

    def _consume(self, data: bytes) -> None:
        self._offset += len(data)
        self._tail = data if len(data) >= _WINDOW else self._tail[-_WINDOW:] + data
        if len(self._head) < _WINDOW:
            self._head += data[:_WINDOW]

    def _discard(self, start: bytes) -> bool:
        """Consume a line too long to be read, of which `start` was; False if it is not finished yet."""
        before = self._offset, self._head, self._tail
        data = start
        while data:
            self._consume(data)
            if data[-1:] == b"\n":
                self.skipped += 1
                return True
            data = self._stream.readline(_BLOCK)
        self._offset, self._head, self._tail = before
        return False


class _DocumentTail(Tail):
    """A document that is rewritten whole at every change."""

    def __init__(self, path: Path, file: BufferedReader, cursor: Cursor | None) -> None:
        super().__init__(path, file, cursor)
        document = file.read(MAX_DOCUMENT + 1) if self._info.st_size <= MAX_DOCUMENT else b""
        too_large = self._info.st_size > MAX_DOCUMENT or len(document) > MAX_DOCUMENT
        self._document = b"" if too_large else document
        self._digest = _digest(self._document)
        self._known = cursor
        self.skipped = int(too_large)
        self.fresh = cursor is None or self._digest != cursor.tail_hash
        if cursor is not None and self.fresh:
            self._generation += 1

    def lines(self, max_bytes: int | None = None) -> Iterator[bytes]:  # noqa: ARG002 (a document is read whole or not)
        if self._at_end:
            return
        self._at_end = True
        self._offset = len(self._document)
        self._head = self._document[:_WINDOW]
        if self.fresh and self._document:
            yield self._document

    def _tail_hash(self) -> bytes:
        if self._at_end:
            return self._digest
        return self._known.tail_hash if self._known else b""


class _Decompressor(RawIOBase):
    """The decompressed bytes of a zstd file, ending early where it is damaged."""

    def __init__(self, file: BufferedReader) -> None:
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


def _decompressed(file: BufferedReader) -> BufferedReader:
    return BufferedReader(_Decompressor(file), _BLOCK)


def _is_damaged(stream: BufferedReader) -> bool:
    return isinstance(stream.raw, _Decompressor) and stream.raw.damaged


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
