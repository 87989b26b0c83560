"""What an agent plugin is, and what a reader of one session file promises.

A plugin is one file that exposes a module-level `plugin`, an instance of `AgentPlugin`. It does no I/O beyond
listing folders and reading small side files (locks, registries); bytes of sessions reach it as lines.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, StrEnum
from pathlib import Path

from msgspec import Struct

from headroomd.model import Event

__all__ = ["AgentPlugin", "Environment", "FileShape", "InUse", "SessionReader", "Shadow", "Targets"]


class Environment(Struct, frozen=True):
    """Where an agent's user lives: the home folder and the variables that move the agent's own folders."""

    home: Path
    variables: Mapping[str, str]

    @classmethod
    def current(cls) -> Environment:
        """This process's."""
        return cls(home=Path.home(), variables=dict(os.environ))

    def folder(self, variable: str, default: str) -> Path:
        """The folder that `variable` names, or `default` below the home folder."""
        named = self.variables.get(variable, "")
        return Path(named).expanduser() if named else self.home / default


class FileShape(Enum):
    """How a session file grows."""

    LINES = "lines"  # one record a line, appended
    WHOLE = "whole"  # one document, rewritten at every change


class InUse(StrEnum):
    """Whether an agent has a session in use at this moment."""

    YES = "yes"
    ENDED = "ended"  # it was in use and has ended cleanly, or its process is gone
    CANNOT_TELL = "cannot tell"


class Targets(Struct, frozen=True):
    """The files that an agent loads for a project, and so the files that blocks go to."""

    context: Path
    memory: Path
    pointer: str = ""  # what the context block says so that the agent reads `memory`, where it would not by itself
    context_bytes: int | None = None  # the most of `context` that the agent loads; None: all of it


class Shadow(Struct, frozen=True):
    """A reason why an agent will not see (all of) a block, and what to do about it."""

    path: Path
    cause: str
    remedy: str


class SessionReader(ABC):
    """Turns the lines of one session file into events. Pure: lines in, events out, state carried between calls.

    Nothing that a line holds may make it raise: an odd line costs that line and adds one to `odd_lines`.
    """

    odd_lines: int = 0  # lines that could not be understood at all
    repaired_lines: int = 0  # lines understood only after repair (lone surrogates, invalid UTF-8)

    @abstractmethod
    def read(self, lines: Iterable[bytes]) -> Iterator[Event]:
        """Events of complete lines, in order. For FileShape.WHOLE the one "line" is the whole document."""

    @abstractmethod
    def dump(self) -> bytes:
        """What must be carried to the next call of `read`, as bytes of bounded size.

        msgpack or UTF-8 text: secrets in its strings are replaced before it is stored, so no string may be changed
        by `redact` that matters letter for letter (ids are not).
        """


class AgentPlugin(ABC):
    """Everything that headroomd knows about one agent."""

    name: str  # "claude": short, lower case, unique
    title: str  # "Claude Code"

    @abstractmethod
    def roots(self, env: Environment) -> list[Path]:
        """Folders in which session files appear, whether or not they exist yet."""

    @abstractmethod
    def session_files(self, env: Environment) -> Iterator[Path]:
        """Every session file there is, in no particular order; no duplicates that the agent itself ignores."""

    @abstractmethod
    def is_session_file(self, path: Path, env: Environment) -> bool:
        """Whether a path below a root is a session file: what a watcher's event is judged by."""

    def is_subagent_file(self, path: Path) -> bool:
        """Whether the file holds a subagent's transcript (`learn --main-only` leaves those out)."""
        return False

    def shape(self, path: Path) -> FileShape:
        """How a session file is cut into records."""
        return FileShape.LINES

    @abstractmethod
    def reader(self, path: Path, env: Environment, state: bytes = b"") -> SessionReader:
        """A reader that goes on where the one that dumped `state` stopped; b"" starts afresh."""

    def in_use(self, path: Path, env: Environment) -> InUse:
        """Whether the agent has this session open now."""
        return InUse.CANNOT_TELL

    @abstractmethod
    def targets(self, project: Path, env: Environment) -> Targets:
        """The files that the agent loads for the project rooted at `project`."""

    def global_targets(self, env: Environment) -> Targets | None:
        """The files that the agent loads wherever it runs; None where it has none.

        Where the user wants it, what sessions in the home folder itself teach goes there.
        """
        return None

    def shadows(self, project: Path, env: Environment) -> list[Shadow]:
        """What keeps the agent from seeing the blocks in `targets`."""
        return []
