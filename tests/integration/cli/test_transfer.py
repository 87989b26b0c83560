"""`headroomd export` and `import`: from one machine to another."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from headroomd.ledger import Ledger
from headroomd.paths import Places
from tests.integration.cli.conftest import Run

KEY = "AKIAIOSFODNN7EXAMPLE"  # what Amazon's documentation shows as an access key id


@pytest.fixture
def document(project: Path, tmp_path: Path, headroomd: Run) -> Path:
    """An export of the sample project, in which one rule was forgotten."""
    assert headroomd("learn", "--apply", "--model", "none").status == 0
    with Ledger.open(Places.current().ledger) as ledger:
        one = ledger.learnings.of_project(str(project))[0]
    headroomd("forget", one.id)
    file = tmp_path / "export.json"
    assert headroomd("export", file).status == 0
    return file


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine: an empty ledger."""
    monkeypatch.setenv("HEADROOMD_STATE_DIR", str(tmp_path / "other-state"))


def told(project: str) -> list[tuple[str, str, str, int]]:
    with Ledger.open(Places.current().ledger) as ledger:
        learnings = ledger.learnings.of_project(project)
        return sorted(
            (one.lesson.identity, one.status.value, one.reason, len(ledger.learnings.evidence(one)))
            for one in learnings
        )


def test_there_and_elsewhere(
    document: Path, project: Path, headroomd: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules, evidence and decisions arrive at the new place, once; the same again changes nothing."""
    before = told(str(project))
    monkeypatch.setenv("HEADROOMD_STATE_DIR", str(tmp_path / "other-state"))
    files = sorted(path for path in project.rglob("*") if path.is_file())
    contents = [path.read_bytes() for path in files]
    answer = headroomd("import", document, "--map", f"{project.parent}={tmp_path}/new", "--json")
    [new] = json.loads(answer.out)["projects"]
    moved = f"{tmp_path}/new/{project.name}"
    assert (new["project"], new["learnings"], new["decisions"], new["refused"]) == (moved, len(before), 1, 0)
    assert told(moved) == before
    [again] = json.loads(headroomd("import", document, "--map", f"{project.parent}={tmp_path}/new", "--json").out)[
        "projects"
    ]
    assert (again["learnings"], again["evidence"], again["decisions"]) == (0, 0, 0)
    assert [path.read_bytes() for path in files] == contents
    assert told(moved) == before


def test_what_was_forgotten_stays_forgotten(document: Path, project: Path, headroomd: Run, elsewhere: None) -> None:
    """Reading the same sessions on the new machine brings back no rule that was deleted on the old one."""
    assert headroomd("import", document).status == 0
    assert headroomd("learn", "--model", "none").status == 0
    assert [reason for _, status, reason, _ in told(str(project)) if status == "retired"] == ["you deleted it"]


def test_an_export_is_for_your_eyes(document: Path, project: Path, headroomd: Run) -> None:
    """Readable by its owner alone, the same each time, and on standard output where asked."""
    assert stat.S_IMODE(document.stat().st_mode) == 0o600
    assert headroomd("export", "--project", project, "-").out == document.read_text()


def change(document: Path, **fields: Any) -> Path:
    content = json.loads(document.read_text())
    content["projects"][0]["learnings"][0].update(fields)
    document.write_text(json.dumps(content))
    return document


@pytest.mark.parametrize(
    "fields", [{"surprise": 1}, {"status": "great"}, {"sessions": "two"}, {"section": "Shell"}, {"support": None}]
)
def test_what_is_no_export_is_refused_whole(
    document: Path, headroomd: Run, elsewhere: None, fields: dict[str, Any]
) -> None:
    """One unknown key or wrong value, and nothing is taken in."""
    answer = headroomd("import", change(document, **fields))
    assert answer.status == 1
    assert "this is no export of headroomd" in answer.err
    with Ledger.open(Places.current().ledger) as ledger:
        assert ledger.learnings.counts() == {}


def test_no_secret_is_taken_in(document: Path, headroomd: Run, elsewhere: None) -> None:
    """A rule that holds one is left out, and text is redacted again."""
    change(document, subject=f"curl -H {KEY}", reason=f"because {KEY}")
    answer = headroomd("import", document)
    assert "1 left out, they hold secrets" in answer.out
    assert KEY.encode() not in Places.current().ledger.read_bytes()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b'{"format": "headroomd ledger", "version": 2}'])
def test_other_files_are_refused(tmp_path: Path, headroomd: Run, content: bytes) -> None:
    """One line, whatever the file holds."""
    (tmp_path / "x").write_bytes(content)
    answer = headroomd("import", tmp_path / "x")
    assert (answer.status, answer.out, answer.err.count("\n")) == (1, "", 1)


def test_a_map_needs_two_folders(document: Path, headroomd: Run) -> None:
    """Relative folders would depend on where the command runs."""
    assert headroomd("import", document, "--map", "a=b").status == 2
