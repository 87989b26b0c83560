"""What is asked of an LLM, what comes back, and the four ways in which it fails.

    BackendError
    ├── Rejected     the request as such is refused (key, permission, model): asking again soon is pointless
    ├── Overloaded   nobody answered in time, or was too busy: ask again later
    ├── TooLong      the question, or the answer that it calls for, does not fit: ask about less
    └── Garbled      an answer came and is of no use: no JSON, nothing at all, a refusal

No failure's text ever holds a key, a prompt or an answer: they go to logs and to `status`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from headroomd.analysis.backends.jsontext import find_object
from headroomd.errors import BackendError

__all__ = [
    "Answer",
    "Backend",
    "Garbled",
    "Overloaded",
    "Rejected",
    "Request",
    "Said",
    "TooLong",
    "estimated_tokens",
    "schema_wish",
]


class Request(Struct, frozen=True):
    """One question. Each request stands for itself: no conversation is kept anywhere."""

    system: str  # what the analyst is and how it answers: trusted
    prompt: str  # the evidence, redacted and fenced by the caller
    schema: dict[str, Any]  # JSON Schema of the answer, an object; strict: all properties required, none additional
    max_output_tokens: int


class Answer(Struct, frozen=True):
    """One usable answer."""

    text: str  # exactly one JSON object, whatever stood around it; whether it fits the schema is the caller's to check
    input_tokens: int  # as the backend counted them; estimated where it does not say
    output_tokens: int
    model: str  # as the backend named it
    backend: str  # Backend.name


class Said(NamedTuple):
    """What came back, as it came back; 0 and "" stand for what was not told."""

    text: str
    input_tokens: int
    output_tokens: int
    model: str


class Rejected(BackendError):  # noqa: N818 - a failure's name says what happened
    """The request as such is refused; `status` is the HTTP status where there was one."""

    def __init__(self, cause: str, remedy: str = "", status: int = 0) -> None:
        super().__init__(cause, remedy)
        self.status = status


class Overloaded(BackendError):  # noqa: N818 - a failure's name says what happened
    """Too busy, out of reach, or too slow."""

    def __init__(self, cause: str, remedy: str = "", retry_after: float | None = None, *, soon: bool = True) -> None:
        super().__init__(cause, remedy)
        self.retry_after = retry_after  # seconds that the server asked for
        self.soon = soon  # whether trying again within seconds may help


class TooLong(BackendError):  # noqa: N818 - a failure's name says what happened
    """Too much was asked at once."""


class Garbled(BackendError):  # noqa: N818 - a failure's name says what happened
    """The answer is of no use; the same question may well get a better one."""


class Backend(ABC):
    """One place where an LLM can be asked. Safe to use from one thread at a time."""

    title: str  # "Anthropic", "Claude Code": how people call it
    name: str  # "anthropic", "openai", "openai-compatible", "gemini", "claude-cli", "codex-cli", "gemini-cli"
    model: str  # "" where a CLI takes its own default

    @abstractmethod
    def describe(self) -> str:
        """One line for people: what is sent where, and with whose credentials."""

    @abstractmethod
    def ask(self, request: Request) -> Answer:
        """The answer to `request`, within the configured time.

        Raises:
            Rejected, Overloaded, TooLong, Garbled: see the top of this module.
        """

    def _answer(self, request: Request, said: Said) -> Answer:
        """What was said, as an answer to `request`. Raises Garbled where it holds none."""
        try:
            text = find_object(said.text, request.schema)
        except ValueError:
            what = "no JSON object in its answer" if said.text.strip() else "an empty answer"
            raise Garbled(f"{self.title}: {what}", "it is tried again later") from None
        return Answer(
            text=text,
            input_tokens=said.input_tokens or estimated_tokens(request.system + request.prompt),
            output_tokens=said.output_tokens or estimated_tokens(said.text),
            model=said.model or self.model,
            backend=self.name,
        )


def estimated_tokens(text: str) -> int:
    """About how many tokens `text` is, for backends that do not count: four bytes each."""
    return len(text.encode("utf-8", "replace")) // 4 + 1


def schema_wish(schema: dict[str, Any]) -> str:
    """The schema in words, to be put after the system text of backends that cannot be bound to it."""
    wish = "Answer with one JSON object that fits this JSON Schema, and with nothing else:"
    return f"\n\n{wish}\n{msgspec.json.encode(schema).decode()}"
