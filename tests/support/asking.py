"""One question as backends are asked it in tests, and an answer that fits it."""

from __future__ import annotations

from headroomd.analysis.backends import Request

REPLY = '{"rules": ["use uv run"]}'
SCHEMA = {
    "type": "object",
    "properties": {"rules": {"type": "array", "items": {"type": "string"}}},
    "required": ["rules"],
    "additionalProperties": False,
}
REQUEST = Request(system="SYSTEM-TEXT", prompt="PROMPT-TEXT", schema=SCHEMA, max_output_tokens=2000)
