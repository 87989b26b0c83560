"""What a person did to a block since it was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headroomd.writing.block import read_bullets, read_sections
from headroomd.writing.edits import Edits, find_edits

USER = ("u1", "`src/User.py` → actually at `lib/User.py`")
ORDER = ("u2", "`src/Order.py` → actually at `lib/Order.py`")
PYTHON = ("e1", "Use `.venv/bin/python`, not `python3` (module not found: tidetables)")
WRITTEN = (PYTHON, USER, ORDER)


def found(*texts: str) -> list[tuple[str, str]]:
    return [("Heading", text) for text in texts]


def test_nothing_done() -> None:
    """The same bullets in any order are no edit."""
    assert find_edits(WRITTEN, found(USER[1], ORDER[1], PYTHON[1])) == Edits()


def test_deleted() -> None:
    """A bullet that is gone was deleted; the ones around it stay what they are."""
    assert find_edits(WRITTEN, found(PYTHON[1], ORDER[1])) == Edits(deleted=["u1"])
    assert find_edits(WRITTEN, []) == Edits(deleted=["e1", "u1", "u2"])


def test_reworded() -> None:
    """Mostly the same words, or the same path said otherwise, is a rewording."""
    for text in ("`src/User.py` is now `lib/User.py`", "The User class lives in `lib/User.py`"):
        assert find_edits(WRITTEN, found(PYTHON[1], text, ORDER[1])) == Edits(reworded={"u1": text})


def test_each_rewording_finds_its_own_bullet() -> None:
    """Of two reworded bullets each is paired with the one that it is most like."""
    one, other = "Orders: `lib/Order.py`", "Users: `lib/User.py`"
    assert find_edits(WRITTEN, found(PYTHON[1], one, other)).reworded == {"u1": other, "u2": one}


def test_deleted_and_something_else_added() -> None:
    """A new bullet that has nothing in common with the one that went is an addition, under its heading."""
    added = "Ask Mia before you touch the billing service"
    edits = find_edits(WRITTEN, [*found(USER[1], ORDER[1]), ("Notes", added)])
    assert edits == Edits(deleted=["e1"], added=[("Notes", added)])


def test_bullets_are_read_with_their_headings() -> None:
    """Headings, wrapped bullets and text that is no bullet."""
    block = (
        b"x\n<!-- headroom:learn:start -->\n## Headroom\n- first\n### File Path Corrections\n- a\n  goes on\nprose\n"
        b"  more prose\n### Mine\n* b\n<!-- headroom:learn:end -->\n- outside\n"
    )
    assert read_sections(block) == [("", "first"), ("File Path Corrections", "a goes on more prose"), ("Mine", "b")]
    assert read_bullets(block) == ["first", "a goes on more prose", "b"]


texts = st.text(st.sampled_from("ab `/.x"), min_size=1, max_size=12)


@given(st.lists(texts, max_size=6, unique=True), st.lists(texts, max_size=6, unique=True))
def test_every_bullet_is_accounted_for(before: list[str], after: list[str]) -> None:
    """What was written stays, was reworded or was deleted, exactly one of them; what stands now likewise."""
    written = [(str(number), text) for number, text in enumerate(before)]
    edits = find_edits(written, [("", text) for text in after])
    stayed = [id_ for id_, text in written if text in after]
    assert sorted([*stayed, *edits.deleted, *edits.reworded]) == sorted(id_ for id_, _ in written)
    accounted = [*(set(before) & set(after)), *edits.reworded.values(), *(text for _, text in edits.added)]
    assert sorted(accounted) == sorted(after)
