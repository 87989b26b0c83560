"""Whether a lesson still holds in the project as it is on the disk now.

Looks, never runs anything. What cannot be told from files holds: only a fact disproves a lesson.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from headroomd.model import Lesson, Section
from headroomd.projects import is_home

__all__ = ["Truth", "named_programs"]

_PRUNED: Final = frozenset(
    {
        *(".git", ".hg", ".svn", "node_modules", ".venv", "venv", "target", "dist", "build"),
        *("__pycache__", ".tox", ".gradle", ".mypy_cache"),
    }
)
"""Folders that tools fill: an agent's wrong guess is never about a file in them."""

_MOST_ENTRIES: Final = 200_000  # of a project that are looked at
_SMALLEST_LARGE: Final = 25_000  # bytes: no agent refuses less (Claude Code 2.1.197: 10,000 tokens, 2.5 bytes each)
_SMALLEST_LONG: Final = 2000  # lines: what Claude Code and Gemini CLI show of a file at most in one read
_LARGEST_MANIFEST: Final = 1024 * 1024  # bytes
_PYTHON_RUNNERS: Final = frozenset({"uv", "poetry", "pdm", "rye"})
_NODE_RUNNERS: Final = frozenset({"npm", "pnpm", "yarn", "bun"})
_MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")
_JUSTFILES: Final = ("justfile", "Justfile", ".justfile")
_CHAIN: Final = frozenset({"&&", "||", ";", "|", "&"})


class Truth:
    """The facts of one project; what was looked up is remembered, so use a new one for each look.

    `home` is the home folder (default: this user's), which is looked through less thoroughly than a project.
    """

    def __init__(self, project: Path, home: Path | None = None) -> None:
        self._project = project
        self._is_home = is_home(project, home or Path.home())
        self._named: dict[str, dict[str, list[str]]] = {}
        self._line_counts: dict[str, int | None] = {}

    def check(self, lesson: Lesson) -> str:
        """Why `lesson` does not hold, in a few words; "" where it does, or where that cannot be told."""
        match lesson.section:
            case Section.PATHS:
                return self._check_paths(lesson.subject, lesson.remedy)
            case Section.SCOPE:
                return self._check_folder(lesson.subject) or self._check_folder(lesson.remedy)
            case Section.LARGE_FILES:
                return self._check_large(lesson.subject)
            case Section.COMMANDS | Section.ENVIRONMENT | Section.RETRY:
                return self._check_command(lesson.remedy)
            case _:
                return ""

    def exists(self, path: str) -> bool:
        """Whether a relative path is in the project."""
        return _is_inside(path) and self._exists(path)

    def line_count(self, path: str) -> int | None:
        """How many lines a file of the project has; None where it cannot be read."""
        if path not in self._line_counts:
            self._line_counts[path] = _count_lines(self._project / path)
        return self._line_counts[path]

    def _check_paths(self, wrong: str, right: str) -> str:
        if not (_is_inside(wrong) and _is_inside(right)):
            return "it points out of the project"
        if not self._exists(right):
            return f"{right} is gone"
        if wrong.endswith("/"):
            return f"{wrong} holds files" if any(True for _ in _walk(self._project, wrong)) else ""
        if self._exists(wrong):
            return f"{wrong} exists now"
        others = self._namesakes(wrong, right)
        shared = _shared_tail(wrong, right)
        if others and (shared < 2 or any(_shared_tail(wrong, other) >= shared for other in others)):
            return f"{len(others) + 1} files bear the name {PurePosixPath(right).name}"
        return ""

    def _check_folder(self, path: str) -> str:
        if not _is_inside(path):
            return "it points out of the project"
        return "" if (self._project / path).is_dir() else f"{path} is gone"

    def _check_large(self, path: str) -> str:
        if not _is_inside(path):
            return "it points out of the project"
        try:
            size = (self._project / path).stat().st_size
        except OSError:
            return f"{path} is gone"
        if size < _SMALLEST_LARGE and (self.line_count(path) or 0) <= _SMALLEST_LONG:
            return f"{path} is no longer large"
        return ""

    def _check_command(self, command: str) -> str:
        folder = PurePosixPath(".")
        for words in _simple_commands(command):
            if words[0] == "cd" and len(words) == 2:
                folder = folder / words[1]
                if not _is_inside(str(folder)):
                    return "it points out of the project"
                if not (self._project / folder).is_dir():
                    return f"{words[1]} is gone"
            elif reason := self._check_named(words, self._project / folder):
                return reason
        return ""

    def _check_named(self, words: list[str], folder: Path) -> str:
        """Whether the script, recipe or program that a simple command names is there."""
        program, arguments = words[0], words[1:]
        if program in _NODE_RUNNERS and arguments[:1] == ["run"] and len(arguments) > 1:
            scripts = _node_scripts(folder / "package.json")
            if scripts is not None and arguments[1] not in scripts and not arguments[1].startswith("-"):
                return f"{arguments[1]} is no longer a script in package.json"
        elif program in ("make", "just") and arguments and re.fullmatch(r"[\w.-]+", arguments[0]):
            text = _first_text(folder, _MAKEFILES if program == "make" else _JUSTFILES)
            if text is not None and not arguments[0].startswith("-") and not _has_recipe(text, arguments[0]):
                return f"{arguments[0]} is no longer a recipe of {program}"
        elif program in _PYTHON_RUNNERS and arguments[:1] == ["run"] and len(arguments) > 1:
            if self._is_no_script(arguments[1], folder):
                return f"{arguments[1]} is neither in pyproject.toml nor in .venv/bin"
        elif "/" in program and _is_checked_in(program) and not os.path.lexists(folder / program):
            return f"{program} is gone"
        return ""

    def _is_no_script(self, name: str, folder: Path) -> bool:
        """Whether a project with an environment of its own has no script or program of that name.

        Without an environment nobody can tell: it would be made, with what belongs in it, at the next run.
        """
        programs = folder / ".venv/bin"
        if not re.fullmatch(r"\w[\w-]*", name) or not programs.is_dir() or os.path.lexists(programs / name):
            return False
        text = _read_text(folder / "pyproject.toml")
        return text is not None and name not in _python_names(text) and shutil.which(name) is None

    def _exists(self, path: str) -> bool:
        return os.path.lexists(self._project / path)

    def _namesakes(self, wrong: str, right: str) -> list[str]:
        """Other files with the name of the right one.

        A home folder may hold a disk's worth of files, and asking for some of its folders may ask the user for a
        permission: there, they are looked for only in the folders that the two paths lead into.
        """
        tops = {f"{path.partition('/')[0]}/" for path in (wrong, right) if "/" in path} if self._is_home else {""}
        name = PurePosixPath(right).name
        return [path for top in sorted(tops) for path in self._files_named(top).get(name, ()) if path != right]

    def _files_named(self, top: str) -> dict[str, list[str]]:
        """The paths of the files below a folder by their names, looked up once for all lessons."""
        if top not in self._named:
            named: dict[str, list[str]] = {}
            for path in _walk(self._project, top):
                named.setdefault(path.rpartition("/")[2], []).append(path)
            self._named[top] = named
        return self._named[top]


def named_programs(lesson: Lesson) -> tuple[str, ...]:
    """The programs that the two sides of a lesson on commands find on PATH: the one that fails, those that work."""
    if lesson.section not in (Section.COMMANDS, Section.ENVIRONMENT, Section.RETRY):
        return ()
    firsts = [words[0] for side in (lesson.subject, lesson.remedy) for words in _simple_commands(side)]
    return tuple(dict.fromkeys(word for word in firsts if re.fullmatch(r"[\w.+-]+", word) and word != "cd"))


def _is_inside(path: str) -> bool:
    """Whether a path as lessons spell it stays in the project."""
    return bool(path) and not path.startswith(("/", "~", "$")) and ".." not in PurePosixPath(path).parts


def _is_checked_in(path: str) -> bool:
    """Whether a fresh checkout would have the file, too; what tools fill (.venv/bin) comes and goes."""
    return _is_inside(path) and not _PRUNED.intersection(PurePosixPath(path).parts)


def _walk(project: Path, top: str = "") -> Iterator[str]:
    """Relative paths of the files below the folder `top` (with a "/" behind it), "/" between parts.

    Symlinked folders are not followed.
    """
    seen = 0
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(project / folder))
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if seen > _MOST_ENTRIES:
                return
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _PRUNED:
                    folders.append(f"{folder}{entry.name}/")
            else:
                yield folder + entry.name


def _shared_tail(one: str, other: str) -> int:
    """How many parts two paths share at their ends; a file name also matches one with another extension."""
    parts, others = PurePosixPath(one).parts[::-1], PurePosixPath(other).parts[::-1]
    if not parts or not others or PurePosixPath(parts[0]).stem != PurePosixPath(others[0]).stem:
        return 0
    shared = 1
    for part, its in zip(parts[1:], others[1:], strict=False):
        if part != its:
            break
        shared += 1
    return shared


def _count_lines(path: Path) -> int | None:
    try:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1024 * 1024), b""))
    except OSError:
        return None


def _simple_commands(command: str) -> list[list[str]]:
    """The words of each simple command of `command`; [] for what is more than words and chains."""
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return []
    commands: list[list[str]] = [[]]
    for word in words:
        if word in _CHAIN:
            commands.append([])
        elif commands[-1] or not re.match(r"[A-Za-z_]\w*=", word):  # assignments before the program
            commands[-1].append(word)
    return [words for words in commands if words]


def _node_scripts(path: Path) -> set[str] | None:
    text = _read_text(path)
    try:
        scripts = json.loads(text).get("scripts", {}) if text is not None else None
    except (ValueError, AttributeError, RecursionError):
        return None
    return set(scripts) if isinstance(scripts, dict) else None


def _python_names(text: str) -> set[str]:
    """Every name and key in a pyproject.toml: scripts stand in a different table for each tool."""
    return set(re.findall(r"[\w-]+", text))


def _first_text(folder: Path, names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := _read_text(folder / name)) is not None), None)


def _read_text(path: Path) -> str | None:
    try:
        if path.stat().st_size > _LARGEST_MANIFEST:
            return None
        return path.read_text("utf-8", "replace")
    except OSError:
        return None


def _has_recipe(text: str, name: str) -> bool:
    """Whether a Makefile or justfile has a recipe `name`; True where rules may come from elsewhere."""
    if re.search(r"^\s*(-?include|sinclude|import|mod)\b|^[^#\n]*%[^\n]*:|\$\(eval", text, re.MULTILINE):
        return True
    # Both spell it at the start of a line, before a colon; just allows @ before it and parameters behind it.
    return re.search(rf"^@?([^:#=\n]*\s)?{re.escape(name)}(\s[^:\n]*)?:(?!=)", text, re.MULTILINE) is not None
