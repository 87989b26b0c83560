"""Which backend is asked: what the user named, else the first that there is.

The order: `--model` (or `analysis.model`); ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY; HEADROOM_LEARN_CLI;
the CLIs on PATH: claude, gemini, codex. Nothing is run or sent by selecting.

Default models are each vendor's cheapest that reasons, as of November 2026: a batch costs well under a cent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from headroomd.analysis.backends.anthropic import AnthropicBackend
from headroomd.analysis.backends.base import Backend
from headroomd.analysis.backends.claude_cli import ClaudeCli
from headroomd.analysis.backends.cli import CliBackend
from headroomd.analysis.backends.codex_cli import CodexCli
from headroomd.analysis.backends.gemini import GeminiBackend
from headroomd.analysis.backends.gemini_cli import GeminiCli
from headroomd.analysis.backends.http import HttpBackend, checked_url
from headroomd.analysis.backends.keys import Key, key_from_file, key_from_variables
from headroomd.analysis.backends.openai import CompatibleBackend, OpenAIBackend
from headroomd.errors import ConfigError
from headroomd.paths import Places

if TYPE_CHECKING:  # it imports pydantic
    from headroomd.config import Config

__all__ = ["select"]


class _Vendor(NamedTuple):
    backend: type[HttpBackend]
    key: str  # the variable that holds the key
    address: str  # the variable that moves the address, "" where there is none
    default_address: str
    default_model: str
    prefixes: tuple[str, ...]  # "gemini/x" names model x of this vendor
    names: re.Pattern[str]  # how the vendor's own models are called


_VENDORS: Final = (
    _Vendor(
        AnthropicBackend, "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "https://api.anthropic.com",
        "claude-haiku-5-5", ("anthropic",), re.compile(r"claude-"),
    ),
    _Vendor(
        OpenAIBackend, "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1",
        "gpt-6-luna", ("openai",), re.compile(r"gpt-|chatgpt-|o\d"),
    ),
    _Vendor(
        GeminiBackend, "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "https://generativelanguage.googleapis.com",
        "gemini-3.5-flash-lite", ("gemini", "google"), re.compile(r"gemini-"),
    ),
)  # fmt: skip

_SERVERS: Final = {
    # prefix: (address, the variable that holds the key)
    "ollama": ("http://127.0.0.1:11434/v1", "OLLAMA_API_KEY"),
    "lmstudio": ("http://127.0.0.1:1234/v1", "LMSTUDIO_API_KEY"),
    "vllm": ("http://127.0.0.1:8000/v1", "VLLM_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
}
_CLIS: Final[dict[str, type[CliBackend]]] = {"claude": ClaudeCli, "gemini": GeminiCli, "codex": CodexCli}
_ALLOWED: Final = (
    'one of: "auto", "none", claude-cli, gemini-cli, codex-cli (or claude-cli/MODEL), a model such as '
    f"{', '.join(vendor.default_model for vendor in _VENDORS)}, or SERVER/MODEL with SERVER one of "
    f"{', '.join(_SERVERS)}; any name is taken where analysis.base_url is set"
)


def select(
    model: str | None, variables: Mapping[str, str], which: Callable[[str], str | None], config: Config
) -> Backend | None:
    """The backend to ask, or None: there is none, or none is wanted.

    Args:
        model: what `--model` says; None where it was not given: `analysis.model` of the config then counts.
        variables: the environment.
        which: where a program lies on PATH (`shutil.which`).

    Raises:
        ConfigError: what was named does not exist, or lacks its key; the message lists what is allowed.
    """
    name = (config.analysis.model if model is None else model).strip()
    chooser = _Chooser(variables, which, config)
    if name == "none":
        return None
    return chooser.automatic() if name in ("", "auto") else chooser.named(name)


class _Chooser:
    """The environment and config that every choice looks at."""

    def __init__(self, variables: Mapping[str, str], which: Callable[[str], str | None], config: Config) -> None:
        self._variables = variables
        self._which = which
        self._settings = config.analysis

    def automatic(self) -> Backend | None:
        for setting in ("base_url", "key_file"):
            if getattr(self._settings, setting):
                raise ConfigError(f"analysis.{setting} is set, and analysis.model is not", "name the model to use")
        for vendor in _VENDORS:
            if key_from_variables(self._variables, vendor.key):
                return self._vendor(vendor, vendor.default_model)
        pinned = self._variables.get("HEADROOM_LEARN_CLI", "").strip()
        if pinned:
            if pinned not in _CLIS:
                raise ConfigError(f'HEADROOM_LEARN_CLI is "{pinned}"', f"it must be one of {', '.join(_CLIS)}")
            return self._cli(pinned)
        return next((self._cli(name) for name in _CLIS if self._which(name)), None)

    def named(self, name: str) -> Backend:
        first, _, rest = name.partition("/")
        if first.endswith("-cli") and first.removesuffix("-cli") in _CLIS:
            return self._cli(first.removesuffix("-cli"), rest)
        if self._settings.base_url:
            own = first in _SERVERS or first == "openai"
            return self._server(
                rest if own and rest else name, self._settings.base_url, "analysis.base_url", "OPENAI_API_KEY"
            )
        if first in _SERVERS and rest:
            address, key = _SERVERS[first]
            return self._server(rest, address, first, key)
        for vendor in _VENDORS:
            if first in vendor.prefixes and rest:
                return self._vendor(vendor, rest)
            if vendor.names.match(name):
                return self._vendor(vendor, name)
        raise ConfigError(f'"{name}" names no model that could be asked', _ALLOWED)

    def _vendor(self, vendor: _Vendor, model: str) -> Backend:
        key = self._key(vendor.key)
        if key is None:
            remedy = (
                f"set {vendor.key} or analysis.key_file, or choose a CLI: {', '.join(f'{cli}-cli' for cli in _CLIS)}"
            )
            raise ConfigError(f"{model} needs a key, and there is none", remedy)
        moved = self._variables.get(vendor.address, "").strip()
        address = checked_url(moved, vendor.address) if moved else vendor.default_address
        return vendor.backend(model, address, key, self._settings.timeout)

    def _server(self, model: str, address: str, origin: str, key: str) -> Backend:
        return CompatibleBackend(model, checked_url(address, origin), self._key(key), self._settings.timeout)

    def _key(self, variable: str) -> Key | None:
        if self._settings.key_file:
            return key_from_file(self._settings.key_file)
        return key_from_variables(self._variables, variable)

    def _cli(self, name: str, model: str = "") -> Backend:
        path = self._which(name)
        if path is None:
            there = [cli for cli in _CLIS if self._which(cli)]
            found = f"on PATH: {', '.join(there)}" if there else "none of the CLIs is on PATH"
            raise ConfigError(
                f"{name} was named as the LLM and is not on PATH", f"install it, or choose another ({found})"
            )
        return _CLIS[name](path, model, self._variables, Places.current(self._variables).state, self._settings.timeout)
