"""The projects that the config opts in, read in a hurry."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.daemon.optin import OptIns, read_opt_ins
from headroomd.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_without_a_file_nothing_is_enabled(config: Path) -> None:
    """The defaults hold."""
    assert read_opt_ins(config) == OptIns()


def test_enabled_projects_are_known_by_their_real_path(config: Path, tmp_path: Path, home: Path) -> None:
    """~ and symlinks are seen through; the first table of a path counts, as in the whole config."""
    (home / "a").mkdir()
    (tmp_path / "link").symlink_to(home / "a")
    config.write_text(
        f'block_limit = "not looked at"\n[[project]]\npath = "~/a"\nagents = ["codex"]\n'
        f'[[project]]\npath = "{tmp_path}/link"\nmode = "review"\n[[project]]\npath = "/b"\nenabled = false\n'
    )
    enabled = read_opt_ins(config).enabled()
    assert list(enabled) == [str(home / "a")]
    assert (enabled[str(home / "a")].agents, enabled[str(home / "a")].mode) == (("codex",), "auto")


@pytest.mark.parametrize(
    "text", [b"project = 3", b"[[project]]\nenabled = true", b"[[project", b"\xff", b'[[project]]\npath="a"\nmode="x"']
)
def test_a_wrong_file_is_one_line_with_its_remedy(config: Path, text: bytes) -> None:
    """The file is named, and the command that says more."""
    config.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        read_opt_ins(config)
    assert str(config) in caught.value.cause
    assert "headroomd config check" in caught.value.remedy


@given(data=st.binary())
def test_no_bytes_make_it_raise_anything_else(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever the file holds, status goes on."""
    config = tmp_path_factory.getbasetemp() / "any.toml"
    config.write_bytes(data)
    with contextlib.suppress(ConfigError):
        read_opt_ins(config)
