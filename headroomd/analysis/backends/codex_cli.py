"""Asking through Codex CLI: `codex exec`. Facts from codex 0.169.0, run against a server that logged its requests."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from headroomd.analysis.backends.base import Request, schema_wish
from headroomd.analysis.backends.cli import CliBackend, Invocation, Outcome, events, number

__all__ = ["CodexCli"]

_OFF: Final = (
    # every feature that puts a tool before the model, runs something, or adds the user's own instructions
    "shell_tool", "unified_exec", "view_image", "multi_agent", "multi_agent_v2", "goals", "sleep_tool", "plugins",
    "remote_plugin", "apps", "image_generation", "hooks", "skill_search", "tool_suggest", "browser_use", "computer_use",
    "default_mode_request_user_input", "memories", "shell_snapshot",
)  # fmt: skip
_SETTINGS: Final = {
    **{f"features.{name}": False for name in _OFF},
    "tools.experimental_request_user_input.enabled": False,
    "web_search": "disabled",
    "skills.include_instructions": False,
    "include_environment_context": False,
    "include_apps_instructions": False,
    "include_permissions_instructions": False,
    "include_collaboration_mode_instructions": False,
    "project_doc_max_bytes": 0,
    "model_reasoning_effort": "low",
    "check_for_update_on_startup": False,
    "analytics.enabled": False,  # without a network, it waits for them for five seconds
}
"""Keys that a version does not know are ignored by it."""

_WHERE: Final = ("model", "model_provider", "openai_base_url", "chatgpt_base_url", "cli_auth_credentials_store")
_PROVIDER: Final = (
    "name",
    "base_url",
    "wire_api",
    "env_key",
    "env_http_headers",
    "query_params",
    "requires_openai_auth",
)
"""What is taken over from the user's config: where to ask and as whom, and nothing that is itself a secret."""


_RETRIES: Final = {"request_max_retries": 1, "stream_max_retries": 1}
"""The defaults are 4 and 5, each of the one for each of the other; the built-in provider's cannot be changed."""


class CodexCli(CliBackend):
    """One run of `codex exec`."""

    title = "Codex CLI"
    program = "codex"
    default_model = ""  # which models an account may use is its plan's matter
    needs = re.compile(r"CODEX_HOME|CODEX_API_KEY|CODEX_ACCESS_TOKEN|CODEX_CA_CERTIFICATE|OPENAI_\w+")

    def _help(self) -> tuple[str, ...]:
        return ("exec", "--help")

    def _invocation(self, request: Request, options: frozenset[str], folder: Path, scratch: Path) -> Invocation:
        del folder
        system = request.system + schema_wish(request.schema)
        instructions, schema = scratch / "instructions.md", scratch / "schema.json"
        instructions.write_bytes(system.encode("utf-8", "replace"))
        schema.write_bytes(msgspec.json.encode(request.schema))
        arguments = ["exec"]
        for option, values in {
            "--ephemeral": [],
            "--ignore-user-config": [],
            "--ignore-rules": [],
            "--skip-git-repo-check": [],
            "--sandbox": ["read-only"],
            "--color": ["never"],
            "--json": [],
            "--output-schema": [str(schema)],
        }.items():
            if option in options:
                arguments += [option, *values]
        settings = {**_SETTINGS, **self._own_settings, "model_instructions_file": str(instructions)}
        if self.model:
            settings["model"] = self.model
        for key, value in settings.items():
            arguments += ["-c", f"{key}={_toml(value)}"]
        return Invocation(arguments=[*arguments, "-"], question=request.prompt)

    def _outcome(self, out: bytes) -> Outcome:
        said = events(out)
        if not said:  # a version without --json prints the answer alone
            text = out.decode("utf-8", "replace")
            return Outcome(text=text, complete=bool(text.strip()))
        text, failure, usage = "", "", None
        for event in said:
            item = event.get("item")
            if event["type"] == "item.completed" and isinstance(item, dict) and item.get("type") == "agent_message":
                text = str(item.get("text") or "")
            elif event["type"] == "turn.failed":
                failure = json.dumps(event.get("error"), ensure_ascii=False)
            elif event["type"] == "turn.completed":
                usage = event.get("usage") or {}
        return Outcome(
            text=text,
            complete=usage is not None,
            failure=failure,
            input_tokens=number(usage, "input_tokens"),  # cached ones included
            output_tokens=number(usage, "output_tokens"),
        )

    @cached_property
    def _own_config(self) -> dict[str, Any]:
        """The user's config.toml, of which most is not for us (hooks, MCP servers, notify programs)."""
        home = self._variables.get("CODEX_HOME") or str(Path(self._variables.get("HOME", "")) / ".codex")
        try:
            return tomllib.loads((Path(home) / "config.toml").read_text("utf-8"))
        except (OSError, ValueError):
            return {}

    @cached_property
    def _own_provider(self) -> dict[str, Any]:
        providers = self._own_config.get("model_providers")
        provider = providers.get(self._own_config.get("model_provider")) if isinstance(providers, dict) else None
        return {key: provider[key] for key in _PROVIDER if key in provider} if isinstance(provider, dict) else {}

    @property
    def _own_settings(self) -> dict[str, Any]:
        kept = {key: self._own_config[key] for key in _WHERE if isinstance(self._own_config.get(key), str)}
        if self._own_provider:
            kept["model_providers"] = {kept["model_provider"]: {**self._own_provider, **_RETRIES}}
        return kept

    def _also_needed(self) -> frozenset[str]:
        headers = self._own_provider.get("env_http_headers")
        named = [self._own_provider.get("env_key"), *(headers.values() if isinstance(headers, dict) else ())]
        return frozenset(name for name in named if isinstance(name, str))


def _toml(value: object) -> str:
    """`value` as TOML that fits on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(str(key))} = {_toml(item)}" for key, item in value.items()) + "}"
    # a JSON string is a TOML string too, but for the one character that JSON leaves as it is
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")
