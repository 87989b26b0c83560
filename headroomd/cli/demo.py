"""`headroomd demo`: the whole thing on bundled real sessions, in a temporary home that is gone afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from pathlib import Path
from typing import Any, Final

import click

from headroomd.errors import HeadroomError

__all__ = ["demo", "lay_out"]

_SAMPLES: Final = Path(__file__).parents[1] / "demo"
_RECORDED_HOME: Final = "/home/sam"
_RECORDED_PROJECT: Final = "/home/sam/code/lighthouse"
_CONTEXT_FILES: Final = ("CLAUDE.md", "AGENTS.md", "GEMINI.md")


@click.command()
def demo() -> None:
    """Show on bundled sample sessions what headroomd does: before, after, and back.

    Works in a temporary folder; nothing of yours is read or written, and nothing is sent anywhere.
    """
    with tempfile.TemporaryDirectory(prefix="headroomd-demo-") as folder:
        home = Path(folder).resolve()
        user = _User(home, lay_out(home))
        _say("A small project, and eight real sessions in it of Claude Code, Codex CLI and Gemini CLI.")
        user.show_files("Before")
        _say("What headroomd learns from them. Without --apply it only shows what it would write:")
        user.runs("learn", "--model", "none")
        _say("With --apply it writes. What one agent stumbled over, all three are told:")
        user.runs("learn", "--apply", "--model", "none")
        user.show_files("After")
        _say("Where a rule comes from can always be asked:")
        user.runs("why", user.first_path_rule())
        _say("A second run finds nothing new, and writes nothing:")
        user.runs("learn", "--apply", "--model", "none")
        _say("And all of it can be taken back:")
        user.runs("undo")
        _say("That was a temporary folder, which is gone now. In a project of your own: headroomd learn")


def lay_out(home: Path) -> Path:
    """Put the sample project and its sessions under `home`; the project's folder."""
    project = home / "code/lighthouse"
    scenario: dict[str, Any] = tomllib.loads((_SAMPLES / "scenario.toml").read_text("utf-8"))
    for name, text in scenario["files"].items():
        _write(project / name, text)
    _write(project / ".git/HEAD", "ref: refs/heads/main\n")  # enough to be seen as a repository, without needing git
    moved = {
        _claude_folder(_RECORDED_PROJECT): _claude_folder(str(project)),
        _digest(_RECORDED_PROJECT): _digest(str(project)),
        _RECORDED_HOME: str(home),
    }
    for sample in (_SAMPLES / "home").rglob("*"):
        if sample.is_file():
            name = str(sample.relative_to(_SAMPLES / "home"))
            _write(home / _replaced(name, moved), _replaced(sample.read_text("utf-8"), moved))
    return project


def _claude_folder(path: str) -> str:
    """How Claude Code 2.1 names the folder of a project's sessions."""
    return re.sub(r"[^A-Za-z0-9]", "-", path)


def _digest(path: str) -> str:
    """How Gemini CLI 0.61 tells projects apart in its session files."""
    return hashlib.sha256(path.encode()).hexdigest()


def _replaced(text: str, moved: dict[str, str]) -> str:
    for old, new in moved.items():
        text = text.replace(old, new)
    return text


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


class _User:
    """Somebody who works in the sample project and types commands."""

    def __init__(self, home: Path, project: Path) -> None:
        self._home = home
        self._project = project

    def runs(self, *arguments: str) -> None:
        """Show a command and what it prints."""
        click.secho(f"~/code/lighthouse $ headroomd {' '.join(arguments)}", bold=True)
        done = self._headroomd(*arguments)
        click.echo(done.stdout.strip())
        if done.stderr:
            click.echo(done.stderr.strip(), err=True)

    def first_path_rule(self) -> str:
        """The id of a rule that was learnt."""
        learnt = json.loads(self._headroomd("learn", "--json", "--model", "none").stdout)
        (project,) = learnt["projects"]
        return next(str(one["id"]) for one in project["learnings"] if one["section"] == "File Path Corrections")

    def show_files(self, when: str) -> None:
        """The files that agents load, in full."""
        for name in _CONTEXT_FILES:
            path = self._project / name
            click.secho(f"\n{when}: ~/code/lighthouse/{name}", bold=True)
            text = path.read_text("utf-8") if path.exists() else "(there is no such file)\n"
            click.echo(textwrap.indent(text, "    "), nl=False)

    def _headroomd(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A child process whose whole environment is made up here, so that nothing of the real user is found."""
        environment = {"HOME": str(self._home), "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        command = [sys.executable, "-P", "-m", "headroomd", *arguments]
        done = subprocess.run(command, cwd=self._project, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            cause = f"headroomd {arguments[0]} failed in the demo ({done.stderr.strip()})"
            raise HeadroomError(cause, "please report this")
        return done


def _say(text: str) -> None:
    click.secho(f"\n{text}", fg="cyan")
