"""Understands shell text: which commands run, where, in which order, and which of them an exit status speaks of.

Pure: nothing here runs, expands or looks anything up, and nothing raises, whatever the text. Values of environment
assignments are dropped while reading and are in no field of a result. Text that is not bash (PowerShell, cmd.exe) is
read as far as it goes and mostly comes out `broken`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from headroomd.shell.script import Command, Script, deciders, proven
from headroomd.shell.wrappers import basename, unwrap

__all__ = ["Command", "Script", "basename", "deciders", "parse", "proven", "unwrap"]

LENGTH_LIMIT: Final = 20_000
"""Characters of a text that are read; agents write whole files through heredocs."""

_CACHED_LENGTH: Final = 1_000  # longer texts hardly come twice and would make the cache large
_PLAIN: Final = re.compile(r"[\w./:@%+,^-]+(?: (?:-[\w./:@%+,^=-]*|[\w./:@%+,^-]+))*")
_NOT_PLAIN: Final = frozenset(  # programs and keywords whose words mean more than themselves
    "if then else elif fi for while until do done case esac in function select time coproc"  # noqa: SIM905 - readable
    " cd chdir pushd popd export declare local readonly typeset unset eval true echo printf : bash sh zsh dash ksh ash"
    " env sudo doas nohup nice ionice timeout gtimeout stdbuf setsid command builtin exec cross-env cross-env-shell"
    " exit return set setx shopt docker podman nerdctl docker-compose kubectl heroku fly flyctl".split()
)


def parse(text: str) -> Script:
    """The commands of shell text; never raises. Texts over LENGTH_LIMIT characters are read up to there, as broken."""
    return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)


def _parse(text: str) -> Script:
    if _PLAIN.fullmatch(text):
        argv = tuple(text.split(" "))
        if basename(argv[0]) not in _NOT_PLAIN:
            return Script(commands=(Command(argv, source=text),), deciding=1, proving=1)
    from headroomd.shell.walk import walk

    return walk(text[:LENGTH_LIMIT], cut=len(text) > LENGTH_LIMIT)


_parse_cached = lru_cache(maxsize=8192)(_parse)
