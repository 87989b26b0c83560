"""The JSON in what a model said."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.analysis.backends.jsontext import find_object

SCHEMA = {"required": ["rules"]}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(values, st.text(alphabet=st.characters(exclude_characters="{}[]")), st.text())
def test_found_in_prose(value: object, before: str, after: str) -> None:
    """The object is found behind any prose without braces and before any text at all that is smaller than it."""
    said = {"rules": value, "padding": "x" * (len(after) + 20)}
    assert json.loads(find_object(before + json.dumps(said) + after, SCHEMA)) == json.loads(
        json.dumps(said).encode("utf-8", "replace")
    )


@given(st.text() | st.text(alphabet='{}[]",:\\rules 0'))
def test_stands_anything(text: str) -> None:
    """Whatever is said, there is an object with what was asked for, in valid UTF-8, or none."""
    try:
        found = find_object(text, SCHEMA)
    except ValueError:
        return
    assert "rules" in json.loads(found.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"rules": [{"a": 1}, {"a": 2',  # cut off: its parts are not the answer
        '[{"a": 1}]',
        '{"other": {"a": 1}}',
        '{"rules": NaN}',
        "{'rules': []}",
        "",
    ],
)
def test_none(text: str) -> None:
    """What is not the object that was asked for is not taken for it."""
    with pytest.raises(ValueError, match="no JSON object"):
        find_object(text, SCHEMA)


def test_the_largest_counts() -> None:
    """Of an example and the answer, the answer is taken."""
    text = 'Like {"rules": []}:\n```json\n{"rules": ["one", "two"]}\n```'
    assert find_object(text, SCHEMA) == '{"rules": ["one", "two"]}'


def test_surrogates() -> None:
    """Half a character becomes a question mark; whole ones stay."""
    assert find_object('{"rules": "\\ud83d \\ud83d\\ude00"}', SCHEMA) == '{"rules": "? 😀"}'


@pytest.mark.parametrize("text", ["{" * 1_000_000, '{"rules":' * 200_000, "[" * 1_000_000, '{"a":[' * 100_000])
def test_nesting(text: str) -> None:
    """An answer of nothing but braces is given up soon."""
    start = time.monotonic()
    with pytest.raises(ValueError, match="no JSON object"):
        find_object(text, SCHEMA)
    assert time.monotonic() - start < 5
