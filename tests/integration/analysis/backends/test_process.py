"""Programs that hang, chatter, fork and die."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from headroomd.analysis.backends.process import Ending, Finished, run
from tests.support.processes import is_gone


def python(code: str, folder: Path, question: bytes = b"", **limits: float) -> Finished:
    given = {"total": 20.0, "idle": 20.0, "limit": 1_000_000, **limits}
    return run(
        [sys.executable, "-c", code],
        question=question,
        folder=folder,
        variables={"PATH": os.environ["PATH"]},
        total=given["total"],
        idle=given["idle"],
        limit=int(given["limit"]),
    )


def test_conversation(tmp_path: Path) -> None:
    """A large question is passed on whole while a large answer is read."""
    question = b"x" * 3_000_000
    code = "import sys; d = sys.stdin.buffer.read(); sys.stderr.write('done'); sys.stdout.buffer.write(d[:900_000])"
    finished = python(code, tmp_path, question)
    assert finished == Finished(Ending.ITSELF, 0, question[:900_000], b"done")


def test_question_unread(tmp_path: Path) -> None:
    """A program that does not read its question is no error."""
    finished = python("print('bye')", tmp_path, b"x" * 3_000_000)
    assert (finished.ending, finished.code, finished.out) == (Ending.ITSELF, 0, b"bye\n")


def test_exit_status(tmp_path: Path) -> None:
    """The exit status and the end of a long complaint are kept."""
    finished = python("import sys; sys.stderr.write('a' * 5000 + 'why'); sys.exit(7)", tmp_path, limit=1000)
    assert finished.code == 7
    assert len(finished.err) == 1000
    assert finished.err.endswith(b"why")


def test_total_time(tmp_path: Path) -> None:
    """A program that goes on talking is ended when its time is over."""
    start = time.monotonic()
    finished = python("import time\nwhile 1: print('.', flush=True); time.sleep(.05)", tmp_path, total=0.6)
    assert finished.ending is Ending.TIME
    assert time.monotonic() - start < 5


def test_silence(tmp_path: Path) -> None:
    """A program that says nothing is ended before its time is over; one that talks is not."""
    finished = python("import time; print('one', flush=True); time.sleep(60)", tmp_path, idle=0.5)
    assert (finished.ending, finished.out) == (Ending.SILENCE, b"one\n")
    finished = python("import time\nfor _ in range(8): print('.', flush=True); time.sleep(.1)", tmp_path, idle=0.5)
    assert finished.ending is Ending.ITSELF


def test_size(tmp_path: Path) -> None:
    """A program that floods its output is ended, and little more than the limit is kept."""
    finished = python("while 1: print('x' * 1000)", tmp_path, limit=50_000)
    assert finished.ending is Ending.SIZE
    assert len(finished.out) < 50_000 + 70_000


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ignore = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'
child = subprocess.Popen([sys.executable, '-c', ignore])
print(os.getpid(), child.pid, flush=True)
time.sleep(60)
"""


def test_grandchildren_die(tmp_path: Path) -> None:
    """A program that ignores the request to end is killed, and what it started as well."""
    finished = python(STUBBORN, tmp_path, idle=1.0)
    assert finished.ending is Ending.SILENCE
    for pid in map(int, finished.out.split()):
        assert is_gone(pid)


def test_left_behind(tmp_path: Path) -> None:
    """What a program leaves running when it ends neither delays us nor survives, though it holds the pipes open."""
    code = "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nprint(child.pid)"
    start = time.monotonic()
    finished = python(code, tmp_path)
    assert (finished.ending, finished.code) == (Ending.ITSELF, 0)
    assert time.monotonic() - start < 10
    assert is_gone(int(finished.out))


def test_not_there(tmp_path: Path) -> None:
    """A program that cannot be started is the caller's to explain."""
    with pytest.raises(FileNotFoundError):
        run(["/no/such"], question=b"", folder=tmp_path, variables={}, total=1, idle=1, limit=10)
