"""Gemini CLI's own folder: which project a session folder belongs to, and what its settings say.

Sources: gemini-cli 0.61.0 (storage.ts, projectRegistry.ts, paths.ts, settings.ts, trustedFolders.ts). Session files
hold no working directory, only a SHA-256 of it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from headroomd.agents.base import Environment

__all__ = [
    "context_file_names",
    "distrusts",
    "gemini_dir",
    "is_hash",
    "known_paths",
    "path_with_hash",
    "project_of",
    "runtime_dirs",
]

_COMMENT: Final = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_SMALL_FILE: Final = 4 * 1024 * 1024  # bytes: side files are far smaller, and a damaged one must not fill memory


def gemini_dir(env: Environment) -> Path:
    """The user's `.gemini`: GEMINI_CLI_HOME stands for the home folder, not for `.gemini` itself."""
    return env.folder("GEMINI_CLI_HOME", "") / ".gemini"


def runtime_dirs(env: Environment) -> list[Path]:
    """Folders that hold `tmp/` and projects.json; under macOS's sandbox-exec the CLI keeps them below ~/.cache."""
    folder = gemini_dir(env)
    return [folder, folder.parent / ".cache/.gemini"] if sys.platform == "darwin" else [folder]


def is_hash(name: str) -> bool:
    """Whether a folder below tmp/ is named by the hash of its project (until 0.28) rather than by a slug."""
    return re.fullmatch(r"[0-9a-f]{64}", name) is not None


def path_with_hash(digest: str, candidates: Iterable[str]) -> str:
    """The candidate whose SHA-256 is `digest`, or ""."""
    return next((c for c in candidates if sha256(c.encode("utf-8", "replace")).hexdigest() == digest), "")


def project_of(folder: Path) -> str:
    """The absolute project root of tmp/<slug or hash>; "" where no file of the CLI's tells."""
    runtime = folder.parent.parent
    registered = {slug: path for path, slug in _registry(runtime).items()}.get(folder.name, "")
    if registered:
        return registered
    for note in (folder / ".project_root", runtime / "history" / folder.name / ".project_root"):
        written = _read(note).strip()
        if written.startswith("/"):
            return written
    return path_with_hash(folder.name, known_paths(runtime)) if is_hash(folder.name) else ""


def known_paths(runtime: Path) -> Iterator[str]:
    """Every project path that the CLI remembers."""
    yield from _registry(runtime)
    yield from _object(runtime / "trustedFolders.json")


def context_file_names(project: Path, env: Environment) -> list[str]:
    """What `context.fileName` names, the project's settings before the user's; [] where neither does.

    Until 0.2x the setting was `contextFileName` at the top level.
    """
    for folder in (project / ".gemini", gemini_dir(env)):
        settings = _object(folder / "settings.json")
        context = settings.get("context")
        named = context.get("fileName") if isinstance(context, dict) else None
        named = named or settings.get("contextFileName")
        names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        names = [name.strip() for name in names if isinstance(name, str) and name.strip()]
        if names:
            return names
    return []


def distrusts(project: Path, env: Environment) -> bool:
    """Whether the user told the CLI not to trust the project's folder; it then loads no context file from it."""
    security = _object(gemini_dir(env) / "settings.json").get("security")
    trust = security.get("folderTrust") if isinstance(security, dict) else None
    if isinstance(trust, dict) and trust.get("enabled") is False:
        return False
    rules = _object(gemini_dir(env) / "trustedFolders.json")
    deciding = max((path for path in rules if _covers(path, rules[path], project)), key=len, default="")
    return rules.get(deciding) == "DO_NOT_TRUST"


def _covers(path: str, level: object, project: Path) -> bool:
    folder = Path(path).parent if level == "TRUST_PARENT" else Path(path)
    return project == folder or folder in project.parents


def _registry(runtime: Path) -> dict[str, str]:
    """projects.json: absolute path -> slug."""
    file = runtime / "projects.json"
    try:
        return _parsed_registry(file, file.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=8)
def _parsed_registry(file: Path, _mtime_ns: int) -> dict[str, str]:
    projects = _object(file).get("projects")
    if not isinstance(projects, dict):
        return {}
    return {path: slug for path, slug in projects.items() if isinstance(slug, str) and path.startswith("/")}


def _object(file: Path) -> dict[str, object]:
    """A JSON object with comments, as the CLI's settings may hold them; {} where there is none."""
    try:
        value = msgspec.json.decode(_COMMENT.sub(lambda found: found[1] or " ", _read(file)))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_SMALL_FILE).decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return ""
