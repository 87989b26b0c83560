"""The HTTP backends against a server on this machine that plays every fault."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import stamina

from headroomd.analysis.backends import Answer, Garbled, Overloaded, Rejected, Request, TooLong, select
from headroomd.analysis.backends.anthropic import AnthropicBackend
from headroomd.analysis.backends.gemini import GeminiBackend
from headroomd.analysis.backends.http import HttpBackend
from headroomd.analysis.backends.keys import Key
from headroomd.analysis.backends.openai import CompatibleBackend, OpenAIBackend
from headroomd.config import Analysis, Config
from tests.support.asking import REPLY, REQUEST, SCHEMA
from tests.support.model_server import ModelServer, Received

SECRET = "sk-ant-0123456789abcdef"
KINDS: list[type[HttpBackend]] = [AnthropicBackend, OpenAIBackend, CompatibleBackend, GeminiBackend]


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Retries happen, and at once."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> type[HttpBackend]:
    return request.param  # type: ignore[no-any-return]


def backend(kind: type[HttpBackend], model: ModelServer, *, timeout: float = 20.0, key: str = SECRET) -> HttpBackend:
    base = model.url if kind in (AnthropicBackend, GeminiBackend) else f"{model.url}/v1"
    return kind("some-model", base, Key(key, "SOME_KEY"), timeout)


def test_answer(kind: type[HttpBackend]) -> None:
    """A plain answer comes back with its tokens, and one request was all it took."""
    with ModelServer(REPLY) as model:
        answer = backend(kind, model).ask(REQUEST)
        assert answer == Answer(REPLY, 1000, 50, "some-model", kind.name)
        assert len(model.received) == 1
        assert model.received[0].demands_schema
        assert SECRET not in model.received[0].raw.decode()
        assert SECRET in str(model.received[0].headers)


@pytest.mark.parametrize(
    "said",
    [
        f"```json\n{REPLY}\n```",
        f"Here is what I found, for {{you}}:\n\n{REPLY}\n\nAnything else?",
        f"<think>maybe {{}} or []</think>\n{REPLY}",
        f"\ufeff  {REPLY}\n",
    ],
)
def test_json_in_prose(kind: type[HttpBackend], said: str) -> None:
    """The JSON is found in a fence, in prose, and after thoughts."""
    with ModelServer(said) as model:
        assert backend(kind, model).ask(REQUEST).text == REPLY


@pytest.mark.parametrize("said", ["", "   ", "I cannot see any rule.", "[]", '{"other": 1}', '{"rules": ["a", '])
def test_no_json(kind: type[HttpBackend], said: str) -> None:
    """An answer without the object that was asked for is garbled, and is not asked for again at once."""
    with ModelServer(said) as model:
        with pytest.raises(Garbled):
            backend(kind, model).ask(REQUEST)
        assert len(model.received) == 1


@pytest.mark.parametrize("fault", ["429", "429:0", "500", "503", "529", "drop"])
def test_passing_faults(kind: type[HttpBackend], fault: str) -> None:
    """Two faults that pass are bridged by retries."""
    with ModelServer(REPLY, faults=[fault, fault]) as model:
        assert backend(kind, model).ask(REQUEST).text == REPLY
        assert len(model.received) == 3


@pytest.mark.parametrize("fault", ["429", "500", "drop"])
def test_lasting_faults(kind: type[HttpBackend], fault: str) -> None:
    """After three attempts the caller is told to come again later."""
    with ModelServer(REPLY, faults=[fault] * 9) as model:
        with pytest.raises(Overloaded):
            backend(kind, model).ask(REQUEST)
        assert len(model.received) == 3


@pytest.mark.parametrize("fault", ["garbage", "empty", "refusal"])
def test_useless_answers(kind: type[HttpBackend], fault: str) -> None:
    """A gateway's page, {} and a refusal are garbled answers."""
    with ModelServer(REPLY, faults=[fault]) as model, pytest.raises(Garbled):
        backend(kind, model).ask(REQUEST)


@pytest.mark.parametrize("fault", ["too long", "cut", "413"])
def test_too_long(kind: type[HttpBackend], fault: str) -> None:
    """A context that is too long, and an answer that was cut, call for a smaller batch; neither is repeated."""
    with ModelServer(REPLY, faults=[fault]) as model:
        with pytest.raises(TooLong):
            backend(kind, model).ask(REQUEST)
        assert len(model.received) == 1


def test_bad_key(kind: type[HttpBackend]) -> None:
    """A bad key is told by the place where it stands, never by its value, even if the vendor repeats it."""
    with ModelServer(REPLY, faults=["bad key"]) as model:
        with pytest.raises(Rejected) as caught:
            backend(kind, model).ask(REQUEST)
        assert "the key in SOME_KEY is not valid" in str(caught.value)
        assert len(model.received) == 1
    for shown in (str(caught.value), repr(caught.value), repr(caught.value.__cause__)):
        assert SECRET not in shown
        assert "PROMPT-TEXT" not in shown


def test_schema_refused(kind: type[HttpBackend]) -> None:
    """A server that refuses structured output is asked in words instead, and from then on at once."""
    with ModelServer(REPLY, faults=["no schema"] * 4) as model:
        asked = backend(kind, model)
        assert asked.ask(REQUEST).text == REPLY
        first = len(model.received)
        assert 2 <= first <= 3
        assert not model.received[-1].demands_schema
        assert "additionalProperties" in model.received[-1].raw.decode()
        model.faults.clear()
        asked.ask(REQUEST)
        assert len(model.received) == first + 1
        assert not model.received[-1].demands_schema


def test_other_400(kind: type[HttpBackend]) -> None:
    """A 400 that has nothing to do with the schema is a rejection, and the next ask demands the schema again."""
    with ModelServer(REPLY, faults=["400"] * 3) as model:
        asked = backend(kind, model)
        with pytest.raises(Rejected):
            asked.ask(REQUEST)
        assert asked.ask(REQUEST).text == REPLY
        assert model.received[-1].demands_schema


@pytest.mark.parametrize("status", ["403", "404", "402"])
def test_rejections(kind: type[HttpBackend], status: str) -> None:
    """What no retry can mend is not retried."""
    with ModelServer(REPLY, faults=[status]) as model:
        with pytest.raises(Rejected):
            backend(kind, model).ask(REQUEST)
        assert len(model.received) == 1


def test_redirect(kind: type[HttpBackend]) -> None:
    """A redirect is not followed: the key would go with it."""
    with ModelServer(REPLY, faults=["307"]) as model:
        with pytest.raises(Rejected, match="redirect"):
            backend(kind, model).ask(REQUEST)
        assert len(model.received) == 1


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_time_limit(kind: type[HttpBackend], fault: str) -> None:
    """A server that is silent, or that drips, is given up after the time limit, once."""
    with ModelServer(REPLY, faults=[fault] * 3) as model:
        start = time.monotonic()
        with pytest.raises(Overloaded, match=r"within 0\.5 seconds"):
            backend(kind, model, timeout=0.5).ask(REQUEST)
        assert time.monotonic() - start < 5
        assert len(model.received) == 1


def test_retry_after_is_honoured() -> None:
    """A short Retry-After is waited for; a long one is handed to the caller."""
    with ModelServer(REPLY, faults=["429:1"]) as model, stamina.set_testing(False):
        start = time.monotonic()
        backend(AnthropicBackend, model).ask(REQUEST)
        assert time.monotonic() - start >= 1.0
    with ModelServer(REPLY, faults=["429:3600"]) as model:
        with pytest.raises(Overloaded) as caught:
            backend(AnthropicBackend, model).ask(REQUEST)
        assert caught.value.retry_after == 3600
        assert len(model.received) == 1


def test_huge_answer(kind: type[HttpBackend]) -> None:
    """No more than two megabytes are read."""
    with ModelServer("x" * 3_000_000) as model, pytest.raises(Garbled, match="larger"):
        backend(kind, model).ask(REQUEST)


def test_nobody_there(kind: type[HttpBackend]) -> None:
    """A server that does not run is named."""
    with ModelServer(REPLY) as model:
        gone = backend(kind, model)
    with pytest.raises(Overloaded, match=r"no connection to http://127\.0\.0\.1"):
        gone.ask(REQUEST)


def test_lone_surrogates(kind: type[HttpBackend]) -> None:
    """Half a character, as Node cuts them, breaks neither the question nor the answer."""
    with ModelServer('{"rules": ["a\\ud83d"]}') as model:
        odd = Request("S", "a\ud83d", SCHEMA, 100)
        assert backend(kind, model).ask(odd).text == '{"rules": ["a?"]}'
        assert '"a?"' in model.received[0].raw.decode()


def test_proxies_do_not_see_local_servers(kind: type[HttpBackend], monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence for a model on this machine is not sent through the network's proxy."""
    from headroomd.analysis.backends import http

    with ModelServer(REPLY) as model, ModelServer("proxied") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        http._client.cache_clear()
        try:
            assert backend(kind, model).ask(REQUEST).text == REPLY
        finally:
            http._client.cache_clear()
        assert not proxy.received


@pytest.mark.parametrize(
    ("variables", "settings", "path"),
    [
        ({"ANTHROPIC_API_KEY": SECRET, "ANTHROPIC_BASE_URL": "URL"}, {}, "/v1/messages"),
        ({"ANTHROPIC_API_KEY": SECRET, "ANTHROPIC_BASE_URL": "URL/v1/"}, {}, "/v1/messages"),
        ({"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": "URL/v1"}, {}, "/v1/responses"),
        ({"GEMINI_API_KEY": SECRET, "GOOGLE_GEMINI_BASE_URL": "URL"}, {}, "/v1beta/models/"),
        ({}, {"base_url": "URL/v1", "model": "qwen3"}, "/v1/chat/completions"),
    ],
)
def test_selected_addresses(variables: dict[str, str], settings: dict[str, str], path: str) -> None:
    """The variables and the config that move the address are honoured, as the vendors' own programs honour them."""
    with ModelServer(REPLY) as model:
        moved = {name: value.replace("URL", model.url) for name, value in variables.items()}
        config = Config(analysis=Analysis(**{k: v.replace("URL", model.url) for k, v in settings.items()}))  # type: ignore[arg-type]
        chosen = select(None, moved, lambda _: None, config)
        assert chosen is not None
        assert chosen.ask(REQUEST).text == REPLY
        assert model.received[0].path.startswith(path)
        assert SECRET not in chosen.describe()


def test_openrouter_hides_errors() -> None:
    """An error that comes with status 200 is an error all the same."""

    def reply(_: Received) -> str:
        raise AssertionError("not reached")

    with ModelServer(reply) as model:
        asked = backend(CompatibleBackend, model)
        with pytest.raises(Overloaded):
            asked._read(b'{"error": {"code": 502, "message": "Provider returned error"}}')
        with pytest.raises(Rejected):
            asked._read(b'{"error": {"code": 402, "message": "no credits"}}')


def test_nothing_is_kept() -> None:
    """OpenAI is told not to store what it is sent."""
    with ModelServer(REPLY) as model:
        backend(OpenAIBackend, model).ask(REQUEST)
        assert model.received[0].body["store"] is False
