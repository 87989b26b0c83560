"""What is common knowledge about standard programs: small tables, in one place.

The tables hold tools that are on every developer's machine, never a project's own; every rule that uses them works on
unknown programs too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from headroomd.correlation.places import words
from headroomd.shell import basename

__all__ = [
    "ARCHIVERS_AND_MOVERS",
    "GENERAL",
    "INERT",
    "INSTALLING_VERBS",
    "LOOKING_VERBS",
    "PLAIN_UTILITIES",
    "PROBES",
    "RUNNING_VERBS",
    "VIEWERS",
    "bare_word",
    "code_option",
    "head_length",
    "interchangeable",
    "is_install",
    "is_interpreter",
    "is_slip",
    "names_package",
    "split_folder",
]

INERT: Final = words(
    """cd pushd popd chdir export set unset echo printf true : sleep pwd clear date declare local alias shopt umask
    wait"""
)
"""Programs that do no work of their own in a script: what fails or matters is what stands beside them."""

PROBES: Final = words(
    "ls ll dir stat test [ [[ which where type command file pgrep hash whereis man info help id whoami uname hostname"
)
"""Programs that ask whether something is there: their failure is the answer."""

_LOOKING_PROGRAMS: Final = words(
    """cat bat batcat head tail less more nl tac wc grep egrep fgrep rg ag ack find fd fdfind sed awk gawk jq yq cut
    sort uniq tree du df diff cmp comm column od xxd strings basename dirname realpath readlink env printenv ps top
    free lsof ss netstat curl wget ping nc dig nslookup host traceroute kill pkill killall gh glab Get-Content
    Get-ChildItem Select-String Test-Path gc gci sls findstr seq tr rev fold md5sum sha256sum shasum echo printf
    true false : sleep date pwd cal"""
)
VIEWERS: Final = PROBES | _LOOKING_PROGRAMS
"""Programs that look, filter, ask the network or wait, and so neither mend nor break anything here."""

LOOKING_VERBS: Final = words(
    """status log diff show list ls get describe ps logs inspect version info help check lint test tests spec config
    env which why outdated audit search view cat plan validate doctor whoami top events history blame tree typecheck
    fmt format"""
)
"""Verbs that look or judge, whatever the program."""

ARCHIVERS_AND_MOVERS: Final = words(
    """cp mv rm touch mkdir rmdir ln install rsync dd truncate unlink unzip tar gunzip chmod"""
)

PLAIN_UTILITIES: Final = (
    VIEWERS
    | ARCHIVERS_AND_MOVERS
    | INERT
    | words("""chown zip gzip ssh scp sftp source . eval exec bash sh zsh fish pwsh sudo su doas apply_patch""")
)
"""Programs whose first bare word is an operand and not a verb."""

_INTERPRETER: Final = re.compile(
    r"(?:python|pypy|py|node|nodejs|ruby|php|perl|lua|elixir|Rscript|julia|deno|bun|java|tsx|ts-node|groovy|scala|swift)"
    r"[\d.]*"
)
_MULTI_TOOLS: Final = words(
    """git docker podman npm pnpm yarn bun npx pip pip3 uv poetry cargo go make gem bundle mvn gradle dotnet kubectl
    helm terraform aws gcloud az brew apt apt-get systemctl conda composer mix deno just task rake"""
)
GENERAL: Final = PLAIN_UTILITIES | _MULTI_TOOLS
"""Tools for so many purposes that a refusal of one use says nothing about the others."""

_FAMILIES: Final[tuple[frozenset[str], ...]] = (
    words("npm pnpm yarn bun npx pnpx bunx"),
    words("python py pypy"),
    words("pip uv pipx pipenv poetry conda mamba pdm"),
    words("make gmake bmake nmake mingw32-make just task rake"),
    words("mvn mvnw mvnd"),
    words("gradle gradlew"),
    words("docker podman nerdctl"),
    words("terraform tofu"),
    words("node nodejs bun deno tsx ts-node"),
    words("bazel bazelisk"),
    words("cc gcc clang"),
    words("c++ g++ clang++"),
    words("sed gsed"),
    words("awk gawk mawk"),
    words("tar gtar bsdtar"),
    words("php composer"),
)
_VERSION: Final = re.compile(r"[-_]?\d+(?:\.\d+)*$")
_WORD: Final = re.compile(r"[A-Za-z][\w:+-]*(?:\.[a-z_]\w*)*")
_FILE_NAME: Final = re.compile(
    r".*\.(?:py|pyi|js|mjs|cjs|jsx|ts|tsx|rb|go|rs|java|kt|kts|scala|c|h|cc|cpp|hpp|cs|fs|php|pl|ex|exs|erl|swift|sh|bash"
    r"|ps1|lua|jl|r|R|sql|md|txt|json|toml|ya?ml|xml|csv|html?|css|lock|cfg|ini|log|jar|gz|zip|tf|proto|zig|nim|dart|hs|ml|vue)"
)
RUNNING_VERBS: Final = words("run exec x dlx compose tool task workspace")
INSTALLING_VERBS: Final = words(
    """install i ci add sync update upgrade restore require remove uninstall reinstall deps.get download tidy bundle
    link"""
)


_CODE_OPTIONS: Final = words("-c -e -r --eval -p -pe -ne -E")


def is_interpreter(program: str) -> bool:
    """Whether the program runs code of a language, given as a file, a module or text."""
    return _INTERPRETER.fullmatch(basename(program)) is not None


def code_option(argv: Sequence[str]) -> bool:
    """Whether the command is an interpreter (or shell) with code on its command line."""
    return (
        len(argv) > 1 and argv[1] in ("-c", "-e", "-r", "--eval", "-p", "-pe", "-ne", "-E") and is_interpreter(argv[0])
    )


def interchangeable(one: str, other: str) -> bool:
    """Whether two programs (by name, folder and version aside) are taken for one another."""
    if basename(other) == f"{basename(one)}w":  # the wrapper scripts of build tools: gradlew, mvnw
        return True
    names = {_VERSION.sub("", basename(one)), _VERSION.sub("", basename(other))}
    return len(names) == 1 or any(names <= family for family in _FAMILIES)


def bare_word(word: str) -> bool:
    """Whether a word can be a verb of a command line: no path, number, file name, option or expansion."""
    return len(word) <= 40 and _WORD.fullmatch(word) is not None and not _FILE_NAME.fullmatch(word)


def head_length(argv: Sequence[str]) -> int:
    """How many leading words say which program runs and what it is to do: `npm run build`, `python -m pytest`."""
    if basename(argv[0]) in PLAIN_UTILITIES:
        return 1
    if is_interpreter(argv[0]) and len(argv) > 1:
        return _interpreter_head(argv)
    if len(argv) < 2 or not bare_word(argv[1]):
        return 1
    if argv[1] in RUNNING_VERBS and len(argv) > 2 and bare_word(argv[2]):
        return 3
    return 2


def _interpreter_head(argv: Sequence[str]) -> int:
    if argv[1] == "-m" and len(argv) > 2:
        return 3
    if argv[1].startswith("-"):
        return 1
    takes_verb = len(argv) > 2 and bare_word(argv[2]) and argv[1] not in RUNNING_VERBS
    return 3 if takes_verb or (argv[1] in RUNNING_VERBS and len(argv) > 2) else 2


def is_install(argv: Sequence[str]) -> bool:
    """Whether the command changes what is installed: any package manager's install, add, sync, update."""
    program = basename(argv[0])
    if program in PLAIN_UTILITIES or program == "git":
        return False
    if len(argv) == 1:
        return program in ("bundle", "yarn")
    words = [word for word in argv[1:5] if not word.startswith("-")]
    return any(word in INSTALLING_VERBS for word in words[:3])


_MANIFEST_OPTIONS: Final = words("-r --requirement -e --editable -c --constraint --group --extra -G -C --prefix --file")


def names_package(argv: Sequence[str]) -> bool:
    """Whether an installing command names what to install (`npm install left-pad`): work, not preparation."""
    installing = basename(argv[0]) == "bundle"
    skip = False
    for word in argv[1:]:
        if skip:
            skip = False
        elif installing and not word.startswith("-") and word not in INSTALLING_VERBS:
            return word != "."
        skip = word in _MANIFEST_OPTIONS
        installing = installing or word in INSTALLING_VERBS
    return False


_LONG_FOLDER: Final = (
    "--cwd",
    "--directory",
    "--project-directory",
    "--working-dir",
    "--working-directory",
    "--chdir",
    "-chdir",
)
_FOLDER_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "git": ("-C",),
    "make": ("-C",),
    "gmake": ("-C",),
    "ninja": ("-C",),
    "npm": ("--prefix",),
    "pnpm": ("-C", "--dir"),
    "go": ("-C",),
    "poetry": ("-C",),
    "composer": ("-d",),
    "gradle": ("-p", "--project-dir"),
    "gradlew": ("-p", "--project-dir"),
    "cargo": ("-C", "--manifest-path"),
    "mvn": ("-f", "--file"),
    "mvnw": ("-f", "--file"),
}


def split_folder(argv: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The command without its folder option (`make -C x`, `npm --prefix x`), and the folder ("" for none)."""
    options = _LONG_FOLDER + _FOLDER_OPTIONS.get(basename(argv[0]), ())
    for at, word in enumerate(argv[1:], 1):
        name, equals, value = word.partition("=")
        if name not in options or (not equals and at + 1 >= len(argv)):
            continue
        rest = argv[:at] + (argv[at + 1 :] if equals else argv[at + 2 :])
        return rest, _folder_of(value if equals else argv[at + 1])
    return argv, ""


def _folder_of(value: str) -> str:
    """A manifest's folder where a manifest is named."""
    if _FILE_NAME.fullmatch(value):
        return value.rpartition("/")[0] or "."
    return value


def is_slip(wrong: str, right: str) -> bool:
    """Whether one program's name looks like another's mistyped; versions and siblings of a family are no slips."""
    wrong, right = basename(wrong), basename(right)
    return not interchangeable(wrong, right) and _distance(wrong, right) <= (1 if len(right) < 5 else 2)


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
