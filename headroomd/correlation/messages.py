"""What programs say when they fail: the words of shells, languages and tools, as tables.

Every row starts with words that must stand in the text, in lower case: looking for plain words is so much faster than
looking for a pattern that most patterns are never tried. A pattern's repetitions are bounded or start at fixed words,
so that its time grows with the text and no faster.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "ABSENCE",
    "COMMAND_MISSING",
    "FILE_MISSING",
    "MODULE_MISSING",
    "NETWORK",
    "NO_REPOSITORY",
    "PASSING",
    "PERMISSION",
    "RED_TESTS",
    "REFUSED",
    "SYNTAX",
    "TIMEOUT",
    "TOO_LARGE",
    "named",
    "points_into_code",
    "rows_of",
    "said",
]

Row = tuple[str, re.Pattern[str] | None]


def rows_of(*rows: str | tuple[str, str]) -> tuple[Row, ...]:
    """Rows of a table: words alone, or words and the pattern that decides once they are there."""
    return tuple((row, None) if isinstance(row, str) else (row[0], re.compile(row[1], re.MULTILINE)) for row in rows)


def said(table: tuple[Row, ...], lower: str) -> bool:
    """Whether a text, given in lower case, says what the table lists."""
    return any(words in lower and (pattern is None or pattern.search(lower)) for words, pattern in table)


def named(table: tuple[Row, ...], text: str, lower: str) -> str | None:
    """What the first matching message names; None if there is none."""
    for words, pattern in table:
        if words in lower and pattern is not None and (match := pattern.search(text)):
            return match[1]
    return None


# Patterns of these two are matched against the text as it stands: names have their case.
MODULE_MISSING: Final = rows_of(
    ("no module named", r"No module named ['\"]?([\w.]+)"),  # Python
    ("cannot find module", r"Cannot find module ['\"]([^'\"\n]{1,120})['\"]"),  # Node
    ("cannot find package", r"Cannot find package ['\"]([^'\"\n]{1,120})['\"]"),
    ("cannot load such file", r"cannot load such file -- ([\w./-]+)"),  # Ruby
    ("in any of the sources", r"Could not find (?:gem )?['\"]?([\w.-]+)['\"]?.{0,40} in any of the sources"),  # Bundler
    ("in locally installed gems", r"Could not find (?:gem )?['\"]?([\w.-]+)['\"]?.{0,40} in locally installed gems"),
    ("can't locate", r"Can't locate ([\w/]+)\.pm in @INC"),  # Perl
    ("required module provides", r"no required module provides package ([\w./-]+)"),  # Go
    ("classnotfoundexception", r"ClassNotFoundException: ([\w./$]+)"),  # JVM
    ("noclassdeffounderror", r"NoClassDefFoundError: ([\w./$]+)"),
    ("find or load main class", r"Could not find or load main class ([\w./$]+)"),
    ("no package called", r"there is no package called .(\w[\w.]*)"),  # R
    ("' not found", r"module '([\w./-]+)' not found"),  # Lua
    ("not found in current path", r"Package (\w+) not found in current path"),  # Julia
    ("can't find crate", r"can't find crate for `(\w+)`"),  # Rust
    ("no such module", r"no such module '(\w+)'"),  # Swift
    ("failed opening required", r"Failed opening required '([\w./-]+)'"),  # PHP
    ("file or assembly", r"Could not load file or assembly '([\w.-]+)"),  # .NET
)
_PROGRAM: Final = r"([\w./+@-]{1,100})"
COMMAND_MISSING: Final = rows_of(
    ("command not found:", rf"command not found: {_PROGRAM}"),  # zsh, runners written for Node
    (": command not found", rf"(?<![\w./+@-]){_PROGRAM}: command not found"),  # bash
    (": not found", rf"(?:line \d+: |\bsh: (?:\d+: )?){_PROGRAM}: not found"),  # dash, BusyBox
    ("unknown command", rf"Unknown command:? ['\"]?{_PROGRAM}['\"]?$"),  # fish
    (" is not recogni", rf"['\"]{_PROGRAM}['\"] is not recogni[sz]ed"),  # cmd.exe, PowerShell
    ("no se reconoce", rf"['\"]{_PROGRAM}['\"] no se reconoce"),
    (
        "no such file",  # env and its like
        rf"\b(?:env|exec|nohup|xargs|time|timeout): (?:failed to run command )?[‘'\"]?{_PROGRAM}[’'\"]?: No such file",
    ),
    ("make", rf"^make(?:\[\d+\])?: {_PROGRAM}: No such file or directory"),  # GNU make
    ("enoent", rf"\bspawn {_PROGRAM} ENOENT"),  # Node
    ("executable file not found", rf"\bexec: \"?{_PROGRAM}\"?: executable file not found"),  # programs written in Go
)

FILE_MISSING: Final = rows_of(
    "no such file or directory",
    "enoent",
    "file does not exist",
    "path does not exist",
    "directory does not exist",
    "folder does not exist",
    ": does not exist",
    "file not found",
    "file or directory not found",
    "path not found",
    "directory not found",
    "cannot find the file",
    "cannot find the path",
    "cannot find path",
    "can't open file",
    "could not open input file",
    "not a directory",
    "filenotfound",
    "nosuchfile",
)
REFUSED: Final = rows_of("connection refused", "connection was refused", "econnrefused")
NETWORK: Final = REFUSED + rows_of(
    "connection reset",
    "connection was reset",
    "econnreset",
    "enotfound",
    "etimedout",
    "eai_again",
    "getaddrinfo",
    "could not resolve",
    "name resolution",
    "network is unreachable",
    "no route to host",
    "failed to connect",
    "couldn't connect",
    "could not connect",
    "can't connect",
    "cannot connect",
    "unable to connect",
    "the requested url returned error",
    "certificate verify failed",
    "ssl certificate",
    ("http", r"\bhttp(?: error)?[ /:]*(?:\d\.\d )?[45]\d\d\b"),
    ("status", r"\bstatus(?: code)?[ :]+[45]\d\d\b"),
)
TIMEOUT: Final = rows_of(
    "timed out", "timeout exceeded", "timeout expired", "deadline exceeded", ("timeout of", r"timeout of \d")
)
RED_TESTS: Final = rows_of(
    "assertionerror",
    "assertionfailed",
    "there were failing tests",
    "✕",
    "✗",
    ("failed", r"\bfailed ?[\(\[]|^failed |test result: failed|\btests? failed"),  # unittest, pytest, Cargo
    ("fail", r"^fail[\s:]|^--- fail"),  # Jest, Vitest, Go
    ("fail", r"\b[1-9]\d{0,6} (?:tests? |examples? )?fail(?:ed|ures?|ing)\b"),  # pytest, Jest, RSpec, mocha, ExUnit
    ("fail", r"\bfail(?:ed|ures?): {1,8}[1-9]"),  # Maven, dotnet test, PHPUnit
    ("not ok", r"^not ok \d"),  # TAP
)
SYNTAX: Final = rows_of(
    "syntaxerror",
    "syntax error",
    "parse error",
    "parseerror",
    "indentationerror",
    "unexpected token",
    "unexpected eof",
    "unexpected end of",
    "unterminated ",
    "delimited by end-of-file",
)
PERMISSION: Final = rows_of(
    "permission denied",
    "operation not permitted",
    "access is denied",
    ("eacces", r"\beacces\b"),
    ("eperm", r"\beperm\b"),
)
TOO_LARGE: Final = rows_of(
    "file too large",
    "file is too large",
    "too large to read",
    "too large to be read",
    "too large to open",
    ("exceeds", r"exceeds (?:the )?maximum (?:allowed )?(?:tokens|size|file size)"),
)
NO_REPOSITORY: Final = rows_of(("not a", r"\bnot an? (?:git|hg|jj|svn|mercurial) repository"))
# What is over when tried again: locks, ports in use, servers that have too much to do.
PASSING: Final = rows_of(
    "address already in use",
    "eaddrinuse",
    "port is already allocated",
    "index.lock",
    "could not get lock",
    "resource temporarily unavailable",
    "text file busy",
    "too many requests",
    "rate limit",
    "service unavailable",
    "bad gateway",
)

_SOUGHT: Final = (
    r"(?:script|target|task|project|workspace|command|subcommand|manifest|makefile|rule|recipe|goal|job|profile"
    r"|configuration|config|[\w-]{0,40}file|[\w-]{1,40}\.(?:toml|json|mod|xml|exs|yaml|yml|gradle|sln|lock|swift))"
)
# A tool did not find what it works on: wrong folder, wrong tool, wrong name.
ABSENCE: Final = rows_of(
    ("find", r"\b(?:could not|couldn't|cannot|can't|unable to|failed to) find\b"),
    ("locate", r"\b(?:could not|couldn't|cannot|can't|unable to|failed to) locate\b"),
    *(
        (word, rf"\b{word} (?:[\w.-]{{1,40}} )?{_SOUGHT}s?\b")
        for word in ("missing", "unknown", "no such", "undefined")
    ),
    *((word, rf"\b{word} (?:[\w.-]{{1,40}} )?{_SOUGHT}s?\b") for word in ("unrecognized", "no")),
    ("not found", rf"\b{_SOUGHT}s?\b.{{0,60}}\bnot found"),
    ("exist", rf"\b{_SOUGHT}s?\b.{{0,60}}\b(?:does not|doesn't) exist"),
    ("not defined", rf"\b{_SOUGHT}s?\b.{{0,60}}\bnot defined"),
    ("missing", rf"\b{_SOUGHT}s?\b.{{0,60}}\b(?:is|are) missing"),
    ("found", r"\bno \S{1,80} (?:was |were )?found\b"),
    "don't know how to build task",
    ("in this directory", r"\bthere is no .{1,40} in this directory"),
    ("does not contain a", r"\bdoes not contain (?:a|any)\b"),
    ("is not a", r"\bis not an? \S{1,40} (?:command|project|workspace)\b"),
    ("in a", r"\bnot (?:with)?in an? (?:\w{1,40} )?(?:project|workspace|module|repository)\b"),
    ("only", r"\bonly (?:\w{1,20} )?(?:supported|run|valid|available|used) (?:from )?(?:with)?in\b"),
)

_CODE: Final = rows_of(
    ("error[e", r"error\[e\d+\]"),  # Rust
    ("error ", r"\berror (?:ts|cs|fs|bc)\d+"),  # TypeScript, .NET
    ("-->", r"^[ \t]{0,20}--> "),
)
_SOURCE_LINE: Final = re.compile(r"[\w./\\@-]{1,160}\.[A-Za-z]\w{0,5}(?::\d|\(\d)|[ \t]{1,20}\d{1,7} \| ")


def points_into_code(text: str, lower: str) -> bool:
    """Whether a message points to a line of source: what it complains of is the work itself."""
    return said(_CODE, lower) or any(_SOURCE_LINE.match(line) for line in text.splitlines())
