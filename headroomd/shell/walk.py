"""From statements and operators to commands in order of execution, and to what an exit status speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import structs

from headroomd.shell.script import HEREDOC_LIMIT, Command, Script
from headroomd.shell.state import UNKNOWN, ShellState
from headroomd.shell.tree import (
    CLAUSES,
    CONTROL,
    OPERATORS,
    REDIRECTS,
    Statement,
    Token,
    flattened,
    parsed,
    split,
    split_statements,
    test_words,
)
from headroomd.shell.words import Word, node_text, read_word
from headroomd.shell.wrappers import basename, scrubbed, unwrap

if TYPE_CHECKING:  # loaded at the first text that needs it
    from tree_sitter import Node

__all__ = ["walk"]

_SHELLS: Final = frozenset({"bash", "sh", "zsh", "dash", "ksh", "ash"})
_DECLARATIONS: Final = frozenset({"export", "declare", "local", "readonly", "typeset"})
_DEVICES: Final = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "-"})
_NEVER_FAIL: Final = frozenset({"true", ":", "echo", "printf"})


class _Verdict(NamedTuple):
    """Bit sets of command indices: what an exit status of a piece of script speaks of."""

    fail: int = 0  # commands whose failure a non-zero status may mean
    ok: int = 0  # commands that exited with 0 where the status is 0
    ends: int = 0  # commands whose failure ends the whole script, whatever follows (`set -e`, `cd x || exit 1`)
    kept: int = 0  # commands that exited with 0 where the script went on
    leaves: bool = False  # it is an `exit` with a status other than 0


_NOTHING: Final = _Verdict()


def walk(text: str, *, cut: bool = False) -> Script:
    """The script that `text` is; never raises. `cut` says that more text followed."""
    walker = _Walker()
    try:
        verdict = walker.script(text, ShellState())
    except RecursionError:  # thousands of brackets: nothing that a program was meant to run
        return Script(commands=(), broken=True)
    return Script(
        commands=tuple(walker.commands),
        compound=walker.compound,
        pipefail=walker.pipefail,
        broken=walker.broken or cut,
        has_substitution=walker.has_substitution,
        deciding=verdict.fail,
        proving=0 if walker.may_leave_early else verdict.ok,
    )


class _Walker:
    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.compound = self.pipefail = self.broken = self.has_substitution = False
        self.may_leave_early = False  # an `exit` that may be an exit with 0 stands in it
        self._connector = ""
        self._background = False
        self._negated = False

    def script(self, text: str, state: ShellState) -> _Verdict:
        root = parsed(text)
        self.broken |= root.has_error
        return self._block(root.children, state)

    # Structure: blocks hold statements, statements hold pipelines, pipelines hold commands.

    def _block(self, nodes: Sequence[Node], state: ShellState) -> _Verdict:
        return self._statements(flattened(nodes, self._word), state)

    def _statements(self, tokens: list[Token], state: ShellState) -> _Verdict:
        total = _NOTHING
        for connector, statement, separator in split_statements(tokens):
            if connector:
                self._connector = connector
            outer, self._background = self._background, self._background or separator == "&"
            inner_state = state.copy() if separator == "&" else state
            verdict = self._and_or(statement, inner_state)
            self._background = outer
            if separator == "&":
                verdict = _NOTHING
            total = _Verdict(
                total.ends | verdict.fail,
                total.kept | verdict.ok,
                total.ends | verdict.ends,
                total.kept | verdict.kept,
                total.leaves or verdict.leaves,
            )
        return total

    def _and_or(self, tokens: list[Token], state: ShellState) -> _Verdict:
        pieces = list(split(tokens, ("&&", "||")))
        if len(pieces) == 1:
            return self._pipeline(pieces[0][1], state)
        errexit, state.errexit = state.errexit, False  # `set -e` heeds only the last one of a list
        total = right = self._pipeline(pieces[0][1], state)
        for operator, piece in pieces[1:]:
            self._connector = operator
            before = state.folder
            right = self._pipeline(piece, state)
            if operator == "||" and state.folder != before:
                state.folder = UNKNOWN
            total = _joined(operator, total, right)
        state.errexit |= errexit
        return total._replace(ends=total.ends | right.fail) if errexit else total

    def _pipeline(self, tokens: list[Token], state: ShellState) -> _Verdict:
        bangs = tokens.count("!")
        negated = bangs % 2 == 1
        outer, self._negated = self._negated, self._negated or negated
        pieces = list(split(tokens[bangs:], ("|", "|&")))
        fail = ok = 0
        verdict = _NOTHING
        for operator, piece in pieces:
            if operator:
                self._connector = operator
            own = state.copy() if len(pieces) > 1 else state
            verdict = self._statement(piece[0], own) if piece and isinstance(piece[0], Statement) else _NOTHING
            fail, ok = (fail | verdict.fail, ok | verdict.ok) if state.pipefail else (verdict.fail, verdict.ok)
        self._negated = outer
        if negated:
            return _NOTHING
        if len(pieces) > 1:
            verdict = _Verdict(fail, ok)
        if state.errexit:
            verdict = verdict._replace(ends=verdict.ends | verdict.fail, kept=verdict.kept | verdict.ok)
        return verdict

    def _statement(self, statement: Statement, state: ShellState) -> _Verdict:
        node, redirects = statement.node, statement.redirects
        if node is None:
            return _NOTHING
        first = len(self.commands)
        kind = node.type
        if kind in ("command", "declaration_command", "unset_command", "test_command"):
            return self._command(node, redirects, state)
        if kind == "subshell":
            verdict = self._block(node.children, state.copy())
            verdict = _Verdict(verdict.fail, verdict.ok)
        elif kind == "compound_statement" and node.children and node.children[0].type == "{":
            verdict = self._block(node.children, state)
        elif kind in ("variable_assignment", "variable_assignments"):
            return self._assignments(node, state)
        elif kind in CONTROL:
            self.compound = True
            verdict = self._control(node.children, state)
        else:  # a function's definition, arithmetic
            self.compound = True
            return _NOTHING
        if redirects and len(self.commands) > first:
            self.commands[-1] = self._redirected(self.commands[-1], redirects)
        return verdict

    def _control(self, nodes: Sequence[Node], state: ShellState) -> _Verdict:
        """Conditions and bodies of if, while, until, for, case: which of them ran is not known."""
        fail = ends = 0
        is_body = False
        segment: list[Node] = []
        for node in [*nodes, None]:
            if node is not None and (node.is_named or node.type in OPERATORS) and node.type not in CLAUSES:
                segment.append(node)
                continue
            if segment:
                verdict = self._branch(segment, state, is_body=is_body)
                fail, ends = (fail | verdict.fail if is_body else fail), ends | verdict.ends
                segment = []
            if node is not None and node.type in CLAUSES:
                verdict = self._control(node.children, state)
                fail, ends = fail | verdict.fail, ends | verdict.ends
            elif node is not None:
                is_body = node.type in ("then", "do", "else", ")")
        return _Verdict(fail=fail, ends=ends)

    def _branch(self, nodes: Sequence[Node], state: ShellState, *, is_body: bool) -> _Verdict:
        inner = state.copy()
        inner.errexit &= is_body  # `set -e` does not heed conditions
        verdict = self._block(nodes, inner)
        state.assign(inner.variables)
        if inner.folder != state.folder:
            state.folder = UNKNOWN
        return verdict

    # Commands.

    def _assignments(self, node: Node, state: ShellState) -> _Verdict:
        assignments = [node] if node.type == "variable_assignment" else node.named_children
        state.assign([self._assignment(assignment) for assignment in assignments])
        text = node_text(node)
        self.compound |= "$(" in text or "`" in text  # the status is then that of the substituted command
        return _NOTHING

    def _assignment(self, node: Node) -> str:
        """The assigned name; of the value, only whether it substitutes is looked at."""
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        if value is not None:
            self._word(value)
        return node_text(name).partition("[")[0] if name is not None else ""

    def _command(self, node: Node, redirects: list[Node], state: ShellState) -> _Verdict:
        words: list[Word] = []
        names: list[str] = []
        inline: list[Node] = []
        is_declaration = node.type == "declaration_command"
        for child in test_words(node) if node.type == "test_command" else node.children:
            kind = child.type
            if kind == "variable_assignment":
                name = self._assignment(child)
                names.append(name)
                if is_declaration:
                    words.append(Word(name, name, expands=False))
            elif kind in REDIRECTS:
                inline.append(child)
            elif kind != "ERROR":
                words.append(self._word(child.children[0] if kind == "command_name" and child.children else child))
        if not words:
            state.assign(names)
            return _NOTHING
        for redirect in redirects:  # `cmd > out more`: the grammar takes the rest of the words for destinations
            words += [self._word(extra) for extra in redirect.children_by_field_name("destination")[1:]]
        return self._run(words, names, inline + redirects, state)

    def _run(self, words: list[Word], names: list[str], redirects: list[Node], state: ShellState) -> _Verdict:
        argv = [word.value for word in words]
        source = [word.source for word in words]
        for at, kept in scrubbed(argv).items():
            argv[at] = source[at] = kept
        prefix, inner = unwrap(argv)
        names += [word.rstrip("+=") for word in argv[: len(prefix)] if word.endswith("=")]
        command = Command(
            argv=tuple(argv),
            variables=(*state.variables, *(name for name in names if name not in state.variables)),
            folder=state.folder,
            connector=self._connector,
            background=self._background,
            negated=self._negated,
            dynamic=words[0].expands and ("/" not in argv[0] or "$" in basename(argv[0])),
            source=" ".join(" ".join(source).split()),
        )
        if redirects:
            command = self._redirected(command, redirects)
        unscrubbed = [word.value for word in words[len(prefix) :]]
        nested = None if "sudo" in prefix or "doas" in prefix else _nested_script(unscrubbed, command.heredoc)
        if nested is not None:
            return self._nested(nested, inner, command, state)
        self.commands.append(command)
        self._connector = ";"  # before what follows without an operator: a body, the next line
        return self._effects(inner, words[len(prefix) :], names, state)

    def _nested(self, text: str, argv: Sequence[str], command: Command, state: ShellState) -> _Verdict:
        """The commands of `bash -c text`, `eval text` and `bash <<EOF`, in place of it."""
        is_eval = argv[0] == "eval"
        inner = state if is_eval else ShellState(state.folder, command.variables)
        if not is_eval:
            self._options(argv[1:], inner)
        self.broken |= len(command.heredoc) == HEREDOC_LIMIT
        first = len(self.commands)
        verdict = self.script(text, inner)
        if len(self.commands) > first and (command.writes or command.reads):
            last = self.commands[-1]
            self.commands[-1] = structs.replace(
                last, writes=last.writes + command.writes, reads=last.reads + command.reads
            )
        return verdict if is_eval else _Verdict(verdict.fail, verdict.ok)

    def _effects(self, argv: Sequence[str], words: list[Word], names: list[str], state: ShellState) -> _Verdict:
        """What the command just kept leaves behind for those after it, and what its status speaks of."""
        bit = 1 << (len(self.commands) - 1)
        program = argv[0]
        if program in ("cd", "chdir", "pushd", "popd"):
            state.change_folder(program, words[1:])
        elif program in _DECLARATIONS:
            state.assign([*names, *(word for word in argv[1:] if word.isidentifier())])
        elif program == "unset":
            state.unset(argv)
        elif program in ("set", "shopt"):
            self._options(argv[1:], state)
        elif program in ("exit", "return"):
            leaves = len(argv) > 1 and argv[1].isdecimal() and int(argv[1]) % 256 != 0
            self.may_leave_early |= not leaves
            return _Verdict(leaves=leaves)
        elif program[:5].lower() == "$env:":  # PowerShell
            state.assign([program[5:]])
        return _Verdict(0 if program in _NEVER_FAIL else bit, bit)

    def _options(self, words: Sequence[str], state: ShellState) -> None:
        state.set_options(words)
        self.pipefail |= state.pipefail

    # Words and redirections.

    def _word(self, node: Node) -> Word:
        return read_word(node, self._substitution)

    def _substitution(self, node: Node) -> str:
        """`$(...)` with what runs in it, values of assignments left out as everywhere."""
        self.has_substitution = True
        inner = _Walker()
        inner._block(node.children, ShellState())
        self.broken |= inner.broken
        text = " ".join(f"{command.connector} {command.source}".lstrip() for command in inner.commands)
        return f"{'<' if node.type == 'process_substitution' else '$'}({text})"

    def _redirected(self, command: Command, redirects: list[Node]) -> Command:
        writes, reads, heredoc = list(command.writes), list(command.reads), command.heredoc
        for redirect in redirects:
            if redirect.type == "herestring_redirect":
                heredoc = self._word(redirect.children[-1]).value
            elif redirect.type == "heredoc_redirect":
                heredoc = "".join(node_text(child) for child in redirect.children if child.type == "heredoc_body")
            elif (target := redirect.child_by_field_name("destination")) is not None and target.type != "number":
                operator = next(child.type for child in redirect.children if not child.is_named)
                path = self._word(target).value
                if path not in _DEVICES:
                    (reads if operator.startswith("<") else writes).append(path)
        return structs.replace(command, writes=tuple(writes), reads=tuple(reads), heredoc=heredoc[:HEREDOC_LIMIT])


def _nested_script(argv: Sequence[str], heredoc: str) -> str | None:
    """The script that `bash -c text`, `eval text` or `bash <<EOF` runs, if the command is one of these."""
    if argv[0] == "eval":
        return " ".join(argv[1:])
    if basename(argv[0]) not in _SHELLS:
        return None
    words = iter(argv[1:])
    for word in words:
        if not word.startswith(("-", "+")):
            return None  # a script's file
        if word.startswith("--"):
            continue
        if "c" in word:
            return next(words, None)
        if word.endswith("o"):  # -o pipefail
            next(words, None)
    return heredoc or None


def _joined(operator: str, left: _Verdict, right: _Verdict) -> _Verdict:
    """What the status of `left operator right` speaks of."""
    ends, kept = left.ends | right.ends, left.kept
    if operator == "&&":
        return _Verdict(left.fail | right.fail, left.ok | right.ok, ends, kept)
    if right.leaves:  # left || exit 1
        return _Verdict(left.fail, left.ok, ends | left.fail, kept | left.ok)
    return _Verdict(right.fail, 0, ends, kept)
