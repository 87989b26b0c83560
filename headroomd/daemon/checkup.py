"""`headroomd doctor`: every part of the set-up looked at, each with what to do where it is not well.

Unlike `status` it takes its time: the whole config is checked, the whole ledger read, every folder listed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from headroomd import __version__
from headroomd.agents.base import AgentPlugin, Environment
from headroomd.agents.registry import Plugins, load_plugins
from headroomd.config import Config, load_config
from headroomd.daemon.blockcheck import block_problems
from headroomd.daemon.client import ask, holder
from headroomd.daemon.control import Command, Request
from headroomd.daemon.inotify import limit, room_left
from headroomd.daemon.managers import manager
from headroomd.daemon.schedule import check_config
from headroomd.errors import ConfigError, HeadroomError
from headroomd.intake import list_files
from headroomd.ledger import Ledger
from headroomd.options import plan_options
from headroomd.paths import Places

__all__ = ["Check", "Verdict", "examine"]

_FEW_WATCHES = 8192  # the kernel's old default, which an editor alone may use up


class Verdict(StrEnum):
    """How one check came out."""

    OK = "ok"
    WARN = "warn"  # it works, with less than there could be
    FAIL = "fail"  # it does not work


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


def examine(places: Places, env: Environment) -> list[Check]:
    """All checks, in the order in which things depend on each other. Never raises for what is wrong."""
    plugins = load_plugins()
    config, check = _config(places, env)
    checks = [check]
    groups: list[Callable[[], Iterator[Check]]] = [
        lambda: _ledger(places),
        lambda: _agents(plugins, config, env),
        lambda: _watches(plugins, env),
        lambda: _projects(places, plugins, config, env),
        lambda: _socket(places),
        lambda: _daemon(places),
        _service,
    ]
    for group in groups:
        try:
            checks.extend(group())
        except HeadroomError as problem:
            checks.append(Check("check", Verdict.FAIL, problem.cause, problem.remedy))
    return checks


def _config(places: Places, env: Environment) -> tuple[Config, Check]:
    try:
        config = load_config(places, env.variables)
        check_config(config)
    except ConfigError as error:
        return Config(), Check("config", Verdict.FAIL, error.cause, error.remedy)
    found = f"{places.config} is right" if places.config.exists() else "there is no file: the defaults hold"
    return config, Check("config", Verdict.OK, found)


def _ledger(places: Places) -> Iterator[Check]:
    if not places.ledger.exists():
        remedy = "`headroomd run-now` reads the sessions that are there"
        yield Check("ledger", Verdict.WARN, "there is none yet: nothing was read", remedy)
        return
    try:
        with Ledger.open(places.ledger, read_only=True) as ledger:
            damage = ledger.overview.check()
            totals = ledger.facts.totals()
            unread = {**ledger.queue.errors(), **totals.errors}
    except HeadroomError as error:
        yield Check("ledger", Verdict.FAIL, error.cause, error.remedy)
        return
    if damage:
        remedy = f"move {places.ledger} away; the sessions are then read again, but what `undo` could put back is lost"
        yield Check("ledger", Verdict.FAIL, f"it is damaged ({damage})", remedy)
        return
    found = f"sound: {totals.sessions:,} sessions in {totals.projects:,} projects, {totals.calls:,} calls"
    yield Check("ledger", Verdict.OK, found)
    for path, reason in unread.items():
        yield Check("session", Verdict.WARN, f"{path} could not be read: {reason}", "check its owner and mode")
    lost = totals.odd + totals.skipped
    if lost:
        found = f"{lost:,} lines of sessions could not be understood and were left out"
        yield Check("session", Verdict.WARN, found, "update headroomd if this number keeps growing")


def _agents(plugins: Plugins, config: Config, env: Environment) -> Iterator[Check]:
    found_any = False
    for plugin in plugins.plugins.values():
        if config.agents and plugin.name not in config.agents:
            yield Check("agent", Verdict.OK, f"{plugin.title}: left out by `agents` in the config")
            continue
        try:
            files = list_files(plugin, env)
        except HeadroomError as error:
            yield Check("agent", Verdict.FAIL, error.cause, error.remedy)
            continue
        found_any |= bool(files)
        folders = ", ".join(str(root) for root in plugin.roots(env))
        found = f"{len(files):,} session files" if files else "no sessions"
        yield Check("agent", Verdict.OK, f"{plugin.title}: {found} in {folders}")
    if not found_any:
        remedy = "use one of them, or set CLAUDE_CONFIG_DIR, CODEX_HOME or GEMINI_CLI_HOME as the agent has it"
        yield Check("agent", Verdict.WARN, "no session of any agent was found", remedy)
    for broken in plugins.broken:
        yield Check("agent", Verdict.FAIL, broken.cause, broken.remedy)


def _watches(plugins: Plugins, env: Environment) -> Iterator[Check]:
    watches = limit("max_user_watches")
    if not watches:
        return  # no inotify here
    folder = next((root for one in plugins.plugins.values() for root in one.roots(env) if root.is_dir()), env.home)
    wanted = "sudo sysctl fs.inotify.max_user_watches=524288, and a file in /etc/sysctl.d to keep it"
    try:
        room_left(folder)
    except OSError:
        found = f"there is no room for another file watch (fs.inotify.max_user_watches = {watches:,})"
        yield Check("watching", Verdict.FAIL, found, wanted)
        return
    verdict = Verdict.WARN if watches <= _FEW_WATCHES else Verdict.OK
    remedy = wanted if verdict is Verdict.WARN else ""
    yield Check("watching", verdict, f"room for file watches (fs.inotify.max_user_watches = {watches:,})", remedy)


def _projects(places: Places, plugins: Plugins, config: Config, env: Environment) -> Iterator[Check]:
    enabled = [project for project in config.project if project.enabled]
    if not enabled:
        remedy = "`headroomd enable` in a project's folder; without it only `headroomd learn --apply` writes"
        yield Check("projects", Verdict.WARN, "none is enabled: the daemon only counts", remedy)
    seen: dict[str, tuple[str, ...]] = {}
    written: dict[str, list[str]] = {}
    if places.ledger.exists():
        with Ledger.open(places.ledger, read_only=True) as ledger:
            seen = {facts.path: facts.agents for facts in ledger.facts.projects()}
            written = ledger.overview.written()
    for project in enabled:
        root = project.path.resolve()
        if not root.is_dir():
            yield Check("project", Verdict.WARN, f"{root} is enabled and not there", f"`headroomd disable {root}`")
            continue
        options = plan_options(config, root, seen.get(str(root), ()), home=env.home)
        chosen = [plugins.plugins[name] for name in (options.agents if options else ()) if name in plugins.plugins]
        yield from _blocks(root, chosen, env, written.get(str(root), []), config)


def _blocks(
    root: Path, plugins: list[AgentPlugin], env: Environment, written: list[str], config: Config
) -> Iterator[Check]:
    problems = list(block_problems(root, plugins, env, written, {"claude": config.claude_context_file}))
    for problem in problems:
        yield Check("project", Verdict.WARN, problem.cause, problem.remedy)
    if not os.access(root, os.W_OK):
        yield Check(
            "project", Verdict.FAIL, f"{root} cannot be written", f"make it writable, or headroomd disable {root}"
        )
    elif not problems:
        blocks = f"blocks in {len(written)} files" if written else "no block yet"
        yield Check("project", Verdict.OK, f"{root}: {blocks}, and nothing keeps an agent from loading them")


def _socket(places: Places) -> Iterator[Check]:
    path = places.socket
    try:
        folder, found = path.parent.stat(), path.stat()
    except FileNotFoundError:
        return  # made when the daemon starts
    except OSError as error:
        yield Check(
            "socket", Verdict.FAIL, f"{path} cannot be looked at ({error.strerror})", "check its folder's owner"
        )
        return
    open_to_others = (stat.S_IMODE(folder.st_mode) & 0o077) or (stat.S_IMODE(found.st_mode) & 0o077)
    if found.st_uid != os.getuid() or open_to_others:
        remedy = f"chmod 700 {path.parent}; then restart the daemon"
        yield Check("socket", Verdict.FAIL, f"{path} is open to other users", remedy)
    else:
        yield Check("socket", Verdict.OK, f"{path} is yours alone")


def _daemon(places: Places) -> Iterator[Check]:
    start = "`headroomd service install` has it run by itself"
    try:
        reply = ask(places, Request(Command.PING))
    except HeadroomError as error:
        yield Check("daemon", Verdict.FAIL, error.cause, error.remedy)
        return
    pid = holder(places.lock)
    if reply is None and pid is not None:
        yield Check("daemon", Verdict.FAIL, f"pid {pid} holds the lock and does not listen", f"end it: kill {pid}")
    elif reply is None:
        yield Check("daemon", Verdict.WARN, "it is not running: nothing is learnt by itself", start)
    elif reply.version != __version__:
        remedy = "restart it: headroomd service stop, then headroomd service start"
        found = f"it is version {reply.version}, this program {__version__}"
        yield Check("daemon", Verdict.FAIL, found, remedy)
    else:
        yield Check("daemon", Verdict.OK, f"running (pid {reply.pid}), version {reply.version}")


def _service() -> Iterator[Check]:
    try:
        service = manager()
        state = service.state()
    except ConfigError as error:
        yield Check("service", Verdict.WARN, error.cause, error.remedy)
        return
    remedy = "`headroomd service install` puts that right"
    if not state.installed:
        yield Check("service", Verdict.WARN, "the daemon does not start by itself at login", remedy)
    elif service.unit.path.read_bytes() != service.unit.text:
        yield Check("service", Verdict.WARN, f"{service.unit.path} is of another installation or PATH", remedy)
    elif not state.running:
        found = state.said or f"installed for {service.title}, and not running"
        yield Check("service", Verdict.WARN, found, "`headroomd service start`")
    else:
        yield Check("service", Verdict.OK, f"installed for {service.title}, running")
