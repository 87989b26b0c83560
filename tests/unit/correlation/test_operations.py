"""What a call meant, and what became of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.correlation.operations import Using, outcome_of, understand
from headroomd.correlation.places import locate
from headroomd.model import Outcome


def meaning_of(story, command, **more):
    return understand(story.run(command, **more).events[-1], "/work/shop", "/home/ann")


@pytest.mark.parametrize(
    ("command", "path", "how"),
    [
        ("cat src/a.rb", "src/a.rb", Using.READ),
        ("nl -ba src/a.rb", "src/a.rb", Using.READ),
        ("bat --plain src/a.rb", "src/a.rb", Using.READ),
        ("sed -n '1,50p' src/a.rb", "src/a.rb", Using.PART),
        ("head -n 20 src/a.rb", "src/a.rb", Using.PART),
        ("tail +3 src/a.rb", "src/a.rb", Using.PART),
        ("awk 'NR<5' src/a.rb", "src/a.rb", Using.PART),
        ("cat src/a.rb | head -5", "src/a.rb", Using.PART),
        ("cd src && cat a.rb", "src/a.rb", Using.READ),
        ("cat ./src/../src/a.rb", "src/a.rb", Using.READ),
        ("cat /work/shop/src/a.rb", "src/a.rb", Using.READ),
        ("rg total src", "src", Using.SCOPE),
        ("echo x > src/a.rb", "src/a.rb", Using.WRITE),
        ("touch src/a.rb", "src/a.rb", Using.WRITE),
        ("ls src/a.rb", "src/a.rb", Using.PROBE),
        ("node src/a.js", "src/a.js", Using.OPERAND),
    ],
)
def test_shell_uses_of_paths(story, command, path, how):
    """Whatever program touches a path, and from wherever, it is the same use of it."""
    assert (path, how) in {(use.path, use.how) for use in meaning_of(story, command).uses}


@pytest.mark.parametrize("path", ["/etc/passwd", "../other/a.rb", "~/notes", "$HOME/x", "/work/shopping/a", "/tmp/x"])
def test_outside_the_project(story, path):
    """What lies outside is no use of the project's paths."""
    assert not meaning_of(story, f"cat {path}").uses


@pytest.mark.parametrize(
    ("command", "pattern", "scope"),
    [
        ("rg -n 'to tal' src", "to tal", "src"),
        ("grep -rn --include='*.py' total src", "total", "src"),
        ("grep -rne total", "total", "."),
        ("rg -A 3 total", "total", "."),
        ("git grep -n total -- src", "total", "src"),
        ("find . -type f -name '*.rb'", "*.rb", "."),
        ("fd Cart src", "Cart", "src"),
        ("cd src && rg total | head -5", "total", "src"),
    ],
)
def test_shell_searches(story, command, pattern, scope):
    """Searches of the shell have a pattern and a scope."""
    search = meaning_of(story, command).search
    assert search is not None
    assert (search.pattern, search.scope) == (pattern, scope)


@pytest.mark.parametrize(
    "command",
    [
        "grep -v total src/a",
        "ps aux | grep node",
        "find . -name x -delete",
        "rg total a b",
        "rg x | xargs sed s/a/b/",
        "rg x; ls",
    ],
)
def test_what_is_no_search(story, command):
    """Filters, inverted and several searches tell nothing about a folder."""
    assert meaning_of(story, command).search is None


def test_attempts_count_under_program_and_verb(story):
    """A command counts as its program and as program and verb; reads and searches as what they are."""
    keys = meaning_of(story, "cd web && FOO=secret npm run build --if-present 2>&1").keys
    assert keys == ("run npm", "run npm run build")
    assert meaning_of(story, "cat a.py").keys == ("read a.py",)
    assert meaning_of(story, "rg x src").keys == ("search src",)
    assert meaning_of(story, "npm test | tail -3").keys == ("run tail",)


def test_failures_count_only_where_they_are_certain(story):
    """Of a chain that broke, no link is blamed."""
    assert meaning_of(story, "make lint && make test").failed_keys == ()
    assert meaning_of(story, "cd api && make test").failed_keys == ("run make", "run make test")


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        ("rg x src", Outcome.EMPTY),
        ("cd src && grep -rn x .", Outcome.EMPTY),
        ("git diff --exit-code", Outcome.OK),
        ("diff a b", Outcome.OK),
        ("test -f x", Outcome.OK),
        ("make test; [ -f x ]", Outcome.OK),
        ("make test", Outcome.FAILED),
        ("grep -rn x . && make", Outcome.FAILED),
        ("git diff a b", Outcome.FAILED),
    ],
)
def test_exit_status_one(story, command, outcome):
    """Exit status 1 of the deciding command is an answer if that command answers so."""
    story.broke(command, "", 1)
    call = story.events[-1]
    assert outcome_of(call, understand(call, "/work/shop", "/home/ann")) is outcome


def test_other_exit_status_is_a_failure(story):
    """grep says 2 where it could not search."""
    story.broke("grep -rn x nowhere", "grep: nowhere: No such file or directory", 2)
    call = story.events[-1]
    assert outcome_of(call, understand(call, "/work/shop", "/home/ann")) is Outcome.FAILED


@given(st.text(max_size=200), st.text(max_size=40))
def test_any_text_has_a_meaning(command, cwd):
    """Nothing that an agent writes makes the reading raise."""
    from headroomd.model import Action, Operation, ToolCall

    for operation in (
        Operation(Action.RUN, command=command),
        Operation(Action.READ, path=command),
        Operation(Action.SEARCH, path=cwd, pattern=command),
    ):
        call = ToolCall("k", "claude", "s", "s", 0.0, cwd, "t", operation, Outcome.FAILED, 1)
        outcome_of(call, understand(call, "/work/shop", "/home/ann"))


@given(st.text(alphabet="a./~", max_size=20))
def test_located_paths_are_inside(path):
    """A located path is relative and never climbs out of the root."""
    located = locate(path, "/work/shop/sub", "/work/shop", "/home/ann")
    assert located is None or (located and not located.startswith(("/", "../")) and located != "..")
