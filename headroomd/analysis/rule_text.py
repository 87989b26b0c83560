"""A rule's text, taken apart: the names in it (paths, commands, flags, identifiers) and the prose around them. Pure."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from headroomd.analysis.vocabulary import NEGATIONS, PLAIN

__all__ = ["RuleText", "parse", "polarity", "root", "roots", "said_alike", "stands_in", "words_of"]

_SPAN: Final = re.compile(r"`([^`]+)`")
_BARE: Final = re.compile(
    r"""(?<![\w`/.-])(
        --?[A-Za-z][\w-]*(?:=[\w./-]+)?                # a flag
      | (?:~|\.{1,2})?/[\w.@+*-]+(?:/[\w.@+*-]+)*/?     # a path that says where it starts
      | [\w.@+-]+(?:/[\w.@+*-]+)+/?                     # a path
      | [\w.-]+/(?!\w)                                 # a folder
      | \.[A-Za-z][\w.-]+                              # a dotfile
      | \w[\w-]*(?:\.[A-Za-z]\w*)+                     # a file name, a module
      | \w+(?:_\w+)+ | _\w+                            # an identifier
      | [a-z]+[A-Z]\w*                                 # another
    )""",
    re.VERBOSE,
)
_ABBREVIATIONS: Final = frozenset({"e.g", "i.e", "z.b", "d.h", "p.ej", "a.k.a"})
_EITHER: Final = re.compile(r"[a-z]+/[a-z]+")  # "and/or", "read/write"
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_WIDE: Final = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_TOKEN: Final = re.compile(r"[\w@./+='-]*\w")
_FRAME: Final = frozenset(
    {
        *("a", "an", "the", "this", "that", "in", "of", "to", "for", "with", "on", "at", "by", "from", "here"),
        *("is", "are", "be", "it", "its", "and", "or", "use", "run", "user", "prefe", "want", "pleas", "alway"),
        *("proje", "repo", "der", "die", "das", "ein", "el", "la", "los", "las", "un", "una", "le", "les", "de", "du"),
    }
)
_IDENTIFIER: Final = re.compile(r"\w*[a-z_]+\w*[A-Z_]\w*|[A-Z][a-z]\w*[A-Z]\w*")  # mixed case, or with an underscore
_ROOT: Final = 5  # letters: "installing" and "installed" have one root
_ALIKE: Final = 0.75  # of all words that two sayings share


class RuleText(Struct, frozen=True):
    """One rule; `rendered` has every name in a code span."""

    rendered: str
    names: tuple[str, ...]  # in their order
    prose: str  # what stands around them, each name as a blank
    before: tuple[str, ...]  # the prose right before each name


def parse(text: str) -> RuleText:
    """Take a rule apart. Raises ValueError where its code spans are not plain."""
    if text.count("`") % 2 or "``" in text:
        raise ValueError("its backticks do not pair")
    names: list[str] = []
    before: list[str] = []
    rendered: list[str] = []
    prose: list[str] = []
    for index, piece in enumerate(_SPAN.split(text)):
        if index % 2:
            if piece != piece.strip():
                raise ValueError("a name in it begins or ends with a blank")
            names.append(piece)
            before.append(prose[-1])
            rendered.append(f"`{piece}`")
        else:
            _take_bare(piece, names, before, rendered, prose)
    return RuleText("".join(rendered), tuple(names), " ".join(prose), tuple(before))


def _take_bare(piece: str, names: list[str], before: list[str], rendered: list[str], prose: list[str]) -> None:
    """Names that stand in prose without backticks are names all the same."""
    at = 0
    for match in _BARE.finditer(piece):
        name = match[1].rstrip(".")
        if name.lower() in _ABBREVIATIONS or not name or _is_either(name):
            continue
        prose.append(piece[at : match.start()])
        rendered.append(f"{piece[at : match.start()]}`{name}`")
        names.append(name)
        before.append(prose[-1])
        at = match.start() + len(name)
    prose.append(piece[at:])
    rendered.append(piece[at:])


def _is_either(name: str) -> bool:
    return _EITHER.fullmatch(name) is not None and all(word in PLAIN for word in name.split("/"))


def stands_in(name: str, text: str) -> bool:
    """Whether `name` stands in `text` as a whole: not as a part of a longer word, name or flag.

    An identifier may also be a file's name without its extension; `curl` may not, though there be a `curl.py`.
    """
    words = [re.escape(word) for word in name.strip().rstrip("/").split()]
    if not words:
        return False
    end = r"(?![\w-])" + ("" if _IDENTIFIER.fullmatch(name) else r"(?!\.\w)")
    return re.search(r"(?<![\w-])(?<!\w\.)" + r"\s+".join(words) + end, text) is not None


def words_of(text: str) -> list[str]:
    """The words of prose, in lower case."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def roots(text: str) -> set[str]:
    """What the words of `text` are compared by; of scripts without blanks between words, pairs of characters."""
    found: set[str] = set()
    for word in words_of(text):
        if _WIDE.search(word):
            found.update(word[at : at + 2] for at in range(max(len(word) - 1, 1)))
        else:
            found.add(root(word))
    return found


def root(word: str) -> str:
    word = word.removesuffix("'s")
    if len(word) > 3 and word.endswith("s"):
        word = word[:-1]
    return word[:_ROOT] if len(word) > _ROOT else word


def polarity(text: str) -> bool:
    """Whether a saying denies something."""
    return not NEGATIONS.isdisjoint(words_of(text))


def said_alike(one: str, other: str) -> bool:
    """Whether two sayings mean the same: nearly the same words in the same order, both denying something or neither."""
    mine, its = _telling(one), _telling(other)
    common = set(mine) & set(its)
    if not common or polarity(one) != polarity(other):
        return False
    if [word for word in mine if word in common] != [word for word in its if word in common]:
        return False  # "pnpm, not npm" and "npm, not pnpm"
    return len(common) >= _ALIKE * len(set(mine) | set(its))


def _telling(text: str) -> list[str]:
    """The words that matter, each once."""
    tokens = _TOKEN.findall(text.lower().replace("’", "'"))
    words = ["not" if word in NEGATIONS else root(word) if word.isalpha() else word for word in tokens]
    return [word for word in dict.fromkeys(words) if word not in _FRAME]
