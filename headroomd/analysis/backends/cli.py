"""Asking through an agent's own CLI: for people who have a subscription and no API key.

The CLI is run in an empty folder, without tools, hooks, MCP servers or the user's instructions as far as it lets us, in
an environment reduced to what it needs, with limits on time and output. What it may still record of such a run
(Gemini CLI cannot be told not to) is recognised by its folder: see `is_analyst_folder`.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from headroomd.analysis.backends.base import (
    Answer,
    Backend,
    Garbled,
    Overloaded,
    Rejected,
    Request,
    Said,
)
from headroomd.analysis.backends.failures import from_words
from headroomd.analysis.backends.process import Ending, Finished, run
from headroomd.errors import BackendError
from headroomd.paths import ANALYST_FOLDER, is_analyst_folder, make_private

__all__ = ["CliBackend", "Invocation", "Outcome", "events", "is_analyst_folder", "number"]

_MAX_OUTPUT: Final = 8 * 1024 * 1024  # bytes: an answer comes in many small events
_HELP_TIME: Final = 30.0  # seconds; Gemini CLI needs several on a busy machine

_COMMON: Final = re.compile(
    # who and where the user is, and how a program finds its way out
    r"HOME|PATH|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|NVM_DIR|VOLTA_HOME|ASDF_\w+|MISE_\w+"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|(?i:(https?|all|no)_proxy)"
)


@dataclass(frozen=True)
class Invocation:
    """One run: what comes after the program's name, what it reads, what its environment needs besides."""

    arguments: list[str]
    question: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a CLI printed, understood."""

    text: str = ""
    complete: bool = False  # it said itself that this is all
    failure: str = ""  # its own words for what went wrong, never shown; "" where nothing did
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""


class CliBackend(Backend):
    """One agent's CLI: how it is called, and how what it prints is read."""

    program: str  # "claude"
    needs: re.Pattern[str]  # variables that it gets besides the common ones
    default_model: str  # "" leaves the choice to the CLI

    def __init__(self, path: str, model: str, variables: Mapping[str, str], state: Path, timeout: float) -> None:
        self.name = f"{self.program}-cli"
        self.model = model or self.default_model
        self._path = path
        self._variables = variables
        self._state = state
        self._total = timeout
        self._idle = max(timeout / 2, 1.0)

    def describe(self) -> str:
        model = f" ({self.model})" if self.model else ""
        return f"{self.title}{model}: redacted evidence goes where {self._path} sends it, with its own login"

    def ask(self, request: Request) -> Answer:
        folder = _empty_folder(self._state / f"{ANALYST_FOLDER}{self.program}")
        with tempfile.TemporaryDirectory(prefix=f"{ANALYST_FOLDER}scratch-", dir=self._state) as scratch:
            invocation = self._invocation(request, self._options(folder), folder, Path(scratch))
            variables = {**self._environment(folder, Path(scratch)), **invocation.variables}
            finished = self._run([self._path, *invocation.arguments], invocation.question, folder, variables)
            outcome = self._outcome(finished.out)
        self._check(finished, outcome)
        said = Said(outcome.text, outcome.input_tokens, outcome.output_tokens, outcome.model)
        return self._answer(request, said)

    def _check(self, finished: Finished, outcome: Outcome) -> None:
        """Raise what became of the run. A complete answer counts, whatever the program did after it."""
        if outcome.complete and not outcome.failure:
            return
        if finished.ending is Ending.SIZE:
            raise Garbled(f"{self.title}: it printed more than {_MAX_OUTPUT} bytes")
        if finished.ending in (Ending.TIME, Ending.SILENCE):
            limit = self._total if finished.ending is Ending.TIME else self._idle
            raise Overloaded(f"{self.title}: no answer within {limit:g} seconds", "it is tried again later", soon=False)
        if finished.code == 0 and not outcome.failure:
            raise Garbled(f"{self.title}: it ended without an answer", "it is tried again later")
        said = f"{outcome.failure}\n{finished.err.decode('utf-8', 'replace')}"
        raise self._failure(said, finished.code)

    def _failure(self, said: str, code: int) -> BackendError:
        credential = f"the login or key of {self.program}"
        return from_words(self.title, said, credential=credential, model=self.model or "its model", code=code)

    def _options(self, folder: Path) -> frozenset[str]:
        """The long options that the installed version knows: an older one must not choke on a newer one's."""
        try:
            changed = Path(self._path).stat().st_mtime_ns
        except OSError:
            changed = 0
        variables = tuple(sorted(self._environment(folder, folder).items()))
        return _known_options((self._path, *self._help()), changed, folder, variables)

    def _run(self, command: list[str], question: str, folder: Path, variables: Mapping[str, str]) -> Finished:
        try:
            return run(
                command,
                question=question.encode("utf-8", "replace"),
                folder=folder,
                variables=variables,
                total=self._total,
                idle=self._idle,
                limit=_MAX_OUTPUT,
            )
        except OSError as error:
            raise Rejected(f"{self._path} cannot be started ({error.strerror})", "install it anew") from None

    def _environment(self, folder: Path, scratch: Path) -> dict[str, str]:
        """What the CLI needs to know, and no more: above all no other vendor's key."""
        kept = {
            name: value
            for name, value in self._variables.items()
            if _COMMON.fullmatch(name) or self.needs.fullmatch(name) or name in self._also_needed()
        }
        # TMPDIR: Gemini CLI writes reports of failed requests there, prompt included
        return {**kept, "PWD": str(folder), "TMPDIR": str(scratch), "HEADROOMD_ANALYST": "1", "NO_COLOR": "1"}

    def _also_needed(self) -> frozenset[str]:
        """Variables that the user's own settings of the CLI name."""
        return frozenset()

    def _help(self) -> tuple[str, ...]:
        """The arguments that make it print its options."""
        return ("--help",)

    @abstractmethod
    def _invocation(self, request: Request, options: frozenset[str], folder: Path, scratch: Path) -> Invocation:
        """How to ask a CLI that knows `options`.

        Args:
            folder: where it runs; empty. A CLI that reads its settings there may be given some.
            scratch: for files that the call needs; thrown away afterwards.
        """

    @abstractmethod
    def _outcome(self, out: bytes) -> Outcome:
        """What it printed, understood; must stand anything."""


def _empty_folder(folder: Path) -> Path:
    """One and the same folder every time, since CLIs keep a list of the folders that they have seen."""
    make_private(folder.parent)
    make_private(folder)
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()
    return folder


@lru_cache(maxsize=8)
def _known_options(
    command: tuple[str, ...], changed: int, folder: Path, variables: tuple[tuple[str, str], ...]
) -> frozenset[str]:
    """The long options, and the output format "stream-json", that stand in a program's help.

    `changed`, its time stamp, makes an updated program be asked again.
    """
    del changed
    try:
        finished = run(
            command,
            question=b"",
            folder=folder,
            variables=dict(variables),
            total=_HELP_TIME,
            idle=_HELP_TIME,
            limit=_MAX_OUTPUT,
        )
    except OSError:
        return frozenset()
    said = (finished.out + finished.err).decode("utf-8", "replace")
    return frozenset(re.findall(r"(?<![\w-])--[a-z][a-z-]+|\bstream-json\b", said))


def events(out: bytes) -> list[dict[str, Any]]:
    """The JSON events, one a line, that a CLI printed; what is no event is left out."""
    found = []
    for line in out.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            found.append(value)
    return found


def number(table: object, *names: str) -> int:
    """The sum of the counts `names` in what should be a table."""
    values = [table.get(name) for name in names] if isinstance(table, dict) else []
    return sum(value for value in values if isinstance(value, int) and value > 0)
