"""The journal of writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headroomd.ledger import EntryState, Journal, Ledger


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Ledger.open(tmp_path / "ledger.sqlite3") as ledger:
        yield ledger.journal


def record(journal: Journal, run: int, path: str, project: str = "/p") -> int:
    return journal.record(
        run, Path(path), b"old", b"new\r\n\xff", project=project, agents=("codex", "gemini"), reason="learn"
    )


def test_entries_come_back_byte_for_byte(journal: Journal) -> None:
    """Before and after are kept exactly, and that there was no file is told from an empty one."""
    record(journal, journal.next_run(), "/p/AGENTS.md")
    journal.record(9, Path("/p/b"), None, b"", project="/p")
    newest, oldest = journal.history()
    assert (oldest.before, oldest.after, oldest.agents, oldest.reason) == (
        b"old",
        b"new\r\n\xff",
        ("codex", "gemini"),
        "learn",
    )
    assert (newest.before, newest.after, newest.run) == (None, b"", 9)
    assert newest.at >= oldest.at > 0


def test_last_run_steps_back(journal: Journal) -> None:
    """What is undone makes way for the run before it."""
    one = record(journal, 1, "/p/a")
    two = [record(journal, 2, path) for path in ("/p/a", "/p/b")]
    assert [entry.id for entry in journal.last_run()] == two[::-1]
    for entry in two:
        journal.mark_undone(entry)
    assert [entry.id for entry in journal.last_run()] == [one]
    journal.mark_undone(one)
    assert journal.last_run() == []
    assert {entry.state for entry in journal.history()} == {EntryState.UNDONE}


def test_last_of_a_file_and_of_a_project(journal: Journal) -> None:
    """A file's last write, or the last of each file of a project."""
    record(journal, 1, "/p/a")
    a, b, other = record(journal, 2, "/p/a"), record(journal, 3, "/p/b"), record(journal, 4, "/q/a", "/q")
    assert [entry.id for entry in journal.last_of(Path("/p/a"))] == [a]
    assert [entry.id for entry in journal.last_of(Path("/p"))] == [b, a]
    assert [entry.id for entry in journal.history(Path("/q"))] == [other]


def test_a_dropped_write_never_was(journal: Journal) -> None:
    """A write that failed leaves no trace."""
    journal.drop(record(journal, 1, "/p/a"))
    assert journal.history() == []
    assert not journal.has_written(Path("/p/a"))
