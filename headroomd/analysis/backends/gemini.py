"""Gemini's generateContent interface (v1beta; structured output by `responseJsonSchema`)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from msgspec import Struct

from headroomd.analysis.backends.base import Request, Said, schema_wish
from headroomd.analysis.backends.http import HttpBackend, decode

__all__ = ["GeminiBackend"]


class _Part(Struct, frozen=True):
    text: str = ""
    thought: bool = False


class _Content(Struct, frozen=True):
    parts: list[_Part] = []


class _Candidate(Struct, frozen=True, rename="camel"):
    content: _Content = _Content()
    finish_reason: str = "STOP"


class _Feedback(Struct, frozen=True, rename="camel"):
    block_reason: str = ""


class _Usage(Struct, frozen=True, rename="camel"):
    prompt_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0


class _Answer(Struct, frozen=True, rename="camel"):
    candidates: list[_Candidate] = []
    prompt_feedback: _Feedback = _Feedback()
    usage_metadata: _Usage = _Usage()
    model_version: str = ""


class GeminiBackend(HttpBackend):
    """One request to generateContent."""

    name = "gemini"
    title = "Gemini"

    def _url(self) -> str:
        model = quote(self.model.removeprefix("models/"), safe="")
        return f"{self._base_url.removesuffix('/v1beta')}/v1beta/models/{model}:generateContent"

    def _headers(self) -> dict[str, str]:
        return {"x-goog-api-key": self._key.reveal()} if self._key else {}

    def _demands(self, request: Request) -> list[dict[str, Any]]:
        def body(system: str, config: dict[str, Any]) -> dict[str, Any]:
            return {
                "systemInstruction": {"parts": [{"text": system}]},
                "contents": [{"role": "user", "parts": [{"text": request.prompt}]}],
                "generationConfig": {"maxOutputTokens": request.max_output_tokens, **config},
            }

        bound = {"responseMimeType": "application/json", "responseJsonSchema": request.schema}
        wish = schema_wish(request.schema)
        return [
            body(request.system, {**bound, "thinkingConfig": {"thinkingLevel": "low"}}),  # Gemini 3 and later
            body(request.system, bound),
            body(request.system + wish, {}),
        ]

    def _read(self, body: bytes) -> Said:
        answer = decode(body, _Answer, self.title)
        if answer.prompt_feedback.block_reason:
            raise self._refused()
        candidate = answer.candidates[0] if answer.candidates else _Candidate()
        if candidate.finish_reason == "MAX_TOKENS":
            raise self._cut()
        if candidate.finish_reason not in ("STOP", "FINISH_REASON_UNSPECIFIED"):  # SAFETY, RECITATION, BLOCKLIST, ...
            raise self._refused()
        usage = answer.usage_metadata
        return Said(
            "".join(part.text for part in candidate.content.parts if not part.thought),
            usage.prompt_token_count,
            usage.candidates_token_count + usage.thoughts_token_count,
            answer.model_version,
        )
