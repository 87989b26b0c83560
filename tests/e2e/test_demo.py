"""`headroomd demo`, as a stranger runs it after `pip install`."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

Program = Callable[..., subprocess.CompletedProcess[str]]


def _contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_demo_shows_before_and_after_and_leaves_nothing(program: Program, tmp_path: Path, home: Path) -> None:
    """Rules of all agents' sessions are written to all agents' files, and neither home nor folder is touched."""
    elsewhere = tmp_path / "elsewhere"
    temporary = tmp_path / "temporary"
    for folder in (elsewhere, temporary):
        folder.mkdir()
    (home / "mine").write_text("kept")
    before = _contents(home), _contents(elsewhere)
    done = program("demo", cwd=elsewhere, variables={"TMPDIR": str(temporary)})
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("CLAUDE.md", "AGENTS.md", "GEMINI.md"):
        after = done.stdout.split(f"After: ~/code/lighthouse/{name}")[1].split("After: ")[0].split("Where a rule")[0]
        assert "lighthouse/io/beacons.py" in after
        assert ".venv/bin/python" in after
    assert "Keep functions short." in done.stdout.split("After: ~/code/lighthouse/CLAUDE.md")[1]
    assert "git push" in done.stdout
    assert "Nothing to write." in done.stdout
    assert "CLAUDE.md: put back" in done.stdout
    assert (_contents(home), _contents(elsewhere)) == before
    assert not list(temporary.iterdir())


def test_the_demo_prints_no_escape_sequences_into_a_file(program: Program, tmp_path: Path) -> None:
    """Output that is no terminal gets plain text."""
    assert "\x1b" not in program("demo", cwd=tmp_path).stdout
