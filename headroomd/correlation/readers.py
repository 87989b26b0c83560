"""Shell commands that read and search, as the operations they are: `sed -n 1,50p x` reads a part of x."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from headroomd.correlation.places import words
from headroomd.correlation.programs import bare_word
from headroomd.shell import Command, basename

__all__ = ["Reading", "Searching", "answers_with_one", "reading", "searching"]


class Reading(NamedTuple):
    """A command that reads files."""

    files: tuple[str, ...]
    partial: bool


class Searching(NamedTuple):
    """A command that searches."""

    pattern: str
    scopes: tuple[str, ...]  # () is the working directory
    filters: tuple[str, ...]  # what else narrows the search: file types, globs
    quiet: bool  # prints nothing even when it finds something


_WHOLE: Final = words("cat nl bat batcat less more tac Get-Content gc")
_PART_OPTIONS: Final[dict[str, frozenset[str]]] = {
    "head": frozenset({"-n", "-c", "--lines", "--bytes"}),
    "tail": frozenset({"-n", "-c", "--lines", "--bytes"}),
    "sed": frozenset({"-e", "-f", "--expression", "--file"}),
    "awk": frozenset({"-F", "-v", "-f"}),
    "gawk": frozenset({"-F", "-v", "-f"}),
    "jq": frozenset({"--arg", "--argjson", "-f"}),
    "wc": frozenset(),
    "xxd": frozenset({"-l", "-s"}),
}
_SCRIPTED: Final[dict[str, tuple[str, ...]]] = {  # the first operand is a script, unless one of these gave it
    "sed": ("-e", "-f", "--expression", "--file"),
    "awk": ("-f",),
    "gawk": ("-f",),
    "jq": ("-f",),
}
_WHOLE_OPTIONS: Final = frozenset(
    {"-r", "--line-range", "-l", "--language", "-TotalCount", "-Tail", "-Encoding", "-Path"}
)

_GREPS: Final = words("grep egrep fgrep rg ag ack zgrep")
_GREP_VALUES: Final = words(
    """-A -B -C -m -f --max-count --context --after-context --before-context -d --color --colour -j --threads --sort
    --max-depth"""
)
_GREP_FILTERS: Final = words("-g -t -T --glob --iglob --type --type-not --include --exclude --exclude-dir -G")
_INVERTED: Final = frozenset(
    {"--invert-match", "--files-without-match", "--files", "--type-list", "--version", "--help"}
)
_QUIET: Final = frozenset({"--quiet", "--silent", "-q"})
_FD_VALUES: Final = words("-e --extension -t --type -d --max-depth -E --exclude -x -X --exec")


def reading(command: Command) -> Reading | None:
    """What the command reads, or None; a command that edits in place is no reader."""
    argv = command.argv
    program = basename(argv[0])
    if program in _WHOLE:
        words, _ = _operands(argv[1:], _WHOLE_OPTIONS)
        files = words + command.reads
        return (
            Reading(files, any(word in argv for word in ("-r", "--line-range", "-TotalCount", "-Tail")))
            if files
            else None
        )
    if program not in _PART_OPTIONS or (program == "sed" and _in_place(argv)):
        return None
    words, given = _operands(argv[1:], _PART_OPTIONS[program])
    if program in _SCRIPTED and not any(option in given for option in _SCRIPTED[program]):
        words = words[1:]
    return Reading(words + command.reads, partial=True) if words + command.reads else None


def _in_place(argv: Sequence[str]) -> bool:
    return any(word.startswith(("-i", "--in-place")) for word in argv[1:])


def _operands(words: Sequence[str], with_value: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Operands, and the options given."""
    operands: list[str] = []
    options: list[str] = []
    skip = False
    for at, word in enumerate(words):
        if skip:
            skip = False
        elif word == "--":
            operands.extend(words[at + 1 :])
            break
        elif word.startswith("-") and len(word) > 1:
            options.append(word.partition("=")[0])
            if word == "-Path":  # PowerShell: the operand itself
                continue
            skip = word in with_value
        elif not (word.startswith("+") and word[1:].isdigit()):
            operands.append(word)
    return tuple(operands), tuple(options)


def searching(command: Command) -> Searching | None:
    """What the command searches for and where, or None; filters of a pipeline search nothing."""
    if command.connector in ("|", "|&"):
        return None
    argv = command.argv
    program = basename(argv[0])
    if program == "git" and len(argv) > 2 and argv[1] == "grep":
        return _grep(argv[2:], "git grep")
    if program in _GREPS:
        return _grep(argv[1:], program)
    if program == "find":
        return _find(argv[1:])
    if program in ("fd", "fdfind"):
        words, _ = _operands(argv[1:], _FD_VALUES)
        return Searching(words[0], words[1:], (), False) if words else None
    return None


def _grep(words: Sequence[str], program: str) -> Searching | None:
    pattern: str | None = None
    operands: list[str] = []
    filters: list[str] = []
    quiet = recursive = False
    following = iter(words)
    for word in following:
        name, equals, value = word.partition("=")
        if word == "--":
            operands.extend(following)
        elif word in ("-e", "--regexp"):
            pattern = next(following, "")
        elif name in _GREP_FILTERS or (program == "rg" and word[:2] in ("-g", "-t") and len(word) > 2):
            filters.append(value if equals else word[2:] if name not in _GREP_FILTERS else next(following, ""))
        elif name in _GREP_VALUES:
            if not equals:
                next(following, "")
        elif name in _INVERTED or _short_flag(word, "vL"):
            return None
        elif word.startswith("-") and len(word) > 1:
            quiet = quiet or name in _QUIET or _short_flag(word, "q")
            recursive = recursive or _short_flag(word, "rR") or name in ("--recursive", "--dereference-recursive")
        else:
            operands.append(word)
    if pattern is None:
        if not operands:
            return None
        pattern = operands.pop(0)
    if not operands and program in ("grep", "egrep", "fgrep", "zgrep") and not recursive:
        return None  # reads standard input
    return Searching(pattern, tuple(operands), tuple(sorted(filters)), quiet)


def _short_flag(word: str, letters: str) -> bool:
    return word[0] == "-" and word[1:2] != "-" and any(letter in word[1:] for letter in letters)


def _find(words: Sequence[str]) -> Searching | None:
    scopes: list[str] = []
    for word in words:
        if word.startswith(("-", "(", "!", "\\")):
            break
        scopes.append(word)
    tests = words[len(scopes) :]
    if any(word in tests for word in ("-exec", "-delete", "-execdir", "-not", "!", "-newer", "-mtime", "-mmin")):
        return None
    names = [
        tests[at + 1]
        for at, word in enumerate(tests[:-1])
        if word in ("-name", "-iname", "-path", "-ipath", "-wholename")
    ]
    types = [tests[at + 1] for at, word in enumerate(tests[:-1]) if word in ("-type", "-maxdepth", "-mindepth")]
    return Searching(names[0], tuple(scopes), tuple(types), False) if len(names) == 1 else None


_ANSWERING: Final = _GREPS | words("diff cmp comm test [ [[ which type pgrep hash command colordiff expr let ((")
_GIT_ANSWERS: Final[dict[str, frozenset[str]]] = {
    "diff": frozenset({"--exit-code", "--quiet", "--no-index", "--check"}),
    "diff-index": frozenset({"--quiet", "--exit-code"}),
    "merge-base": frozenset({"--is-ancestor"}),
    "rev-parse": frozenset({"--verify", "-q", "--quiet"}),
    "show-ref": frozenset({"--verify", "--quiet", "-q", "--exists"}),
    "ls-files": frozenset({"--error-unmatch"}),
    "ls-remote": frozenset({"--exit-code"}),
}


def answers_with_one(command: Command) -> bool:
    """Whether exit status 1 of this command is an answer ("no", "they differ") and not a failure.

    Sources: grep(1), ripgrep's and diff's manuals, test(1), POSIX `command -v`, git-diff(1), git-grep(1),
    git-config(1), git-check-ignore(1).
    """
    argv = command.argv
    program = basename(argv[0])
    if program in _ANSWERING:
        return True
    if program != "git":
        return False
    verb = next((word for word in argv[1:] if bare_word(word)), "")
    if verb in ("grep", "check-ignore", "config"):
        return True
    return not _GIT_ANSWERS.get(verb, frozenset()).isdisjoint(argv)
