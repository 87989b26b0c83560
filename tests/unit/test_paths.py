"""Where headroomd keeps its own things."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from headroomd.errors import ConfigError
from headroomd.paths import Places, make_private


@pytest.fixture(autouse=True)
def _no_login_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on whether this machine has a login session."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))


def test_without_a_login_session_the_runtime_folder_lies_in_the_state(tmp_path: Path) -> None:
    """No shared temporary folder is ever used for the socket's folder."""
    places = Places.current({"HEADROOMD_STATE_DIR": str(tmp_path)})
    assert places.runtime == tmp_path / "run"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG folders are Linux's")
def test_xdg_folders_are_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State, config and runtime lie where the XDG variables say."""
    for name in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    places = Places.current({})
    assert places.ledger == tmp_path / "STATE/headroomd/ledger.sqlite3"
    assert places.lock.parent == places.state
    assert places.config == tmp_path / "CONFIG/headroomd/config.toml"
    assert places.runtime == tmp_path / "headroomd"


def test_variables_move_every_place(tmp_path: Path) -> None:
    """The three overrides are enough to keep a whole instance in one folder."""
    places = Places.current(
        {
            "HEADROOMD_STATE_DIR": str(tmp_path / "s"),
            "HEADROOMD_CONFIG": str(tmp_path / "c.toml"),
            "HEADROOMD_RUNTIME_DIR": str(tmp_path / "r"),
        }
    )
    assert (places.state, places.config, places.runtime) == (tmp_path / "s", tmp_path / "c.toml", tmp_path / "r")
    assert places.log.is_relative_to(tmp_path / "s")
    assert not places.state.exists()


def test_a_socket_path_is_never_too_long_to_bind(tmp_path: Path) -> None:
    """A deep runtime folder gets a short stand-in, the same every time and different for different folders."""
    deep, other = (Places(tmp_path, tmp_path, tmp_path / (name * 100), tmp_path) for name in "ab")
    assert len(os.fsencode(deep.socket)) <= 100
    assert deep.socket == deep.socket != other.socket
    assert Places(tmp_path, tmp_path, Path("/run/x"), tmp_path).socket == Path("/run/x/ctl.sock")


def test_private_folders_are_closed_to_others(tmp_path: Path) -> None:
    """A folder that is made, or found open, ends up 0700."""
    made = make_private(tmp_path / "a/b")
    open_one = tmp_path / "open"
    open_one.mkdir(mode=0o755)
    for folder in (made, make_private(open_one)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """What cannot be made is one line with a remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot make the folder .*file"):
        make_private(tmp_path / "file")
