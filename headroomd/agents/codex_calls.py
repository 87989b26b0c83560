"""What a tool call of Codex CLI meant: from the tool's name and its arguments to an operation.

Shell tools by version (Codex 0.34 to 0.169): `shell` with an argument vector, `shell_command`, `exec_command` with
`write_stdin`, `local_shell_call`. A patch comes as `apply_patch`'s own input, as its argument, or in a here-document.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import Final

import msgspec
from msgspec import Struct

from headroomd.model import Action, Operation

__all__ = ["CODE_MODE", "OTHER", "Asked", "asked_of", "command_of", "resolve"]

CODE_MODE: Final = "exec"
"""The custom tool whose input is JavaScript that calls other tools ("code mode")."""

_SHELL_TOOLS: Final = frozenset(("shell", "shell_command", "exec_command", "local_shell", "container.exec"))
OTHER: Final = Operation(Action.OTHER)
_DEFAULT_BUDGET: Final = 10_000  # tokens of output that Codex 0.169 keeps unless asked for fewer
_MAX_COMMAND: Final = 32_768  # characters; calls are carried between readings, and that must stay bounded
_SHELLS: Final = frozenset(("bash", "sh", "zsh", "dash", "ksh", "bash.exe", "pwsh", "powershell", "pwsh.exe"))
_SHELLS_OF_WINDOWS: Final = frozenset(("powershell.exe", "cmd.exe", "cmd"))
_COMMAND_FLAG: Final = re.compile(r"-[a-z]*c|-command|/c", re.IGNORECASE)
_PATCHED: Final = re.compile(r"^[ \t]*\*\*\* (Add|Update|Delete) File: (.+?)[ \t\r]*$", re.MULTILINE)
_PATCH_IN_SHELL: Final = re.compile(r"\bapply_?patch\b")
_FOLDER_FIRST: Final = re.compile(r"\s*cd\s+(?P<folder>'[^']*'|\"[^\"$`]*\"|[^\s;&|'\"$`]+)\s*&&\s*apply_?patch\b")
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class Asked(Struct, frozen=True):
    """A call as its request tells it."""

    operation: Operation
    workdir: str = ""  # as the agent wrote it; "" where it named none
    runs: bool = False  # a shell tool or a patch: its answer tells an exit code
    escalated: bool = False  # asks to run outside the sandbox, so that the user is asked
    own_limit: bool = False  # asks for less output than Codex would give
    process: str = ""  # write_stdin: the session id of the running process
    stops: bool = False  # write_stdin: sends Ctrl-C


class _Arguments(Struct, gc=False):
    """The arguments that matter, of all tools and all versions; of any type, for a model writes them."""

    cmd: object = None
    command: object = None
    workdir: object = None
    working_directory: object = None
    sandbox_permissions: object = None
    with_escalated_permissions: object = None
    max_output_tokens: object = None
    session_id: object = None
    chars: object = None
    path: object = None
    input: object = None
    patch: object = None


_decode: Final = msgspec.json.Decoder(_Arguments).decode


def asked_of(tool: str, arguments: str) -> Asked:
    """What a call asked for; `arguments` is a JSON text, or the plain input of a custom tool."""
    try:
        values = _decode(arguments)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Asked(_patch(arguments), runs=True) if tool == "apply_patch" else Asked(OTHER)
    if tool in _SHELL_TOOLS:
        return _shell(values)
    if tool == "apply_patch":
        return Asked(_patch(_text(values.input) or _text(values.patch)), runs=True)
    if tool == "write_stdin":
        return Asked(OTHER, runs=True, process=str(values.session_id or ""), stops="\x03" in _text(values.chars))
    if tool == "view_image":
        return Asked(Operation(Action.READ, path=_text(values.path)))
    return Asked(OTHER)


def _shell(values: _Arguments) -> Asked:
    workdir = _text(values.workdir) or _text(values.working_directory)
    text = command_of(values.cmd or values.command)
    if "*** Begin Patch" in text and (isinstance(values.command, list) or _PATCH_IN_SHELL.search(text)):
        operation = _patch(text)
        if folder := _FOLDER_FIRST.match(text):
            workdir = posixpath.join(workdir, folder["folder"].strip("'\""))
    else:
        operation = Operation(Action.RUN, command=text[:_MAX_COMMAND])
    budget = values.max_output_tokens
    return Asked(
        operation,
        workdir,
        runs=True,
        escalated=values.sandbox_permissions == "require_escalated" or values.with_escalated_permissions is True,
        own_limit=isinstance(budget, int | float) and budget < _DEFAULT_BUDGET,
    )


def command_of(command: object) -> str:
    """Shell text of a command given as text or as an argument vector; a shell's own `-c` is unwrapped."""
    if isinstance(command, str):
        return command
    if not isinstance(command, list):
        return ""
    words = [word for word in command if isinstance(word, str)]
    if len(words) >= 3 and _COMMAND_FLAG.fullmatch(words[-2]) and _is_shell(words[0]):
        return words[-1]
    if len(words) == 2 and words[0] in ("apply_patch", "applypatch"):
        return words[1]
    return shlex.join(words)


def _is_shell(program: str) -> bool:
    name = re.split(r"[\\/]", program)[-1].lower()
    return name in _SHELLS or name in _SHELLS_OF_WINDOWS


def _patch(text: str) -> Operation:
    """A patch writes one new file, or edits: then the first file stands for all."""
    files = _PATCHED.findall(text)
    if not files:
        return Operation(Action.EDIT)
    creates = len(files) == 1 and files[0][0] == "Add"
    return Operation(Action.WRITE if creates else Action.EDIT, path=files[0][1])


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def resolve(cwd: str, workdir: str) -> str:
    """The absolute working directory of a call; "" where it cannot be told."""
    if not workdir:
        return cwd
    if workdir.startswith("/"):
        return posixpath.normpath(workdir)
    if _DRIVE.match(workdir):
        return workdir
    return posixpath.normpath(posixpath.join(cwd, workdir)) if cwd else ""
