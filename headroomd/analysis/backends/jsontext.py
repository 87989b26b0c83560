"""The JSON in what a model said: bare, in a fence, or with prose around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["find_object"]

_TRIES: Final = 100
"""Opening braces looked at: an answer of braces only must not take forever."""

_THOUGHTS: Final = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
"""What local reasoning models put before their answer where the server does not take it out (Ollama, vLLM)."""


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


def find_object(text: str, schema: Mapping[str, Any]) -> str:
    """The largest JSON object in `text` that has the properties that `schema` requires.

    It is written anew, so that it is valid JSON and UTF-8 (lone surrogates become "?"). Whether the properties' values
    fit the schema is not looked at.

    Raises:
        ValueError: there is none.
    """
    text = _THOUGHTS.sub("", text, count=1)
    required = set(schema.get("required", ()))
    best: dict[str, Any] | None = None
    size = 0
    at = text.find("{")
    for _ in range(_TRIES):
        if at < 0:
            break
        try:
            found, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if end - at > size and required <= found.keys():
                best, size = found, end - at
        at = text.find("{", end)
    if best is None:
        raise ValueError("no JSON object")
    return json.dumps(best, ensure_ascii=False).encode("utf-8", "replace").decode()
