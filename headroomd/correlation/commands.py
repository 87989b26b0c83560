"""How a command that failed and one that passed belong together, and what the pair teaches.

Two commands are compared word by word, never by name: what they share says that they mean the same, what differs is
the lesson. Pairs that differ in more than one way, or whose difference goes round a check, teach nothing.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from headroomd.correlation.kinds import Cause
from headroomd.correlation.operations import Invocation, command_key
from headroomd.correlation.places import words
from headroomd.correlation.programs import (
    PLAIN_UTILITIES,
    VIEWERS,
    bare_word,
    head_length,
    interchangeable,
    is_interpreter,
)
from headroomd.model import FailureKind, Lesson, Section
from headroomd.shell import basename

__all__ = ["Relation", "can_teach", "phrase", "relate"]


class Relation(Struct, frozen=True):
    """What a failed and a passed command teach together."""

    lesson: Lesson
    needs_sessions: int


_NAMED_KINDS: Final = frozenset({FailureKind.COMMAND_NOT_FOUND, FailureKind.MODULE_NOT_FOUND})
_TEACHING_KINDS: Final = _NAMED_KINDS | {FailureKind.FILE_NOT_FOUND, FailureKind.NOT_A_REPOSITORY, FailureKind.OTHER}

_GOES_ROUND: Final = re.compile(
    r"-{1,2}(?:no-|non?-?verify|skip|ignore|force|insecure|allow|unsafe|bypass|disable|legacy|yolo|trust|without|exclude|dangerously"
    r"|break-system|privileged|fix|overwrite|accept|admin|root|suppress|quiet|silent|continue-on|keep-going|passwithnotests)",
    re.IGNORECASE,
)
_SELECTS: Final = re.compile(
    r"-{1,2}(?:filter|only|grep|match|pattern|testnamepattern|tests?|run|dry-?run|list|help|version|watch|include|select|target"
    r"|package|project|suite|bail|exitfirst|maxfail|fail-?fast|last-failed|lf|ff|collect-only|verbose|stacktrace|debug|info)\b",
    re.IGNORECASE,
)
_SHORT: Final = re.compile(r"-[A-Za-z]{1,3}\d*")
_BYPASS_NAME: Final = re.compile(
    r"SKIP|NO_|DISABLE|FORCE|UNSAFE|INSECURE|ALLOW|IGNORE|REJECT|HUSKY|BYPASS|^PATH$|VERIFY|TRUST"
)
_SIMPLE: Final = re.compile(r"[\w@%+=:,./-]{1,60}")


def can_teach(cause: Cause, invocation: Invocation) -> bool:
    """Whether a failure may start a lesson on how its command must be run.

    Red tests, broken code, networks and time limits are the work itself or the weather; a program that only looks is
    answered, not mended.
    """
    program = basename(invocation.argv[0])
    if cause.kind not in _TEACHING_KINDS or invocation.raised or program in VIEWERS or program == "git":
        return False
    return cause.kind in _NAMED_KINDS or not cause.in_code


def relate(failed: Invocation, passed: Invocation, cause: Cause) -> Relation | None:
    """What follows from `failed` having failed for `cause` and `passed` having passed; None for nothing."""
    if passed.raised or failed == passed or basename(passed.argv[0]) in VIEWERS:
        return None
    if failed.stdin != passed.stdin:
        return None
    moved = failed.folder != passed.folder
    added = tuple(name for name in passed.variables if name not in failed.variables)
    if failed.argv == passed.argv:
        return _same_words(failed, passed, cause, moved, added)
    if moved or added or failed.folder is None:
        return None
    return _other_words(failed, passed, cause)


def _same_words(
    failed: Invocation, passed: Invocation, cause: Cause, moved: bool, added: tuple[str, ...]
) -> Relation | None:
    if passed.activation and not failed.activation and not moved:
        program = failed.argv[0]
        return _relation(
            Section.ENVIRONMENT, program, f"{passed.activation} && {program}", 1 if cause.kind in _NAMED_KINDS else 2
        )
    if moved and not added:
        return _folder(failed, passed, cause)
    if added and not moved and not any(_BYPASS_NAME.search(name) for name in added):
        words = phrase(failed.argv)
        return _relation(Section.COMMANDS, words, " ".join(f"{name}=…" for name in added) + f" {words}", 2)
    return None


def _folder(failed: Invocation, passed: Invocation, cause: Cause) -> Relation | None:
    if failed.folder is None or passed.folder is None or cause.kind is FailureKind.COMMAND_NOT_FOUND:
        return None
    words = phrase(failed.argv)
    if passed.folder == ".":
        return _relation(Section.COMMANDS, f"cd {failed.folder} && {words}", f"{words} # from the repo root", 2)
    if failed.folder.endswith(f"{passed.folder}/{passed.folder}"):
        return None  # changed twice into the same folder: a slip
    strong = cause.absence or cause.kind in _NAMED_KINDS
    return _relation(
        Section.COMMANDS, words, f"cd {passed.folder} && {words}", 1 if strong and failed.folder == "." else 2
    )


def _other_words(failed: Invocation, passed: Invocation, cause: Cause) -> Relation | None:
    old, new = failed.argv, passed.argv
    if len(new) > len(old) and new[-len(old) :] == old:
        return _wrapper(old, new[: -len(old)], cause)
    if flags := _added_flags(old, new):
        return _flagged(old, new, flags)
    return _substitution(old, new, cause)


def _wrapper(old: tuple[str, ...], prefix: tuple[str, ...], cause: Cause) -> Relation | None:
    """`bundle exec` + the command that failed."""
    if len(prefix) > 6 or not all(_SIMPLE.fullmatch(word) for word in prefix) or basename(prefix[0]) in PLAIN_UTILITIES:
        return None
    if any(_GOES_ROUND.match(word) for word in prefix):
        return None
    words = (old[0],) if _whole_program(old, cause) else old[: head_length(old)]
    return _relation(Section.ENVIRONMENT, " ".join(words), " ".join(prefix + words), 1 if _strong(cause) else 2)


def _substitution(old: tuple[str, ...], new: tuple[str, ...], cause: Cause) -> Relation | None:
    """Another program in front of the same arguments."""
    common = _common_suffix(old, new)
    old_head, new_head = old[: len(old) - common], new[: len(new) - common]
    if old_head[-1].startswith("-") and common:  # `python -m` + pytest: the option belongs to what follows
        old_head, new_head, common = (*old_head, old[-common]), (*new_head, new[-common]), common - 1
    if len(old_head) > 3 or len(new_head) > 4 or not all(_SIMPLE.fullmatch(word) for word in old_head + new_head):
        return None
    if any(_GOES_ROUND.match(word) or _SELECTS.match(word) for word in new_head):
        return None
    missing = cause.kind is FailureKind.COMMAND_NOT_FOUND and _is_missing(old[0], cause)
    if _same_program(old_head[0], new_head[0]):
        return _same_program_relation(old_head, new_head, old[len(old_head) :], cause)
    if not _related(old_head, new_head):
        unrelated_stand_in = missing and len(old_head) == len(new_head) == 1 and common >= 1
        if not unrelated_stand_in:
            return None
        return _relation(Section.ENVIRONMENT, old_head[0], new_head[0], 2)
    needs = 1 if _strong(cause) and not _slip(old_head[0], new_head[0]) else 2
    if _whole_program(old, cause):
        return _relation(Section.ENVIRONMENT, " ".join(old_head), " ".join(new_head), needs)
    verb = old[len(old_head) : head_length(old)]
    section = Section.ENVIRONMENT if is_interpreter(old_head[0]) else Section.COMMANDS
    return _relation(section, " ".join(old_head + verb), " ".join(new_head + verb), needs)


def _same_program_relation(
    old_head: tuple[str, ...], new_head: tuple[str, ...], rest: tuple[str, ...], cause: Cause
) -> Relation | None:
    """The same program from another place (`.venv/bin/x` for `x`), or told with other words (`yarn workspace web build`)."""
    if old_head[0] != new_head[0]:
        if len(old_head) != len(new_head) or old_head[1:] != new_head[1:]:
            return None
        return _relation(Section.ENVIRONMENT, old_head[0], new_head[0], 1 if _strong(cause) else 2)
    old_verbs, new_verbs = set(_tokens(old_head[1:])), set(_tokens(new_head[1:]))
    inserted = len(old_head) == 1 and rest and all(bare_word(word) for word in new_head[1:])
    if not cause.absence or not (inserted or old_verbs & new_verbs):
        return None
    verb = rest[:1] if inserted else ()
    return _relation(Section.COMMANDS, " ".join(old_head + verb), " ".join(new_head + verb), 2)


def _flagged(old: tuple[str, ...], new: tuple[str, ...], flags: tuple[str, ...]) -> Relation | None:
    for flag in flags:
        if _GOES_ROUND.match(flag) or _SELECTS.match(flag) or (_SHORT.fullmatch(flag) and flag not in ("-y", "-n")):
            return None
        if not _SIMPLE.fullmatch(flag):
            return None
    head = old[: head_length(old)]
    if new[: len(head)] != head:
        return None
    return _relation(Section.COMMANDS, " ".join(head), " ".join(head + flags), 2)


def _added_flags(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """The words that `new` has more than `old` where they are one or two options with their values; () otherwise."""
    added: list[str] = []
    at = 0
    for word in new:
        if at < len(old) and word == old[at]:
            at += 1
        elif word.startswith("-") or (added and added[-1].startswith("--") and "=" not in added[-1]):
            added.append(word)
        else:
            return ()
    options = sum(word.startswith("-") for word in added)
    return tuple(added) if at == len(old) and 1 <= options <= 2 else ()


def phrase(argv: tuple[str, ...]) -> str:
    """Program and verb as a rule names them."""
    return command_key(argv)


def _relation(section: Section, subject: str, remedy: str, needs: int) -> Relation:
    return Relation(Lesson(section, subject, remedy), needs)


def _strong(cause: Cause) -> bool:
    return cause.kind in _NAMED_KINDS or cause.absence


def _whole_program(argv: tuple[str, ...], cause: Cause) -> bool:
    """Whether the failure concerns the program whatever it is told to do."""
    if cause.kind is FailureKind.COMMAND_NOT_FOUND:
        return _is_missing(argv[0], cause)
    return cause.kind is FailureKind.MODULE_NOT_FOUND and (is_interpreter(argv[0]) or head_length(argv) == 1)


def _is_missing(program: str, cause: Cause) -> bool:
    """Whether it is this program that was not found, and not one that it wanted to run."""
    return not cause.detail or basename(cause.detail) == basename(program)


def _common_suffix(old: tuple[str, ...], new: tuple[str, ...]) -> int:
    """Length of the common tail; each keeps at least its program."""
    common = 0
    while common < min(len(old), len(new)) - 1 and old[-1 - common] == new[-1 - common]:
        common += 1
    return common


def _same_program(old: str, new: str) -> bool:
    return basename(old) == basename(new)


def _related(old_head: tuple[str, ...], new_head: tuple[str, ...]) -> bool:
    """Whether two heads are about the same tool: one family, or a word (or part of a word) in common."""
    old, new = basename(old_head[0]), basename(new_head[0])
    if interchangeable(old, new) or new == f"{old}w":  # the wrapper scripts of build tools: gradlew, mvnw
        return True
    return bool(_tokens(old_head) & _tokens(new_head))


def _tokens(words: tuple[str, ...]) -> set[str]:
    return {
        part
        for word in words
        for part in re.split(r"[^A-Za-z0-9]+", word)
        if len(part) >= 3 and part not in _EMPTY_WORDS
    }


_EMPTY_WORDS: Final = words("run exec bin usr local node modules env the all dev python")


def _slip(old: str, new: str) -> bool:
    """Whether the failing name looks like the working one mistyped; versions and siblings of a family are no slips."""
    old, new = basename(old), basename(new)
    return not interchangeable(old, new) and new != f"{old}w" and _distance(old, new) <= 2


def _distance(one: str, other: str) -> int:
    """Damerau-Levenshtein distance (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        row = [i]
        for j, right in enumerate(other, 1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
