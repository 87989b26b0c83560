"""Which evidence is asked about together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headroomd.analysis.backends.base import estimated_tokens
from headroomd.analysis.batches import MOST_ITEMS, choose, halves
from headroomd.analysis.prompt import item_line
from headroomd.model import Section
from tests.support.analyst import both, said

PROJECT = "/work/shop"


def test_nothing_new_is_no_batch() -> None:
    """Old evidence alone is not asked about again."""
    assert choose(PROJECT, [], [said("use a b")], 5000) is None


def test_one_lesson_is_one_item() -> None:
    """With what was known of it before."""
    first, second = both(Section.COMMANDS, "a", "b")
    batch = choose(PROJECT, [second], [first], 5000)
    assert batch is not None
    assert batch.items == {1: [second, first]}
    assert batch.fresh == {1}


def test_new_comes_first_and_old_where_there_is_room() -> None:
    """At most a third goes to what was asked about before."""
    new = [said(f"always use tool {number}") for number in range(3)]
    old = [said(f"never mind tool {number}") for number in range(200)]
    batch = choose(PROJECT, new, old, 1500)
    assert batch is not None
    assert [batch.items[number] for number in (1, 2, 3)] == [[one] for one in new]
    assert batch.fresh == {1, 2, 3}
    spent = sum(estimated_tokens(item_line(60, item)) for number, item in batch.items.items() if number > 3)
    assert 0 < spent <= 500


def test_the_same_question_has_the_same_id() -> None:
    """That is how a crash is survived without paying twice."""
    one = choose(PROJECT, [said("use a b")], [], 5000)
    again = choose(PROJECT, [said("use a b")], [], 9000)
    other = choose("/work/other", [said("use a b")], [], 5000)
    assert one is not None
    assert again is not None
    assert other is not None
    assert one.id == again.id != other.id


@given(st.integers(1, 120), st.integers(0, 3000))
def test_a_batch_fits_its_tokens(count: int, tokens: int) -> None:
    """Unless its first item alone does not."""
    batch = choose(PROJECT, [said(f"always use tool {number}") for number in range(count)], [], tokens)
    assert batch is not None
    size = sum(estimated_tokens(item_line(60, item)) for item in batch.items.values())
    assert size <= tokens or len(batch.items) == 1
    assert len(batch.items) <= MOST_ITEMS


@given(st.integers(1, 40), st.integers(0, 10))
def test_halves_hold_all_that_is_new(count: int, old: int) -> None:
    """And are smaller than the whole; one item without company cannot be halved."""
    new = [said(f"always use tool {number}") for number in range(count)]
    batch = choose(PROJECT, new, [said(f"never mind {number}") for number in range(old)], 100_000)
    assert batch is not None
    parts = halves(batch)
    if count == 1 and len(batch.items) == 1:
        assert parts == []
        return
    assert all(len(part.items) < len(batch.items) for part in parts)
    assert [one for part in parts for item in part.items.values() for one in item] == new
