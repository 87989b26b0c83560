"""Gemini CLI's files, damaged: an odd line costs that line, never the rest, and nothing raises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headroomd.agents import gemini
from headroomd.agents.base import Environment
from headroomd.agents.gemini import plugin
from headroomd.model import Event, ToolCall

FIXTURES = Path(__file__).parents[2] / "fixtures/gemini"
ENV = Environment(home=Path("/nobody"), variables={})
FILE = Path("/nobody/.gemini/tmp/shop/chats/session-a.jsonl")
RECORDED = [
    line
    for name in ("answers", "refused", "resumed")
    for line in (FIXTURES / f"{name}.jsonl").read_bytes().splitlines()
]
LAST = json.dumps(
    {
        "id": "z",
        "timestamp": "",
        "type": "gemini",
        "toolCalls": [{"id": "zz", "name": "glob", "args": {}, "status": "success"}],
    }
).encode()

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner),
)


def events_of(lines: list[bytes], path: Path = FILE) -> list[Event]:
    return list(plugin.reader(path, ENV).read(lines))


def last_call(events: list[Event]) -> str:
    return [event for event in events if isinstance(event, ToolCall)][-1].key.rsplit(":", 1)[1]


@given(line=st.sampled_from(RECORDED), data=st.data())
def test_cut_and_overwritten_lines(line: bytes, data: st.DataObject) -> None:
    """A line cut short, or with bytes overwritten anywhere, leaves what follows it as it was."""
    cut = data.draw(st.integers(0, len(line)))
    junk = data.draw(st.binary(max_size=6))
    for broken in (line[:cut], line[:cut] + junk + line[cut + len(junk) :]):
        assert last_call(events_of([broken, LAST])) == "zz"


@given(value=json_values)
def test_any_json_for_a_line(value: object) -> None:
    """Any JSON value stands for a line."""
    assert last_call(events_of([json.dumps(value).encode(), LAST])) == "zz"


@given(line=st.sampled_from(RECORDED), data=st.data())
def test_any_json_for_a_value(line: bytes, data: st.DataObject) -> None:
    """Any value of a recorded line, at any depth, may be any JSON."""
    record = json.loads(line)
    place = record
    key = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(json_values)
    assert last_call(events_of([json.dumps(record).encode(), LAST])) == "zz"


@given(spaced=st.booleans(), count=st.integers(1, len(RECORDED)))
def test_settling_lines_by_their_head_changes_nothing(spaced: bool, count: int) -> None:
    """Lines skipped for how they begin would have given nothing; another writer's spacing gives the same events."""
    lines = RECORDED[:count]
    expected = events_of(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gemini, "_HEAD", gemini.re.compile(rb"(?!)"))
        assert events_of(lines) == expected
    separators = (", ", ": ") if spaced else (",", ":")
    again = [json.dumps(json.loads(line), separators=separators).encode() for line in lines]
    ids = [(e.key, e.outcome) for e in events_of(again) if isinstance(e, ToolCall)]
    assert ids == [(e.key, e.outcome) for e in expected if isinstance(e, ToolCall)]


@pytest.mark.parametrize(
    "odd",
    [
        b"[" * 100_000,
        b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"id":"m","type":"user","content":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b'{"id":"m","type":"gemini","toolCalls":[{"id":"c","status":"success","args":'
        + b"[" * 90_000
        + b"]" * 90_000
        + b"}]}",
        b"\xff\xfe" * 10,
        b'"text"',
        b"null",
        b"[]",
        b"",
        b"\n",
    ],
    ids=lambda odd: repr(odd[:20]),
)
def test_depth_and_other_junk(odd: bytes) -> None:
    """Deep nesting, bytes that are no text, and values that are no records cost their line."""
    assert last_call(events_of([odd, LAST])) == "zz"


def test_odd_and_repaired_lines_are_counted() -> None:
    """Lines that hold nothing readable are counted, and so are those that had to be repaired; blank ones are not."""
    reader = plugin.reader(FILE, ENV)
    surrogate = b'{"id":"m\\ud83d","timestamp":"","type":"gemini","toolCalls":[]}'
    assert list(reader.read([b"{", b"[]", b"\n", surrogate])) == []
    assert (reader.odd_lines, reader.repaired_lines) == (2, 1)


def test_lone_surrogates_in_a_call() -> None:
    """A call in whose command and answer Node cut a surrogate pair keeps both, and its exit code."""
    line = rb"""{"id":"m","type":"gemini","toolCalls":[{"id":"c","name":"run_shell_command","status":"success",
        "args":{"command":"echo \ud83d && make"},
        "result":[{"functionResponse":{"response":{"output":"Output: \ud83d\nExit Code: 4"}}}]}]}"""
    (_, only) = events_of([line])
    assert isinstance(only, ToolCall)
    assert (only.operation.command, only.exit_code, only.output) == ("echo \ufffd && make", 4, "\ufffd")


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_documents(data: st.DataObject) -> None:
    """In a document of the old format, a damaged message costs that message; a document cut short costs itself."""
    good = json.loads(LAST)
    messages = [data.draw(json_values), good, data.draw(json_values)]
    path = FILE.with_suffix(".json")
    document = json.dumps({"sessionId": "s", "messages": messages}, indent=1).encode()
    assert last_call(events_of([document], path)) == "zz"
    events_of([document[: data.draw(st.integers(0, len(document)))]], path)
