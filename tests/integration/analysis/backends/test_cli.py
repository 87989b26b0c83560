"""The CLI backends with programs that stand in for the CLIs: what they are given, and everything that goes wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from headroomd.analysis.backends import Garbled, Overloaded, Rejected, Request, TooLong, is_analyst_folder
from headroomd.analysis.backends.claude_cli import ClaudeCli
from headroomd.analysis.backends.cli import CliBackend
from headroomd.analysis.backends.codex_cli import CodexCli
from headroomd.analysis.backends.gemini_cli import GeminiCli
from tests.support.processes import is_gone

REPLY = '{"rules": []}'
REQUEST = Request("SYSTEM-TEXT", "PROMPT-TEXT", {"type": "object", "required": ["rules"]}, 500)
KINDS: list[type[CliBackend]] = [ClaudeCli, CodexCli, GeminiCli]

FAKE = """#!{python}
import json, os, sys
from pathlib import Path
if "--help" in sys.argv:
    print({options!r})
    raise SystemExit
given = {{"argv": sys.argv[1:], "stdin": sys.stdin.read(), "env": dict(os.environ), "cwd": os.getcwd(),
         "session": os.getsid(0) == os.getpid(), "files": os.listdir()}}
Path({log!r}).write_text(json.dumps(given))
def say(*events):
    for event in events:
        print(json.dumps(event), flush=True)
{code}
"""

ANSWERS = {
    "claude": """say({"type": "system"}, {"type": "result", "subtype": "success", "is_error": False, "result": REPLY,
                     "usage": {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 2},
                     "modelUsage": {"claude-x": {}}})""",
    "codex": """say({"type": "turn.started"},
                    {"type": "item.completed", "item": {"type": "agent_message", "text": REPLY}},
                    {"type": "turn.completed", "usage": {"input_tokens": 10, "output_tokens": 2}})""",
    "gemini": """say({"type": "init"}, {"type": "message", "role": "user", "content": "{}"},
                     {"type": "message", "role": "assistant", "content": REPLY[:5]},
                     {"type": "message", "role": "assistant", "content": REPLY[5:]},
                     {"type": "result", "status": "success", "stats": {"input_tokens": 10, "output_tokens": 2}})""",
}
EVERY_OPTION = """--model --system-prompt --tools --no-session-persistence --setting-sources --settings
  --strict-mcp-config --disable-slash-commands --output-format (choices: "json", "stream-json") --ephemeral
  --include-partial-messages --ignore-user-config --ignore-rules --skip-git-repo-check --sandbox --color --json
  --output-schema --approval-mode --policy --extensions --allowed-mcp-server-names --skip-trust"""


class Fake:
    """A program in the place of a CLI."""

    def __init__(self, kind: type[CliBackend], folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.path = folder / kind.program
        self.log = folder / "given.json"

    def does(self, code: str, options: str = EVERY_OPTION) -> None:
        code = code.replace("ANSWER", ANSWERS[self.kind.program]).replace("REPLY", repr(REPLY))
        text = FAKE.format(python=sys.executable, options=options, log=str(self.log), code=code)
        self.path.write_text(text)
        self.path.chmod(0o755)

    def backend(self, timeout: float = 20.0, model: str = "", **variables: str) -> CliBackend:
        given = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "home"), **variables}
        return self.kind(str(self.path), model, given, self.folder / "state", timeout)

    @property
    def given(self) -> dict[str, object]:
        return json.loads(self.log.read_text())  # type: ignore[no-any-return]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.program)
def fake(request: pytest.FixtureRequest, tmp_path: Path) -> Fake:
    return Fake(request.param, tmp_path)


def test_answer(fake: Fake) -> None:
    """The answer and its tokens are read; the prompt goes over standard input and never over the command line."""
    fake.does("ANSWER")
    answer = fake.backend().ask(REQUEST)
    assert (answer.text, answer.input_tokens, answer.output_tokens) == (REPLY, 10, 2)
    assert answer.backend == f"{fake.kind.program}-cli"
    assert fake.given["stdin"] == "PROMPT-TEXT"
    assert "PROMPT-TEXT" not in str(fake.given["argv"])
    assert "PROMPT-TEXT" not in str(fake.given["env"])


def test_place(fake: Fake) -> None:
    """It runs in an empty, private, recognisable folder, in a session of its own; nothing is left there."""
    fake.does("Path('left').mkdir(); Path('CLAUDE.md').write_text('x'); ANSWER")
    asked = fake.backend()
    for _ in range(2):
        asked.ask(REQUEST)
        assert fake.given["files"] == ([".gemini"] if fake.kind is GeminiCli else [])
    assert is_analyst_folder(str(fake.given["cwd"]))
    assert fake.given["session"] is True
    assert Path(str(fake.given["cwd"])).stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (fake.folder / "state").iterdir()] == [f"headroomd-analyst-{fake.kind.program}"]


def test_environment(fake: Fake) -> None:
    """It gets its own login, the way out and no more: no other vendor's key, and no NOTIFY_SOCKET."""
    fake.does("ANSWER")
    keys = {"claude": "ANTHROPIC_API_KEY", "codex": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY"}
    foreign = {"NOTIFY_SOCKET": "/n", "GITHUB_TOKEN": "t", "CLAUDECODE": "1", "HEADROOMD_STATE_DIR": "/s"}
    fake.backend(**dict.fromkeys(keys.values(), "k"), **foreign, https_proxy="http://p").ask(REQUEST)
    env = fake.given["env"]
    assert isinstance(env, dict)
    assert {name for name in keys.values() if name in env} == {keys[fake.kind.program]}
    assert not foreign.keys() & env.keys()
    assert (env["HEADROOMD_ANALYST"], env["https_proxy"]) == ("1", "http://p")
    assert not Path(env["TMPDIR"]).exists()  # it was the run's own


def test_older_version(fake: Fake) -> None:
    """An older version is given no option that its help does not name, and its plain output is read."""
    fake.does("print('Sure:'); print(REPLY)", options="Usage: [options]\n --output-format text|json\n --verbose")
    assert fake.backend().ask(REQUEST).text == REPLY
    given = fake.given["argv"]
    assert isinstance(given, list)
    assert [option for option in given if option.startswith("--")] == []


def test_updated_version(fake: Fake) -> None:
    """A CLI that was updated is asked for its options anew."""
    fake.does("ANSWER", options="none")
    os.utime(fake.path, (1, 1))
    asked = fake.backend()
    asked.ask(REQUEST)
    fake.does("ANSWER")
    asked.ask(REQUEST)
    assert "--" in str(fake.given["argv"])


def test_model(fake: Fake) -> None:
    """A model that the user named is passed on."""
    fake.does("ANSWER")
    fake.backend(model="big-one").ask(REQUEST)
    assert "big-one" in str(fake.given["argv"])


@pytest.mark.parametrize(
    "code", ["print('no json here'); ", "print()", "", "import os; os.write(1, bytes(range(256)))"]
)
def test_garbage(fake: Fake, code: str) -> None:
    """Output that holds no answer is garbled, whatever it is."""
    fake.does(code)
    with pytest.raises(Garbled):
        fake.backend().ask(REQUEST)


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ("API Error: 401 PROMPT-TEXT", Rejected),
        ("unexpected status 429 Too Many Requests", Overloaded),
        ('{"error":{"code":503,"status":"UNAVAILABLE"}}', Overloaded),
        ("Please run /login", Rejected),
        ("fetch failed sending request", Overloaded),
        ("prompt is too long: 3 tokens", TooLong),
        ("error: unexpected argument '--tools' found", Rejected),
        ("", Rejected),
    ],
)
def test_exit_status(fake: Fake, said: str, failure: type[Exception]) -> None:
    """A CLI that gives up is understood by what it complains of, and its words are not repeated."""
    fake.does(f"sys.stderr.write({said!r}); sys.exit(3)")
    with pytest.raises(failure) as caught:
        fake.backend().ask(REQUEST)
    assert "PROMPT-TEXT" not in str(caught.value)
    assert fake.kind.title in str(caught.value)


def test_reported_failure(fake: Fake) -> None:
    """A failure that is reported among the events counts, whatever the exit status."""
    fake.does(
        """say({"type": "result", "is_error": True, "api_error_status": 429, "result": "x", "status": "error",
                "error": {"message": "status 429"}}, {"type": "turn.failed", "error": {"message": "status 429"}})"""
    )
    with pytest.raises(Overloaded):
        fake.backend().ask(REQUEST)


def test_time_limits(fake: Fake) -> None:
    """A CLI that is silent, or that chatters on, is ended in time with all that it started."""
    fake.does(
        """import subprocess, time
child = subprocess.Popen(["sleep", "60"])
Path(os.environ["HOME"]).parent.joinpath("pid").write_text(str(child.pid))
time.sleep(60)"""
    )
    with pytest.raises(Overloaded, match=r"within 1 seconds"):
        fake.backend(timeout=2.0).ask(REQUEST)
    assert is_gone(int((fake.folder / "pid").read_text()))
    fake.does("import time\nwhile True: say({'type': 'tick'}); time.sleep(0.05)")
    with pytest.raises(Overloaded, match=r"within 2 seconds"):
        fake.backend(timeout=2.0).ask(REQUEST)


def test_complete_answer_of_a_hanging_program(fake: Fake) -> None:
    """An answer that is complete counts, though the program does not end or ends badly."""
    fake.does("ANSWER; import time; time.sleep(60)")
    assert fake.backend(timeout=2.0).ask(REQUEST).text == REPLY
    fake.does("ANSWER; sys.exit(9)")
    assert fake.backend().ask(REQUEST).text == REPLY


def test_not_startable(fake: Fake) -> None:
    """A CLI that is gone or broken is named."""
    with pytest.raises(Rejected, match="cannot be started"):
        fake.backend().ask(REQUEST)
    fake.path.write_text("no program")
    with pytest.raises(Rejected, match="cannot be started"):
        fake.backend().ask(REQUEST)


def test_codex_provider(tmp_path: Path) -> None:
    """Of the user's own Codex config only where and as whom to ask is taken over, without its secrets."""
    fake = Fake(CodexCli, tmp_path)
    fake.does("ANSWER")
    home = tmp_path / "codex-home"
    home.mkdir()
    (home / "config.toml").write_text(
        'model = "m"\nmodel_provider = "my.own"\nnotify = ["evil"]\n[mcp_servers.evil]\ncommand = "evil"\n'
        '[model_providers."my.own"]\nname = "A \\"b\\""\nbase_url = "http://127.0.0.1:1/v1"\nenv_key = "MY_KEY"\n'
        'experimental_bearer_token = "sk-secret"\nhttp_headers = { "X-Key" = "sk-secret" }\n'
        'env_http_headers = { "X-Other" = "MY_HEADER" }\n'
    )
    fake.backend(CODEX_HOME=str(home), MY_KEY="k", MY_HEADER="h", ANTHROPIC_API_KEY="a").ask(REQUEST)
    given = fake.given["argv"]
    assert isinstance(given, list)
    settings = dict(item.split("=", 1) for item in given if "=" in item)
    assert settings["model_provider"] == '"my.own"'
    assert settings["model_providers"] == (
        '{"my.own" = {"name" = "A \\"b\\"", "base_url" = "http://127.0.0.1:1/v1", "env_key" = "MY_KEY", '
        '"env_http_headers" = {"X-Other" = "MY_HEADER"}, "request_max_retries" = 1, "stream_max_retries" = 1}}'
    )
    assert "evil" not in str(given)
    assert "sk-secret" not in str(given)
    env = fake.given["env"]
    assert isinstance(env, dict)
    assert (env["MY_KEY"], env["MY_HEADER"]) == ("k", "h")
    assert "ANTHROPIC_API_KEY" not in env


def test_gemini_login(tmp_path: Path) -> None:
    """A key that goes to another address is selected as the login; else the user's own choice stands."""
    fake = Fake(GeminiCli, tmp_path)
    fake.does("ANSWER")
    settings = tmp_path / "state" / "headroomd-analyst-gemini" / ".gemini" / "settings.json"
    fake.backend(GEMINI_API_KEY="g").ask(REQUEST)
    assert "security" not in json.loads(settings.read_text())
    fake.backend(GEMINI_API_KEY="g", GOOGLE_GEMINI_BASE_URL="http://127.0.0.1:1").ask(REQUEST)
    assert json.loads(settings.read_text())["security"] == {"auth": {"selectedType": "gemini-api-key"}}
