"""The database file: made, brought up to date, refused, shared."""

from __future__ import annotations

import contextlib
import multiprocessing
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from headroomd.errors import LedgerError
from headroomd.ledger import Ledger, db
from headroomd.ledger.db import Batch, open_database, transaction


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state/ledger.sqlite3"


def schema(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as plain:
        return [row[0] for row in plain.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")]


def test_new_ledger_is_private_and_current(path: Path) -> None:
    """A ledger is made with its folder, for its owner only, at the newest version."""
    Ledger.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("PRAGMA user_version").fetchone()[0] == len(
            list((Path(db.__file__).parent / "schema").iterdir())
        )
        assert plain.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_opening_again_changes_nothing(path: Path) -> None:
    """Opening is not a write."""
    Ledger.open(path).close()
    before = path.read_bytes()
    Ledger.open(path).close()
    assert path.read_bytes() == before


def test_migration_backs_up_and_continues(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older ledger is copied aside, then gets the scripts that it lacks, and keeps what it holds."""
    scripts = db._scripts()
    with closing(open_database(path)) as connection, transaction(connection):
        connection.execute("INSERT INTO meta VALUES ('kept', 'yes')")
    more = [*scripts, "CREATE TABLE later (x);\nINSERT INTO later\n  VALUES ('a;b'); -- done;\n"]
    monkeypatch.setattr(db, "_scripts", lambda: more)
    with closing(open_database(path)) as connection:
        assert connection.execute("SELECT * FROM later").fetchall() == [("a;b",)]
        assert connection.execute("SELECT value FROM meta WHERE key = 'kept'").fetchall() == [("yes",)]
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(more)
    backup = path.with_name(f"ledger.sqlite3.v{len(scripts)}.bak")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert "later" not in " ".join(schema(backup))


def test_failed_migration_leaves_the_old_ledger(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that fails half-way changes nothing."""
    Ledger.open(path).close()
    before = schema(path)
    scripts = db._scripts()
    monkeypatch.setattr(
        db, "_scripts", lambda: [*scripts, "CREATE TABLE later (x);\nINSERT INTO nowhere VALUES (1);\n"]
    )
    with pytest.raises(LedgerError, match="nowhere"):
        Ledger.open(path)
    assert schema(path) == before


@pytest.mark.parametrize("read_only", [False, True])
def test_newer_ledger_is_refused(path: Path, read_only: bool) -> None:
    """A ledger of a later headroomd is left alone, and the way out is named."""
    Ledger.open(path).close()
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="newer headroomd") as caught:
        Ledger.open(path, read_only=read_only)
    assert caught.value.remedy == "update headroomd"
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "damage", [lambda data: b"not a database" * 500, lambda data: data[:4096] + b"\xff" * len(data[4096:])]
)
def test_damaged_ledger_is_named_and_kept(path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Damage is reported with what to do; the file is never deleted or changed."""
    Ledger.open(path).close()
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(LedgerError, match="damaged") as caught, Ledger.open(path) as ledger:
        ledger.facts.totals()
    assert str(path) in caught.value.cause
    assert "move it away" in caught.value.remedy
    assert path.read_bytes() == damaged


def test_missing_ledger_cannot_be_read(path: Path) -> None:
    """Reading only never makes a ledger."""
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger.open(path, read_only=True)
    assert not path.exists()


def test_folder_in_the_way(tmp_path: Path) -> None:
    """What is no file is reported, not raised as the system's error."""
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger.open(tmp_path)


def test_reader_sees_no_half_transactions(path: Path) -> None:
    """What is not committed is not there for others, and an error takes it back."""
    with closing(open_database(path)) as writer, closing(open_database(path, read_only=True)) as reader:
        with contextlib.suppress(RuntimeError), transaction(writer):
            writer.execute("INSERT INTO meta VALUES ('a', '1')")
            assert reader.execute("SELECT count(*) FROM meta").fetchone()[0] == 0
            raise RuntimeError
        assert writer.execute("SELECT count(*) FROM meta").fetchone()[0] == 0


def test_batch_keeps_whole_parts_only(path: Path) -> None:
    """A part that fails is taken back; those before and after it stay."""
    with closing(open_database(path)) as connection:
        with Batch(connection) as batch:
            for name in ("a", "b", "c"):
                try:
                    with batch.part():
                        connection.execute("INSERT INTO meta VALUES (?, '')", (name,))
                        if name == "b":
                            raise RuntimeError
                except RuntimeError:
                    continue
        assert not connection.in_transaction
        assert connection.execute("SELECT key FROM meta ORDER BY key").fetchall() == [("a",), ("c",)]


def test_batch_commits_by_size(path: Path) -> None:
    """Others see what was done as soon as enough of it is."""
    with closing(open_database(path)) as writer, closing(open_database(path, read_only=True)) as reader:
        with Batch(writer, limit=100) as batch:
            for name, size, visible in (("a", 60, 0), ("b", 60, 2), ("c", 10, 2)):
                with batch.part():
                    writer.execute("INSERT INTO meta VALUES (?, '')", (name,))
                batch.add(size)
                assert reader.execute("SELECT count(*) FROM meta").fetchone()[0] == visible
        assert reader.execute("SELECT count(*) FROM meta").fetchone()[0] == 3


def _write_many(path: Path, name: str, count: int) -> None:
    with closing(open_database(path)) as connection:
        for number in range(count):
            with transaction(connection):
                connection.execute("INSERT INTO meta VALUES (?, '')", (f"{name}{number}",))


def test_two_processes_write_at_once(path: Path) -> None:
    """Two that open a new ledger and write together wait for each other; nothing is lost."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, name, 200)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    with closing(open_database(path)) as connection:
        assert connection.execute("SELECT count(*) FROM meta").fetchone()[0] == 400


def test_locked_ledger_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is not let go in time is reported as that."""
    monkeypatch.setattr(db, "_BUSY_TIMEOUT", 10)
    with closing(open_database(path)) as one, closing(open_database(path)) as other:
        one.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="in use by another program"), transaction(other):
            pass
