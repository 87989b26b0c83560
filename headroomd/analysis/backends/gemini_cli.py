"""Asking through Gemini CLI: `gemini -p`. Facts from gemini 0.61.0, run against a server that logged its requests.

It always records the session (below ~/.gemini/tmp/<name of the folder>/chats), and always loads ~/.gemini/GEMINI.md.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from headroomd.analysis.backends.base import Request, schema_wish
from headroomd.analysis.backends.cli import CliBackend, Invocation, Outcome, events, number

__all__ = ["GeminiCli"]

_SETTINGS: Final = {
    "tools": {"core": []},
    "hooksConfig": {"enabled": False},
    "skills": {"enabled": False},
    "admin": {"mcp": {"enabled": False}, "extensions": {"enabled": False}},
    "context": {"fileName": "headroomd-analyst-none.md"},
    "general": {"enableAutoUpdate": False, "maxAttempts": 2},
    "experimental": {"enableAgents": False, "autoMemory": False},
    "telemetry": {"enabled": False},
    "privacy": {"usageStatisticsEnabled": False},
}
"""The settings of the folder that it runs in, which go before the user's: no tool, no hook. The user's login stays.

System settings would go before both, but 0.61 reads them only where they belong to root.
"""

_POLICY: Final = '[[rule]]\ntoolName = "*"\ndecision = "deny"\npriority = 999\n'


class GeminiCli(CliBackend):
    """One run of `gemini -p`."""

    title = "Gemini CLI"
    program = "gemini"
    default_model = "flash"  # an alias; Gemini CLI's own default asks a second model which one to ask
    needs = re.compile(
        r"GEMINI_(API_KEY|CLI_HOME|API_KEY_AUTH_MECHANISM|DEFAULT_AUTH_TYPE|CLI_USE_COMPUTE_ADC|CLI_CUSTOM_HEADERS)"
        r"|GOOGLE_\w+|CLOUDSDK_CONFIG|CLOUD_SHELL|GEMINI_CLI_SYSTEM_SETTINGS_PATH"
    )

    def _invocation(self, request: Request, options: frozenset[str], folder: Path, scratch: Path) -> Invocation:
        system, policy = scratch / "system.md", scratch / "policy.toml"
        system.write_bytes((request.system + schema_wish(request.schema)).encode("utf-8", "replace"))
        policy.write_text(_POLICY)
        settings = folder / ".gemini" / "settings.json"
        settings.parent.mkdir()
        settings.write_text(json.dumps({**_SETTINGS, **self._login()}))
        arguments = ["-p", ""]  # with this, the prompt is what standard input holds
        for option, values in {
            "--model": [self.model],
            "--approval-mode": ["plan"],
            "--policy": [str(policy)],
            "--extensions": ["none"],
            "--allowed-mcp-server-names": ["none"],
            "--skip-trust": [],
        }.items():
            if option in options:
                arguments += [option, *values]
        if "stream-json" in options:
            arguments += ["--output-format", "stream-json"]
        variables = {"GEMINI_SYSTEM_MD": str(system), "GEMINI_CLI_TRUST_WORKSPACE": "true"}
        return Invocation(arguments=arguments, question=request.prompt, variables=variables)

    def _login(self) -> dict[str, Any]:
        """A key for another address works only if it is selected; 0.61 gives up where neither settings nor we do so."""
        if not (self._variables.get("GEMINI_API_KEY") and self._variables.get("GOOGLE_GEMINI_BASE_URL")):
            return {}
        return {"security": {"auth": {"selectedType": "gemini-api-key"}}}

    def _outcome(self, out: bytes) -> Outcome:
        said = events(out)
        if not said:  # a version without stream-json prints the answer alone
            text = out.decode("utf-8", "replace")
            return Outcome(text=text, complete=bool(text.strip()))
        pieces = [str(event.get("content") or "") for event in said if event.get("role") == "assistant"]
        result: dict[str, Any] = next((event for event in reversed(said) if event["type"] == "result"), {})
        stats = result.get("stats")
        if result.get("status") == "error":
            return Outcome(failure=json.dumps(result.get("error"), ensure_ascii=False))
        return Outcome(
            text="".join(pieces),
            complete=bool(result),
            input_tokens=number(stats, "input_tokens"),
            output_tokens=number(stats, "output_tokens"),
            model=self._model_in(stats),
        )

    @staticmethod
    def _model_in(stats: object) -> str:
        """The model that answered, of those that were tried."""
        models = stats.get("models") if isinstance(stats, dict) else None
        used = (
            [name for name, counts in models.items() if number(counts, "output_tokens")]
            if isinstance(models, dict)
            else []
        )
        return str(used[-1]) if used else ""
