"""From a status or a complaint to the right failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.analysis.backends.base import Overloaded, Rejected, TooLong
from headroomd.analysis.backends.failures import from_status, from_words
from headroomd.errors import BackendError


def status(code: int, said: str = "") -> BackendError:
    return from_status("Anthropic", code, said, credential="the key in ANTHROPIC_API_KEY", model="m")


def words(said: str) -> BackendError:
    return from_words("Codex CLI", said, credential="its login", model="m", code=1)


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (401, "", Rejected),
        (403, "", Rejected),
        (404, "", Rejected),
        (400, "", Rejected),
        (402, "", Rejected),
        (302, "", Rejected),
        (418, "", Rejected),
        (408, "", Overloaded),
        (429, "", Overloaded),
        (429, '{"error":{"code":"insufficient_quota"}}', Rejected),
        (400, "Your credit balance is too low to access the Anthropic API", Rejected),
        (500, "", Overloaded),
        (529, "", Overloaded),
        (413, "", TooLong),
        (400, "prompt is too long: 217381 tokens > 200000 maximum", TooLong),
        (400, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", TooLong),
        (400, "This model's maximum context length is 8192 tokens.", TooLong),
        (400, "the request exceeds the available context size, try increasing it", TooLong),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", TooLong),
        (400, "max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens", Rejected),
        (400, "Invalid schema for response_format 'answer'", Rejected),
    ],
)
def test_status(code: int, said: str, kind: type[BackendError]) -> None:
    """Each status, with what the vendors say along with it, is the failure that it is."""
    failure = status(code, said)
    assert type(failure) is kind
    assert "Anthropic answered" in failure.cause


def test_words_that_help() -> None:
    """The place of a bad key is named."""
    assert str(status(401)) == "Anthropic answered 401: the key in ANTHROPIC_API_KEY is not valid"
    assert "ANTHROPIC_API_KEY is not valid" in str(status(400, "API key not valid. Please pass a valid API key."))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("unexpected status 401 Unauthorized: fault 401, url: http://127.0.0.1:8099/v1/responses", Rejected),
        ("exceeded retry limit, last status: 429 Too Many Requests", Overloaded),
        ("We’re currently experiencing high demand, which may cause temporary errors.", Overloaded),
        ("stream disconnected before completion: error sending request", Overloaded),
        ("API Error: Unable to connect to API (ECONNRESET)", Overloaded),
        ('{"error":{"code":503,"message":"The model is overloaded"}}', Overloaded),
        ("    at throwErrorIfNotOK (file:///opt/x/chunk-A.js:408:13)\n at 10.0.0.500", Rejected),
        ("Not logged in · Please run /login", Rejected),
        ("Please set an Auth method in your /root/.gemini/settings.json", Rejected),
        ("Claude's response exceeded the 3000 output token maximum", TooLong),
        ("input exceeds the context window of this model", TooLong),
        ("something else", Rejected),
    ],
)
def test_words(said: str, kind: type[BackendError]) -> None:
    """What CLIs print when they give up is understood."""
    assert type(words(said)) is kind


@given(st.integers(300, 599).filter(lambda code: code != 200), st.text(min_size=12).filter(lambda t: t.strip()))
def test_nothing_is_repeated(code: int, said: str) -> None:
    """What the other side says may hold the prompt or the key: it is never passed on."""
    secret = f"\x00{said}\x00"
    assert secret not in str(status(code, secret))
    assert secret not in str(words(secret))
