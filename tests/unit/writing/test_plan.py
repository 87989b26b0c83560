"""Plans and diffs: what would change, and nothing that a terminal would act on."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.errors import TargetError
from headroomd.model import Section
from headroomd.writing.block import START, Bullet
from headroomd.writing.files import Snapshot
from headroomd.writing.plan import Write, diff, plan_write, visible

PATH = Path("/p/CLAUDE.md")
BULLETS = [Bullet("1", Section.PATHS, "`a` → actually at `b`"), Bullet("2", Section.COMMANDS, "Run `x`, not `y`")]


def snapshot(data: bytes, existed: bool = True) -> Snapshot:
    return Snapshot(PATH, PATH, data, existed)


def write(before: bytes, after: bytes, existed: bool = True) -> Write:
    return Write(PATH, before, after, existed)


def test_a_plan_says_what_the_file_will_hold_and_what_undoes_it() -> None:
    """Before, after, the bullets shown and whose they are."""
    plan = plan_write(snapshot(b"# T\n"), BULLETS, project=Path("/p"), agent="claude", reason="learn")
    assert plan is not None
    assert plan.before == plan.undone == b"# T\n"
    assert plan.after == plan.result
    assert plan.after.startswith(b"# T\n\n<!-- headroom:learn:start -->\n")
    assert (plan.shown, plan.project, plan.agent, plan.reason) == (("1", "2"), Path("/p"), "claude", "learn")


def test_what_is_already_there_is_no_plan() -> None:
    """The same bullets again write nothing; nor do no bullets into a file without a block."""
    plan = plan_write(snapshot(b"# T\n"), BULLETS)
    assert plan is not None
    assert plan_write(snapshot(plan.after), BULLETS) is None
    assert plan_write(snapshot(b"# T\n"), []) is None
    assert plan_write(snapshot(b"", existed=False), []) is None


def test_a_file_of_ours_goes_with_its_block() -> None:
    """Undoing the write that created a file, or emptying one that held only the block, takes the file away."""
    plan = plan_write(snapshot(b"", existed=False), BULLETS)
    assert plan is not None
    assert plan.undone is None
    emptied = plan_write(snapshot(plan.after), [])
    assert emptied is not None
    assert emptied.result is None


def test_a_broken_file_is_told_by_its_path() -> None:
    """The one line that a person reads names the file."""
    with pytest.raises(TargetError, match=r"^/p/CLAUDE\.md: the markers") as caught:
        plan_write(snapshot(START.encode()), BULLETS)
    assert caught.value.remedy


def test_a_diff_shows_the_change_in_its_place() -> None:
    """Three lines around it, numbers from one, as every diff."""
    before = b"".join(b"%d\n" % number for number in range(1, 10))
    assert diff(write(before, before.replace(b"5\n", b"five\n"))) == (
        "--- /p/CLAUDE.md\n+++ /p/CLAUDE.md\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
    )


def test_a_diff_of_a_new_file_and_of_a_missing_line_end() -> None:
    """A file that did not exist is /dev/null, and a missing last line end is told, as `diff -u` does."""
    assert diff(write(b"", b"a\n", existed=False)) == "--- /dev/null\n+++ /p/CLAUDE.md\n@@ -0,0 +1,1 @@\n+a\n"
    assert diff(write(b"a", b"a\nb")) == (
        "--- /p/CLAUDE.md\n+++ /p/CLAUDE.md\n@@ -1,1 +1,2 @@\n"
        "-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline at end of file\n"
    )


def test_a_diff_of_a_file_that_goes_away() -> None:
    """What is taken away is shown, and that the file goes."""
    assert diff(write(b"a\n", b"")) == "--- /p/CLAUDE.md\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n"


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_diff_never_reaches_the_terminal(before: bytes, after: bytes) -> None:
    """Escape sequences, direction marks and undecodable bytes come out as text."""
    for char in diff(write(before, after)):
        assert char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs")


def test_a_diff_of_five_megabytes_is_quick() -> None:
    """Only what changed is compared: equal lines by the hundred thousand cost nothing."""
    big = b"the same line again and again, fifty characters long\n" * 100_000
    shown = diff(write(big + b"end\n", big + b"new\nend\n"))
    assert shown.count("\n") < 12
    assert "@@ -99998,4 +99998,5 @@" in shown


def test_what_cannot_be_seen_is_shown_as_an_escape() -> None:
    """Tabs and other scripts stay."""
    assert visible("a\tb\x1b[0m\u202e\u200b→é") == "a\tb\\x1b[0m\\u202e\\u200b→é"


@pytest.mark.parametrize("text", ["x" * 300, "ä" * 150, "x\n" * 150])
def test_a_file_grows_to_no_more_than_its_agent_loads(text: str) -> None:
    """Bullets are left out from the end, then the block; never is a part of one written that would be cut off."""
    data = text.encode()
    whole = plan_write(snapshot(data), BULLETS)
    assert whole is not None
    size = len(whole.after)
    assert plan_write(snapshot(data), BULLETS, most_bytes=size) == whole
    shorter = plan_write(snapshot(data), BULLETS, most_bytes=size - 1)
    assert shorter is not None
    assert shorter.shown == ("1",)
    assert plan_write(snapshot(data), BULLETS, most_bytes=len(data) + 50) is None
    removed = plan_write(snapshot(whole.after), BULLETS, most_bytes=10)
    assert removed is not None
    assert removed.after == data
