"""Why a call failed, told from the text of a call that is already known to have failed.

Structured signals come first (the exit codes 126, 127 and 9009 mean the same in every language that a message may be
written in); the text is asked only for what they leave open. Nothing here decides *whether* a call failed.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from headroomd.model import FailureKind

__all__ = ["BLAMELESS", "Cause", "cause_of", "telling_lines"]

BLAMELESS: Final = frozenset({FailureKind.GUARD, FailureKind.HARNESS, FailureKind.MISUSE})
"""Failures that say nothing about the project, and whose avoidance must not be taught."""

_ENDED_FROM_OUTSIDE: Final = frozenset({-1, 129, 130, 137, 141, 143})  # signals: HUP, INT, KILL, PIPE, TERM
_NOT_FOUND_CODES: Final = frozenset({127, 9009})  # POSIX shells; cmd.exe
_ANSI: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Cause(Struct, frozen=True):
    """The kind of a failure with what it names; `detail` is an identifier or a path, never a sentence."""

    kind: FailureKind
    detail: str = ""  # the module, command or path that was missed
    in_code: bool = False  # the message points into a source line, or tests ran and were red: the work itself
    absence: bool = False  # something that the tool looked for (script, target, manifest, project) is not there


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.MULTILINE)


# Each group names what was missed, in the words of one language's or one shell's own message.
_MODULE: Final = _any(
    r"No module named ['\"]?([\w.]+)",  # Python
    r"Cannot find (?:module|package) ['\"]([^'\"\n]{1,120})['\"]",  # Node
    r"cannot load such file -- ([\w./-]+)",  # Ruby
    r"Could not find (?:gem )?['\"]?([\w.-]+)['\"]?.{0,40} in (?:any of the sources|locally installed gems)",  # Bundler
    r"Can't locate ([\w/]+)\.pm in @INC",  # Perl
    r"no required module provides package ([\w./-]+)",  # Go
    r"(?:ClassNotFoundException|NoClassDefFoundError): ([\w./$]+)",  # JVM
    r"Could not find or load main class ([\w./$]+)",
    r"there is no package called .(\w[\w.]*)",  # R
    r"module '([\w./-]+)' not found",  # Lua
    r"Package (\w+) not found in current path",  # Julia
    r"can't find crate for `(\w+)`",  # Rust
    r"no such module '(\w+)'",  # Swift
    r"Failed opening required '([\w./-]+)'",  # PHP
    r"Could not load file or assembly '([\w.-]+)",  # .NET
)
_COMMAND: Final = _any(
    r"([\w./+@-]+): command not found(?!:)",  # bash
    r"(?:line \d+: |\bsh: (?:\d+: )?)([\w./+@-]+): not found",  # dash, BusyBox
    r"command not found: ([\w./+@-]+)",  # zsh, node-based runners
    r"Unknown command:? ['\"]?([\w./+@-]+)['\"]?$",  # fish
    r"['\"]([\w./+@-]+)['\"] (?:is not recogni[sz]ed|no se reconoce)",  # cmd.exe
    r"[Tt]he term '([\w./+@-]+)' is not recogni[sz]ed",  # PowerShell
    r"\b(?:env|exec|nohup|xargs|time|timeout): (?:failed to run command )?[‘'\"]?([\w./+@-]+)[’'\"]?: No such file",
    r"^make(?:\[\d+\])?: ([\w./+@-]+): No such file or directory",  # GNU make
    r"\bspawn ([\w./+@-]+) ENOENT",  # Node
    r"\bexec: \"?([\w./+@-]+)\"?: executable file not found",  # Go programs
)
_FILE: Final = _any(
    r"[Nn]o such file or directory",
    r"\bENOENT\b",
    r"[Ff]ile does not exist",
    r"[Ff]ile(?: or directory)? not found",
    r"[Cc]annot find (?:the (?:file|path)|path)",
    r"\b(?:[Pp]ath|[Dd]irectory|[Ff]older) (?:does not exist|not found)",
    r"can't open file",
    r"\b[Nn]ot a directory",
    r": does not exist\b",
    r"FileNotFound|NoSuchFile",
)
_REFUSED: Final = _any(r"[Cc]onnection (?:was )?refused", r"ECONNREFUSED")
_NETWORK: Final = _any(
    _REFUSED.pattern,
    r"[Cc]onnection (?:was )?reset|ECONNRESET|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|getaddrinfo",
    r"[Cc]ould not resolve|[Nn]ame resolution|[Nn]etwork is unreachable|[Nn]o route to host",
    r"(?:[Ff]ailed to|[Cc]ouldn't|[Cc]ould not|[Cc]an't|[Cc]annot|[Uu]nable to) connect",
    r"HTTP(?: error)?[ /:]*(?:\d\.\d )?[45]\d\d\b|status(?: code)?[ :]+[45]\d\d\b|The requested URL returned error",
    r"SSL certificate|certificate verify failed",
)
_TIMEOUT: Final = _any(r"[Tt]imed out", r"[Tt]imeout (?:exceeded|expired|of \d)", r"[Dd]eadline exceeded")
_TESTS: Final = _any(
    r"\bFAILED\s*[\(\[]",  # unittest, Gradle
    r"^FAILED ",  # pytest
    r"^FAIL[\s:]|^--- FAIL",  # Jest, Vitest, Go
    r"\b[1-9]\d* (?:tests? |examples? )?fail(?:ed|ures?|ing)\b",  # pytest, Jest, RSpec, mocha, ExUnit, Cargo
    r"\b[Ff]ail(?:ed|ures?): +[1-9]",  # Maven, dotnet test, PHPUnit
    r"test result: FAILED|[Tt]ests? failed|There were failing tests|There (?:was|were) \d+ failures?",
    r"Assertion(?:Failed)? ?Error|AssertionFailed",
    r"✕|✗|^not ok \d",  # TAP and its friends
)
_SYNTAX: Final = _any(
    r"SyntaxError|ParseError|IndentationError",
    r"\b(?:[Ss]yntax|[Pp]arse) error",
    r"unexpected (?:token|EOF|end of (?:file|input))",
    r"\bunterminated\b",
    r"here-document .* delimited by end-of-file",
)
_PERMISSION: Final = _any(
    r"[Pp]ermission denied", r"\bEACCES\b|\bEPERM\b", r"[Oo]peration not permitted", r"[Aa]ccess is denied"
)
_TOO_LARGE: Final = _any(
    r"exceeds (?:the )?maximum (?:allowed )?(?:tokens|size|file size)",
    r"[Ff]ile (?:is )?too large",
    r"too large to (?:read|be read|open)",
)
_REPOSITORY: Final = _any(r"[Nn]ot a (?:git|hg|jj|svn) repository")
_SOUGHT: Final = (
    r"(?:script|target|task|project|workspace|command|subcommand|manifest|makefile|rule|recipe|goal|job|profile"
    r"|configuration|config|[\w-]*file|[\w-]+\.(?:toml|json|mod|xml|exs|yaml|yml|gradle|sln|lock|swift))"
)
_ABSENCE: Final = re.compile(  # a tool did not find what it works on: wrong folder, wrong tool, wrong name
    "|".join(
        (
            r"\b(?:could not|couldn't|cannot|can't|unable to|failed to) (?:find|locate)\b",
            rf"\b(?:missing|unknown|no such|undefined|unrecognized|no) (?:[\w.-]+ )?{_SOUGHT}s?\b",
            rf"\b{_SOUGHT}s?\b.{{0,60}}\b(?:not found|does(?: not|n't) exist|not defined|(?:is|are) missing)",
            r"\bno \S+ (?:was |were )?found\b",
            r"\bno rule to make target|\bdon't know how to build task|\bthere is no .{1,40} in this directory",
            r"\bdoes not contain (?:a|any)\b",
            r"\bis not an? \S+ (?:command|project|workspace)\b",
            r"\bnot (?:with)?in an? (?:\w+ )?(?:project|workspace|module|repository)\b",
            r"\bonly (?:\w+ )?(?:supported|run|valid|available|used) (?:from )?(?:with)?in\b",
        )
    ),
    re.IGNORECASE,
)
_SOURCE_LINE: Final = _any(
    r"^[^\s:][^:\n]{0,160}\.\w{1,6}(?::\d+|\(\d+[,:]\d+\))",
    r"^\s*-->\s",
    r"error\[E\d+\]|\berror (?:TS|CS|FS|BC)\d+",
    r"^\s+\d+ \| ",
)
_IDENTIFIER: Final = re.compile(r"[\w@][\w@./+:-]{0,79}")


def cause_of(text: str, exit_code: int | None = None, kind: FailureKind | None = None) -> Cause:
    """The cause of a failed call: `text` is its output, `kind` what the agent's reader has already settled."""
    text = _ANSI.sub("", text)
    if kind is not None:
        return Cause(kind, _detail(kind, text))
    if exit_code in _ENDED_FROM_OUTSIDE:
        return Cause(FailureKind.TIMEOUT if _TIMEOUT.search(text) else FailureKind.HARNESS)
    if exit_code == 124:  # timeout(1), and what Codex reports for its own limit
        return Cause(FailureKind.TIMEOUT)
    if exit_code in _NOT_FOUND_CODES:
        return Cause(FailureKind.COMMAND_NOT_FOUND, _detail(FailureKind.COMMAND_NOT_FOUND, text))
    if exit_code == 126:  # found, but cannot be executed
        return Cause(FailureKind.PERMISSION)
    return _from_text(text)


def _from_text(text: str) -> Cause:
    """The first that applies; modules before tests, because a suite that cannot be imported is also reported as red."""
    if match := _MODULE.search(text):
        return Cause(FailureKind.MODULE_NOT_FOUND, _named(match))
    if _TESTS.search(text):
        # Tests that could not reach a service are not red: something had to be started first.
        return Cause(FailureKind.NETWORK if _REFUSED.search(text) else FailureKind.TEST_FAILURE, in_code=True)
    if match := _COMMAND.search(text):
        return Cause(FailureKind.COMMAND_NOT_FOUND, _named(match))
    in_code = _SOURCE_LINE.search(text) is not None
    for kind, pattern in _BY_TEXT:
        if pattern.search(text):
            return Cause(kind, in_code=in_code, absence=_looks_absent(kind, text, in_code))
    return Cause(FailureKind.OTHER, in_code=in_code, absence=_looks_absent(FailureKind.OTHER, text, in_code))


_BY_TEXT: Final = (
    (FailureKind.TOO_LARGE, _TOO_LARGE),
    (FailureKind.NOT_A_REPOSITORY, _REPOSITORY),
    (FailureKind.SYNTAX, _SYNTAX),
    (FailureKind.NETWORK, _NETWORK),
    (FailureKind.TIMEOUT, _TIMEOUT),
    (FailureKind.PERMISSION, _PERMISSION),
    (FailureKind.FILE_NOT_FOUND, _FILE),
)


def _looks_absent(kind: FailureKind, text: str, in_code: bool) -> bool:
    if kind in (FailureKind.FILE_NOT_FOUND, FailureKind.NOT_A_REPOSITORY):
        return not in_code
    return kind is FailureKind.OTHER and not in_code and _ABSENCE.search(text) is not None


def _detail(kind: FailureKind, text: str) -> str:
    pattern = {FailureKind.MODULE_NOT_FOUND: _MODULE, FailureKind.COMMAND_NOT_FOUND: _COMMAND}.get(kind)
    match = pattern.search(text) if pattern else None
    return _named(match) if match else ""


def _named(match: re.Match[str]) -> str:
    """What the message names, if it is an identifier: free text of results must not reach a rule."""
    name = next((group for group in match.groups() if group), "")
    return name if _IDENTIFIER.fullmatch(name) else ""


_SAYS_NOTHING: Final = re.compile(r"[\W_]*|Process Group PGID: \d+|</?\w+>")


def telling_lines(text: str, limit: int = 300) -> str:
    """The last lines that say something, up to `limit` characters: banners come first, the cause stands at the end."""
    lines = [line.strip() for line in _ANSI.sub("", text).splitlines()]
    kept: list[str] = []
    for line in reversed(lines):
        if _SAYS_NOTHING.fullmatch(line):
            continue
        if limit < 20:
            break
        kept.append(line[:limit])
        limit -= len(kept[-1]) + 1
    return "\n".join(reversed(kept))
