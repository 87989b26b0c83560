"""Reading what is new, from real files that grow, shrink, and are swapped for others."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import tracemalloc
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from headroomd.agents import tail
from headroomd.agents.base import FileShape
from headroomd.agents.lines import MAX_LINE
from headroomd.agents.tail import Cursor, is_unchanged, open_tail


def read(path: Path, cursor: Cursor | None, shape: FileShape = FileShape.LINES) -> tuple[list[bytes], Cursor, bool]:
    with open_tail(path, cursor, shape) as reading:
        return list(reading.lines()), reading.cursor(), reading.fresh


class GrowingFile(RuleBasedStateMachine):
    """A file that others write to in every way there is, read after any number of changes.

    The model is the list of whole lines in the file, and how many of them were read. Lines are never the same twice,
    as agents' lines are not: what cannot be told apart cannot be noticed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "session.jsonl"
        self.serial = itertools.count()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def line(self, size: int) -> bytes:
        return b"%d " % next(self.serial) + b"x" * size + b"\n"

    @initialize()
    def begin(self) -> None:
        self.path.write_bytes(b"")
        self.whole: list[bytes] = []
        self.partial = b""
        self.read_lines = 0
        self.rewritten = False
        self.cursor: Cursor | None = None

    @rule(size=st.integers(0, 3000), count=st.integers(1, 4))
    def append(self, size: int, count: int) -> None:
        lines = [self.line(size) for _ in range(count)]
        with self.path.open("ab") as file:
            file.write(b"".join(lines))
        self.whole += [self.partial + lines[0], *lines[1:]]
        self.partial = b""

    @rule(size=st.integers(0, 3000))
    def append_partial_line(self, size: int) -> None:
        part = self.line(size)[:-1]
        with self.path.open("ab") as file:
            file.write(part)
        self.partial += part

    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        """Cut at the start of some line; what follows will be other lines than before."""
        kept = data.draw(st.integers(0, len(self.whole)))
        os.truncate(self.path, sum(map(len, self.whole[:kept])))
        self.whole, self.partial = self.whole[:kept], b""
        self.rewritten |= kept < self.read_lines

    @rule(count=st.integers(0, 5), size=st.integers(0, 3000), in_place=st.booleans())
    def rewrite(self, count: int, size: int, in_place: bool) -> None:
        self.put([self.line(size) for _ in range(count)], in_place)

    @rule(size=st.integers(0, 3000), more=st.integers(1, 9), in_place=st.booleans(), data=st.data())
    def rewrite_with_shared_head(self, size: int, more: int, in_place: bool, data: st.DataObject) -> None:
        """Longer than before, and the same up to somewhere."""
        kept = data.draw(st.integers(0, len(self.whole)))
        lines = [self.line(size) for _ in range(len(self.whole) - kept + more)]
        self.put(self.whole[:kept] + lines, in_place)

    @rule()
    def replace_with_the_same(self) -> None:
        self.put(self.whole, in_place=False)

    def put(self, lines: list[bytes], in_place: bool) -> None:
        target = self.path if in_place else self.folder / "new"
        target.write_bytes(b"".join(lines))
        target.replace(self.path)
        self.rewritten |= lines[: self.read_lines] != self.whole[: self.read_lines]
        self.whole, self.partial = list(lines), b""

    @rule(max_bytes=st.none() | st.integers(1, 5000))
    def read(self, max_bytes: int | None) -> None:
        generation = self.cursor.generation if self.cursor else 0
        with open_tail(self.path, self.cursor, FileShape.LINES) as reading:
            lines = list(reading.lines(max_bytes))
            fresh, cursor = reading.fresh, reading.cursor()
        assert fresh == (self.cursor is None or self.rewritten)
        assert cursor.generation == generation + (fresh and self.cursor is not None)
        start = 0 if fresh else self.read_lines
        assert lines == self.whole[start : start + len(lines)]
        if max_bytes is None:
            assert start + len(lines) == len(self.whole)
        else:
            assert sum(map(len, lines[:-1])) < max_bytes
        self.read_lines = start + len(lines)
        self.rewritten = False
        self.cursor = msgspec.msgpack.decode(msgspec.msgpack.encode(cursor), type=Cursor)

    @invariant()
    def unread_lines_are_noticed(self) -> None:
        if self.cursor and self.read_lines < len(self.whole):
            assert self.rewritten or not is_unchanged(self.path, self.cursor)


GrowingFile.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestGrowingFile = GrowingFile.TestCase


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def test_stopping_anywhere(path: Path) -> None:
    """A reading that is left after any line goes on with the next one, in the same opening and in another."""
    path.write_bytes(b"one\ntwo\nthree\n")
    with open_tail(path, None, FileShape.LINES) as reading:
        assert next(reading.lines()) == b"one\n"
        cursor = reading.cursor()
        assert not is_unchanged(path, cursor)
        assert list(reading.lines()) == [b"two\n", b"three\n"]
        assert is_unchanged(path, reading.cursor())
    assert read(path, cursor)[0] == [b"two\n", b"three\n"]


def test_unread_file(path: Path) -> None:
    """A tail that nothing was asked of stays where it was."""
    path.write_bytes(b"one\n")
    _, cursor, _ = read(path, None)
    with open_tail(path, cursor, FileShape.LINES) as reading:
        unread = reading.cursor()
    assert unread.offset == cursor.offset
    assert read(path, unread)[::2] == ([], False)


def test_rewritten_while_reading(path: Path) -> None:
    """A file that is rewritten between a line and its cursor is read afresh the next time."""
    path.write_bytes(b"one\ntwo\n")
    with open_tail(path, None, FileShape.LINES) as reading:
        assert next(reading.lines()) == b"one\n"
        path.write_bytes(b"111\n222\n")
        cursor = reading.cursor()
    assert read(path, cursor)[::2] == ([b"111\n", b"222\n"], True)


def test_only_the_head_is_new(path: Path) -> None:
    """A file whose first line became another, and whose last ones stayed, is read afresh."""
    rest = b"".join(b"%d\n" % number for number in range(1000))
    path.write_bytes(b"one\n" + rest)
    _, cursor, _ = read(path, None)
    path.write_bytes(b"two\n" + rest)
    lines, _, fresh = read(path, cursor)
    assert (lines[0], fresh) == (b"two\n", True)


def test_a_line_too_long(path: Path) -> None:
    """A line longer than the limit is passed over in bounded memory and counted; the lines around it are read."""
    with path.open("wb") as file:
        file.write(b"before\n" + b"[")
        for _ in range(50):
            file.write(b"x" * 1024 * 1024)
        file.write(b"]\nafter\n")
    tracemalloc.start()
    with open_tail(path, None, FileShape.LINES) as reading:
        assert list(reading.lines()) == [b"before\n", b"after\n"]
        assert reading.skipped == 1
        cursor = reading.cursor()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * MAX_LINE
    assert cursor.offset == path.stat().st_size
    assert read(path, cursor)[::2] == ([], False)


def test_the_longest_line(path: Path) -> None:
    """A line of exactly the limit is read; one that is too long and not finished yet is left for the next time."""
    longest = b"x" * (MAX_LINE - 1) + b"\n"
    path.write_bytes(longest + b"y" * (MAX_LINE + 5))
    lines, cursor, _ = read(path, None)
    assert (lines == [longest], cursor.offset) == (True, MAX_LINE)
    with path.open("ab") as file:
        file.write(b"\nlast\n")
    assert read(path, cursor)[0] == [b"last\n"]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A folder, a pipe without a writer, and a file that is gone are errors of the system; none of them hangs."""
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe", "missing"):
        with pytest.raises(OSError):
            open_tail(tmp_path / name, None, FileShape.LINES)
    assert not is_unchanged(tmp_path / "missing", Cursor("", 0, 0, 0, 0, 0, 0, b"", b""))


# -- whole documents -----------------------------------------------------------------------------------------


def test_document(path: Path) -> None:
    """A document is one line: handed out when it changed, as a whole and afresh, and not otherwise."""
    path.write_bytes(b'{\n"a": 1\n}')
    lines, cursor, fresh = read(path, None, FileShape.WHOLE)
    assert (lines, fresh, is_unchanged(path, cursor)) == ([b'{\n"a": 1\n}'], True, True)
    assert read(path, cursor, FileShape.WHOLE)[::2] == ([], False)
    os.utime(path, (1, 1))
    assert read(path, cursor, FileShape.WHOLE)[::2] == ([], False)
    path.write_bytes(b'{\n"a": 2\n}')
    lines, cursor, fresh = read(path, cursor, FileShape.WHOLE)
    assert (lines, fresh, cursor.generation) == ([b'{\n"a": 2\n}'], True, 1)


def test_document_not_asked_for(path: Path) -> None:
    """A document that was opened and not read is still to be read."""
    path.write_bytes(b"{}")
    with open_tail(path, None, FileShape.WHOLE) as reading:
        cursor = reading.cursor()
    assert not is_unchanged(path, cursor)
    assert read(path, cursor, FileShape.WHOLE)[0] == [b"{}"]


def test_document_too_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document larger than the limit is counted and not read."""
    monkeypatch.setattr(tail, "MAX_DOCUMENT", 10)
    path.write_bytes(b"x" * 11)
    with open_tail(path, None, FileShape.WHOLE) as reading:
        assert list(reading.lines()) == []
        assert reading.skipped == 1
        assert is_unchanged(path, reading.cursor())


# -- zstd ----------------------------------------------------------------------------------------------------

LINES = [b'{"n": %d, "text": "%s"}\n' % (n, os.urandom(300).hex().encode()) for n in range(2000)]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "rollout.jsonl.zst"
    path.write_bytes(zstandard.ZstdCompressor(level=3).compress(b"".join(LINES)))
    return path


def test_compressed(packed: Path) -> None:
    """A zstd file is read as what is in it, in parts too, and once."""
    with open_tail(packed, None, FileShape.LINES) as reading:
        lines = list(reading.lines(100_000))
        cursor = reading.cursor()
    assert 0 < len(lines) < len(LINES)
    more, cursor, fresh = read(packed, cursor)
    assert (lines + more == LINES, fresh) == (True, False)
    assert is_unchanged(packed, cursor)
    assert read(packed, cursor)[::2] == ([], False)


def test_compressed_and_replaced(packed: Path) -> None:
    """Another zstd file in its place is read afresh."""
    _, cursor, _ = read(packed, None)
    packed.write_bytes(zstandard.ZstdCompressor().compress(b"one\n"))
    assert read(packed, cursor)[::2] == ([b"one\n"], True)


@pytest.mark.parametrize("damage", ["cut", "overwritten", "no zstd at all", "window too large"])
def test_damaged(packed: Path, damage: str) -> None:
    """Of a damaged file, what comes before the damage is read, and the damage is counted."""
    data = packed.read_bytes()
    middle = len(data) // 2
    packed.write_bytes(
        {
            "cut": data[:middle],
            "overwritten": data[:middle] + b"\xff" * (len(data) - middle),
            "no zstd at all": b"{}\n",
            "window too large": b"\x28\xb5\x2f\xfd\x00\xf8" + data[6:],
        }[damage]
    )
    with open_tail(packed, None, FileShape.LINES) as reading:
        lines = list(reading.lines())
        assert reading.skipped == 1
    assert lines == LINES[: len(lines)]
    assert bool(lines) == (damage in ("cut", "overwritten"))
