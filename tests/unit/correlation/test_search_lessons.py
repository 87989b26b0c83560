"""Searches that were too narrow."""

from __future__ import annotations

import pytest

from headroomd.model import Outcome

EMPTY = Outcome.EMPTY


def test_found_from_the_root(story):
    """What a folder does not hold and the project does."""
    story.search("RetentionDays", "/work/shop/model", EMPTY).search("RetentionDays")
    assert story.lessons == {"SCOPE: model -> .": 2}
    assert (story.evidence[0].note, story.evidence[0].opportunity) == ("RetentionDays", "search model")


def test_shell_searches_are_searches(story):
    """`rg` without a match is an empty search, whatever the agent calls it."""
    story.broke("rg -n 'RetentionDays' model", "", 1, silent=True).run("rg -in RetentionDays .")
    assert story.lessons == {"SCOPE: model -> .": 2}


def test_success_without_output_is_empty(story):
    """A pipeline hides the exit status, not the silence."""
    story.run("grep -rn RetentionDays model | head -20", silent=True).run("grep -rn RetentionDays jobs model")
    story.run("grep -rn RetentionDays .")
    assert story.lessons == {"SCOPE: model -> .": 2}


def test_by_file_name(story):
    """Searches by name are searches: `find`, `fd` and globs."""
    story.run("find src/api -name 'Cart*'", silent=True).search("**/Cart*", "src")
    assert story.lessons == {"SCOPE: src/api -> src": 2}


def test_folder_in_the_glob(story):
    """A glob may name the folder that it starts from."""
    assert story.search("src/api/**/Cart*", "", EMPTY).search("**/Cart*").lessons == {"SCOPE: src/api -> .": 2}


def test_not_found_at_once(story):
    """All scopes that were too narrow lead to where it is found."""
    story.search("tax", "a/b/c", EMPTY).search("tax", "a/b", EMPTY).search("tax", "a")
    assert story.lessons == {"SCOPE: a/b/c -> a": 2, "SCOPE: a/b -> a": 2}


@pytest.mark.parametrize(
    ("pattern", "scope"), [("tax.*", "."), ("tax", "lib"), ("tax", "model/deep"), ("tax", "model")], ids=str
)
def test_other_searches(story, pattern, scope):
    """Another pattern, another folder, a narrower one and the same one are other searches."""
    assert story.search("tax", "model", EMPTY).search(pattern, scope).lessons == {}


def test_filters_are_part_of_the_search(story):
    """What only another file type holds was not missed by the folder."""
    story.run("rg -t py tax model", silent=True).run("rg tax")
    assert story.lessons == {}


def test_file_is_no_scope(story):
    """That one file does not hold a word says nothing about where to search."""
    assert story.search("tax", "src/cart.py", EMPTY).search("tax", "src").lessons == {}


def test_written_in_between(story):
    """What is found after an edit may have been written just now."""
    assert story.search("tax", "model", EMPTY).edit("lib/x.py").search("tax").lessons == {}


def test_quiet_search_that_succeeds_has_found(story):
    """`grep -q` prints nothing when it finds."""
    assert story.run("grep -rq tax model", silent=True).run("grep -rn tax .").lessons == {}


def test_counting_lines_tells_nothing(story):
    """The output of another program is not the search's."""
    assert story.run("grep -rn tax model | wc -l").run("grep -rn tax .").lessons == {}


def test_hits_are_counted(story):
    """Attempts tell how often the folder was searched in vain and with success."""
    story.search("tax", "model", EMPTY).search("rate", "model").broke("rg -n x model", "", 1, silent=True)
    assert story.findings().attempts == {"search model": (1, 2)}
