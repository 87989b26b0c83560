"""Files that must be read in parts."""

from __future__ import annotations

import pytest

from headroomd.model import Outcome

CUT = Outcome.TRUNCATED
REFUSED = "File content (31013 tokens) exceeds maximum allowed tokens (25000)."


def test_part_after_the_whole_was_refused(story):
    """A refused whole read and a part that worked."""
    story.read("/work/shop/proxy/server.py", Outcome.FAILED, output=REFUSED).read(
        "/work/shop/proxy/server.py", partial=True
    )
    assert story.lessons == {"LARGE_FILES: proxy/server.py": 1}
    assert story.evidence[0].opportunity == "read proxy/server.py"


@pytest.mark.parametrize("part", ["sed -n '1,40p' core/big.ex", "head -50 core/big.ex", "rg -n defmodule core/big.ex"])
def test_shell(story, part):
    """`cat` of a file that was cut, then a range of it or a search in it."""
    assert story.run("cat core/big.ex", outcome=CUT).run(part).lessons == {"LARGE_FILES: core/big.ex": 1}


def test_whole_after_all(story):
    """A file that is read whole after all is not too large."""
    assert story.read("a.go", CUT).read("a.go").read("a.go", partial=True).lessons == {}


def test_output_of_something_else(story):
    """What was cut is not always a file."""
    story.run("cat a.go b.go", outcome=CUT).run("make test", outcome=CUT).run("git show HEAD:a.go", outcome=CUT)
    assert story.read("a.go", partial=True).lessons == {}


def test_never_read_in_parts(story):
    """Without a part that worked there is no remedy."""
    assert story.read("a.go", CUT).read("b.go", partial=True).lessons == {}


def test_outside_and_generated(story):
    """Only the project's own files."""
    story.read("/tmp/big.log", CUT).read("/tmp/big.log", partial=True)
    story.read("node_modules/x/big.js", CUT).read("node_modules/x/big.js", partial=True)
    assert story.lessons == {}
