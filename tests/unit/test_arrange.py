"""Which bullets have room in a block, and in what order they stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headroomd.blocks import arrange
from headroomd.model import Section
from headroomd.writing.block import Bullet, render

LIMIT = 400


def bullet(id_: str, size: int = 60) -> Bullet:
    return Bullet(id_, Section.PATHS, f"{id_} ".ljust(size, "x"))


def ids(*bullets: Bullet) -> list[str]:
    return [one.id for one in bullets]


def test_what_is_told_keeps_its_place() -> None:
    """A better score alone reorders nothing; what is new stands behind, the best first."""
    a, b, c, d = map(bullet, "abcd")
    worth = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 9.0}
    assert ids(*arrange([d, c, b, a], worth, ["a", "b"], 4000)) == ["a", "b", "d", "c"]


def test_only_the_clearly_better_takes_a_place() -> None:
    """Where there is room for three, a fourth must be a fifth better than the least of them."""
    a, b, c, d = map(bullet, "abcd")
    worth = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 1.1}
    assert ids(*arrange([a, b, d, c], worth, ["a", "b", "c"], LIMIT)) == ["a", "b", "c"]
    assert ids(*arrange([a, b, d, c], {**worth, "d": 1.3}, ["a", "b", "c"], LIMIT)) == ["a", "b", "d"]
    assert ids(*arrange([a, b, d, c], {**worth, "d": 1.1}, ["a", "b", "d"], LIMIT)) == ["a", "b", "d"]


bullets = st.lists(st.tuples(st.integers(1, 200), st.floats(0, 100)), max_size=12)


@given(bullets, st.permutations(range(12)), st.integers(300, 2000))
def test_a_block_never_exceeds_its_limit_and_settles(
    sizes: list[tuple[int, float]], told: list[int], limit: int
) -> None:
    """Whatever stood there: all that is chosen has room."""
    ranked = [bullet(str(number), size) for number, (size, _) in enumerate(sizes)]
    worth = {str(number): value for number, (_, value) in enumerate(sizes)}
    chosen = arrange(ranked, worth, [str(number) for number in told], limit)
    block = render(chosen, limit)
    assert len(block.text) <= limit
    assert list(block.shown) == ids(*chosen)
