"""Secrets in what readers carry."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.ledger.scrub import scrubbed

KEY = "AKIAIOSFODNN7EXAMPLE"  # what Amazon's documentation shows as an access key id
encode, decode = msgspec.msgpack.encode, msgspec.msgpack.decode


def test_secret_in_a_pending_command_is_replaced_and_the_rest_kept() -> None:
    """Only the string that holds the secret changes."""
    state = {"pending": {"toolu_01XFDUDYJgAACzvnptvVoYEL": {"command": f"aws --key {KEY}", "at": 1.5}}, "n": [1, None]}
    pending = decode(scrubbed(encode(state)))
    assert KEY not in pending["pending"]["toolu_01XFDUDYJgAACzvnptvVoYEL"].pop("command")
    assert pending == {"pending": {"toolu_01XFDUDYJgAACzvnptvVoYEL": {"at": 1.5}}, "n": [1, None]}


@pytest.mark.parametrize(
    "state", [f'{{"command": "aws {KEY}"}}'.encode(), encode({"raw": encode([f"x {KEY}"])}), encode([KEY])]
)
def test_secrets_in_text_and_in_nested_states(state: bytes) -> None:
    """A state may be text, and may hold bytes that are a state themselves."""
    assert KEY.encode() in state
    assert KEY.encode() not in scrubbed(state)


def test_what_cannot_be_looked_into_is_not_kept() -> None:
    """Bytes in a format of their own may hold anything."""
    assert scrubbed(b"\xc1\xff" + KEY.encode()) == b""


@pytest.mark.parametrize(
    "id_",
    [
        "toolu_01XFDUDYJgAACzvnptvVoYEL",
        "codex:01a20399-f098-7ad3-a16a-0db4e29d445d:call_9kYb3sPqLmVtRw2XzAcD8fGh",
        "read_file-1763820000000-abcdef0123456",
        "fc_0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071",
        "e2b1d0ed" * 8,
    ],
)
def test_ids_are_not_secrets(id_: str) -> None:
    """A call whose id changed would never be joined with its result."""
    state = encode({"pending": {id_: id_}})
    assert scrubbed(state) == state


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_any_state_stays_what_it_was_or_loses_its_secrets(value: object) -> None:
    """Nothing raises, and scrubbing twice is scrubbing once."""
    once = scrubbed(encode(value))
    assert scrubbed(once) == once


@given(st.binary())
def test_any_bytes(state: bytes) -> None:
    """Nothing raises, whatever a plugin dumps."""
    scrubbed(state)
