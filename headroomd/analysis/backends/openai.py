"""OpenAI's Responses interface, and Chat Completions as spoken by Ollama, LM Studio, vLLM, OpenRouter and many more."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from headroomd.analysis.backends.base import Request, Said, schema_wish
from headroomd.analysis.backends.http import HttpBackend, decode
from headroomd.analysis.backends.keys import Key

__all__ = ["CompatibleBackend", "OpenAIBackend"]

_SCHEMA_NAME = "answer"


class _Error(Struct, frozen=True):
    code: str | int | None = None
    message: str | None = None


class _Piece(Struct, frozen=True):
    type: str = ""
    text: str = ""


class _Item(Struct, frozen=True):
    type: str = ""
    content: list[_Piece] | None = None


class _Why(Struct, frozen=True):
    reason: str = ""


class _ResponsesUsage(Struct, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0  # reasoning included


class _Response(Struct, frozen=True):
    output: list[_Item] = []
    incomplete_details: _Why | None = None
    usage: _ResponsesUsage | None = None
    model: str = ""


class OpenAIBackend(HttpBackend):
    """One request to /v1/responses."""

    name = "openai"
    title = "OpenAI"

    def _url(self) -> str:
        return f"{self._base_url}/responses"

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._key.reveal()}"} if self._key else {}

    def _demands(self, request: Request) -> list[dict[str, Any]]:
        base = {
            "model": self.model,
            "instructions": request.system,
            "input": request.prompt,
            "max_output_tokens": request.max_output_tokens,
            "store": False,  # nothing is to be kept at OpenAI for later retrieval
        }
        bound = {"type": "json_schema", "name": _SCHEMA_NAME, "schema": request.schema, "strict": True}
        wish = schema_wish(request.schema)
        return [
            {**base, "text": {"format": bound}, "reasoning": {"effort": "low"}},  # reasoning models only
            {**base, "text": {"format": bound}},
            {**base, "instructions": request.system + wish},
        ]

    def _read(self, body: bytes) -> Said:
        response = decode(body, _Response, self.title)
        if response.incomplete_details:
            raise self._cut() if response.incomplete_details.reason == "max_output_tokens" else self._refused()
        pieces = [piece for item in response.output if item.type == "message" for piece in item.content or []]
        if any(piece.type == "refusal" for piece in pieces):
            raise self._refused()
        text = "".join(piece.text for piece in pieces if piece.type == "output_text")
        usage = response.usage or _ResponsesUsage()
        return Said(text, usage.input_tokens, usage.output_tokens, response.model)


class _ChatMessage(Struct, frozen=True):
    content: str | list[_Piece] | None = None
    refusal: str | None = None


class _Choice(Struct, frozen=True):
    message: _ChatMessage = _ChatMessage()
    finish_reason: str | None = None


class _ChatUsage(Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chat(Struct, frozen=True):
    choices: list[_Choice] = []
    usage: _ChatUsage | None = None
    model: str | None = None
    error: _Error | None = None  # OpenRouter answers 200 with the error of the provider behind it


class CompatibleBackend(HttpBackend):
    """One request to /chat/completions of any server that speaks it."""

    name = "openai-compatible"

    def __init__(self, model: str, base_url: str, key: Key | None, timeout: float) -> None:
        super().__init__(model, base_url, key, timeout)
        self.title = base_url  # such a server has no other name

    def describe(self) -> str:
        credential = f"with the key in {self._key.origin}" if self._key else "without a key"
        return f"{self.model}: redacted evidence goes to {self._base_url} {credential}"

    def _url(self) -> str:
        return f"{self._base_url}/chat/completions"

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._key.reveal()}"} if self._key else {}

    def _demands(self, request: Request) -> list[dict[str, Any]]:
        wish = schema_wish(request.schema)
        base = {
            "model": self.model,
            # not every server tells the model about the schema that it binds it to
            "messages": [
                {"role": "system", "content": request.system + wish},
                {"role": "user", "content": request.prompt},
            ],
            "max_tokens": request.max_output_tokens,
        }
        bound = {"name": _SCHEMA_NAME, "schema": request.schema, "strict": True}
        return [
            {**base, "response_format": {"type": "json_schema", "json_schema": bound}},
            {**base, "response_format": {"type": "json_object"}},
            base,
        ]

    def _read(self, body: bytes) -> Said:
        chat = decode(body, _Chat, self.title)
        if chat.error:
            status = chat.error.code if isinstance(chat.error.code, int) else 500
            raise self._failure(status, (chat.error.message or "").encode())
        choice = chat.choices[0] if chat.choices else _Choice()
        if choice.finish_reason == "length":
            raise self._cut()
        if choice.finish_reason == "content_filter" or choice.message.refusal:
            raise self._refused()
        content = choice.message.content or ""
        text = content if isinstance(content, str) else "".join(piece.text for piece in content)
        usage = chat.usage or _ChatUsage()
        return Said(text, usage.prompt_tokens, usage.completion_tokens, chat.model or "")
