"""Codex's files, damaged, and read in pieces: an odd line costs that line; how it is read changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.agents.codex_reader import CodexReader
from headroomd.model import Event, ToolCall

FIXTURES = Path(__file__).parents[2] / "fixtures/codex"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.jsonl"))
LINES = {name: (FIXTURES / f"{name}.jsonl").read_bytes().splitlines(keepends=True) for name in NAMES}
RECORDED = [line for lines in LINES.values() for line in lines]
STATE_LIMIT = 8 * 1024 * 1024
LAST = [
    (
        b'{"timestamp":"2026-11-23T09:00:00.000Z","type":"response_item","payload":'
        b'{"type":"function_call","name":"exec_command","arguments":"{\\"cmd\\":\\"ls\\"}","call_id":"zz"}}\n'
    ),
    (
        b'{"timestamp":"2026-11-23T09:00:00.000Z","type":"response_item","payload":'
        b'{"type":"function_call_output","call_id":"zz","output":"Exit code: 1\\nWall time: 1 seconds\\nOutput:\\nno"}}'
        b"\n"
    ),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
)


def events_of(lines: list[bytes]) -> list[Event]:
    return list(CodexReader(b"", "t").read(lines))


def last_call(lines: list[bytes]) -> str:
    return [event.key for event in events_of([*lines, *LAST]) if isinstance(event, ToolCall)][-1].rsplit(":", 1)[1]


def the_long_way(line: bytes) -> bytes:
    """The same line in a shape that no shortcut knows."""
    return line.removesuffix(b"\n") + b" \n"


@pytest.mark.parametrize("name", NAMES)
def test_shortcuts_change_nothing(name: str) -> None:
    """What a line's bytes settle, decoding it settles alike."""
    assert events_of(LINES[name]) == events_of([the_long_way(line) for line in LINES[name]])


@given(lines=st.lists(st.sampled_from(RECORDED), max_size=30))
def test_shortcuts_change_nothing_in_any_order(lines: list[bytes]) -> None:
    """The same holds for lines of several rollouts thrown together."""
    assert events_of(lines) == events_of([the_long_way(line) for line in lines])


@pytest.mark.parametrize("name", NAMES)
def test_reading_in_pieces(name: str) -> None:
    """A file read line by line, its state carried as bytes, gives the events of one reading."""
    state, events = b"", []
    for line in LINES[name]:
        reader = CodexReader(state, name)
        events += reader.read([line])
        state = reader.dump()
    assert events == list(CodexReader(b"", name).read(LINES[name]))


@given(line=st.sampled_from(RECORDED), data=st.data())
def test_cut_and_overwritten_lines(line: bytes, data: st.DataObject) -> None:
    """A line cut short, or with bytes overwritten anywhere, leaves what follows it as it was."""
    cut = data.draw(st.integers(0, len(line)))
    junk = data.draw(st.binary(max_size=6))
    for broken in (line[:cut] + b"\n", line[:cut] + junk + line[cut + len(junk) :]):
        assert last_call([LINES["source"][0], broken]) == "zz"


@given(value=json_values)
def test_any_json_for_a_line(value: object) -> None:
    """Any JSON value stands for a line."""
    assert last_call([json.dumps(value).encode() + b"\n"]) == "zz"


@given(line=st.sampled_from(RECORDED), data=st.data())
def test_any_json_for_a_field(line: bytes, data: st.DataObject) -> None:
    """Any JSON value stands for any field of a record or of its payload."""
    record = json.loads(line)
    holder = data.draw(st.sampled_from([record, record["payload"]]))
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(json_values)
    assert last_call([LINES["source"][0], json.dumps(record, separators=(",", ":")).encode() + b"\n"]) == "zz"


@pytest.mark.parametrize(
    "line", [b"[]", b'"x"', b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"type":"event_msg","payload":[]}']
)
def test_odd_lines_are_counted(line: bytes) -> None:
    """What is no record at all is counted, once, and costs nothing else."""
    reader = CodexReader(b"", "t")
    assert [type(event).__name__ for event in reader.read([line + b"\n", *LAST])] == ["SessionStart", "ToolCall"]
    assert reader.odd_lines == 1


@pytest.mark.parametrize("junk", [b"\\ud83d", b"\xff\xfe"])
def test_repaired_lines(junk: bytes) -> None:
    """A lone surrogate or invalid UTF-8 in an answer costs nothing but itself, and is counted."""
    reader = CodexReader(b"", "t")
    ask, answer = LAST
    (_, call) = reader.read([ask, answer.replace(b"no", b"no " + junk)])
    assert isinstance(call, ToolCall)
    assert (call.exit_code, call.output[:3]) == (1, "no ")
    assert (reader.odd_lines, reader.repaired_lines) == (0, 1)


def test_state_is_bounded() -> None:
    """Calls that are never answered, and processes that never end, do not pile up."""
    reader = CodexReader(b"", "t")
    lines = []
    for number in range(300):
        ask, answer = (line.replace(b"zz", b"c%d" % number) for line in LAST)
        lines.append(ask.replace(b'"ls', b'"ls ' + b"x" * 100_000))
        if number % 2:
            lines.append(
                answer.replace(b"Exit code: 1\\n", b"").replace(
                    b"Output:", b"Process running with session ID %d\\nOutput:" % number
                )
            )
    lost = [event for event in reader.read(lines) if isinstance(event, ToolCall)]
    assert {call.outcome for call in lost} == {"unknown"}
    assert len(reader.dump()) < STATE_LIMIT
