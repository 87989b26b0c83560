"""Codex CLI: where its sessions lie, whether one is in use, and which files it loads (Codex 0.34 to 0.169).

Sessions are `rollout-<local time>-<thread id>.jsonl` below `sessions/YYYY/MM/DD/` and, flat, in `archived_sessions/`;
cold ones may be compressed to `.jsonl.zst`, and then the plain file wins where both exist. Codex loads AGENTS.md from
the project root down to the working directory, AGENTS.override.md in its place where there is one, and stops at
`project_doc_max_bytes`; it does not load instructions.md (tried on 0.169).
"""

from __future__ import annotations

import fcntl
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headroomd.agents.base import AgentPlugin, Environment, InUse, SessionReader, Shadow, Targets
from headroomd.agents.codex_reader import CodexReader

__all__ = ["CodexPlugin", "plugin"]

_FOLDERS: Final = ("sessions", "archived_sessions")
_ROLLOUT: Final = re.compile(r"rollout-.+\.jsonl(?:\.zst)?")
_THREAD: Final = re.compile(r"rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-(?P<thread>.+?)\.jsonl(?:\.zst)?")
_MOST_FOLDERS: Final = 500  # of a project that are looked through for further documents
_DEEPEST: Final = 3
_FOREIGN: Final = frozenset({"node_modules", "vendor", "target", "dist", "build", "venv"})
_DOC_LIMIT: Final = 32 * 1024  # bytes of project documents that Codex loads unless config.toml says otherwise
_HEAD: Final = 4096  # bytes: a session_meta tells its source before its long instructions
_POINTER: Final = (
    "Also read `instructions.md` beside this file before you start: it holds what to do first and what not to do."
)


class CodexPlugin(AgentPlugin):
    """Codex CLI."""

    name = "codex"
    title = "Codex CLI"

    def roots(self, env: Environment) -> list[Path]:
        return [_home(env) / folder for folder in _FOLDERS]

    def session_files(self, env: Environment) -> Iterator[Path]:
        for root in self.roots(env):
            yield from (path for path in root.rglob("rollout-*") if self.is_session_file(path, env))

    def is_session_file(self, path: Path, env: Environment) -> bool:  # noqa: ARG002 (the path tells all)
        if not _ROLLOUT.fullmatch(path.name):
            return False
        return path.suffix != ".zst" or not path.with_suffix("").exists()

    def is_subagent_file(self, path: Path) -> bool:
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD)
        except OSError:
            return False
        return b'"source":{"subagent"' in head or b'"thread_source":"subagent"' in head

    def reader(self, path: Path, env: Environment, state: bytes = b"") -> SessionReader:  # noqa: ARG002 (as above)
        return CodexReader(state, _thread_of(path))

    def in_use(self, path: Path, env: Environment) -> InUse:
        """By the lock that a writer holds on its thread; versions without such locks leave no trace."""
        folder = _home(env) / "thread-writer-locks"
        if not folder.is_dir():
            return InUse.CANNOT_TELL
        try:
            with (folder / f"{_thread_of(path)}.lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return InUse.YES
        except FileNotFoundError:
            return InUse.ENDED
        except OSError:
            return InUse.CANNOT_TELL
        return InUse.ENDED  # closing the file gave the lock back

    def targets(self, project: Path, env: Environment) -> Targets:
        room = max(_doc_limit(env) - _longest_chain(project), 0)
        return Targets(project / "AGENTS.md", project / "instructions.md", _POINTER, room)

    def global_targets(self, env: Environment) -> Targets:
        file = _home(env) / "AGENTS.md"
        return Targets(context=file, memory=file)

    def shadows(self, project: Path, env: Environment) -> list[Shadow]:
        return [*_overrides(project), *_overflow(project, env)]


def _home(env: Environment) -> Path:
    return env.folder("CODEX_HOME", ".codex")


def _thread_of(path: Path) -> str:
    match = _THREAD.fullmatch(path.name)
    return match["thread"] if match else path.name


def _overrides(project: Path) -> Iterator[Shadow]:
    override = project / "AGENTS.override.md"
    if override.is_file():
        yield Shadow(
            project / "AGENTS.md",
            f"Codex reads {override} in place of AGENTS.md",
            "move what it says into AGENTS.md and delete it, or copy the block into it",
        )


def _overflow(project: Path, env: Environment) -> Iterator[Shadow]:
    limit = _doc_limit(env)
    context = project / "AGENTS.md"
    try:
        size = context.stat().st_size
    except OSError:
        return
    if size > limit:
        yield Shadow(
            context,
            f"Codex reads {limit} bytes of project documents and AGENTS.md holds {size}",
            f"shorten it, or raise project_doc_max_bytes in {_home(env) / 'config.toml'}",
        )


def _longest_chain(project: Path) -> int:
    """The bytes of the documents below the root that Codex 0.169 joins to the root's: one a folder, down to the working
    directory. That of the folder with most, as far as a look at the upper folders tells."""
    longest, looked = 0, 0
    folders = [(project, 0, 0)]
    while folders and looked < _MOST_FOLDERS:
        folder, depth, size = folders.pop(0)
        looked += 1
        if depth:
            size += _document_size(folder)
        longest = max(longest, size)
        if depth < _DEEPEST:
            folders += [(below, depth + 1, size) for below in _subfolders(folder)]
    return longest


def _document_size(folder: Path) -> int:
    for name in ("AGENTS.override.md", "AGENTS.md"):
        try:
            return (folder / name).stat().st_size
        except OSError:
            continue
    return 0


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and entry.name not in _FOREIGN
            ]
    except OSError:
        return []


def _doc_limit(env: Environment) -> int:
    try:
        config = tomllib.loads((_home(env) / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return _DOC_LIMIT
    limit = config.get("project_doc_max_bytes")
    return limit if isinstance(limit, int) else _DOC_LIMIT


plugin = CodexPlugin()
