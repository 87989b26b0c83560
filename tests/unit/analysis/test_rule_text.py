"""A rule's text, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.analysis.rule_text import parse, roots, said_alike, stands_in


@pytest.mark.parametrize(
    ("text", "rendered", "names"),
    [
        ("Use `pnpm`, not `npm`.", "Use `pnpm`, not `npm`.", ("pnpm", "npm")),
        ("Run scripts/dev.sh --watch.", "Run `scripts/dev.sh` `--watch`.", ("scripts/dev.sh", "--watch")),
        ("Read and/or write src/", "Read and/or write `src/`", ("src/",)),
        ("See e.g. api.py, i.e. that", "See e.g. `api.py`, i.e. that", ("api.py",)),
        ("MY_VAR and myName count", "`MY_VAR` and `myName` count", ("MY_VAR", "myName")),
        ("It reads ~/.npmrc and /etc/x", "It reads `~/.npmrc` and `/etc/x`", ("~/.npmrc", "/etc/x")),
        (".env is read", "`.env` is read", (".env",)),
        ("well-known words stay words", "well-known words stay words", ()),
    ],
)
def test_names_are_found(text: str, rendered: str, names: tuple[str, ...]) -> None:
    """In code spans and in prose: paths, flags, files, identifiers."""
    found = parse(text)
    assert (found.rendered, found.names) == (rendered, names)


@pytest.mark.parametrize("text", ["a ` b", "``a``", "` a`", "`a `", "```a```"])
def test_spans_must_be_plain(text: str) -> None:
    """Anything else could close where it should not."""
    with pytest.raises(ValueError, match=r"backticks|blank"):
        parse(text)


@pytest.mark.parametrize(
    ("name", "text", "stands"),
    [
        ("npm test", "cd web && npm  test -- -v", True),
        ("src/", "rg x src/app", True),
        ("src/api.py", "/home/ann/shop/src/api.py", True),
        ("npm", "pnpm test", False),
        ("api", "api.py", False),
        ("curl", "lib/curl.py", False),
        ("UserView", "app/UserView.kt", True),
        ("user_view", "app/user_view.py", True),
        ("--force", "--force-with-lease", False),
        ("test", "test-all", False),
        ("x.py", "a.x.py", False),
        ("", "anything", False),
    ],
)
def test_a_name_stands_as_a_whole(name: str, text: str, stands: bool) -> None:
    """A part of another name is not it."""
    assert stands_in(name, text) is stands


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Use `pnpm`, not `npm`", "always use pnpm, never npm.", True),
        ("Use `pnpm`, not `npm`", "Use npm, not pnpm", False),
        ("Never edit `generated/`", "Edit `generated/`", False),
        ("Tests live in `spec/`", "Linters live in `tools/`", False),
        ("Commit messages are in English", "Commit messages in English please", True),
        ("", "", False),
    ],
)
def test_paraphrases(one: str, other: str, alike: bool) -> None:
    """The same words in the same order, denied or not."""
    assert said_alike(one, other) is alike


def test_roots_bring_forms_together() -> None:
    """Plurals and endings; scripts without blanks by pairs of characters."""
    assert roots("installing tests") == roots("installed test")
    assert roots("总是用") == {"总是", "是用"}


@given(st.text(max_size=200))
def test_nothing_breaks_it(text: str) -> None:
    """Whatever the text: taken apart, or refused."""
    try:
        found = parse(text)
    except ValueError:
        return
    assert len(found.names) == len(found.before)
    assert found.rendered.replace("`", "") == text.replace("`", "")
