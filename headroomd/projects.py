"""Which project a working directory belongs to: its git root, with linked worktrees folded into the main checkout.

Reads the file system, runs nothing. A repository in the home folder itself (dotfiles) makes no project of all that
lies below it.
"""

# os.path says False where Path raises (permission denied, a name too long):
# ruff: noqa: PTH110, PTH112, PTH117, PTH118, PTH119, PTH120, PTH123

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

__all__ = ["Place", "ProjectFinder", "ProjectRoot", "is_home", "project_root"]

_GITDIR: Final = "gitdir:"
_LONGEST_GIT_FILE: Final = 4096  # bytes; a .git file holds one path


class Place(StrEnum):
    """What is known about where a session ran."""

    FOUND = "found"
    HOME = "home"  # the home folder itself, what lies above it, or an agent's own folder: nobody's project
    MISSING = "missing"  # the folder is gone, and no repository that is still there held it
    UNKNOWN = "unknown"  # the session's files do not tell


class ProjectRoot(Struct, frozen=True):
    """The project of one working directory."""

    place: Place
    path: str = ""  # the project's identity: the real path of its root; the home folder's; "" for any other place
    checkout: str = ""  # the same root as the session spelled it, or the worktree it ran in: what its paths lie under


class ProjectFinder:
    """`project_root` for one scan, each folder looked up once."""

    def __init__(self, home: Path, private: Iterable[Path] = ()) -> None:
        self._home = home
        self._private = frozenset(os.path.realpath(folder) for folder in private)
        self._known: dict[str, ProjectRoot] = {}

    def find(self, cwd: str) -> ProjectRoot:
        """The project of a working directory; the first answer stays."""
        root = self._known.get(cwd)
        if root is None:
            root = self._known[cwd] = project_root(cwd, self._home, self._private)
        return root


def project_root(cwd: str, home: Path, private: frozenset[str] = frozenset()) -> ProjectRoot:
    """The project that holds the absolute path `cwd`.

    `private` names real paths of folders that agents keep for themselves (~/.claude): a block written there would be
    loaded in every project.
    """
    if not cwd or not os.path.isabs(cwd) or "\0" in cwd:
        return ProjectRoot(Place.UNKNOWN)
    cwd = os.path.normpath(cwd)
    real_home = os.path.realpath(home)
    folder = _nearest_folder(cwd)
    checkout = _git_root(folder, real_home)
    if checkout is None:
        if folder != cwd:
            return ProjectRoot(Place.MISSING)
        checkout = cwd
    path = os.path.realpath(_main_checkout(checkout) or checkout)
    if path == real_home and path not in private:
        return ProjectRoot(Place.HOME, path, checkout)
    if path in private or _holds(path, real_home):
        return ProjectRoot(Place.HOME)
    return ProjectRoot(Place.FOUND, path, checkout)


def is_home(project: Path, home: Path) -> bool:
    """Whether `project` stands for what was done in the home folder itself, which is written only where configured."""
    return str(project) == os.path.realpath(home)


def _nearest_folder(path: str) -> str:
    """`path`, or the nearest of its parents that is a folder still."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _git_root(folder: str, real_home: str) -> str | None:
    """The nearest folder upwards that holds a .git; the home folder and what lies above it do not count."""
    while not _holds(os.path.realpath(folder), real_home):
        if os.path.exists(os.path.join(folder, ".git")):
            return folder
        folder = os.path.dirname(folder)
    return None


def _holds(folder: str, real_home: str) -> bool:
    """Whether `folder` is the home folder or one of its parents."""
    return folder == real_home or real_home.startswith(folder.rstrip("/") + "/")


def _main_checkout(checkout: str) -> str | None:
    """The main checkout of a linked worktree; None for any other repository, submodules included.

    A worktree's .git is a file with one line, `gitdir: <main>/.git/worktrees/<name>`, and the folder that it names
    holds `commondir` (gitrepository-layout). A submodule's has no `commondir`. A worktree of a bare repository has
    no main checkout.
    """
    line = _first_line(os.path.join(checkout, ".git"))
    if not line.startswith(_GITDIR):
        return None
    git_dir = os.path.normpath(os.path.join(checkout, line.removeprefix(_GITDIR).strip()))
    common = _first_line(os.path.join(git_dir, "commondir"))
    if common:
        common_dir = os.path.normpath(os.path.join(git_dir, common))
    elif os.path.basename(os.path.dirname(git_dir)) == "worktrees" and not os.path.exists(git_dir):
        common_dir = os.path.dirname(os.path.dirname(git_dir))  # pruned, but the path still tells whose it was
    else:
        return None
    main = os.path.dirname(common_dir)
    return main if os.path.basename(common_dir) == ".git" and os.path.isdir(main) else None


def _first_line(path: str) -> str:
    """The first line of a small file; "" where it is no file or cannot be read."""
    try:
        with open(path, "rb") as file:
            head = file.read(_LONGEST_GIT_FILE)
    except OSError:
        return ""
    return os.fsdecode(head.split(b"\n", 1)[0]).strip()
