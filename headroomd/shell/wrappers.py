"""Programs that run another program without changing what it means, and words that carry values of variables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["assigned_name", "basename", "scrubbed", "unwrap"]

# Options that take the next word as their value, for each transparent program. Sources: sudo(8), doas(1), env(1),
# time(1), nice(1), ionice(1), timeout(1), stdbuf(1), setsid(1), bash(1) for the builtins.
_WRAPPERS: Final[dict[str, frozenset[str]]] = {
    "sudo": frozenset(
        {"-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R", "--user", "--group", "--chdir"}
    ),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "--unset", "-C", "--chdir"}),
    "time": frozenset({"-f", "-o", "--format", "--output"}),
    "nohup": frozenset(),
    "nice": frozenset({"-n", "--adjustment"}),
    "ionice": frozenset({"-c", "-n", "--class", "--classdata"}),
    "timeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
    "gtimeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
    "stdbuf": frozenset({"-i", "-o", "-e", "--input", "--output", "--error"}),
    "setsid": frozenset(),
    "command": frozenset(),
    "builtin": frozenset(),
    "exec": frozenset({"-a"}),
}
_TAKES_ASSIGNMENTS: Final = frozenset({"sudo", "doas", "env", "cross-env", "cross-env-shell"})
_NOT_WRAPPING: Final = frozenset({("command", "-v"), ("command", "-V"), ("sudo", "-l"), ("sudo", "-e"), ("env", "-S")})
_CONTAINERS: Final = frozenset({"docker", "podman", "nerdctl", "docker-compose", "kubectl", "heroku", "fly", "flyctl"})
_CONTAINER_FLAG: Final = re.compile(r"--env=|--build-arg=|-e(?=[A-Za-z_])")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)\+?=", re.ASCII)
_INLINE: Final = re.compile(  # in a word that is itself a script, as of `ssh host "NAME=value make"`
    r"""(^|[\s;&|(])([A-Z_][A-Z0-9_]*)=(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s;&|)'"\\])+""", re.DOTALL
)
_POWERSHELL: Final = re.compile(r"(?:\$env:|\$\{env:)\w+\}?", re.IGNORECASE)


def assigned_name(word: str) -> str:
    """`NAME` where the word is `NAME=value`, else ""."""
    match = _ASSIGNMENT.match(word)
    return match[1] if match else ""


def basename(program: str) -> str:
    """The program's name without its folder."""
    return program[program.rfind("/") + 1 :]


def unwrap(argv: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The transparent prefix (`sudo`, `env NAME`, `timeout 60`, ...) and what it runs; ((), argv) if it runs nothing.

    `env NAME=value` in the prefix becomes `env NAME`. `xargs` is not transparent: it changes the arguments.
    """
    start = _inner(argv)
    if not 0 < start < len(argv):
        return (), tuple(argv)
    return tuple(assigned_name(word) or word for word in argv[:start]), tuple(argv[start:])


def _inner(argv: Sequence[str]) -> int:
    """Where the wrapped program stands; len(argv) where the wrapper runs nothing."""
    at = 0
    while at < len(argv) and (options := _WRAPPERS.get(name := basename(argv[at]))) is not None:
        if (name, argv[at + 1] if at + 1 < len(argv) else "") in _NOT_WRAPPING:
            return at
        at = _after_options(argv, at + 1, options)
        if name in _TAKES_ASSIGNMENTS:
            while at < len(argv) and _ASSIGNMENT.match(argv[at]):
                at += 1
        if name in ("timeout", "gtimeout"):
            at += 1  # the duration
    return min(at, len(argv))


def _after_options(argv: Sequence[str], at: int, with_value: frozenset[str]) -> int:
    while at < len(argv) and argv[at].startswith("-"):
        if argv[at] == "--":
            return at + 1
        at += 2 if argv[at] in with_value else 1
    return at


def scrubbed(argv: Sequence[str]) -> dict[int, str]:
    """Words that must not be kept as they are because they hold a variable's value, by position, with what to keep."""
    kept = {at: _INLINE.sub(r"\1\2=", word) for at, word in enumerate(argv) if " " in word and _INLINE.search(word)}
    for at, word in enumerate(argv):
        if basename(word) in _TAKES_ASSIGNMENTS:
            _scrub_leading(argv, at + 1, kept)
    start = _inner(argv)
    if start >= len(argv):
        return kept
    program = basename(argv[start])
    rest = range(start + 1, len(argv))
    if program in ("set", "setx"):
        _scrub_set(argv, rest, kept)
    elif program in _CONTAINERS:
        _scrub_container(argv, rest, kept)
    elif match := _POWERSHELL.match(argv[start]):  # $env:NAME = "value"
        kept[start] = match[0]
        kept.update((at, "=" if at == start + 1 else "") for at in rest)
    return kept


def _scrub_leading(argv: Sequence[str], at: int, kept: dict[int, str]) -> None:
    """The assignments between `env` and the program that it runs."""
    while at < len(argv) and (argv[at].startswith("-") or argv[at - 1] in _WRAPPERS["sudo"] or "=" in argv[at]):
        _keep_name(argv, at, kept)
        at += 1


def _keep_name(argv: Sequence[str], at: int, kept: dict[int, str]) -> None:
    if match := _ASSIGNMENT.match(argv[at]):
        kept[at] = match[0]


def _scrub_set(argv: Sequence[str], rest: range, kept: dict[int, str]) -> None:
    """cmd.exe's `set NAME=value` and `setx NAME value`, fish's `set -gx NAME value`."""
    words = [at for at in rest if not argv[at].startswith(("-", "+"))]
    options = len(words) < len(rest)
    if argv[rest.start - 1] == "setx" or (options and any("x" in argv[at] for at in rest if at not in words)):
        kept.update((at, "") for at in words[1:])
        return
    for at in words:
        _keep_name(argv, at, kept)


def _scrub_container(argv: Sequence[str], rest: range, kept: dict[int, str]) -> None:
    """`docker run -e NAME=value`, `--env=NAME=value`, `--build-arg NAME=value`, `heroku config:set NAME=value`."""
    sets = any(argv[at] in ("config:set", "secrets") for at in rest)
    for at in rest:
        if sets or argv[at - 1] in ("-e", "--env", "--build-arg"):
            _keep_name(argv, at, kept)
        elif (flag := _CONTAINER_FLAG.match(argv[at])) and (name := _ASSIGNMENT.match(argv[at], flag.end())):
            kept[at] = argv[at][: name.end()]
