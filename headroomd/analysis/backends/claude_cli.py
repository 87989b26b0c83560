"""Asking through Claude Code: `claude -p`. Facts from claude 2.1.197, run against a server that logged its requests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from headroomd.analysis.backends.base import Request, schema_wish
from headroomd.analysis.backends.cli import CliBackend, Invocation, Outcome, events, number

__all__ = ["ClaudeCli"]

_NO_TOOLS: Final = "Bash,Read,Grep,Glob,Edit,Write,NotebookEdit,WebFetch,WebSearch,Task,TodoWrite,Skill"


class ClaudeCli(CliBackend):
    """One run of `claude -p`."""

    title = "Claude Code"
    program = "claude"
    default_model = "haiku"  # an alias for the newest; Claude Code's own default is its dearest
    needs = re.compile(
        r"ANTHROPIC_\w+|CLAUDE_CONFIG_DIR|CLAUDE_CODE_(OAUTH_TOKEN|USE_\w+|SKIP_\w+_AUTH|CLIENT_\w+)"
        r"|AWS_\w+|GOOGLE_APPLICATION_CREDENTIALS|CLOUD_ML_REGION|VERTEX_\w+"  # Bedrock and Vertex logins
    )

    def _invocation(self, request: Request, options: frozenset[str], folder: Path, scratch: Path) -> Invocation:
        del folder, scratch
        system = request.system + schema_wish(request.schema)
        wanted = {
            "--model": [self.model],
            "--system-prompt": [system],
            "--tools": [""],
            "--no-session-persistence": [],
            "--setting-sources": [""],  # neither the user's hooks nor any CLAUDE.md
            "--settings": ['{"disableAllHooks":true}'],  # an administrator's hooks
            "--strict-mcp-config": [],
            "--disable-slash-commands": [],
        }
        arguments = ["-p"]
        for option, values in wanted.items():
            if option in options:
                arguments += [option, *values]
        if "--tools" not in options and "--disallowedTools" in options:
            arguments += ["--disallowedTools", _NO_TOOLS]
        if "stream-json" in options:
            partial = ["--include-partial-messages"] if "--include-partial-messages" in options else []
            arguments += ["--output-format", "stream-json", "--verbose", *partial]
        return Invocation(
            arguments=arguments,
            question=request.prompt if "--system-prompt" in options else f"{system}\n\n{request.prompt}",
            variables={
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "DISABLE_AUTOUPDATER": "1",
                "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(request.max_output_tokens),
                "CLAUDE_CODE_MAX_RETRIES": "2",  # default 10, minutes of them
                "MAX_THINKING_TOKENS": "0",  # default 31,999 for Haiku
            },
        )

    def _outcome(self, out: bytes) -> Outcome:
        said = events(out)
        if not said:  # a version without stream-json prints the answer alone
            text = out.decode("utf-8", "replace")
            return Outcome(text=text, complete=bool(text.strip()))
        result: dict[str, Any] = next((event for event in reversed(said) if event["type"] == "result"), {})
        text = str(result.get("result") or "")
        if result.get("is_error"):
            return Outcome(failure=f"status {result.get('api_error_status')}: {text}")
        if result and result.get("subtype") != "success":
            return Outcome(failure=json.dumps(result.get("subtype")))
        usage, models = result.get("usage"), result.get("modelUsage")
        return Outcome(
            text=text,
            complete=bool(result),
            input_tokens=number(usage, "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
            output_tokens=number(usage, "output_tokens"),
            model=next(iter(models), "") if isinstance(models, dict) else "",
        )
