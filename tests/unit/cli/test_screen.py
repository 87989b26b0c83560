"""The status screen: what a person reads, in 80 columns."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from msgspec.structs import replace

from headroomd.cli.screen import ago, ahead, screen, shortened
from headroomd.daemon.report import AgentReport, ProjectReport, Report, Standing
from headroomd.daemon.state import (
    DaemonState,
    Mode,
    Problem,
    QueueDepths,
    RootState,
    RunState,
    Watching,
)
from headroomd.ledger import WriteTotals

NOW = 1_800_000_000.0


def project(path: str = "/srv/webshop", **changes: object) -> ProjectReport:
    base = ProjectReport(path, True, "auto", ("claude", "codex"), 3, NOW - 7200, 4, 1, 0, 2)
    return replace(base, **changes)


def agent(watching: Watching = Watching.WATCHING, reason: str = "") -> AgentReport:
    return AgentReport("claude", "Claude Code", (RootState("/r", watching, reason),), 1234, NOW - 180)


DAEMON = DaemonState(
    pid=4711, version="1.0.0", started_at=NOW - 7200, mode=Mode.SYSTEMD, paused=False, activity="idle", agents=(),
    queue=QueueDepths(), last_sweep=NOW, last_run=None, next_runs={}, problems=(), config="/c", at=NOW,
)  # fmt: skip

RUN = RunState(NOW - 60, 0.5, 3, 1200, 2, ("/srv/webshop",), ("/srv/webshop/CLAUDE.md",))

REPORT = Report(
    at=NOW,
    standing=Standing.RUNNING,
    pid=4711,
    daemon=DAEMON,
    agents=(agent(),),
    queue=QueueDepths(open=1, queued=2, done=80, nothing=1),
    last_run=RUN,
    next_runs={"sweep": NOW + 200, "analysis": NOW + 7200},
    projects=(project(),),
    writes=(WriteTotals(NOW - 90, "/srv/webshop/CLAUDE.md", "/srv/webshop", ("claude",), False, False),),
    problems=(),
)


def shown(**changes: object) -> str:
    return click.unstyle(screen(replace(REPORT, **changes)))


def test_the_whole_screen() -> None:
    """Alive, agents, queue, runs, projects, writes, in this order."""
    assert shown() == (
        "● headroomd is running: idle\n"
        "  pid 4711, version 1.0.0, started as a systemd service 2 h ago\n"
        "\n"
        "Agents           sessions  last activity\n"
        "  Claude Code       1,234  3 min ago       watching\n"
        "\n"
        "Queue     1 in use, 2 waiting, 81 read (session files)\n"
        "Last run  1 min ago: read 3 session files, 1,200 new calls, wrote 1 file\n"
        "Next      look through all folders in 3 min, analysis in 2 h\n"
        "\n"
        "Projects                                       active  proposed  retired\n"
        "  /srv/webshop                                      4         1        0\n"
        "    enabled for claude, codex; last session 2 h ago\n"
        "\n"
        "Written lately\n"
        "  1 min ago     /srv/webshop/CLAUDE.md\n"
        "    `headroomd undo FILE` puts one back"
    )


def test_a_stopped_daemon_is_the_first_thing_said() -> None:
    """With how to start it."""
    text = shown(standing=Standing.STOPPED, daemon=None, pid=0)
    assert text.splitlines()[0] == "● headroomd is not running; what follows is what it knew"
    assert "`headroomd service install`" in text.splitlines()[1]


def test_a_daemon_that_does_not_answer_is_named() -> None:
    """By the pid in the lock."""
    text = shown(standing=Standing.UNRESPONSIVE, daemon=None, pid=99)
    assert text.startswith("● headroomd is at work (pid 99) and does not answer")


def test_a_paused_daemon_says_how_to_go_on() -> None:
    """So that nobody wonders why nothing is learnt."""
    text = shown(standing=Standing.PAUSED, daemon=replace(DAEMON, paused=True, activity="paused"))
    assert text.startswith("● headroomd is paused\n")
    assert "`headroomd resume`" in text


@pytest.mark.parametrize(
    ("watching", "said"),
    [
        (Watching.WATCHING, "watching"),
        (Watching.ABSENT, "no sessions folder yet"),
        (Watching.UNWATCHED, "not watched"),
        (Watching.POLLING, "polling"),
    ],
)
def test_how_an_agent_is_watched(watching: Watching, said: str) -> None:
    """One word an agent."""
    line = next(line for line in shown(agents=(agent(watching),)).splitlines() if "Claude Code" in line)
    assert line.endswith(f"  {said}")


def test_why_an_agent_is_polled() -> None:
    """The reason stands below, in its own column."""
    text = shown(agents=(agent(Watching.POLLING, "fs.inotify.max_user_watches = 8192 is used up"),))
    assert " " * 43 + "fs.inotify.max_user_watches = 8192 is" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"enabled": False, "mode": "", "blocks": 0}, "not enabled: 4 rules waiting, `headroomd enable /srv/webshop`"),
        ({"enabled": False, "mode": "", "active": 1, "blocks": 0}, "not enabled: 1 rule waiting,"),
        ({"enabled": False, "mode": ""}, "not kept up to date: `headroomd enable /srv/webshop`"),
        ({"mode": "review", "unreviewed": 2}, "2 rules to review: `headroomd review --project /srv/webshop`"),
        ({"mode": "review"}, "enabled for claude, codex"),
        ({"helping": 3, "not_helping": 1}, "shown to agents: 3 proven to help, 1 of no help"),
        ({"agents": ()}, "enabled for every agent that works in it"),
    ],
)
def test_what_a_project_waits_for(changes: dict[str, object], said: str) -> None:
    """With the command that ends the waiting."""
    assert f"    {said}" in shown(projects=(project(**changes),))


def test_projects_without_rules_are_only_counted() -> None:
    """Most projects teach nothing; they must not hide those that do."""
    quiet = [project(f"/srv/{n}", enabled=False, mode="", active=0, blocks=0) for n in range(7)]
    text = shown(projects=(project(), *quiet))
    assert "7 other projects without a rule so far" in text
    assert "/srv/3" not in text


def test_a_command_to_copy_is_never_cut(home: Path) -> None:
    """A long path is shortened in the table and whole in the command, quoted where a shell needs it."""
    path = f"/srv/{'long/' * 20}my project"
    text = shown(projects=(project(path, enabled=False, mode="", blocks=0),))
    assert f"      headroomd enable '{path}'" in text.splitlines()
    assert "…" in text
    inside = shown(projects=(project(str(home / "code/x"), enabled=False, mode="", blocks=0),))
    assert "`headroomd enable ~/code/x`" in inside


def test_a_problem_comes_with_its_remedy() -> None:
    """Wrapped, with the cause first."""
    problem = Problem("target", "/srv/webshop/CLAUDE.md: " + "a marker without its partner " * 4, "mend it")
    text = shown(problems=(problem,))
    assert "Problems\n  ! /srv/webshop/CLAUDE.md: a marker" in text
    assert text.endswith("\n    → mend it")


def test_nothing_of_a_path_or_a_message_acts_on_the_terminal() -> None:
    """Escape sequences and line breaks are shown as such, wherever they come from."""
    evil = "\x1b[2Jx\ny\u202e"
    text = shown(
        daemon=replace(DAEMON, activity=evil, version=evil),
        agents=(replace(agent(Watching.POLLING, evil), title=evil),),
        projects=(project(f"/srv/{evil}", agents=(evil,)), project(f"/a{evil}", enabled=False, mode="", blocks=0)),
        writes=(WriteTotals(NOW, f"/srv/{evil}", "/srv", (evil,), False, False),),
        problems=(Problem("x", evil, evil),),
    )
    assert not {"\x1b", "\u202e"} & set(text)
    assert "\ny" not in text


def test_secrets_are_not_shown() -> None:
    """An error message may quote one."""
    text = shown(problems=(Problem("x", "tried https://sam:hunter2hunter2@example.com/", ""),))
    assert "hunter2" not in text


def test_80_columns_are_enough() -> None:
    """Whatever the report holds, save for commands to copy."""
    text = shown(
        agents=(agent(Watching.POLLING, "because " * 30), agent(Watching.ABSENT)),
        queue=QueueDepths(1000, 100_000, 1, 22, 333, 100_000, 100_000),
        next_runs=dict.fromkeys(("sweep", "analysis", "revalidation", "correlation"), NOW + 90000),
        projects=(project("/srv/" + "deep/" * 30), project("/srv/" + "日本語/" * 30)),
        writes=(WriteTotals(NOW - 90_000, "/srv/" + "deep/" * 30, "/srv", (), True, False),),
        problems=(Problem("x", "word " * 100, "word " * 100),),
    )
    commands = [line for line in text.splitlines() if line.startswith("      headroomd ")]
    assert max(len(line) for line in text.splitlines() if line not in commands) <= 80


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (-50, "just now"), (45, "45 s ago"), (60, "1 min ago"), (7199, "1 h ago"), (200_000, "2 d ago")],
)
def test_times_past(seconds: float, said: str) -> None:
    """In their largest unit; a clock that was set back makes nobody wonder."""
    assert ago(NOW - seconds, NOW) == said


def test_times_that_never_were_or_are_to_come() -> None:
    """Zero is never."""
    assert ago(0.0, NOW) == "never"
    assert ahead(NOW + 120, NOW) == "in 2 min"
    assert ahead(NOW - 5, NOW) == "now"


@pytest.mark.parametrize("path", ["/a/b", "/srv/" + "x" * 100, "/srv/" + "deep/" * 30 + "CLAUDE.md"])
def test_shortened_paths_keep_both_ends(path: str) -> None:
    """The beginning and the end say most."""
    short = shortened(path, 44)
    assert len(short) <= 44
    assert short.startswith(path[:4])
    assert short.endswith(path[-4:])
