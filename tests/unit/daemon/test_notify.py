"""What is told to a service manager."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from headroomd.daemon.notify import Notifier

linux = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")


@pytest.mark.parametrize(
    ("variables", "watchdog"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "5000000"}, 0.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "5000000"}, 5.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_watchdog(variables: dict[str, str], watchdog: float) -> None:
    """WATCHDOG_USEC counts only where somebody listens, and if it is meant for this process."""
    assert Notifier.from_environment(variables).watchdog == watchdog


@pytest.mark.parametrize("abstract", [False, pytest.param(True, marks=linux)])
def test_messages(tmp_path: Path, abstract: bool) -> None:
    """Each is one datagram, to a socket in the file system or to an abstract one."""
    name = f"@headroomd-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(5)
        notifier = Notifier(name)
        notifier.ready()
        notifier.status("two\nlines")
        notifier.alive()
        notifier.stopping()
        assert [manager.recv(100) for _ in range(4)] == [b"READY=1", b"STATUS=two", b"WATCHDOG=1", b"STOPPING=1"]


def test_nobody_listens(tmp_path: Path) -> None:
    """Neither a missing manager nor a dead one keeps anybody from working."""
    Notifier().ready()
    Notifier(str(tmp_path / "gone")).ready()
