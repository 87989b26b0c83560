"""`headroomd run`: boot reads as the architecture."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Final

import msgspec

from headroomd import __version__, logs
from headroomd.agents.base import Environment
from headroomd.agents.registry import load_plugins
from headroomd.config import Config, load_config
from headroomd.daemon.analyst import Analyse
from headroomd.daemon.lock import InstanceLock
from headroomd.daemon.loop import LONGEST_IDLE, Daemon
from headroomd.daemon.notify import Notifier
from headroomd.daemon.priority import step_back
from headroomd.daemon.schedule import check_config
from headroomd.daemon.server import ControlServer
from headroomd.daemon.state import Mode, Problem
from headroomd.errors import ConfigError
from headroomd.ledger import Ledger
from headroomd.paths import Places, make_private

__all__ = ["BAD_CONFIG", "boot"]

BAD_CONFIG: Final = 78
"""Exit status for a ConfigError (EX_CONFIG of sysexits.h): the service files tell the system not to start again."""

_LAUNCHD: Final = "XPC_SERVICE_NAME"


def boot(places: Places, variables: Mapping[str, str] | None = None, *, analyse: Analyse | None = None) -> int:
    """Run the daemon until it is told to stop; the exit status.

    Raises LockHeldError (another one runs), LedgerError (damaged, or newer than this program), ConfigError.
    """
    variables = os.environ if variables is None else variables
    notifier = Notifier.from_environment(variables)
    log = logs.configure(variables=variables)
    step_back()
    make_private(places.state)
    with contextlib.ExitStack() as stack:
        stack.enter_context(InstanceLock(places.lock))
        ledger = stack.enter_context(Ledger.open(places.ledger))
        config = _config(places, variables, ledger)
        daemon = Daemon(
            ledger,
            load_plugins(),
            Environment.current(),
            places,
            config,
            mode=_mode(notifier, variables),
            analyse=analyse,
            on_activity=notifier.status,
        )
        stack.callback(daemon.close)
        server = ControlServer(places.socket, daemon.clients.ask)
        stack.callback(server.stop)
        server.start()
        stack.enter_context(_signals(daemon))
        daemon.start()
        _keep_alive(daemon, server, notifier)
        notifier.ready()
        log.info("started", version=__version__, pid=os.getpid(), mode=daemon.mode, state=str(places.state))
        daemon.run()
        notifier.stopping()
        log.info("stopped", seconds=round(time.time() - daemon.started_at))
    return 0


def _config(places: Places, variables: Mapping[str, str], ledger: Ledger) -> Config:
    """The config; where it is wrong, `status` is left word of it, for whoever wonders why no daemon runs."""
    try:
        config = load_config(places, variables)
        check_config(config)
    except ConfigError as error:
        _leave_word(ledger, Problem("config", f"the daemon did not start: {error.cause}", error.remedy))
        raise
    _leave_word(ledger, None)
    return config


def _leave_word(ledger: Ledger, refusal: Problem | None) -> None:
    with ledger.transaction():
        ledger.queue.set_note("refusal", msgspec.json.encode(refusal).decode() if refusal else "")


def _mode(notifier: Notifier, variables: Mapping[str, str]) -> Mode:
    if notifier.is_heard:
        return Mode.SYSTEMD
    is_launched = sys.platform == "darwin" and variables.get(_LAUNCHD, "0") != "0" and os.getppid() == 1
    return Mode.LAUNCHD if is_launched else Mode.MANUAL


@contextlib.contextmanager
def _signals(daemon: Daemon) -> Iterator[None]:
    """SIGTERM and SIGINT stop, a second one at once; SIGHUP reloads. The handlers only set flags."""
    told = 0

    def on_stop(number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told += 1
        if told > 1:
            os._exit(128 + number)  # nothing is lost: whatever was being written is atomic
        daemon.stop()

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGTERM: on_stop,
        signal.SIGINT: on_stop,
        signal.SIGHUP: lambda _number, _frame: daemon.reload_soon(),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep_alive(daemon: Daemon, server: ControlServer, notifier: Notifier) -> None:
    """Things that must happen while the loop is at work. systemd hears nothing once the loop has stopped turning."""
    daemon.schedule.every(60.0, server.touch, "touch")
    if notifier.watchdog:

        def tell() -> None:
            if time.monotonic() - daemon.heartbeat < max(notifier.watchdog, 2 * LONGEST_IDLE):
                notifier.alive()

        daemon.schedule.every(notifier.watchdog / 2, tell, "watchdog")
