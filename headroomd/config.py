"""What the user may set: a TOML file, and HEADROOMD_* variables on top of it.

Imports pydantic, which costs a fifth of a second: import this module only where the config is really read.
config.example.toml documents every key and is tested to be the defaults.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from headroomd.errors import ConfigError
from headroomd.paths import OVERRIDES, Places

__all__ = [
    "Analysis",
    "Config",
    "Lifecycle",
    "Project",
    "Schedule",
    "format_duration",
    "load_config",
    "parse_duration",
]

_PREFIX: Final = "HEADROOMD_"
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_BARE_NUMBER: Final = re.compile(r"\d+(\.\d+)?")


def parse_duration(value: object) -> float:
    """Seconds of "10m", "1h30m", "90d" or "500ms"; a bare number is seconds.

    Raises:
        ValueError: it is none of these.
    """
    text = "" if isinstance(value, bool) else str(value).replace(" ", "").lower()
    if _BARE_NUMBER.fullmatch(text):
        return float(text)
    if not text or _DURATION.sub("", text):
        raise ValueError('must be a duration such as "90s", "10m", "2h" or "90d"')
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def format_duration(seconds: float) -> str:
    """What `parse_duration` understands, in the largest unit that divides it evenly: "10m"."""
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{int(seconds / _UNITS[unit])}{unit}"
    return f"{seconds:g}s"


def _names(value: object) -> object:
    """A list, or its items between commas (as a variable gives them)."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_absolute():
        raise ValueError("must be an absolute path (or begin with ~)")
    return path


def _none_if_blank(value: object) -> object:
    return None if value == "" else value


Duration = Annotated[float, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="json")]
AgentNames = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
OptionalPath = Annotated[AbsolutePath | None, BeforeValidator(_none_if_blank)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Schedule(_Table):
    """When the daemon works. Durations are seconds."""

    correlate_delay: Duration = 1.0
    analysis_interval: Duration = 6 * 3600.0
    analysis_cron: str = ""  # where set, it takes the place of analysis_interval
    revalidate_interval: Duration = 86400.0


class Analysis(_Table):
    """The optional LLM. Tokens count what is sent and what comes back."""

    model: str = "auto"
    base_url: str = ""
    key_file: OptionalPath = None
    max_tokens_per_call: int = Field(default=12_000, ge=1_000)
    max_calls_per_day: int = Field(default=12, ge=0)
    max_tokens_per_day: int = Field(default=100_000, ge=0)
    timeout: Duration = 120.0


class Lifecycle(_Table):
    """How learnings age."""

    half_life: Duration = 90 * 86400.0
    ineffective_after: int = Field(default=10, ge=1)  # opportunities


class Project(_Table):
    """A project that the daemon may write to."""

    path: AbsolutePath
    agents: AgentNames = ()
    target: str = ""
    mode: Literal["auto", "review"] = "auto"
    enabled: bool = True


class Config(BaseSettings):
    """Everything that can be set; what each key means is said in config.example.toml."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=_PREFIX, env_nested_delimiter="__")

    quiet_period: Duration = 600.0
    sweep_interval: Duration = 300.0
    agents: AgentNames = ()
    block_limit: int = Field(default=4000, ge=500, le=32_000)
    share_across_agents: bool = True
    claude_context_file: Literal["CLAUDE.md", "CLAUDE.local.md"] = "CLAUDE.md"
    home_sessions: Literal["ignore", "global"] = "ignore"
    schedule: Schedule = Schedule()
    analysis: Analysis = Analysis()
    lifecycle: Lifecycle = Lifecycle()
    project: tuple[Project, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the signature is pydantic-settings')
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the signature is pydantic-settings')
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the signature is pydantic-settings')
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the signature is pydantic-settings')
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_config` hands over, so that Config() is the defaults whatever the environment holds."""
        return (init_settings,)


class _Variables(EnvSettingsSource):
    """The HEADROOMD_* variables of a given environment rather than of this process."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._given = {name.lower(): value for name, value in variables.items()}
        super().__init__(Config)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def load_config(places: Places, variables: Mapping[str, str] | None = None) -> Config:
    """The user's config: defaults, then the file (if there is one), then the variables (default: this process's).

    Raises:
        ConfigError: one line that names the key, the file or variable, and what is allowed.
    """
    variables = os.environ if variables is None else variables
    _refuse_unknown(variables)
    try:
        from_variables = _Variables(variables)()
    except SettingsError as error:
        raise ConfigError(
            f"a {_PREFIX}* variable cannot be read ({error})", "write lists and tables as JSON"
        ) from error
    try:
        return Config(**_merged(_read_file(places.config), from_variables))
    except ValidationError as error:
        raise _explained(error, places.config, variables) from error


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", "check its owner and mode") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML", str(error)) from error


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`below` with `above` laid over it, table by table."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _refuse_unknown(variables: Mapping[str, str]) -> None:
    """A misspelt variable would otherwise be ignored without a word."""
    known = {_PREFIX + key.upper() for key in Config.model_fields} | set(OVERRIDES)
    for name in variables:
        if name.startswith(_PREFIX) and name.split("__")[0] not in known:
            raise ConfigError(f"{name} is not a known variable", _suggestion(name, sorted(known)))


def _explained(error: ValidationError, file: Path, variables: Mapping[str, str]) -> ConfigError:
    """The first problem as one line; the others show when it is mended."""
    problem = error.errors(include_url=False)[0]
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    source = _source(location, file, variables)
    if problem["type"] == "extra_forbidden":
        return ConfigError(f"{key} in {source} is not a known key", _suggestion(location[-1], _keys_at(location[:-1])))
    if problem["type"] == "missing":
        return ConfigError(f"{key} is missing in {source}", "every [[project]] needs a path")
    shown = "" if isinstance(problem["input"], dict | list) else f" = {json.dumps(problem['input'], default=str)}"
    return ConfigError(f"{key}{shown} in {source}", problem["msg"].removeprefix("Value error, "))


def _source(location: list[str], file: Path, variables: Mapping[str, str]) -> str:
    names = [_PREFIX + "__".join(location[:depth]).upper() for depth in range(len(location), 0, -1)]
    return next((name for name in names if name in variables), str(file))


def _suggestion(wrong: str, known: list[str]) -> str:
    close = difflib.get_close_matches(wrong, known, n=1)
    return (f"did you mean {close[0]}? " if close else "") + f"known: {', '.join(known)}"


def _keys_at(location: list[str]) -> list[str]:
    """The keys of the table at `location`; numbers are positions in [[project]]."""
    models: dict[str, type[BaseModel]] = {
        "schedule": Schedule,
        "analysis": Analysis,
        "lifecycle": Lifecycle,
        "project": Project,
    }
    return sorted((models[location[0]] if location else Config).model_fields)
