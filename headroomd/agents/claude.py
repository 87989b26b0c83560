"""Claude Code: where its sessions lie, how to tell that one is over, and which files it loads (claude 2.1.197).

A session is a JSONL file below `projects/`, in a folder that is named after the folder in which it was started. That
name cannot be decoded ("/a-b" and "/a/b" have the same one): where a session belongs is in its records.
"""

# os.path says False where Path raises (permission denied):
# ruff: noqa: PTH112

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headroomd.agents.base import AgentPlugin, Environment, InUse, Shadow, Targets
from headroomd.agents.claude_reader import ClaudeReader

__all__ = ["ClaudeCode", "plugin"]

_LONGEST_NAME: Final = 200  # characters of a folder's name below `projects` before it is cut and hashed
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_MEMORY_LINES: Final = 200  # of MEMORY.md that are loaded, from its start
_MEMORY_BYTES: Final = 25_000
_LOCAL_CONTEXT: Final = "CLAUDE.local.md"  # loaded like CLAUDE.md; the user may prefer it for the block
_BLOCK_END: Final = b"<!-- headroom:learn:end -->"  # as writing/ puts it, which this room must not import


class ClaudeCode(AgentPlugin):
    """The plugin for Claude Code."""

    name = "claude"
    title = "Claude Code"

    def roots(self, env: Environment) -> list[Path]:
        return [_config(env) / "projects"]

    def session_files(self, env: Environment) -> Iterator[Path]:
        for project in _listed(_config(env) / "projects"):
            for entry in _listed(project):
                if _is_main(entry):
                    yield entry
                elif entry.suffix == "":
                    yield from (path for path in _below(entry / "subagents") if _is_subagent(path))

    def is_session_file(self, path: Path, env: Environment) -> bool:
        try:
            parts = path.relative_to(_config(env) / "projects").parts
        except ValueError:
            return False
        if len(parts) == 2:
            return _is_main(path)
        return len(parts) > 3 and parts[2] == "subagents" and _is_subagent(path)

    def is_subagent_file(self, path: Path) -> bool:
        """They lie beside the session (2.0.31 to 2.1.1) or in its folder (since 2.1.2); before, in the same file."""
        return path.name.startswith("agent-")

    def reader(self, path: Path, env: Environment, state: bytes = b"") -> ClaudeReader:  # noqa: ARG002 (the path tells all)
        return ClaudeReader(_session_of(path) or path.stem, state)

    def in_use(self, path: Path, env: Environment) -> InUse:
        """By `sessions/<pid>.json`, which is there while a process lives, and stays when it was killed."""
        session = _session_of(path)
        if not session or not os.path.isdir(_config(env) / "sessions"):
            return InUse.CANNOT_TELL
        for entry in _listed(_config(env) / "sessions"):
            known = _json_object(entry) if entry.suffix == ".json" else {}
            if known.get("sessionId") == session and _is_alive(known.get("pid"), known.get("procStart")):
                return InUse.YES
        return InUse.ENDED

    def targets(self, project: Path, env: Environment) -> Targets:
        return Targets(context=project / "CLAUDE.md", memory=_memory_folder(project, env) / "MEMORY.md")

    def global_targets(self, env: Environment) -> Targets:
        file = _config(env) / "CLAUDE.md"
        return Targets(context=file, memory=file)

    def shadows(self, project: Path, env: Environment) -> list[Shadow]:
        targets = self.targets(project, env)
        contexts = (targets.context, targets.context.with_name(_LOCAL_CONTEXT))
        exclusions = (found for context in contexts for found in _exclusions(context, project, env))
        return [*exclusions, *_memory_shadows(targets.memory, project, env)]


plugin = ClaudeCode()


# -- folders -----------------------------------------------------------------------------------------------


def _config(env: Environment) -> Path:
    return env.folder("CLAUDE_CONFIG_DIR", ".claude")


def _listed(folder: Path) -> list[Path]:
    """What a folder holds; nothing if it cannot be read or is none."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _is_main(path: Path) -> bool:
    return path.suffix == ".jsonl" and not path.name.startswith("agent-acompact-")


def _is_subagent(path: Path) -> bool:
    # agent-acompact-*.jsonl (2.1) is a copy of the conversation, made to summarise it
    return _is_main(path) and path.name.startswith("agent-")


def _session_of(path: Path) -> str:
    """The session that a file belongs to, or "" where its name does not tell."""
    if "subagents" in path.parts:
        return path.parts[path.parts.index("subagents") - 1]
    return "" if path.name.startswith("agent-") else path.stem


# -- in use ------------------------------------------------------------------------------------------------


def _is_alive(pid: object, started: object) -> bool:
    """Whether the process lives that had this pid: `started` is field 22 of /proc/<pid>/stat, where there is one."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass  # somebody else's, but alive
    except (OSError, OverflowError):
        return False
    try:
        # The second field is the program's name in brackets, which may hold blanks and brackets.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return True
    return not started or len(fields) < 20 or fields[19].decode() == str(started)


# -- what is loaded ----------------------------------------------------------------------------------------


def _folder_name(path: str) -> str:
    """The name that a folder has below `projects` (2.1.197: [^a-zA-Z0-9] in UTF-16 becomes "-", long ones are cut)."""
    units = memoryview(path.encode("utf-16-le", "surrogatepass")).cast("H")
    name = "".join(chr(unit) if unit < 128 and chr(unit).isalnum() else "-" for unit in units)
    if len(name) <= _LONGEST_NAME:
        return name
    number = 0
    for unit in units:
        number = (number * 31 + unit) & 0xFFFFFFFF
    number = abs(number - (1 << 32) if number >= 1 << 31 else number)
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"{name[:_LONGEST_NAME]}-{digits or '0'}"


def _memory_folder(project: Path, env: Environment) -> Path:
    named = _json_object(_config(env) / "settings.json").get("autoMemoryDirectory")
    if isinstance(named, str) and named.startswith(("/", "~/")):
        return env.home / named[2:] if named.startswith("~/") else Path(named)
    # The agent takes the folder's real path; a folder that is there under the other name was made by an older version.
    names = (_folder_name(path) for path in (os.path.realpath(project), str(project)))
    folders = [_config(env) / "projects" / name for name in names]
    return next(filter(os.path.isdir, folders), folders[0]) / "memory"


def _exclusions(context: Path, project: Path, env: Environment) -> Iterator[Shadow]:
    for settings in _settings_files(project, env):
        patterns = _json_object(settings).get("claudeMdExcludes")
        for pattern in patterns if isinstance(patterns, list) else ():
            if isinstance(pattern, str) and _matches(pattern, context):
                cause = f"claudeMdExcludes in {settings} names {pattern!r}, so that Claude Code does not load {context}"
                yield Shadow(context, cause, f"take {pattern!r} out of claudeMdExcludes")


def _memory_shadows(memory: Path, project: Path, env: Environment) -> Iterator[Shadow]:
    for settings in _settings_files(project, env):
        if _json_object(settings).get("autoMemoryEnabled") is False:
            yield Shadow(memory, f"autoMemoryEnabled is false in {settings}", "set autoMemoryEnabled to true")
    try:
        text = memory.read_bytes()
    except OSError:
        return
    end = text.find(_BLOCK_END)
    needed = text[:end] if end >= 0 else text + b"\n"  # a block that is still to be written will come last
    if needed.count(b"\n") > _MEMORY_LINES or len(needed) > _MEMORY_BYTES:
        limit = f"{_MEMORY_LINES} lines and {_MEMORY_BYTES} bytes"
        cause = f"Claude Code loads the first {limit} of {memory}, and the block reaches past them"
        yield Shadow(memory, cause, "shorten what stands before the block, or move the block up")


def _settings_files(project: Path, env: Environment) -> list[Path]:
    local = project / ".claude"
    return [_config(env) / "settings.json", local / "settings.json", local / "settings.local.json"]


def _json_object(path: Path) -> dict[str, object]:
    """A small file of the agent's, or nothing where there is none that can be read."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


_WILDCARD: Final = re.compile(r"\*\*/|\*\*|\*|\?|\{[^{}]*\}|\[[^\]]+\]|.", re.DOTALL)
_TRANSLATED: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _matches(pattern: str, path: Path) -> bool:
    """Whether a glob of Claude Code's settings (picomatch, on absolute paths) names the file."""
    try:
        return re.fullmatch(_regex(pattern), path.as_posix()) is not None
    except re.error:
        return False


def _regex(pattern: str) -> str:
    return "".join(_TRANSLATED.get(token) or _translated(token) for token in _WILDCARD.findall(pattern))


def _translated(token: str) -> str:
    if len(token) > 1 and token[0] == "{":
        return "(?:" + "|".join(map(_regex, token[1:-1].split(","))) + ")"
    if len(token) > 1 and token[0] == "[":
        negated = "^" if token[1] in "!^" else ""
        return "[" + negated + re.escape(token[1:-1].lstrip("!^")).replace("\\-", "-") + "]"
    return re.escape(token)
