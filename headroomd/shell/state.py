"""What earlier commands of a shell leave behind for later ones: folder, variables, options."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from headroomd.shell.words import Word

__all__ = ["UNKNOWN", "ShellState"]

UNKNOWN: Final = "?"
"""A folder that the text does not tell."""

_DRIVE: Final = re.compile(r"[A-Za-z]:")


class ShellState:
    """The state of one shell process; a subshell starts with a copy."""

    def __init__(self, folder: str = "", variables: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.variables = variables
        self.errexit = False
        self.pipefail = False
        self._pushed: list[str] = []

    def copy(self) -> ShellState:
        """Another shell in the same state, as a subshell starts out."""
        twin = ShellState(self.folder, self.variables)
        twin.errexit, twin.pipefail = self.errexit, self.pipefail
        twin._pushed = list(self._pushed)
        return twin

    def assign(self, names: Sequence[str]) -> None:
        """These variables were set."""
        self.variables += tuple(name for name in dict.fromkeys(names) if name and name not in self.variables)

    def unset(self, names: Sequence[str]) -> None:
        """These variables were taken away."""
        self.variables = tuple(name for name in self.variables if name not in names)

    def set_options(self, words: Sequence[str]) -> None:
        """`set -e`, `set -euo pipefail` and the same options of `bash`."""
        for word, following in pairwise([*words, ""]):
            if len(word) < 2 or word[0] not in "-+" or word[1] == "-":
                continue
            on = word[0] == "-"
            if "e" in word:
                self.errexit = on
            if "o" in word and following == "pipefail":
                self.pipefail = on

    def change_folder(self, program: str, arguments: Sequence[Word]) -> None:
        """`cd`, `pushd` and `popd`, taken to have worked."""
        if program == "popd":
            self.folder = self._pushed.pop() if self._pushed else UNKNOWN
            return
        if program == "pushd":
            self._pushed.append(self.folder)
        if arguments and arguments[0].value.lower() == "/d":  # of cmd.exe
            arguments = arguments[1:]
        targets = [word for word in arguments if word.value not in ("-P", "-L", "-e", "--")]
        known = len(targets) == 1 and not targets[0].expands
        self.folder = _joined(self.folder, targets[0].value) if known else UNKNOWN


def _joined(folder: str, target: str) -> str:
    if not target or target[0] in "~-+" or "*" in target or "?" in target:
        return UNKNOWN
    if _DRIVE.match(target):
        return target
    if target[0] == "/":
        return posixpath.normpath(target)
    if folder == UNKNOWN:
        return UNKNOWN
    joined = posixpath.normpath(posixpath.join(folder, target))
    return "" if joined == "." else joined
