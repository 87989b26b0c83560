"""Editing the user's config file: one [[project]] table, and not a byte besides.

The file is the user's: comments, order and line ends stay, a symlink (dotfiles) stays one, and a change is made whole
or not at all. Whatever the library did is checked against what was meant before it is kept.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headroomd.errors import ConfigError

__all__ = ["Settings", "set_project"]

Settings = Mapping[str, str | bool | list[str]]
"""Keys of a [[project]] table that are to be set."""

_HEADER: Final = """\
# headroomd's configuration; `headroomd config` shows what is in force, config.example.toml documents every key.
# `headroomd enable` and `headroomd disable` change the [[project]] tables and leave everything else as it is.
"""
_TABLE: Final = re.compile(
    r"""^[ \t]*(?:(?P<project>\[\[[ \t]*["']?project["']?[ \t]*\]\])|\[[^\n=,]+\])[ \t]*(?:\#.*)?\r?$""", re.MULTILINE
)
"""The line that begins a table. Where a value has such a line in it, the check of the result refuses the change."""


def set_project(config: Path, root: Path, settings: Settings) -> bool:
    """Set keys in the [[project]] table of `root`, which is added if there is none; whether the file changed.

    Raises ConfigError where the file cannot be read, understood or written.
    """
    before = _read(config)
    data = _parsed(config, before)
    tables = data.get("project", [])
    position = next((at for at, table in enumerate(tables) if _is_of(table, root)), None)
    if position is None:
        wanted = {**data, "project": [*tables, {"path": str(root), **settings}]}
        after = _added(before, root, settings, is_inline=bool(tables) and "[[project]]" not in before.replace(" ", ""))
    else:
        table = {**tables[position], **settings}
        if table == tables[position]:
            return False
        wanted = {**data, "project": [*tables[:position], table, *tables[position + 1 :]]}
        after = _changed(before, position, settings)
    if _parsed(config, after) != wanted:
        raise ConfigError(f"{config} could not be changed without harm", f"edit the [[project]] of {root} by hand")
    _swap(config, after)
    return True


def _is_of(table: object, root: Path) -> bool:
    path = table.get("path") if isinstance(table, dict) else None
    return isinstance(path, str) and os.path.realpath(Path(path).expanduser()) == str(root)


def _added(text: str, root: Path, settings: Settings, *, is_inline: bool) -> str:
    """With a table for `root` at the end; in the list where the projects are written as one."""
    import tomlkit

    if is_inline:
        document = tomlkit.parse(text)
        table = tomlkit.inline_table()
        table.update({"path": str(root), **settings})
        document["project"].append(table)
        return tomlkit.dumps(document)
    eol = "\r\n" if "\r\n" in text else "\n"
    lines = ["[[project]]", *(f"{key} = {_toml(value)}" for key, value in {"path": str(root), **settings}.items())]
    gap = "" if not text else eol if text.endswith("\n") else eol * 2
    return (text or _HEADER + eol) + gap + eol.join(lines) + eol


def _changed(text: str, position: int, settings: Settings) -> str:
    """With keys set in one table. Only that table's text passes through the library, so that none other can change."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    headers = [header for header in _TABLE.finditer(text) if header["project"]]
    start, end = 0, len(text)
    if position < len(headers):
        start = headers[position].start()
        following = _TABLE.search(text, headers[position].end())
        end = start + len(_without_trailer(text[start : following.start() if following else None]))
        position = 0
    table = text[start:end]
    try:
        document: Any = tomlkit.parse(table)
        for key, value in settings.items():
            document["project"][position][key] = value
        changed = tomlkit.dumps(document)
    except (TOMLKitError, LookupError) as error:
        raise ConfigError(f"the config cannot be changed ({error})", "edit its [[project]] by hand") from error
    if "\r\n" in table:
        changed = re.sub(r"\r?\n", "\r\n", changed)
    return text[:start] + changed + text[end:]


def _without_trailer(table: str) -> str:
    """A table without the blank lines and comments behind its last key: they belong to what follows."""
    lines = table.splitlines(keepends=True)
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        del lines[-1]
    return "".join(lines)


def _toml(value: str | bool | list[str]) -> str:
    import tomlkit

    return str(tomlkit.item(value).as_string())


def _read(config: Path) -> str:
    try:
        return config.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"{config} cannot be read ({error.strerror})", "check its owner and mode") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{config} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error


def _parsed(config: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{config} is not valid TOML", str(error)) from error


def _swap(config: Path, text: str) -> None:
    """Put the text in the place of the file, atomically, with the mode that it had (0600 for a new one)."""
    try:
        real = Path(os.path.realpath(config))
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o600
        temporary = real.with_name(f".{real.name}.{os.getpid()}")
        with temporary.open("wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(real)
    except OSError as error:
        raise ConfigError(f"{config} cannot be written ({error.strerror})", "check the owner of its folder") from error
