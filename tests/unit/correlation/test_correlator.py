"""The correlator as a whole: parts of a file, several streams, bounded state."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headroomd.correlation.correlator import Correlator, Findings
from headroomd.model import Action, Event, Evidence, Operation, Outcome, ToolCall, UserMessage

ROOT, HOME = "/work/shop", "/home/ann"
PATHS = ["lib/Tax.rb", "app/Tax.rb", "app/models/Tax.rb", "lib/Rate.rb", "big.rb"]
COMMANDS = [
    "make test",
    "cd api && make test",
    "make db-up",
    "make db-up && make test",
    "docker-compose up -d",
    "docker compose up -d",
    "python3 -m shop",
    "uv run python3 -m shop",
    "source .venv/bin/activate && python3 -m shop",
    "npm install",
    "npm install left-pad",
    "sed -i s/a/b/ lib/Tax.rb",
    "cat lib/Tax.rb",
    "rg tax lib",
    "rg tax",
    "mv lib app",
    "DB_PASSWORD=hunter2hunter2 make test",
]
OUTPUTS = [
    "make: *** No rule to make target 'test'.",
    "could not connect: Connection refused",
    "No module named 'grid'",
    "lib/Tax.rb: No such file or directory",
    "bash: docker-compose: command not found",
]


@st.composite
def sessions(draw: st.DrawFn) -> list[Event]:
    """Sessions in which related things happen close together, in two streams."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 30))):
        stream = draw(st.sampled_from(["main", "main", "agent"]))
        if draw(st.integers(0, 12)) == 0:
            events.append(UserMessage(f"m{number}", "claude", "s", stream, float(number), "I run that myself"))
            continue
        action = draw(st.sampled_from([Action.RUN, Action.RUN, Action.READ, Action.SEARCH, Action.EDIT, Action.WRITE]))
        path = draw(st.sampled_from(PATHS))
        operation = {
            Action.RUN: Operation(Action.RUN, command=draw(st.sampled_from(COMMANDS))),
            Action.SEARCH: Operation(Action.SEARCH, path=draw(st.sampled_from(["lib", "lib/deep", ""])), pattern="tax"),
        }.get(action, Operation(action, path=path, partial=draw(st.booleans())))
        outcome = draw(st.sampled_from([Outcome.OK, Outcome.OK, Outcome.FAILED, Outcome.EMPTY, *Outcome]))
        output = draw(st.sampled_from(OUTPUTS)) if outcome is Outcome.FAILED else ""
        events.append(
            ToolCall(
                key=f"c{number}",
                agent="claude",
                session="s",
                stream=stream,
                at=float(number),
                cwd=ROOT,
                tool="t",
                operation=operation,
                outcome=outcome,
                exit_code=draw(st.sampled_from([1, 2, 127])) if outcome is Outcome.FAILED else None,
                output=output,
                silent=draw(st.booleans()),
                size=7,
            )
        )
    return events


def feed(events: list[Event], state: bytes = b"") -> tuple[Findings, bytes]:
    correlator = Correlator(ROOT, HOME, state)
    for event in events:
        correlator.feed(event)
    return correlator.take(), correlator.dump()


def merged(parts: list[Findings]) -> tuple[dict[str, Evidence], dict[str, tuple[int, int]], int, int, dict[str, int]]:
    """What a reader of several parts knows in the end."""
    evidence: dict[str, Evidence] = {}
    attempts: dict[str, tuple[int, int]] = {}
    kinds: dict[str, int] = {}
    for part in parts:
        evidence.update({one.id: one for one in part.evidence})
        for withdrawn in part.withdrawn:
            evidence.pop(withdrawn)
        for key, (ok, failed) in part.attempts.items():
            before = attempts.get(key, (0, 0))
            attempts[key] = (before[0] + ok, before[1] + failed)
        for kind, count in part.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
    return evidence, attempts, sum(part.calls for part in parts), sum(part.failed for part in parts), kinds


@settings(max_examples=150, deadline=None)
@given(sessions())
def test_parts_find_what_the_whole_finds(events):
    """However a file is cut into parts, what is known in the end is the same."""
    whole = merged([feed(events)[0]])
    for split in range(len(events) + 1):
        first, state = feed(events[:split])
        second, _ = feed(events[split:], state)
        assert merged([first, second]) == whole


@settings(max_examples=30, deadline=None)
@given(sessions())
def test_one_event_at_a_time(events):
    """The same holds for the smallest parts."""
    parts, state = [], b""
    for event in events:
        part, state = feed([event], state)
        parts.append(part)
    assert merged(parts) == merged([feed(events)[0]])


def test_reading_again_gives_the_same_evidence(story):
    """Ids of evidence follow from the calls and the lesson."""
    story.missing("core/Ledger.kt").read("billing/Ledger.kt")
    assert [one.id for one in story.evidence] == [one.id for one in story.evidence]
    assert len({one.id for one in story.refused("./x y").refused("./x y").evidence}) == 5


def test_refuted_evidence_is_withdrawn(story):
    """A wrong path that the rest of the session creates was not wrong."""
    story.missing("gen/Client.ts").read("old/Client.ts")
    first, state = feed(story.events)
    second, _ = feed(story.write("gen/Client.ts").events[2:], state)
    assert second.withdrawn == [first.evidence[0].id]


def test_taken_once(story):
    """What has been taken is not given again."""
    correlator = Correlator(ROOT, HOME)
    for event in story.missing("core/Ledger.kt").read("billing/Ledger.kt").events:
        correlator.feed(event)
    assert len(correlator.take().evidence) == 1
    assert correlator.take() == Findings()


def test_state_is_bounded(story):
    """However long a session, what is carried from part to part stays small."""
    for number in range(600):
        story.missing(f"lib/File{number}.rb").broke(f"make target-{number}", "x" * 4000)
        story.search(f"pattern {number}", f"folder{number}", Outcome.EMPTY).read(f"big{number}.rb", Outcome.TRUNCATED)
        story.read(f"app/Other{number}.rb", stream=f"agent-{number}").write(f"out/{number}")
    _, state = feed(story.events)
    assert len(state) < 60_000


def test_unreadable_state_starts_afresh(story):
    """The state of another version is no reason to fail."""
    assert Correlator(ROOT, HOME, b"\x93\x01").take() == Findings()


def test_failures_are_counted_by_kind(story):
    """Counts of calls, failures and kinds; blameless failures are failures, too."""
    story.missing("a.rb").broke("npm test", "1 failed").run("ls").read("b.rb", Outcome.CANCELLED)
    findings = story.findings()
    assert (findings.calls, findings.failed) == (4, 2)
    assert findings.kinds == {"file not found": 1, "test failure": 1}


def test_red_tests_are_no_failures_of_the_command(story):
    """A command that ran and found the tests red did what it was asked."""
    story.broke("npm test", "1 failed").broke("npm test", "npm error Missing script: test").run("npm test")
    assert story.findings().attempts["run npm test"] == (2, 1)
