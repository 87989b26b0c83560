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


_MODULE: Final = re.compile(
    r"""No\ module\ named\ ['"]?(?P<python>[\w.]+)
      | Cannot\ find\ (?:module|package)\ ['"](?P<node>[^'"\n]{1,120})['"]
      | cannot\ load\ such\ file\ --\ (?P<ruby>[\w./-]+)
      | Could\ not\ find\ (?:gem\ )?['"]?(?P<gem>[\w.-]+)['"]?.{0,40}in\ (?:any\ of\ the\ sources|locally\ installed\ gems)
      | Can't\ locate\ (?P<perl>[\w/]+)\.pm\ in\ @INC
      | no\ required\ module\ provides\ package\ (?P<go>[\w./-]+)
      | (?:ClassNotFoundException|NoClassDefFoundError):\ (?P<java>[\w./$]+)
      | Could\ not\ find\ or\ load\ main\ class\ (?P<main>[\w./$]+)
      | there\ is\ no\ package\ called\ .(?P<r>[\w.]+)
      | module\ '(?P<lua>[\w./-]+)'\ not\ found
      | Package\ (?P<julia>\w+)\ not\ found\ in\ current\ path
      | can't\ find\ crate\ for\ `(?P<rust>\w+)`
      | no\ such\ module\ '(?P<swift>\w+)'
      | Failed\ opening\ required\ '(?P<php>[\w./-]+)'
      | Could\ not\ load\ file\ or\ assembly\ '(?P<dotnet>[\w.-]+)
    """,
    re.VERBOSE,
)
_COMMAND: Final = re.compile(
    r"""(?:line\ \d+:\ |sh:\ (?:\d+:\ )?|(?<![\w./-]))(?P<posix>[\w./+@-]+):\ (?:command\ )?not\ found
      | command\ not\ found:\ (?P<zsh>[\w./+@-]+)
      | Unknown\ command:?\ ['"]?(?P<fish>[\w./+@-]+)['"]?\s*\n
      | ['"](?P<windows>[\w./+@-]+)['"]\ (?:is\ not\ recogni[sz]ed|no\ se\ reconoce)
      | [Tt]he\ term\ '(?P<powershell>[\w./+@-]+)'\ is\ not\ recogni[sz]ed
      | (?:env|exec|nohup|xargs|time|timeout):\ (?:failed\ to\ run\ command\ )?[‘'"]?(?P<env>[\w./+@-]+)[’'"]?:\ No\ such\ file
      | spawn\ (?P<spawn>[\w./+@-]+)\ ENOENT
      | exec:\ "?(?P<exec>[\w./+@-]+)"?:\ executable\ file\ not\ found
    """,
    re.VERBOSE,
)
_FILE: Final = re.compile(
    r"No such file or directory|\bENOENT\b|File does not exist|[Ff]ile not found|cannot find the (?:file|path)"
    r"|Cannot find path|(?:[Pp]ath|[Dd]irectory|[Ff]older|[Ff]ile) (?:does not exist|not found)|can't open file|[Nn]ot a directory"
    r"|: does not exist\b|[Cc]ould not read file|FileNotFound|NoSuchFile"
)
_NETWORK: Final = re.compile(
    r"[Cc]onnection (?:was )?(?:refused|reset)|ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|[Cc]ould not resolve"
    r"|Temporary failure in name resolution|getaddrinfo|[Nn]etwork is unreachable|[Nn]o route to host|[Ff]ailed to connect"
    r"|Couldn't connect|could not connect|[Cc]an't connect|[Cc]annot connect|HTTP(?: error)?[ /:]*(?:\d\.\d )?[45]\d\d\b"
    r"|status(?: code)?[ :]+[45]\d\d\b|The requested URL returned error|SSL certificate|certificate verify failed"
)
_TIMEOUT: Final = re.compile(r"[Tt]imed out|[Tt]imeout (?:exceeded|expired|of \d)|[Dd]eadline exceeded")
_TESTS: Final = re.compile(
    r"\bFAILED\s*[\(\[]|^FAILED |^=+ .*\b\d+ failed\b|\b[1-9]\d* (?:tests? )?fail(?:ed|ures?|ing)\b|^--- FAIL|^FAIL[\s:]"
    r"|AssertionError|Assertion(?:Failed)? ?Error|[Tt]here (?:was|were) (?:test )?fail|test result: FAILED|Tests? failed"
    r"|Failures?: [1-9]|✕|✗|^not ok \d|expected: .*\n\s+(?:got|actual)|There were failing tests",
    re.MULTILINE,
)
_SYNTAX: Final = re.compile(
    r"SyntaxError|[Ss]yntax error|[Pp]arse error|ParseError|IndentationError|unexpected (?:token|EOF|end of (?:file|input))"
    r"|unterminated|here-document .* delimited by end-of-file|Unrecognized token"
)
_PERMISSION: Final = re.compile(
    r"[Pp]ermission denied|\bEACCES\b|\bEPERM\b|[Oo]peration not permitted|[Aa]ccess is denied"
)
_TOO_LARGE: Final = re.compile(
    r"exceeds (?:the )?maximum (?:allowed )?(?:tokens|size|file size)|[Ff]ile (?:is )?too large|too large to (?:read|be read|open)"
)
_REPOSITORY: Final = re.compile(r"[Nn]ot a (?:git|hg|jj|svn) repository|not a (?:working copy|repository)")
_ABSENCE: Final = re.compile(
    r"""\b(?:could\ not|couldn't|cannot|can't|unable\ to|failed\ to)\ (?:find|locate)\b
      | \b(?:missing|unknown|no\ such|undefined|no)\ (?:\w+\ )?
        (?:script|target|task|project|workspace|command|manifest|makefile|rule|recipe|goal|configuration|package\.json|file)s?\b
      | \b(?:script|target|task|project|workspace|command|manifest|makefile|recipe|goal|configuration\ files?
        |[\w-]+\.(?:toml|json|mod|xml|exs|ya?ml|gradle|sln|lock))\b.{0,60}\b(?:not\ found|does\ not\ exist|doesn't\ exist|not\ exist|not\ defined)
      | \bNo\ rule\ to\ make\ target | \bdon't\ know\ how\ to\ build\ task | \bthere\ is\ no\ .{1,40}\ in\ this\ directory
      | \bdoes\ not\ contain\ (?:a|any)\b | \bnot\ (?:with)?in\ (?:a|any|the)\ (?:\w+\ )?(?:project|workspace|module|repository)\b
      | \bspecify\ (?:a|which)\ project
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SOURCE_LINE: Final = re.compile(
    r"^[^\s:][^:\n]{0,160}\.\w{1,6}(?::\d+|\(\d+[,:]\d+\))|^\s*-->\s|error\[E\d+\]|\berror (?:TS|CS|FS|BC)\d+|^\s+\d+ \| ",
    re.MULTILINE,
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
        refused = re.search(r"ECONNREFUSED|[Cc]onnection (?:was )?refused", text)
        return Cause(FailureKind.NETWORK if refused else FailureKind.TEST_FAILURE, in_code=True)
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


def telling_lines(text: str, limit: int = 300) -> str:
    """The last lines that say something, up to `limit` characters: the cause stands at the end, banners at the front."""
    lines = [line.strip() for line in _ANSI.sub("", text).splitlines()]
    kept: list[str] = []
    room = limit
    for line in reversed(
        [line for line in lines if line and not re.fullmatch(r"[\W_]*|Process Group PGID: \d+|</?\w+>", line)]
    ):
        if room < 20:
            break
        kept.append(line[:room])
        room -= len(kept[-1]) + 1
    return "\n".join(reversed(kept))
