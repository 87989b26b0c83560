"""Editing the config: one table changes, every other byte stays."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.cli.config_file import set_project
from headroomd.errors import ConfigError

ROOT = Path("/srv/webshop")

COMMENTED = """\
# mine
quiet_period = "5m"   # patience

[schedule]  # when
analysis_interval = "1h"

[[project]]   # the first
path   = "/srv/other"
agents = [
    "claude",  # only this one
]

# the second
[[project]]
path = "/srv/webshop"
enabled = false  # for now

[analysis]
model = "none"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_a_new_file_says_what_it_is(config: Path) -> None:
    """It begins with comments that point to the documentation, and only its owner can read it."""
    assert set_project(config, ROOT, {"enabled": True})
    text = config.read_text()
    assert text.startswith("# headroomd's configuration")
    assert tomllib.loads(text) == {"project": [{"path": "/srv/webshop", "enabled": True}]}
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert [one.name for one in config.parent.iterdir() if one.name != "home" and one.name != "run"] == ["config.toml"]


def test_setting_again_what_stands_there_writes_nothing(config: Path) -> None:
    """The file is not even touched."""
    set_project(config, ROOT, {"enabled": True})
    before = config.stat()
    assert not set_project(config, ROOT, {"enabled": True})
    assert (config.stat().st_ino, config.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_a_changed_key_is_all_that_changes(config: Path, eol: str) -> None:
    """Comments, order, blanks, line ends and the tables around it stay byte for byte."""
    before = COMMENTED.replace("\n", eol)
    config.write_bytes(before.encode())
    assert set_project(config, ROOT, {"enabled": True})
    assert config.read_bytes().decode() == before.replace("enabled = false", "enabled = true")


def test_new_keys_join_their_table(config: Path) -> None:
    """Everything before and after the table is as it was."""
    config.write_text(COMMENTED)
    set_project(config, ROOT, {"agents": ["codex"], "mode": "review"})
    text = config.read_text()
    head, tail = COMMENTED.split("enabled = false  # for now\n")
    added = 'agents = ["codex"]\nmode = "review"\n'
    assert text == f"{head}enabled = false  # for now\n{added}{tail}"


@pytest.mark.parametrize("text", [COMMENTED, COMMENTED.rstrip("\n"), COMMENTED.replace("\n", "\r\n"), "# only this\n"])
def test_a_new_project_is_added_behind_what_stands_there(config: Path, text: str) -> None:
    """Whatever the line ends, with or without a last one: what was there is the beginning of what is there now."""
    config.write_bytes(text.encode())
    assert set_project(config, Path("/srv/new"), {"enabled": True})
    data = config.read_bytes().decode()
    assert data.startswith(text)
    assert ("\r\n" in text) == ("\r\n" in data.removeprefix(text))
    assert tomllib.loads(data)["project"][-1] == {"path": "/srv/new", "enabled": True}


def test_projects_written_as_a_list_stay_one(config: Path) -> None:
    """`project = [{...}]` is TOML too."""
    config.write_text('project = [{path = "/srv/other"}]  # short\nblock_limit = 3000\n')
    set_project(config, ROOT, {"enabled": True})
    text = config.read_text()
    assert text.endswith("  # short\nblock_limit = 3000\n")
    assert tomllib.loads(text)["project"] == [{"path": "/srv/other"}, {"path": "/srv/webshop", "enabled": True}]
    set_project(config, ROOT, {"enabled": False})
    assert tomllib.loads(config.read_text())["project"][1]["enabled"] is False


def test_a_path_with_tilde_or_through_a_link_is_the_same_project(config: Path, home: Path, tmp_path: Path) -> None:
    """No second table is made for it."""
    (home / "a").mkdir()
    (tmp_path / "link").symlink_to(home / "a")
    for spelled in ("~/a", f"{tmp_path}/link"):
        config.write_text(f'[[project]]\npath = "{spelled}"\n')
        set_project(config, home / "a", {"enabled": False})
        assert tomllib.loads(config.read_text()) == {"project": [{"path": spelled, "enabled": False}]}


def test_a_linked_config_stays_a_link_and_keeps_its_mode(config: Path, tmp_path: Path) -> None:
    """Dotfiles are often links into a repository."""
    real = tmp_path / "dotfiles.toml"
    real.write_text("# here\n")
    real.chmod(0o644)
    config.symlink_to(real)
    set_project(config, ROOT, {"enabled": True})
    assert config.is_symlink()
    assert "webshop" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o644


@pytest.mark.parametrize("data", [b"[[project", b"\xff\xfe"])
def test_a_broken_file_is_left_alone(config: Path, data: bytes) -> None:
    """What cannot be read is not rewritten."""
    config.write_bytes(data)
    with pytest.raises(ConfigError):
        set_project(config, ROOT, {"enabled": True})
    assert config.read_bytes() == data


def test_tables_that_lie_apart_stay_where_they_are(config: Path) -> None:
    """Other tables between two projects are no reason to move anything."""
    text = (
        '[[project]]\npath = "/a"\n\n[analysis]\nmodel = "none"\n[[project]]\npath = "/srv/webshop"\nenabled = true\n'
    )
    config.write_text(text)
    set_project(config, ROOT, {"enabled": False})
    assert config.read_text() == text.replace("true", "false")
    set_project(config, Path("/a"), {"mode": "review"})
    assert config.read_text().startswith('[[project]]\npath = "/a"\nmode = "review"\n\n[analysis]\n')


def test_a_file_that_cannot_be_changed_without_harm_is_left_alone(config: Path) -> None:
    """A text that looks like a table's head: what came out would not be what was meant, so a person is asked."""
    text = '[[project]]\npath = "/a"\ntarget = """\n[[project]]\n"""\n[[project]]\npath = "/srv/webshop"\n'
    config.write_text(text)
    with pytest.raises(ConfigError, match="by hand"):
        set_project(config, ROOT, {"enabled": False})
    assert config.read_text() == text


@given(name=st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0/"), min_size=1, max_size=30))
def test_every_path_comes_back(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Quotes, backslashes, line breaks and emoji in a folder's name mean themselves."""
    root = Path(os.path.realpath(f"/srv/{name}"))
    config = tmp_path_factory.mktemp("any") / "config.toml"
    config.write_text("# first\n")
    set_project(config, root, {"enabled": True})
    assert tomllib.loads(config.read_bytes().decode())["project"] == [{"path": str(root), "enabled": True}]
    assert not set_project(config, root, {"enabled": True})
