"""The database file: opened, brought up to date, and written in transactions.

One process may hold several connections, each used by the thread that opened it; many may read while one writes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from headroomd.errors import LedgerError

__all__ = ["Batch", "Connection", "open_database", "transaction"]

_SCHEMA: Final = Path(__file__).parent / "schema"
_BUSY_TIMEOUT: Final = 30_000  # ms: a cold scan of a large home writes nearly all the time
_CHECKPOINT_PAGES: Final = 4000  # of 4 KiB; the default (1000) makes a cold scan copy the same pages over and over
_BATCH_BYTES: Final = 64 * 1024 * 1024  # of session files whose facts are committed together


class Connection(sqlite3.Connection):
    """A connection whose errors are LedgerErrors that say what to do."""

    path: Path

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Raises LedgerError, with the file and a remedy."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Raises LedgerError, with the file and a remedy."""
        try:
            return super().executemany(sql, parameters)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error


def explained(error: sqlite3.Error, path: Path) -> LedgerError:
    """What `error` means for a person who knows nothing of SQLite."""
    reason = str(error)
    if isinstance(error, sqlite3.OperationalError):
        if _is_busy(error):
            return LedgerError(f"the ledger {path} is in use by another program", "try again in a moment")
        if "full" in reason:
            return LedgerError(f"no space left to write the ledger {path}", "make room on the disk; nothing was lost")
        if "readonly" in reason or "unable to open" in reason:
            return LedgerError(
                f"the ledger {path} cannot be opened ({reason})", "check the owner and mode of its folder"
            )
    elif isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
        remedy = "move it away; the sessions are then read again, but what `undo` could put back is lost"
        return LedgerError(f"the ledger {path} is damaged ({reason})", remedy)
    return LedgerError(f"the ledger {path} refused a statement ({reason})", "please report this")


def _is_busy(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error))


def open_database(path: Path, *, read_only: bool = False) -> Connection:
    """A connection to the ledger at `path`, which is made (0600) and brought up to date unless `read_only`.

    Raises LedgerError where it cannot be opened, is damaged or was written by a newer headroomd; a damaged ledger is
    never deleted, and one that must be migrated is copied to `<name>.v<version>.bak` before.
    """
    if not read_only:
        _make_private_file(path)
    mode = "ro" if read_only else "rw"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, factory=Connection
        )
    except sqlite3.Error as error:
        raise explained(error, path) from error
    connection.path = path
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT}")
        connection.execute("PRAGMA foreign_keys = on")
        if read_only:
            _check_version(connection, _version(connection), len(_scripts()))
        else:
            _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All that is written inside is kept, or, if anything is raised, none of it."""
    # IMMEDIATE: one that has read before it writes is refused at once, whatever the busy timeout.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class Batch:
    """Many small writes in few transactions: each commit rewrites every page of `calls` that its rows are spread over.

    What was written and not yet committed is lost in a crash together with the cursors that go with it, and so is
    read again.
    """

    def __init__(self, connection: Connection, limit: int = _BATCH_BYTES) -> None:
        self._connection = connection
        self._limit = limit
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Keep every whole part, even when a later one failed."""
        self._commit()

    @contextmanager
    def part(self) -> Iterator[None]:
        """What is written inside is kept as a whole or not at all; other parts do not depend on it."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk has rolled everything back already
                self._connection.execute("ROLLBACK TO part")
            raise
        self._connection.execute("RELEASE part")

    def add(self, size: int) -> None:
        """Count `size` bytes of session files as dealt with, and commit when there are enough."""
        self._size += size
        if self._size >= self._limit:
            self._commit()

    def _commit(self) -> None:
        self._size = 0
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")


def _make_private_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} cannot be opened ({error.strerror})", "check its owner and mode"
        ) from error


def _prepare(connection: Connection) -> None:
    scripts = _scripts()
    version = _version(connection)
    _check_version(connection, version, len(scripts))
    # Without WAL (it does not work on network file systems) the journal stays as it is, which is slower and as safe.
    if _switch_to_wal(connection) == "wal":
        connection.execute("PRAGMA synchronous = normal")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute("PRAGMA temp_store = memory")  # where a part keeps the pages that it may have to put back
    if version == len(scripts):
        return
    if version:
        _back_up(connection, version)
    with transaction(connection):
        for number in range(_version(connection), len(scripts)):  # another process may have been quicker
            for statement in _statements(scripts[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")


def _switch_to_wal(connection: Connection) -> str:
    """The journal mode after trying to make it WAL, which lasts; SQLite does not wait for others here by itself."""
    deadline = time.monotonic() + _BUSY_TIMEOUT / 1000
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = wal").fetchone()[0])
        except LedgerError as error:
            if not _is_busy(error.__cause__) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _version(connection: Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check_version(connection: Connection, found: int, known: int) -> None:
    if found > known:
        cause = (
            f"the ledger {connection.path} was written by a newer headroomd (schema {found}, this one knows {known})"
        )
        raise LedgerError(cause, "update headroomd")


def _scripts() -> list[str]:
    """The numbered .sql files; the first brings a ledger from version 0 to 1."""
    return [script.read_text("utf-8") for script in sorted(_SCHEMA.glob("*.sql"))]


def _statements(script: str) -> Iterator[str]:
    # Not executescript, which commits before it begins.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _back_up(connection: Connection, version: int) -> None:
    copy = connection.path.with_name(f"{connection.path.name}.v{version}.bak")
    _make_private_file(copy)
    with closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
