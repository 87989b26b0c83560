"""Anthropic's Messages interface (version 2023-06-01; structured output as of 2026: `output_config.format`)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from headroomd.analysis.backends.base import Request, Said, schema_wish
from headroomd.analysis.backends.http import HttpBackend, decode

__all__ = ["AnthropicBackend"]


class _Block(Struct, frozen=True):
    type: str = ""
    text: str = ""


class _Usage(Struct, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0  # thinking included


class _Message(Struct, frozen=True):
    content: list[_Block] = []
    stop_reason: str | None = None
    usage: _Usage = _Usage()
    model: str = ""


class AnthropicBackend(HttpBackend):
    """One request to /v1/messages."""

    name = "anthropic"
    title = "Anthropic"

    def _url(self) -> str:
        return f"{self._base_url.removesuffix('/v1')}/v1/messages"

    def _headers(self) -> dict[str, str]:
        key = {"x-api-key": self._key.reveal()} if self._key else {}
        return {"anthropic-version": "2023-06-01", **key}

    def _demands(self, request: Request) -> list[dict[str, Any]]:
        base = {
            "model": self.model,
            "max_tokens": request.max_output_tokens,
            "system": request.system,
            "messages": [{"role": "user", "content": request.prompt}],
        }
        bound = {"format": {"type": "json_schema", "schema": request.schema}}
        wish = schema_wish(request.schema)
        return [
            {**base, "output_config": {**bound, "effort": "low"}},  # effort: Claude Opus 4.5 and later, not Haiku 4.5
            {**base, "output_config": bound},
            {**base, "system": request.system + wish},
        ]

    def _read(self, body: bytes) -> Said:
        message = decode(body, _Message, self.title)
        if message.stop_reason in ("max_tokens", "model_context_window_exceeded"):
            raise self._cut()
        if message.stop_reason == "refusal":
            raise self._refused()
        text = "".join(block.text for block in message.content if block.type == "text")
        return Said(text, message.usage.input_tokens, message.usage.output_tokens, message.model)
