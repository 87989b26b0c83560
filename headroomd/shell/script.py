"""What shell text says, as values: commands in order of execution, and which of them an exit status speaks of."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

__all__ = ["Command", "Script", "deciders", "proven"]

HEREDOC_LIMIT = 4000
"""The most characters of a heredoc that a Command holds."""


class Command(Struct, frozen=True):
    """One simple command. Values of assignments are in none of its fields: `env T=x make` reads `env T= make`."""

    argv: tuple[str, ...]  # quotes removed, program first; a word with expansions keeps its source text ("$HOME/x")
    variables: tuple[str, ...] = ()  # names assigned in front of it, or assigned or exported earlier in the script
    folder: str = ""  # where it runs, relative to where the script started ("" = there); absolute; "?" = not knowable
    connector: str = ""  # what stands before it: "", "&&", "||", ";", "|", "|&", "&"
    writes: tuple[str, ...] = ()  # files written by redirection, without /dev/null
    reads: tuple[str, ...] = ()  # files read by redirection
    heredoc: str = ""  # what a heredoc or herestring feeds it, cut to HEREDOC_LIMIT characters
    background: bool = False
    negated: bool = False
    dynamic: bool = False  # the program's name is itself an expansion or a substitution
    source: str = ""  # its own source text, without redirections and leading assignments, single-spaced


class Script(Struct, frozen=True):
    """Shell text, understood."""

    commands: tuple[Command, ...]  # in order of execution, flattened; bodies of functions are left out
    compound: bool = False  # control flow: which command decided the exit status is not plain
    pipefail: bool = False
    broken: bool = False  # not (only) bash: syntax errors, or too long to be read whole
    has_substitution: bool = False
    deciding: int = 0  # bit i: commands[i] may be what a non-zero exit status of the whole means
    proving: int = 0  # bit i: commands[i] certainly exited with 0 where the whole did


def deciders(script: Script) -> tuple[Command, ...]:
    """The commands whose failure can be what a non-zero exit status of the whole script means."""
    return tuple(_chosen(script, script.deciding))


def proven(script: Script) -> tuple[Command, ...]:
    """The commands that certainly ran and exited with 0 where the whole script exited with 0."""
    return tuple(_chosen(script, script.proving))


def _chosen(script: Script, bits: int) -> Iterator[Command]:
    return (command for index, command in enumerate(script.commands) if bits >> index & 1)
