"""The syntax tree of tree-sitter-bash, flattened.

tree-sitter-bash 0.25 binds `a && b 2>&1 | c` as `(a && b 2>&1) | c`, puts what follows `<<EOF` on its line inside the
redirection, and takes the words after `> file` for more files. So lists, pipelines and redirections come out of here as
one run of statements and operators, to be bound again by the shell's own precedence. It also stumbles over
`<<EOF 2>&1 | c` and loses the dash of `python3 - <<EOF`, both dear to agents; such lines are put in the order that it
understands before it sees them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # loaded at the first text that needs it
    from tree_sitter import Language, Node, Parser

__all__ = [
    "CLAUSES",
    "CONTROL",
    "OPERATORS",
    "REDIRECTS",
    "Statement",
    "Token",
    "flattened",
    "parsed",
    "plain",
    "split",
    "split_statements",
    "test_words",
]

OPERATORS: Final = frozenset({"&&", "||", "|", "|&", ";", "&", "\n", ";;", ";&", ";;&"})
REDIRECTS: Final = frozenset({"file_redirect", "herestring_redirect", "heredoc_redirect"})
_SILENT: Final = frozenset({"comment", "ERROR", "heredoc_start", "heredoc_body", "heredoc_end"})
CONTROL: Final = frozenset(
    {"if_statement", "while_statement", "for_statement", "c_style_for_statement", "case_statement"}
)
CLAUSES: Final = frozenset({"elif_clause", "else_clause", "do_group", "case_item"})
_STATEMENTS: Final = CONTROL | {
    "command",
    "compound_statement",
    "declaration_command",
    "function_definition",
    "subshell",
    "test_command",
    "unset_command",
    "variable_assignment",
    "variable_assignments",
}
_LONE_DASH: Final = re.compile(r"(?<=[ \t])-(?=[ \t]*(?:<<|[0-9&]?>))")
_AFTER_HEREDOC: Final = re.compile(
    r"""(?<!<)(<<-?[ \t]*(?:'[^'\n]+'|"[^"\n]+"|\\?\w+))((?:[ \t]+(?:[0-9]?>&[0-9]|[0-9&]?>>?[ \t]*[\w./$"'{}-]+))+)"""
)
# The scanner of tree-sitter-bash 0.25 asks the C library's isalnum about whole code points, which reads outside of its
# table and kills the process. So it only gets to see ASCII: other characters are named, and are parts of words so.
_ODD: Final = re.compile(r"[^\x01\x04-\x7f]")
_NAMED: Final = re.compile(r"\x02([0-9a-f]+)\x03")
_NESTED_TESTS: Final = frozenset({"unary_expression", "binary_expression", "parenthesized_expression"})


class Statement:
    """One node between operators, with the redirections that belong to it."""

    def __init__(self, node: Node | None) -> None:
        self.node = node
        self.redirects: list[Node] = []


Token = Statement | str


def parsed(text: str) -> Node:
    """The root of the tree of `text`."""
    if "<<" in text:
        text = _LONE_DASH.sub(r"\-", _AFTER_HEREDOC.sub(r"\2 \1", text))
    return _new_parser().parse(_ODD.sub(_named, text).encode()).root_node


def plain(source: bytes | None) -> str:
    """The text of a piece of what was parsed, as it stood there before."""
    text = (source or b"").decode()
    return _NAMED.sub(lambda match: chr(int(match[1], 16)), text) if "\x02" in text else text


def _named(odd: re.Match[str]) -> str:
    return f"\x02{ord(odd[0]):x}\x03"


def _new_parser() -> Parser:
    """One for each text: tree-sitter-bash 0.25 carries a heredoc that was left open over to the parser's next text.
    A parser costs less than a hundredth of what it then does."""
    from tree_sitter import Parser

    return Parser(_language())


@cache
def _language() -> Language:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Language(tree_sitter_bash.language())


def flattened(nodes: Sequence[Node], on_word: Callable[[Node], object]) -> list[Token]:
    """Statements and operators in order; `on_word` hears of the words of `for` and `case` that stand between them."""
    tokens: list[Token] = []
    pending = list(reversed(nodes))
    while pending:
        node = pending.pop()
        kind = node.type
        if kind in OPERATORS or kind == "!":
            tokens.append(kind)
        elif kind in _STATEMENTS:
            tokens.append(Statement(node))
        elif kind in ("list", "pipeline", "redirected_statement", "negated_command"):
            if kind == "redirected_statement" and node.child_by_field_name("body") is None:
                tokens.append(Statement(None))
            pending.extend(reversed(node.children))
        elif kind in REDIRECTS:
            if not tokens or not isinstance(last := tokens[-1], Statement):
                tokens.append(last := Statement(None))
            last.redirects.append(node)
            if kind == "heredoc_redirect":
                pending.extend(reversed(node.children))
        elif node.is_named and kind not in _SILENT:
            on_word(node)
    return tokens


def split_statements(tokens: list[Token]) -> Iterator[tuple[str, list[Token], str]]:
    """(connector before, statement, separator after) for each statement; two in a row stand on two lines."""
    connector = ""
    statement: list[Token] = []
    for part in tokens:
        separates = isinstance(part, str) and part not in ("&&", "||", "|", "|&", "!")
        adjoins = statement and isinstance(statement[-1], Statement) and (part == "!" or isinstance(part, Statement))
        if (separates or adjoins) and statement:
            yield connector, statement, part if isinstance(part, str) else ";"
            connector = "&" if part == "&" else ";"
            statement = []
        if not separates:
            statement.append(part)
    if statement:
        yield connector, statement, ""


def split(tokens: list[Token], operators: tuple[str, str]) -> Iterator[tuple[str, list[Token]]]:
    """The pieces between operators, each with the one that stands before it."""
    before = ""
    piece: list[Token] = []
    for token in tokens:
        if isinstance(token, str) and token in operators:
            yield before, piece
            before, piece = token, []
        else:
            piece.append(token)
    yield before, piece


def test_words(node: Node) -> Iterator[Node]:
    """The words and operators of `[ ... ]` and `[[ ... ]]` in order."""
    for child in node.children:
        if child.type in _NESTED_TESTS:
            yield from test_words(child)
        else:
            yield child
