"""Keys come from safe places and are never shown."""

from __future__ import annotations

import copy
import os
import pickle
import traceback
from pathlib import Path

import pytest

from headroomd.analysis.backends.keys import Key, key_from_file, key_from_variables
from headroomd.errors import ConfigError

SECRET = "sk-very-secret-0123456789"


def test_never_shown() -> None:
    """Neither text, nor formatting, nor a traceback, nor a pickle holds the secret."""
    key = Key(SECRET, "SOME_KEY")
    shown = [repr(key), str(key), f"{key!r:>40}", repr([key]), repr({"key": key})]
    try:
        raise ValueError(key)
    except ValueError:
        shown.append(traceback.format_exc())
    assert not [text for text in shown if SECRET in text]
    for write in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            write(key)
    assert key.reveal() == SECRET


@pytest.mark.parametrize("value", ["", "   ", "\n"])
def test_blank_is_missing(value: str) -> None:
    """A variable that is set to nothing is no key."""
    assert key_from_variables({"K": value}, "K") is None
    assert key_from_variables({}, "K") is None


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "sk-\u2026", "sk-\x00"])
def test_no_key(value: str) -> None:
    """What no header can carry is refused, without being repeated."""
    with pytest.raises(ConfigError) as caught:
        key_from_variables({"K": value}, "K")
    assert value not in str(caught.value)


def test_file(tmp_path: Path) -> None:
    """A private file gives its key; the origin is its path."""
    path = tmp_path / "key"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    assert key_from_file(path).reveal() == SECRET
    assert key_from_file(path).origin == str(path)
    path.chmod(0o400)
    assert key_from_file(path).reveal() == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o610, 0o644])
def test_open_file(tmp_path: Path, mode: int) -> None:
    """A file that others may touch is refused with the remedy."""
    path = tmp_path / "key"
    path.write_text(SECRET)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        key_from_file(path)


def test_no_file(tmp_path: Path) -> None:
    """A missing file, a folder, a pipe, an empty file and a binary one are refused at once."""
    pipe, empty, binary = tmp_path / "pipe", tmp_path / "empty", tmp_path / "binary"
    os.mkfifo(pipe, 0o600)
    empty.touch(0o600)
    binary.write_bytes(b"\xff\x00\x01")
    binary.chmod(0o600)
    for path in (tmp_path / "missing", tmp_path, pipe, empty, binary):
        with pytest.raises(ConfigError):
            key_from_file(path)
