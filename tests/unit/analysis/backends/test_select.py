"""Which backend is asked, in the promised order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from headroomd.analysis.backends import Backend, select
from headroomd.analysis.backends.cli import CliBackend
from headroomd.analysis.backends.http import HttpBackend, checked_url
from headroomd.config import Analysis, Config
from headroomd.errors import ConfigError

KEYS = {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o", "GEMINI_API_KEY": "g"}
CLIS = ("claude", "gemini", "codex")


def choose(
    flag: str | None = None, /, variables: dict[str, str] | None = None, clis: tuple[str, ...] = (), **settings: object
) -> Backend | None:
    config = Config(analysis=Analysis(**settings))  # type: ignore[arg-type]
    return select(flag, variables or {}, lambda name: f"/bin/{name}" if name in clis else None, config)


def chosen(*given: object, **settings: object) -> tuple[str, str]:
    backend = choose(*given, **settings)  # type: ignore[arg-type]
    assert backend is not None
    return backend.name, backend.model


def test_order() -> None:
    """Keys in their order, then HEADROOM_LEARN_CLI, then the CLIs on PATH in theirs; then there is none."""
    variables = {**KEYS, "HEADROOM_LEARN_CLI": "codex"}
    assert chosen(None, variables, CLIS)[0] == "anthropic"
    del variables["ANTHROPIC_API_KEY"]
    assert chosen(None, variables, CLIS)[0] == "openai"
    variables["OPENAI_API_KEY"] = " "
    assert chosen(None, variables, CLIS)[0] == "gemini"
    del variables["GEMINI_API_KEY"]
    assert chosen(None, variables, CLIS)[0] == "codex-cli"
    variables["HEADROOM_LEARN_CLI"] = ""
    assert chosen(None, variables, CLIS)[0] == "claude-cli"
    assert chosen(None, {}, ("codex", "gemini"))[0] == "gemini-cli"
    assert chosen(None, {}, ("codex",))[0] == "codex-cli"
    assert choose() is None


@pytest.mark.parametrize(
    ("named", "name", "model"),
    [
        ("claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("anthropic/claude-x", "anthropic", "claude-x"),
        ("gpt-4o", "openai", "gpt-4o"),
        ("o3-mini", "openai", "o3-mini"),
        ("openai/some-model", "openai", "some-model"),
        ("gemini-3.5-flash", "gemini", "gemini-3.5-flash"),
        ("gemini/gemini-3.5-flash", "gemini", "gemini-3.5-flash"),
        ("ollama/qwen3:8b", "openai-compatible", "qwen3:8b"),
        ("lmstudio/x", "openai-compatible", "x"),
        ("vllm/org/x", "openai-compatible", "org/x"),
        ("openrouter/z-ai/glm", "openai-compatible", "z-ai/glm"),
        ("claude-cli", "claude-cli", "haiku"),
        ("claude-cli/opus", "claude-cli", "opus"),
        ("gemini-cli", "gemini-cli", "flash"),
        ("codex-cli", "codex-cli", ""),
    ],
)
def test_named(named: str, name: str, model: str) -> None:
    """A name finds its backend, given as --model or in the config, whatever else there is."""
    assert chosen(named, KEYS, CLIS) == (name, model)
    assert chosen(None, KEYS, CLIS, model=named) == (name, model)
    assert chosen(named, KEYS, CLIS, model="none") == (name, model)


def test_none() -> None:
    """`none` is correlation only, and `auto` on the command line overrules the config."""
    assert choose("none", KEYS, CLIS) is None
    assert choose(None, KEYS, CLIS, model="none") is None
    assert chosen("auto", KEYS, CLIS, model="none")[0] == "anthropic"


@pytest.mark.parametrize("wrong", ["claude", "sonnet", "cli", "foo-cli", "ollama/", "openai/", "claude cli", "/x"])
def test_wrong_name(wrong: str) -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(ConfigError) as caught:
        choose(wrong, KEYS, CLIS)
    for right in ("claude-cli", "gemini-cli", "codex-cli", "none", "ollama"):
        assert right in str(caught.value)


def test_wrong_cli() -> None:
    """A wrong HEADROOM_LEARN_CLI lists the right values; one that is not installed is named."""
    with pytest.raises(ConfigError, match="claude, gemini, codex"):
        choose(None, {"HEADROOM_LEARN_CLI": "cursor"}, CLIS)
    with pytest.raises(ConfigError, match=r"codex was named.*on PATH: claude"):
        choose(None, {"HEADROOM_LEARN_CLI": "codex"}, ("claude",))
    with pytest.raises(ConfigError, match="none of the CLIs"):
        choose("gemini-cli")


def test_missing_key() -> None:
    """A vendor's model without its key says which key is missing; a server on this machine needs none."""
    with pytest.raises(ConfigError, match="set OPENAI_API_KEY"):
        choose("gpt-4o", {"ANTHROPIC_API_KEY": "a"})
    assert chosen("ollama/x")[0] == "openai-compatible"


def test_base_url() -> None:
    """With a base URL any model's name is taken, and a model must be named."""
    assert chosen("claude-x", KEYS, base_url="http://127.0.0.1:1/v1") == ("openai-compatible", "claude-x")
    assert chosen("openai/x", KEYS, base_url="http://127.0.0.1:1/v1") == ("openai-compatible", "x")
    assert chosen("org/x", KEYS, base_url="http://127.0.0.1:1/v1") == ("openai-compatible", "org/x")
    assert chosen("claude-cli", KEYS, CLIS, base_url="http://127.0.0.1:1/v1")[0] == "claude-cli"
    with pytest.raises(ConfigError, match=r"analysis\.base_url"):
        choose(None, KEYS, base_url="http://127.0.0.1:1/v1")


def test_key_file(tmp_path: Path) -> None:
    """A key file counts before the environment, needs a named model, and is never shown."""
    path = tmp_path / "key"
    path.write_text("sk-from-file")
    path.chmod(0o600)
    backend = choose("claude-x", {"ANTHROPIC_API_KEY": "sk-from-env"}, key_file=path)
    assert isinstance(backend, HttpBackend)
    assert backend._headers()["x-api-key"] == "sk-from-file"
    assert str(path) in backend.describe()
    assert "sk-from" not in backend.describe() + repr(vars(backend))
    with pytest.raises(ConfigError, match=r"analysis\.key_file"):
        choose(None, {}, key_file=path)


@pytest.mark.parametrize(
    "url", ["", "localhost:11434", "ftp://x", "http://", "http://u:p@x/v1", "https://x/?key=1", "http://x:99999"]
)
def test_wrong_url(url: str) -> None:
    """An address that is none, or that holds a secret, is refused, and the secret is not repeated."""
    with pytest.raises(ConfigError) as caught:
        checked_url(url, "ANTHROPIC_BASE_URL")
    assert "u:p" not in str(caught.value)


def test_cli_state(tmp_path: Path) -> None:
    """CLIs run below the state folder of the environment that is given."""
    backend = choose("claude-cli", {"HEADROOMD_STATE_DIR": str(tmp_path)}, CLIS)
    assert isinstance(backend, CliBackend)
    assert backend._state == tmp_path
    assert "/bin/claude" in backend.describe()


def test_nothing_heavy() -> None:
    """Looking at the backends costs neither httpx nor stamina nor pydantic: they come when something is asked."""
    code = (
        "import sys, headroomd.analysis.backends\n"
        "print(sorted({'httpx', 'stamina', 'pydantic', 'rich', 'structlog'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
