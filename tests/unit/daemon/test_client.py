"""The client's side of the control socket, against listeners that behave and others that do not."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from headroomd.daemon.client import ask, holder
from headroomd.daemon.control import Command, Reply, Request, encode
from headroomd.errors import ControlError
from headroomd.paths import Places

PING = Request(Command.PING)
Serve = Callable[[Callable[[socket.socket], None]], None]


@pytest.fixture
def places() -> Places:
    places = Places.current()
    places.state.mkdir(parents=True)
    places.socket.parent.mkdir(parents=True)
    return places


@pytest.fixture
def serve(places: Places) -> Iterator[Serve]:
    """Has one client answered in a way of the test's."""
    listening = socket.socket(socket.AF_UNIX)
    threads: list[threading.Thread] = []

    def start(answer: Callable[[socket.socket], None]) -> None:
        listening.bind(str(places.socket))
        listening.listen()

        def run() -> None:
            client, _ = listening.accept()
            with client:
                answer(client)

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield start
    listening.close()
    for thread in threads:
        thread.join(5)


def test_without_a_socket_nobody_runs(places: Places) -> None:
    """None, and at once."""
    assert ask(places, PING, starts_within=60) is None


def test_a_socket_that_a_dead_daemon_left_counts_as_none(places: Places) -> None:
    """Nobody listens behind it."""
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(places.socket))
    assert ask(places, PING) is None


def test_the_answer_comes_back(places: Places, serve: Serve) -> None:
    """With version and pid of who answered."""
    serve(lambda client: (client.recv(9999), client.sendall(encode(Reply(True, "9.9", 77))))[1])
    reply = ask(places, PING)
    assert reply is not None
    assert (reply.version, reply.pid) == ("9.9", 77)


def test_a_refusal_is_raised(places: Places, serve: Serve) -> None:
    """Cause and remedy are the daemon's."""
    refusal = encode(Reply(False, "1", 1, cause="no such project", remedy="enable it"))
    serve(lambda client: (client.recv(9999), client.sendall(refusal))[1])
    with pytest.raises(ControlError, match="no such project: enable it"):
        ask(places, PING)


@pytest.mark.parametrize(("line", "said"), [(b"", "ended before"), (b"nonsense\n", "not understood"), (b"{}", "ended")])
def test_what_is_no_answer_is_said_to_be_none(places: Places, serve: Serve, line: bytes, said: str) -> None:
    """A daemon that dies half-way and one that speaks something else are one clear line."""
    serve(lambda client: (client.recv(9999), client.sendall(line))[1])
    with pytest.raises(ControlError, match=said):
        ask(places, PING)


def test_a_silent_daemon_does_not_keep_us(places: Places, serve: Serve) -> None:
    """After the time that the caller gives, it says so."""
    done = threading.Event()
    serve(lambda _: done.wait(10) and None)
    with pytest.raises(ControlError, match="did not answer within"):
        ask(places, PING, answer_within=0.05)
    done.set()


def test_a_daemon_that_is_just_starting_is_waited_for(places: Places, serve: Serve) -> None:
    """It holds the lock and does not listen yet."""
    places.lock.write_text(f"pid {os.getpid()}, version 1\n")
    late = threading.Timer(
        0.2, serve, [lambda client: (client.recv(9999), client.sendall(encode(Reply(True, "1", 1))))[1]]
    )
    late.start()
    assert ask(places, PING, starts_within=10) is not None
    late.join()


@pytest.mark.parametrize("text", ["", "pid ", "pid 0, x", "pid 99999999999999, version 1", "pid 4194304, version 1"])
def test_a_lock_of_nobody(places: Places, text: str) -> None:
    """An empty file, nonsense and the pid of a process that is gone are nobody."""
    places.lock.write_text(text)
    assert holder(places.lock) is None


def test_a_pid_that_is_another_programs_by_now(places: Places) -> None:
    """Pids are used again: process 1 is no headroomd."""
    if not Path("/proc/1/cmdline").exists():
        pytest.skip("the system shows no command lines")
    places.lock.write_text("pid 1, version 1\n")
    assert holder(places.lock) is None


def test_the_holder_is_named(places: Places) -> None:
    """By its pid."""
    places.lock.write_text(f"pid {os.getpid()}, version 1\n")
    assert holder(places.lock) == os.getpid()
