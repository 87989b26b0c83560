"""What commands print can neither act on a terminal nor give a secret away."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.cli.output import complain, counted, emit_json, safe, short_path, timestamp


@given(st.text())
def test_shown_text_holds_nothing_that_a_terminal_acts_on(text: str) -> None:
    """No control, format or surrogate character is left, and no line break; a tab may stay."""
    shown = safe(text)
    assert not [char for char in shown if char != "\t" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    shown.encode()


def test_shown_text_holds_no_secret() -> None:
    """A key is replaced before it is shown."""
    assert "AKIAIOSFODNN7EXAMPLE" not in safe("aws_access_key_id=AKIAIOSFODNN7EXAMPLE")


def test_json_stands_in_a_versioned_envelope(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command's JSON begins with the version and the command's name."""
    emit_json("why", text="ä")
    out = capsys.readouterr().out
    assert json.loads(out) == {"version": 1, "command": "why", "text": "ä"}
    assert "ä" in out


def test_a_complaint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks in a cause do not make two errors of one."""
    complain("it\nbroke:  mend it")
    assert capsys.readouterr().err == "headroomd: it broke: mend it\n"


@pytest.mark.parametrize(("number", "said"), [(0, "0 calls"), (1, "1 call"), (1200, "1,200 calls")])
def test_counts_read_as_english(number: int, said: str) -> None:
    """One call, several calls, thousands apart."""
    assert counted(number, "call") == said


def test_times_are_utc_and_unknown_ones_are_null() -> None:
    """0.0 is what the model says for an unknown time."""
    assert timestamp(0.0) is None
    assert timestamp(1_700_000_000.9) == "2023-11-14T22:13:20+00:00"


def test_paths_below_home_begin_with_a_tilde(home: Path) -> None:
    """As people write them; the home folder itself is named."""
    assert short_path(home / "a/b") == "~/a/b"
    assert short_path(home) == str(home)
    assert short_path("/etc/x\x1b[31m") == "/etc/x\\x1b[31m"
