"""`forget`, `pin`, `restore`, `accept`, `reject`, `review` and `history`, on the sample project."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import click
import pytest

from headroomd.ledger import Learning, Ledger, Status
from headroomd.paths import Places
from tests.integration.cli.conftest import Run


def learnings() -> dict[str, Learning]:
    """What is known, by subject."""
    with Ledger.open(Places.current().ledger) as ledger:
        [project] = [facts.path for facts in ledger.facts.projects()]
        return {one.lesson.subject: one for one in ledger.learnings.of_project(project)}


@pytest.fixture
def rule(project: Path, headroomd: Run) -> Learning:
    """One rule of the sample project, which stands in CLAUDE.md."""
    assert headroomd("learn", "--apply", "--model", "none").status == 0
    found = learnings()["lighthouse/beacons.py"]
    assert found.status is Status.ACTIVE
    return found


@pytest.fixture
def unwritten(project: Path, headroomd: Run) -> Learning:
    """The same rule, before anything was written."""
    assert headroomd("learn", "--model", "none").status == 0
    return learnings()["lighthouse/beacons.py"]


def block(project: Path) -> str:
    return (project / "CLAUDE.md").read_text()


def learn(headroomd: Run) -> None:
    assert headroomd("learn", "--apply", "--model", "none").status == 0


def test_forget_and_restore(project: Path, rule: Learning, headroomd: Run) -> None:
    """A forgotten rule leaves the files, and is back when it is restored."""
    answer = headroomd("forget", rule.id[:6])
    assert answer.status == 0
    assert answer.out.startswith(f"Forgotten: {rule.id}  `lighthouse/beacons.py`")
    learn(headroomd)
    assert "lighthouse/beacons.py" not in block(project)
    assert "retired (you deleted it)" in headroomd("why", rule.id).out
    assert headroomd("restore", rule.id).status == 0
    learn(headroomd)
    assert "lighthouse/beacons.py" in block(project)


def test_one_wrong_id_and_nothing_is_done(rule: Learning, headroomd: Run) -> None:
    """All ids are looked up before anything is decided."""
    answer = headroomd("forget", rule.id, "zzz")
    assert (answer.status, answer.out) == (1, "")
    assert "no learning has the id 'zzz'" in answer.err
    assert learnings()[rule.lesson.subject].status is Status.ACTIVE


def test_pin_as_json(rule: Learning, headroomd: Run) -> None:
    """The rule as it is afterwards, in the usual envelope."""
    document = json.loads(headroomd("pin", rule.id, "--json").out)
    assert (document["version"], document["command"]) == (1, "pin")
    assert (document["rules"][0]["id"], document["rules"][0]["pinned"]) == (rule.id, True)


def test_reviewed_project(project: Path, unwritten: Learning, headroomd: Run) -> None:
    """With mode = "review" only accepted rules stand in the files."""
    Places.current().config.parent.mkdir(parents=True, exist_ok=True)
    Places.current().config.write_text(f'[[project]]\npath = "{project}"\nmode = "review"\n')
    learn(headroomd)
    assert not (project / "CLAUDE.md").exists() or "headroom:learn" not in block(project)
    assert headroomd("accept", unwritten.id).status == 0
    learn(headroomd)
    assert "lighthouse/beacons.py" in block(project)
    assert ".venv/bin/python" not in block(project)
    assert headroomd("reject", unwritten.id).status == 0
    learn(headroomd)
    assert "lighthouse/beacons.py" not in block(project)


def test_review_by_plain_input(
    project: Path, unwritten: Learning, headroomd: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers come one a line: the end of them is no error, and what was answered holds."""
    said = iter(["what?", "reject", "edit", "Mind the beacons"])

    def answer(*_: object, **__: object) -> str:
        try:
            return next(said)
        except StopIteration:
            raise click.Abort from None

    monkeypatch.setattr("headroomd.cli.review.click.prompt", answer)
    result = headroomd("review")
    assert result.status == 0
    assert "1 accepted, 1 rejected" in result.out
    after = learnings().values()
    assert [one.wording for one in after if one.pinned] == ["Mind the beacons"]
    assert sum(one.reason == "you deleted it" for one in after) == 1
    learn(headroomd)
    assert "- Mind the beacons\n" in block(project)


def test_review_on_a_terminal(project: Path, unwritten: Learning) -> None:
    """The dialogue on a real terminal: the rule, its evidence, the question; q leaves."""
    leader, follower = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "headroomd", "review"], stdin=follower, stdout=follower, stderr=follower, cwd=project
    )
    os.close(follower)
    shown = _read_until(leader, b"(q)uit? ")
    assert b"failed  " in shown
    assert b"to review in ~/" in shown
    os.write(leader, b"accept\n")
    _read_until(leader, b"(q)uit? ")
    os.write(leader, b"q\n")
    assert b"1 accepted" in _read_until(leader, b"left for later")
    assert done.wait(timeout=30) == 0
    os.close(leader)
    assert sum(one.accepted for one in learnings().values()) == 1


def _read_until(terminal: int, end: bytes) -> bytes:
    shown = b""
    while end not in shown:
        assert select.select([terminal], [], [], 30)[0], shown
        shown += os.read(terminal, 4096)
    return shown


def test_nothing_to_review(rule: Learning, headroomd: Run) -> None:
    """What stands in the files was let in already."""
    assert "Nothing waits for your review" in headroomd("review").out


def test_history_and_undo(project: Path, rule: Learning, headroomd: Run) -> None:
    """What was written, newest first, with its diff; undone writes say so."""
    headroomd("forget", rule.id)
    learn(headroomd)
    answer = headroomd("history", project / "CLAUDE.md")
    assert answer.status == 0
    assert answer.out.count("CLAUDE.md  learn") == 2
    assert "-- `lighthouse/beacons.py` → actually at `lighthouse/io/beacons.py`" in answer.out
    headroomd("undo", project / "CLAUDE.md")
    writes = json.loads(headroomd("history", project / "CLAUDE.md", "--json").out)["writes"]
    assert [write["state"] for write in writes] == ["undone", "undone", "done"]
    assert writes[0]["reason"] == f"undo of write {writes[1]['id']}"
    assert rule.id in [one["id"] for one in writes[0]["rules"]]
    assert len(json.loads(headroomd("history", "-n", "1", "--json").out)["writes"]) == 1


def test_a_file_whose_block_was_taken_out_is_named(project: Path, rule: Learning, headroomd: Run) -> None:
    """`learn` says what it leaves alone and what would change that; `enable` does."""
    (project / "CLAUDE.md").write_text("# mine\n")
    learn(headroomd)
    assert "CLAUDE.md: you took its block out" in headroomd("learn", "--model", "none").out
    [found] = json.loads(headroomd("learn", "--model", "none", "--json").out)["projects"]
    assert found["left_alone"] == [str(project / "CLAUDE.md")]
    assert headroomd("enable").status == 0
    learn(headroomd)
    assert "lighthouse/beacons.py" in block(project)


def test_no_history(project: Path, headroomd: Run) -> None:
    """Before the first write."""
    assert headroomd("history").out == "Nothing was written yet.\n"
