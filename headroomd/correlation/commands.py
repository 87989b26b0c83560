"""How a command that failed and one that passed belong together, and what the pair teaches.

Two commands are compared word by word, hardly ever by name: what they share says that they mean the same, what differs
is the lesson. Pairs that differ in ways that are not understood, or whose difference goes round a check, teach nothing.
"""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from typing import Final

from msgspec import Struct, structs

from headroomd.correlation.kinds import Cause
from headroomd.correlation.operations import Invocation
from headroomd.correlation.places import is_generated, words
from headroomd.correlation.programs import (
    GENERAL,
    INSTALLING_VERBS,
    LOOKING_VERBS,
    PLAIN_UTILITIES,
    RUNNING_VERBS,
    VIEWERS,
    bare_word,
    head_length,
    interchangeable,
    is_install,
    is_interpreter,
    is_slip,
)
from headroomd.model import FailureKind, Lesson, Section
from headroomd.shell import basename

__all__ = ["Relation", "can_teach", "is_certain", "is_plain", "relate"]


class Relation(Struct, frozen=True):
    """What a failed and a passed command teach together, and how many sessions must show it."""

    lesson: Lesson
    needs_sessions: int


_NAMED_KINDS: Final = frozenset({FailureKind.COMMAND_NOT_FOUND, FailureKind.MODULE_NOT_FOUND})
_TEACHING_KINDS: Final = _NAMED_KINDS | {
    FailureKind.FILE_NOT_FOUND,
    FailureKind.NOT_A_REPOSITORY,
    FailureKind.OTHER,
}

# Options that switch a check off, force, or only choose what is done: adding them makes a command pass without
# mending anything.
_GOES_ROUND: Final = re.compile(
    r"(?:^--?D?|[-_.:=])(?:no-|non?-?verify|skip|ignore|force|insecure|allow|unsafe|bypass|disable|legacy|trust|without"
    r"|exclude|danger|break-system|privileged|fix|overwrite|accept|admin|root|suppress|quiet|silent|continue|keep-going"
    r"|fail-?if|pass-?with-?no)",
    re.IGNORECASE,
)
_LOOKS: Final = re.compile(
    r"--?(?:dry-?run|list|help|version|watch|bail|exitfirst|maxfail|fail-?fast|last-failed|collect-only|verbose"
    r"|stacktrace|debug|info)\b",
    re.IGNORECASE,
)
_SELECTS: Final = re.compile(
    r"--?(?:filter|only|grep|match|pattern|testnamepattern|tests?|run|include|select|target|package|project|suite)\b",
    re.IGNORECASE,
)
_SHORT: Final = re.compile(r"-(?![yn]$)[A-Za-z]{1,2}\d*")  # says too little by itself; -y and -n only answer questions
_BYPASS_NAME: Final = re.compile(
    r"SKIP|NO_|DISABLE|FORCE|UNSAFE|INSECURE|ALLOW|IGNORE|REJECT|HUSKY|BYPASS|VERIFY|TRUST|^PATH$"
)
_PLAIN: Final = re.compile(r"[\w@%+=:,./-]{1,60}")
_COMMON_WORDS: Final = words("run exec bin usr local node modules env the all dev")


def is_plain(argv: tuple[str, ...]) -> bool:
    """Whether every word can stand in a rule as it is: no quoting, no expansion, no free text."""
    return all(_PLAIN.fullmatch(word) for word in argv)


def can_teach(cause: Cause, command: Invocation) -> bool:
    """Whether a failure may start a lesson on how its command must be run.

    Red tests, broken code, networks and time limits are the work itself or the weather; a program that only looks has
    been answered; git's ways are known to every agent.
    """
    program = basename(command.argv[0])
    if cause.kind not in _TEACHING_KINDS or command.raised or program in VIEWERS or program == "git":
        return False
    if program in PLAIN_UTILITIES and cause.kind is not FailureKind.COMMAND_NOT_FOUND:
        return False  # what `cp` lacked was its files
    return cause.kind in _NAMED_KINDS or not cause.in_code


@lru_cache(maxsize=2048)
def relate(failed: Invocation, passed: Invocation, cause: Cause) -> Relation | None:
    """What follows from `failed` having failed for `cause` and `passed` having passed; None for nothing."""
    program = basename(passed.argv[0])
    if passed.raised or failed.stdin != passed.stdin or program in VIEWERS or program == "git":
        return None
    if is_install(passed.argv) and not is_install(failed.argv):
        return None
    relation = _relate(failed, passed, cause)
    if relation is None or not relation.lesson.subject or relation.lesson.subject == relation.lesson.remedy:
        return None
    return relation


def _relate(failed: Invocation, passed: Invocation, cause: Cause) -> Relation | None:
    if failed.folder is None or passed.folder is None:
        return None
    added = tuple(name for name in passed.variables if name not in failed.variables)
    moved = failed.folder != passed.folder
    if failed.argv != passed.argv:
        if added or passed.activation != failed.activation:
            return None
        relation = _other_words(failed, passed, cause)
        return _moved_too(relation, passed.folder) if moved else relation
    if passed.activation and not failed.activation and not added:
        return _activated(failed, passed, cause, moved)
    if added:
        return None if moved else _with_variables(failed, added)
    return _elsewhere(failed, passed, cause) if moved else None


def _activated(failed: Invocation, passed: Invocation, cause: Cause, moved: bool) -> Relation | None:
    """`source .venv/bin/activate` in front of the command that failed."""
    said = _concerned(failed.argv, cause)
    relation = _lesson(Section.ENVIRONMENT, said, (*said,), 1 if cause.kind in _NAMED_KINDS else 2)
    if relation is None:
        return None
    chain = f"{passed.activation} && " + (f"cd {passed.folder} && " if moved and passed.folder != "." else "")
    return _reworded(relation, chain + relation.lesson.remedy, 2 if moved else relation.needs_sessions)


def _with_variables(failed: Invocation, added: tuple[str, ...]) -> Relation | None:
    if any(_BYPASS_NAME.search(name) for name in added):
        return None
    head = failed.argv[: head_length(failed.argv)]
    if _says_too_little(failed.argv):
        return None
    return _lesson(Section.COMMANDS, head, (*(f"{name}=…" for name in added), *head), 2, checked=head)


def _elsewhere(failed: Invocation, passed: Invocation, cause: Cause) -> Relation | None:
    """The same command in another folder."""
    if cause.kind is FailureKind.COMMAND_NOT_FOUND and "/" not in failed.argv[0]:
        return None  # a program is found or not wherever one stands
    if _says_too_little(failed.argv):
        return None
    head = failed.argv[: head_length(failed.argv)]
    if passed.folder == ".":
        relation = _lesson(Section.COMMANDS, ("cd", str(failed.folder), "&&", *head), (*head, "#"), 2, checked=head)
        return _reworded(relation, f"{' '.join(head)} # from the repo root", 2) if relation else None
    if posixpath.join(str(passed.folder), str(passed.folder)) == failed.folder:
        return None  # changed into the same folder twice: a slip
    strong = is_certain(cause) and failed.folder == "."
    relation = _lesson(Section.COMMANDS, head, (*head, "&"), 1 if strong else 2, checked=head)
    return _moved_too(relation, str(passed.folder), needs=1 if strong else 2, remedy=" ".join(head))


def _moved_too(relation: Relation | None, folder: str, needs: int = 2, remedy: str = "") -> Relation | None:
    """The same lesson with `cd folder &&` in front of its remedy."""
    if relation is None or folder == "." or not _PLAIN.fullmatch(folder) or "&&" in relation.lesson.remedy:
        return None
    lesson = structs.replace(relation.lesson, section=Section.COMMANDS)
    return _reworded(
        Relation(lesson, needs), f"cd {folder} && {remedy or lesson.remedy}", max(needs, relation.needs_sessions)
    )


def _reworded(relation: Relation, remedy: str, needs: int) -> Relation:
    return Relation(structs.replace(relation.lesson, remedy=remedy), needs)


def _other_words(failed: Invocation, passed: Invocation, cause: Cause) -> Relation | None:
    old, new = failed.argv, passed.argv
    if len(new) > len(old) and new[-len(old) :] == old:
        return _wrapped(old, new[: -len(old)], cause)
    if cause.kind in _NAMED_KINDS and (prefix := _before(old, new)):
        relation = _wrapped(old, prefix, cause)
        return structs.replace(relation, needs_sessions=2) if relation else None
    if flags := _added_flags(old, new):
        return _flagged(old, new, flags, cause)
    common = _common_suffix(old, new)
    old_head, new_head = old[: len(old) - common], new[: len(new) - common]
    if old_head[-1].startswith("-") and common:  # `python -m` + pytest: the option belongs to what follows
        old_head, new_head = (*old_head, old[-common]), (*new_head, new[-common])
    if len(old_head) > 3 or len(new_head) > 4 or any(map(_evades, new_head)):
        return None
    if not all(bare_word(word) or word.startswith("-") for word in old_head[1:] + new_head[1:]):
        return None  # other operands: other work
    if basename(old_head[0]) == basename(new_head[0]):
        return _same_program(failed, old_head, new_head, cause)
    return _other_program(failed, old_head, new_head, cause)


def _wrapped(old: tuple[str, ...], prefix: tuple[str, ...], cause: Cause) -> Relation | None:
    """`bundle exec` in front of the command that failed."""
    if len(prefix) > 6 or basename(prefix[0]) in PLAIN_UTILITIES or any(map(_evades, prefix)):
        return None
    if any(word in LOOKING_VERBS or word in INSTALLING_VERBS for word in prefix[1:]):
        return None
    said = _concerned(old, cause)
    # A program alone, at the end of another command, may be an operand: `corepack enable pnpm`.
    runs = (
        len(old) > 1 or len(prefix) == 1 or any(word in RUNNING_VERBS or word in ("-m", "-c", "--") for word in prefix)
    )
    return _lesson(Section.ENVIRONMENT, said, prefix + said, 1 if is_certain(cause) and runs else 2)


def _same_program(
    failed: Invocation, old_head: tuple[str, ...], new_head: tuple[str, ...], cause: Cause
) -> Relation | None:
    """The same program from another place (`.venv/bin/x`), or told with other words (`yarn workspace web build`)."""
    if old_head[0] != new_head[0]:
        if old_head[1:] != new_head[1:] or ("/" in old_head[0] and not is_generated(old_head[0])):
            return None  # two paths in the project are a path lesson
        return _lesson(Section.ENVIRONMENT, old_head[:1], (_from_root(new_head[0], failed.folder),), _needs(cause))
    rest = failed.argv[len(old_head) :]
    inserted = len(old_head) == 1 and bool(rest)
    if not cause.absence or not all(map(bare_word, new_head[1:])):
        return None
    if not inserted and not _parts(old_head[1:]) & _parts(new_head[1:]):
        return None
    verb = rest[:1] if inserted else ()
    return _lesson(Section.COMMANDS, old_head + verb, new_head + verb, 2)


def _other_program(
    failed: Invocation, old_head: tuple[str, ...], new_head: tuple[str, ...], cause: Cause
) -> Relation | None:
    """Another program in front of the same arguments."""
    old = failed.argv
    missing = cause.kind is FailureKind.COMMAND_NOT_FOUND and _is_missing(old[0], cause)
    slip = is_slip(old_head[0], new_head[0])
    shown = (_from_root(new_head[0], failed.folder), *new_head[1:])
    if not _are_related(old_head, new_head):
        if missing and not slip and len(old_head) == len(new_head) == 1 and len(old) > 1:
            return _lesson(Section.ENVIRONMENT, old_head, shown, 2)
        return None
    needs = 2 if slip else _needs(cause)
    if _whole_program(old, cause):
        return _lesson(Section.ENVIRONMENT, old_head, shown, needs)
    verb = old[len(old_head) : head_length(old)]
    section = Section.ENVIRONMENT if is_interpreter(old_head[0]) else Section.COMMANDS
    return _lesson(section, old_head + verb, shown + verb, needs)


def _flagged(old: tuple[str, ...], new: tuple[str, ...], flags: tuple[str, ...], cause: Cause) -> Relation | None:
    """Options that the command that failed did not have."""
    head = old[: head_length(old)]
    if _says_too_little(old) or new[: len(head)] != head:
        return None
    # Choosing a part leaves out what failed; where something was not found at all, it says where that is.
    evades = _only_looks_or_evades if cause.absence else _evades
    if any(evades(flag) or _SHORT.fullmatch(flag) for flag in flags):
        return None
    return _lesson(Section.COMMANDS, head, head + flags, 2)


def _before(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """What stands before `old` in `new` where only options come after it; () otherwise."""
    for at in range(1, len(new) - len(old)):
        if new[at : at + len(old)] == old and all(word.startswith("-") for word in new[at + len(old) :]):
            return new[:at]
    return ()


def _added_flags(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """The words that `new` has more than `old`, where they are one or two options with their values; () otherwise."""
    added: list[str] = []
    at = 0
    for word in new:
        if at < len(old) and word == old[at]:
            at += 1
        elif word.startswith("-") or (added and added[-1].startswith("-") and "=" not in added[-1]):
            added.append(word)
        else:
            return ()
    options = sum(word.startswith("-") for word in added)
    return tuple(added) if at == len(old) and 1 <= options <= 2 else ()


def _says_too_little(argv: tuple[str, ...]) -> bool:
    """Whether program and verb leave out what the command does: `python3 -c ...`, `docker --context x ...`."""
    program = basename(argv[0])
    return len(argv) > 1 and head_length(argv) == 1 and (program in GENERAL or is_interpreter(program))


def _lesson(
    section: Section,
    subject: tuple[str, ...],
    remedy: tuple[str, ...],
    needs: int,
    checked: tuple[str, ...] | None = None,
) -> Relation | None:
    """The relation, if all its words can stand in a rule."""
    if not is_plain(subject + remedy if checked is None else checked):
        return None
    return Relation(Lesson(section, " ".join(subject), " ".join(remedy)), needs)


def _evades(word: str) -> bool:
    return _only_looks_or_evades(word) or _SELECTS.match(word) is not None


def _only_looks_or_evades(word: str) -> bool:
    return word.startswith("-") and bool(_GOES_ROUND.search(word) or _LOOKS.match(word))


def _needs(cause: Cause) -> int:
    """How many sessions must show that another program does the work of this one."""
    return 1 if cause.kind in _NAMED_KINDS else 2


def is_certain(cause: Cause) -> bool:
    """Whether the failure itself says that the surroundings were wrong, not the work."""
    return cause.kind in _NAMED_KINDS or cause.absence


def _whole_program(argv: tuple[str, ...], cause: Cause) -> bool:
    """Whether the failure concerns the program whatever it is told to do."""
    if cause.kind is FailureKind.COMMAND_NOT_FOUND:
        return _is_missing(argv[0], cause)
    return cause.kind is FailureKind.MODULE_NOT_FOUND and (is_interpreter(argv[0]) or head_length(argv) == 1)


def _concerned(argv: tuple[str, ...], cause: Cause) -> tuple[str, ...]:
    """The words that another environment is needed for: the program, or program and verb of a tool of many uses."""
    modules = cause.kind is FailureKind.MODULE_NOT_FOUND and basename(argv[0]) not in GENERAL
    return argv[:1] if modules or _whole_program(argv, cause) else argv[: head_length(argv)]


def _is_missing(program: str, cause: Cause) -> bool:
    """Whether it is this program that was not found, and not one that it wanted to run."""
    return not cause.detail or basename(cause.detail) == basename(program)


def _from_root(program: str, folder: str | None) -> str:
    """A program named by its path, with the path that it has from the root."""
    if "/" not in program or program.startswith("/") or folder in (".", None):
        return program
    return posixpath.normpath(f"{folder}/{program}")


def _common_suffix(old: tuple[str, ...], new: tuple[str, ...]) -> int:
    """Length of the common tail; each keeps at least its program."""
    common = 0
    while common < min(len(old), len(new)) - 1 and old[-1 - common] == new[-1 - common]:
        common += 1
    return common


def _are_related(old_head: tuple[str, ...], new_head: tuple[str, ...]) -> bool:
    """Whether two heads are about the same tool: one family, or one's program named in the other."""
    old, new = basename(old_head[0]), basename(new_head[0])
    if interchangeable(old, new):
        return True
    return bool(_parts((old,)) & _parts(new_head) or _parts((new,)) & _parts(old_head))


def _parts(argv: tuple[str, ...]) -> set[str]:
    parts = {part for word in argv for part in re.split(r"[^A-Za-z0-9]+", word) if len(part) >= 3}
    return parts - _COMMON_WORDS
