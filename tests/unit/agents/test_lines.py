"""From bytes to records: what is odd, what is repaired, and what is neither."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from headroomd.agents.lines import LineDecoder, excerpt, seconds_of
from headroomd.model import EXCERPT_LIMIT


class Record(Struct):
    text: str = ""
    rest: Raw = Raw()


def test_a_record() -> None:
    """A line is decoded with or without its end, whatever else it holds."""
    decoder = LineDecoder(Record)
    for line in (b'{"text": "x", "more": [1]}\n', b'{"text": "x"}'):
        record = decoder.decode(line)
        assert record is not None
        assert record.text == "x"
    assert (decoder.odd, decoder.repaired) == (0, 0)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (rb'{"text": "a\ud83d"}', "a\N{REPLACEMENT CHARACTER}"),
        (rb'{"text": "a", "rest": {"deep": ["\udc00"]}}', "a"),
        (rb'{"text": "\ud83d\ude00 \ud83d"}', "\N{GRINNING FACE} \N{REPLACEMENT CHARACTER}"),
        (b'{"text": "a\xff"}', "a\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_repaired(line: bytes, text: str) -> None:
    """Lone surrogates, wherever they are in the line, and bytes that are no UTF-8 cost one character each."""
    decoder = LineDecoder(Record)
    record = decoder.decode(line)
    assert record is not None
    assert (record.text, decoder.odd, decoder.repaired) == (text, 0, 1)


@pytest.mark.parametrize("line", [b"{", b"[]", b"null", b'{"text": 5}', b"[" * 100_000, b"\x00", b'{"rest": Infinity}'])
def test_odd(line: bytes) -> None:
    """What is no such record is counted and given up."""
    decoder = LineDecoder(Record)
    assert decoder.decode(line) is None
    assert (decoder.odd, decoder.repaired) == (1, 0)


def test_blank() -> None:
    """A blank line is nothing, and not odd."""
    decoder = LineDecoder(Record)
    assert [decoder.decode(line) for line in (b"", b"\n", b" \r\n")] == [None, None, None]
    assert decoder.odd == 0


@given(st.binary())
def test_any_bytes(line: bytes) -> None:
    """Nothing raises."""
    LineDecoder(Record).decode(line)


@given(st.text(st.characters()))
def test_any_text(text: str) -> None:
    """Whatever text a line held, surrogates too, what comes of it can be stored."""
    record = LineDecoder(Record).decode(json.dumps({"text": text}).encode())
    assert record is not None
    record.text.encode()


@given(st.integers(0, 3 * EXCERPT_LIMIT))
def test_excerpt(length: int) -> None:
    """An excerpt is the text itself, or its two ends within the limit."""
    text = "".join(chr(ord("a") + index % 26) for index in range(length))
    short = excerpt(text)
    assert len(short) <= EXCERPT_LIMIT
    if length <= EXCERPT_LIMIT:
        assert short == text
    else:
        head, tail = short.split("\n[...]\n")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(short) == EXCERPT_LIMIT


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        ("2026-11-23T01:24:49.154Z", 1795397089.154),
        ("2026-11-23T02:24:49+01:00", 1795397089.0),
        ("2026-11-23T01:24:49", 1795397089.0),
        ("yesterday", 0.0),
        ("", 0.0),
        (None, 0.0),
    ],
)
def test_times(timestamp: str | None, seconds: float) -> None:
    """A time without a zone is UTC wherever it is read, and what is no time is none."""
    assert seconds_of(timestamp) == seconds


@given(st.text() | st.datetimes(timezones=st.none() | st.timezones()).map(str))
def test_any_text_for_a_time(timestamp: str) -> None:
    """No text makes it raise."""
    seconds_of(timestamp)
