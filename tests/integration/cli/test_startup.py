"""The program starts quickly and ends as programs do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headroomd import __version__

HEAVY = ("pydantic", "httpx", "rich", "apscheduler", "structlog", "watchdog", "tree_sitter", "asyncio", "sqlite3")


def _python(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, **options
    )  # type: ignore[call-overload, no-any-return]


def test_the_command_line_imports_nothing_heavy() -> None:
    """Start-up stays quick because libraries are imported by the commands that use them."""
    done = _python(f"import sys, headroomd.cli; print([name for name in {HEAVY} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_help_imports_nothing_heavy() -> None:
    """Listing the commands imports their modules, and still nothing that is slow."""
    code = (
        "import sys; from headroomd import cli; assert cli.run(['--help']) == 0;"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert _python(code).stdout.splitlines()[-1] == "[]"


def test_version() -> None:
    """`python -m headroomd` is the same program."""
    done = subprocess.run(
        [sys.executable, "-m", "headroomd", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"headroomd {__version__}\n"


def test_without_arguments_help_is_shown() -> None:
    """Help goes to standard error and the status says that nothing was done."""
    done = _python("from headroomd import cli; raise SystemExit(cli.run([]))")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: headroomd")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """`headroomd ... | head` prints no traceback."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "headroomd", "config"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(("variable", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_that_want_them(
    variable: dict[str, str], coloured: bool, home: Path, tmp_path: Path
) -> None:
    """On a terminal the diff is coloured, unless NO_COLOR is set."""
    code = (
        "import os, pty, sys\n"
        f"status = pty.spawn([{sys.executable!r}, '-m', 'headroomd', 'learn', '--all', '--model', 'none'])\n"
        "sys.exit(os.waitstatus_to_exitcode(status))"
    )
    from headroomd.cli.demo import lay_out

    lay_out(home)
    done = _python(code, cwd=tmp_path, env={**os.environ, **variable}, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lighthouse/io/beacons.py" in done.stdout
    assert ("\x1b[32m" in done.stdout) is coloured
