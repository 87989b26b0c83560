"""The config: what it understands, and the one line in which it says what it does not."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from headroomd.config import (
    Analysis,
    Config,
    Lifecycle,
    Project,
    Schedule,
    format_duration,
    load_config,
    parse_duration,
)
from headroomd.errors import ConfigError
from headroomd.paths import Places

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path, config=tmp_path / "config.toml", runtime=tmp_path, log=tmp_path / "log")


def write(places: Places, text: str) -> None:
    places.config.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600),
        ("90d", 7_776_000),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("2 h", 7200),
        ("45", 45),
        (3, 3),
    ],
)
def test_durations_are_understood(text: object, seconds: float) -> None:
    """A number and a unit, several of them, or bare seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "10 minutes", "-5m", "m", "5m!", True, None, "1e9"])
def test_other_durations_are_refused(text: object) -> None:
    """What is not a duration is never taken for one."""
    with pytest.raises(ValueError, match="duration such as"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_survives_being_shown(seconds: int) -> None:
    """What is printed is what would be read."""
    assert parse_duration(format_duration(float(seconds))) == seconds


def test_without_a_file_the_defaults_hold(places: Places) -> None:
    """A missing config is no error."""
    assert load_config(places, {}) == Config()


def test_the_example_is_the_defaults(places: Places) -> None:
    """config.example.toml, copied as it is, changes nothing."""
    write(places, EXAMPLE.read_text(encoding="utf-8"))
    assert load_config(places, {}) == Config()


def test_the_example_names_every_key() -> None:
    """No key is undocumented; [[project]] has no default, so its keys stand in comments."""
    text = EXAMPLE.read_text(encoding="utf-8")
    values = tomllib.loads(text)

    def keys(model: type[BaseModel]) -> set[str]:
        return set(model.model_fields)

    assert set(values) | {"project"} == keys(Config)
    assert set(values["schedule"]) == keys(Schedule)
    assert set(values["analysis"]) == keys(Analysis)
    assert set(values["lifecycle"]) == keys(Lifecycle)
    commented = text.split("# [[project]]")[1]
    assert set(re.findall(r"^# (\w+) =", commented, re.MULTILINE)) == keys(Project)


def test_the_commented_project_of_the_example_is_right(places: Places) -> None:
    """What users uncomment is read without complaint."""
    commented = EXAMPLE.read_text(encoding="utf-8").split("# [[project]]")[1]
    write(places, "[[project]]\n" + re.sub(r"^# ?", "", commented, flags=re.MULTILINE))
    (project,) = load_config(places, {}).project
    assert project == Project(path=Path("~/work/webshop"))


def test_variables_win_over_the_file(places: Places) -> None:
    """HEADROOMD_* lies on top, nested tables key by key, lists between commas."""
    write(places, 'quiet_period = "1m"\nagents = ["gemini"]\n[analysis]\nmodel = "a"\nmax_calls_per_day = 3\n')
    variables = {
        "HEADROOMD_QUIET_PERIOD": "2s",
        "HEADROOMD_ANALYSIS__MODEL": "b",
        "HEADROOMD_AGENTS": "claude, codex",
        "HEADROOMD_STATE_DIR": "/elsewhere",
        "UNRELATED": "x",
    }
    config = load_config(places, variables)
    assert (config.quiet_period, config.agents) == (2.0, ("claude", "codex"))
    assert (config.analysis.model, config.analysis.max_calls_per_day) == ("b", 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quite_period = '1m'", r"^quite_period in \S+config.toml is not a known key: did you mean quiet_period\?"),
        ("[analysis]\nmodle = 'x'", r"^analysis.modle in \S+ is not a known key: did you mean model\? known: base_url"),
        ("[[project]]\npath = '/x'\nmod = 'auto'", r"^project.0.mod in \S+ is not a known key: did you mean mode\?"),
        ("zzz = 1", r"^zzz in \S+ is not a known key: known: agents, analysis"),
        ("quiet_period = 'soon'", r'^quiet_period = "soon" in \S+config.toml: must be a duration such as "90s"'),
        ("home_sessions = 'yes'", r"^home_sessions = \"yes\" in \S+: Input should be 'ignore' or 'global'"),
        ("block_limit = 3", r"^block_limit = 3 in \S+: Input should be greater than or equal to 500"),
        ("[[project]]\nmode = 'auto'", r"^project.0.path is missing in \S+: every \[\[project\]\] needs a path"),
        ("[[project]]\npath = 'work'", r"^project.0.path = \"work\" in \S+: must be an absolute path"),
        ("analysis = 3", r"^analysis = 3 in \S+: "),
        ("quiet_period = [", r"^\S+config.toml is not valid TOML: "),
    ],
)
def test_what_is_wrong_is_one_clear_line(places: Places, text: str, said: str) -> None:
    """The line names the key, the file, and what is allowed."""
    write(places, text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_config(places, {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"HEADROOMD_QUIET_PERIOD": "x"}, r'^quiet_period = "x" in HEADROOMD_QUIET_PERIOD: must be a duration'),
        ({"HEADROOMD_QUITE_PERIOD": "1s"}, r"^HEADROOMD_QUITE_PERIOD is not .*did you mean HEADROOMD_QUIET_PERIOD"),
        ({"HEADROOMD_ANALYSIS__MODLE": "x"}, r"^analysis.modle in HEADROOMD_ANALYSIS__MODLE is not a known key"),
        ({"HEADROOMD_PROJECT": "x"}, r"^a HEADROOMD_\* variable cannot be read .*project"),
    ],
)
def test_a_wrong_variable_is_named(places: Places, variables: dict[str, str], said: str) -> None:
    """A variable that is wrong or misspelt is never ignored without a word."""
    with pytest.raises(ConfigError, match=said):
        load_config(places, variables)


def test_a_file_that_is_not_text_is_named(places: Places) -> None:
    """Bytes that are no UTF-8 are one line too."""
    places.config.write_bytes(b"quiet_period = '\xff'")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_config(places, {})


def test_a_config_cannot_be_changed() -> None:
    """What was read stays as it was read."""
    with pytest.raises(ValueError, match="frozen"):
        Config().analysis.model = "x"
