"""Telling systemd how the service fares: sd_notify(3), which is one datagram.

Does nothing where nobody listens, so callers need not ask.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Self

__all__ = ["Notifier"]


class Notifier:
    """Sends state to the socket that NOTIFY_SOCKET names."""

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address  # an abstract socket
        self.watchdog = watchdog  # seconds within which WATCHDOG=1 must be heard; 0.0: nobody listens for it

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] | None = None) -> Self:
        """What the service manager told this process (WATCHDOG_USEC only if it is meant for this pid)."""
        variables = os.environ if variables is None else variables
        address = variables.get("NOTIFY_SOCKET", "")
        usec = variables.get("WATCHDOG_USEC", "")
        is_mine = variables.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return cls(address, int(usec) / 1e6 if address and is_mine and usec.isdecimal() else 0.0)

    @property
    def is_heard(self) -> bool:
        """Whether a service manager listens."""
        return bool(self._address)

    def ready(self) -> None:
        """The daemon watches, and answers clients."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The end has begun, and is no failure."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The loop has come round; a manager that hears nothing for `watchdog` seconds starts the daemon anew."""
        self._send("WATCHDOG=1")

    def status(self, line: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={line.splitlines()[0] if line else ''}")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
                peer.connect(self._address)
                peer.send(state.encode())
        except OSError:
            pass  # a manager that cannot be told must not keep the service from its work
