"""API keys: where they come from, and that they are never shown."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headroomd.errors import ConfigError

__all__ = ["Key", "key_from_file", "key_from_variables"]

_LONGEST_FILE: Final = 4096  # bytes
_USABLE: Final = re.compile(r"[\x21-\x7e]+")


class Key:
    """A secret with its origin; only `reveal` gives it away, and only a request's headers ask for that."""

    __slots__ = ("_secret", "origin")

    def __init__(self, secret: str, origin: str) -> None:
        """Raises ConfigError where `secret` holds what no key holds and no header can carry."""
        if not _USABLE.fullmatch(secret):
            raise ConfigError(f"the key in {origin} is not one word of plain characters", "set it again")
        self._secret = secret
        self.origin = origin

    def __repr__(self) -> str:
        return f"Key(in {self.origin})"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere")

    def reveal(self) -> str:
        """The key itself: for a header, and nothing else."""
        return self._secret


def key_from_variables(variables: Mapping[str, str], name: str) -> Key | None:
    """The key in the variable `name`; None where it is missing or blank.

    Raises:
        ConfigError: what the variable holds cannot be a key.
    """
    secret = variables.get(name, "").strip()
    return Key(secret, name) if secret else None


def key_from_file(path: Path) -> Key:
    """The key in a file that belongs to this user and that nobody else may read.

    Raises:
        ConfigError: it is no such file, or holds no key.
    """
    try:
        # what is checked is what is read; a pipe must not make us wait
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError(f"key_file {path} is not a regular file", "name a file that holds the key")
            if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
                raise ConfigError(
                    f"key_file {path} can be read by others", f"chown it to yourself and chmod 600 {path}"
                )
            content = file.read(_LONGEST_FILE)
    except OSError as error:
        raise ConfigError(
            f"key_file {path} cannot be read ({error.strerror})", "check the path and its mode"
        ) from error
    secret = content.decode("utf-8", "replace").strip()
    if not secret:
        raise ConfigError(f"key_file {path} is empty", "put the key into it")
    return Key(secret, str(path))
