"""The spine: session files become facts, facts become learnings, learnings become blocks in the files agents load.

    scan     session files ─► facts         read what is new, correlate it, store it    intake, correlation, ledger
    analyse  facts ─► rules                 ask an LLM, believe what can be checked      analysis (optional)
    plan     facts ─► learnings ─► drafts   heed the user's edits, judge the evidence,
                                            check it on the disk                        heeding, ledger, truth, blocks
    apply    drafts ─► files                journal each write, then swap the file      writing
    undo     files ◄─ journal               put back what was there before

Each step can be run alone and again: doing one twice changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from headroomd.agents.base import Environment, Shadow
from headroomd.agents.registry import Plugins
from headroomd.blocks import Draft, PlanOptions, by_hand, make_drafts, shadows_of, worth_telling
from headroomd.errors import HeadroomError, TargetError
from headroomd.heeding import branch_of, heed
from headroomd.intake import own_folders
from headroomd.ledger import Entry, EntryState, KnownBlock, Learning, Ledger, LifecycleRules, Reword, Status
from headroomd.projects import ProjectFinder
from headroomd.revalidation import revalidate_project
from headroomd.scanning import Scanner, ScanReport
from headroomd.truth import Truth
from headroomd.writing import files
from headroomd.writing.block import find_block, put_block, read_bullets, render
from headroomd.writing.plan import Write, plan_write

if TYPE_CHECKING:  # a run without an LLM imports nothing of it
    from headroomd.analysis.backends import Backend
    from headroomd.analysis.run import AnalysisReport, View
    from headroomd.config import Analysis

__all__ = [
    "Applied",
    "PlanOptions",
    "ProjectPlan",
    "ScanReport",
    "Undone",
    "analyse",
    "apply",
    "plan",
    "revalidate",
    "scan",
    "undo",
]

_TRIES: Final = 3  # at a file that somebody else is writing at the same time
Progress = Callable[[int, int], None]


class ProjectPlan(Struct, frozen=True):
    """What would be written for one project, and why."""

    project: Path
    learnings: list[Learning]  # all of them, best first
    drafts: list[Draft]
    writes: list[Write]  # what the drafts would change now
    problems: list[HeadroomError]
    shadows: list[Shadow]  # why an agent may not see what is written
    refused: list[Path] = []  # files that the user took the block out of: nothing is written there


class Applied(Struct, frozen=True):
    """What became of one draft that changed a file or failed to."""

    draft: Draft
    write: Write | None
    problem: TargetError | None = None


class Undone(Struct, frozen=True):
    """What became of one write that was to be undone."""

    path: Path
    outcome: str  # for people; "" where there is a problem
    problem: TargetError | None = None


def scan(
    ledger: Ledger,
    plugins: Plugins,
    env: Environment,
    *,
    agents: Sequence[str] | None = None,
    main_only: bool = False,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> ScanReport:
    """Read what is new in the session files of `agents` (default: all) and store what it teaches.

    A file or a plugin that cannot be read is named in the report and costs nothing else. `on_progress` is told bytes
    done and bytes to do. Raises LedgerError.
    """
    began = time.monotonic()
    report = ScanReport(problems=list(plugins.broken))
    chosen = [plugin for name, plugin in plugins.plugins.items() if agents is None or name in agents]
    private = [folder for plugin in chosen for folder in own_folders(plugin, env)]
    scanner = Scanner(ledger, env, ProjectFinder(env.home, private), report)
    scanner.readmit()
    jobs = [job for plugin in chosen for job in scanner.jobs(plugin, main_only=main_only)]
    jobs.sort(key=lambda job: (job.mtime_ns, job.path))  # a session is older than its forks
    done, total = 0, sum(job.size for job in jobs)
    report.read = len(jobs)
    for job in scanner.run(jobs, workers):
        done += job.size
        if on_progress is not None:
            on_progress(done, total)
    report.totals = ledger.facts.totals()
    report.seconds = time.monotonic() - began
    return report


def analyse(
    ledger: Ledger,
    projects: Iterable[Path],
    plugins: Plugins,
    env: Environment,
    options: PlanOptions,
    backend: Backend,
    settings: Analysis,
    *,
    eager: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> AnalysisReport:
    """Ask `backend` about the evidence of `projects` that waits, within the budget of the day; see analysis.run.

    Writes no file: what is believed are learnings that the next `plan` takes up. Raises LedgerError, and ConfigError
    where the budget of a call is too small.
    """
    from headroomd.analysis import run
    from headroomd.analysis.reword import Rewording

    anew = Rewording(ledger, backend, settings)

    def look(project: Path) -> View:
        truth = Truth(project, env.home)
        ledger.analyses.revalidate(str(project), truth.exists)
        learnings = anew.refresh(project, truth.check, truth.exists, options.rules)
        return run.View(learnings, by_hand(project, plugins.plugins.values(), env, options), truth.exists)

    there = [project for project in projects if project.is_dir()]
    report = run.analyse(ledger, there, backend, settings, look, eager=eager, should_stop=should_stop)
    report.add(anew.report)
    return report


def plan(
    ledger: Ledger,
    projects: Iterable[Path],
    plugins: Plugins,
    env: Environment,
    options: PlanOptions,
    reword: Reword | None = None,
) -> list[ProjectPlan]:
    """What blocks the `projects` should hold, by their evidence and by what is on the disk now.

    `reword` is asked about rules that do not help (`later`: they wait for `analyse`); without it they are given up.
    Projects that are gone are left out. Writes no file; the ledger takes down what changed about its learnings.
    Raises LedgerError.
    """
    agents_of = {facts.path: facts.agents for facts in ledger.facts.projects()}
    return [
        _plan_project(ledger, project, options.agents or agents_of.get(str(project), ()), plugins, env, options, reword)
        for project in projects
        if project.is_dir()
    ]


def apply(ledger: Ledger, plans: Iterable[ProjectPlan], reason: str = "learn") -> list[Applied]:
    """Put every draft in its place; returns one entry for each file that was changed or could not be.

    Files are read again, so that it does not matter how old a plan is. A file that cannot be written costs only
    itself. Raises LedgerError.
    """
    run = ledger.journal.next_run()
    drafts = [draft for planned in plans for draft in planned.drafts]
    return [applied for draft in drafts if (applied := _apply_draft(ledger, draft, run, reason)) is not None]


def revalidate(
    ledger: Ledger,
    projects: Iterable[Path],
    rules: LifecycleRules | None = None,
    path: str | None = None,
    home: Path | None = None,
    reword: Reword | None = None,
) -> list[Learning]:
    """Look at every learning of `projects` as the world is now; returns those whose status changed.

    `path` is where programs are looked for (default: this process's PATH), `home` the user's home folder. Writes no
    file: `plan` and `apply` do. Raises LedgerError.
    """
    path = os.environ.get("PATH", os.defpath) if path is None else path
    return [
        learning
        for project in projects
        if project.is_dir()
        for learning in revalidate_project(ledger, project, rules or LifecycleRules(), path, home, reword)
    ]


def undo(ledger: Ledger, path: Path | None = None) -> list[Undone]:
    """Put back what stood in a file (or in the files of the project at `path`) before its last write.

    Without a path: in all files of the last `apply` that was not undone yet; so calling it again goes a step further
    back. Where the rest of a file was changed since, only the block is put back. Raises LedgerError.
    """
    journal = ledger.journal
    while entries := journal.last_run() if path is None else journal.last_of(path):
        undone = [result for entry in entries if (result := _undo_entry(ledger, entry)) is not None]
        if undone:
            return undone
    return []


def _plan_project(
    ledger: Ledger,
    project: Path,
    agents: Sequence[str],
    plugins: Plugins,
    env: Environment,
    options: PlanOptions,
    reword: Reword | None,
) -> ProjectPlan:
    chosen = [plugins.plugins[name] for name in agents if name in plugins.plugins]
    truth = Truth(project, env.home)
    heed(ledger, project)
    ledger.analyses.revalidate(str(project), truth.exists)
    learnings = ledger.learnings.refresh(str(project), truth.check, options.rules, reword)
    known = ledger.blocks.of_project(str(project))
    told = {id_ for block in known for id_, _ in block.bullets}
    active = [one for one in learnings if one.status is Status.ACTIVE]
    active = worth_telling(active, review=options.review, told=told)
    refused = [Path(block.path) for block in known if block.refused]
    planned = ProjectPlan(project, learnings, [], [], [], [], refused)
    drafts, problems = make_drafts(project, active, chosen, env, options, truth, known)
    planned.problems.extend(problems)
    for draft in drafts:
        if draft.path in refused:
            continue
        try:
            snapshot, write = _write_of(ledger, draft)
            planned.shadows.extend(_cramped(draft, snapshot))
        except TargetError as error:
            planned.problems.append(error)
            continue
        planned.drafts.append(draft)
        if write is not None:
            planned.writes.append(write)
    blocks = {os.path.realpath(draft.path) for draft in planned.drafts if draft.bullets or draft.pointer}
    for plugin in chosen if blocks else ():
        shadows = shadows_of(plugin, project, env)
        planned.shadows.extend(shadow for shadow in shadows if os.path.realpath(shadow.path) in blocks)
    return planned


def _cramped(draft: Draft, snapshot: files.Snapshot) -> Iterator[Shadow]:
    """That rules are left out because an agent would not load so much of the file."""
    block = render(draft.bullets, draft.limit, draft.pointer).text
    if draft.most_bytes is not None and len(put_block(snapshot.data, block)) > draft.most_bytes:
        cause = f"an agent loads {draft.most_bytes} bytes of it at most, so rules are left out"
        yield Shadow(draft.path, cause, "shorten it, or have the agent read more (Codex: project_doc_max_bytes)")


def _write_of(ledger: Ledger, draft: Draft, reason: str = "") -> tuple[files.Snapshot, Write | None]:
    """The file as it is now, and what the draft changes in it. Raises TargetError."""
    snapshot = files.read(draft.path, draft.project, *draft.roots)
    if not (draft.bullets or draft.pointer) and not ledger.journal.has_written(draft.path):
        return snapshot, None  # a block that came with the repository is somebody else's
    return snapshot, plan_write(
        snapshot,
        draft.bullets,
        draft.limit,
        draft.pointer,
        most_bytes=draft.most_bytes,
        project=draft.project,
        agent=",".join(draft.agents),
        reason=reason,
    )


def _apply_draft(ledger: Ledger, draft: Draft, run: int, reason: str) -> Applied | None:
    write = None
    for attempt in range(_TRIES):
        try:
            snapshot, write = _write_of(ledger, draft, reason)
            if write is None:
                return None
            _swap(ledger, snapshot, write, draft, run)
        except files.ChangedError as error:
            if attempt == _TRIES - 1:
                return Applied(draft, write, error)
        except TargetError as error:
            return Applied(draft, write, error)
        else:
            return Applied(draft, write)
    raise AssertionError("unreachable")


def _swap(ledger: Ledger, snapshot: files.Snapshot, write: Write, draft: Draft, run: int) -> None:
    """The journal first: a write that a crash kept from being made does no harm there, one that is missing does."""
    texts = {bullet.id: bullet.text for bullet in draft.bullets}
    bullets = tuple((id_, texts[id_]) for id_ in write.shown)
    entry = ledger.journal.record(
        run,
        write.path,
        write.undone,
        write.result,
        project=str(write.project),
        agents=draft.agents,
        block_hash=_hash(_block(write.after)),
        reason=write.reason,
        bullets=bullets,
    )
    try:
        files.swap(snapshot, write.result, make_parents=bool(draft.roots))
    except TargetError:
        ledger.journal.drop(entry)
        raise
    branch = branch_of(draft.project, write.path)
    ledger.blocks.settle(KnownBlock(str(write.path), str(draft.project), branch, bullets, entry), draft.agents)


def _undo_entry(ledger: Ledger, entry: Entry) -> Undone | None:
    """Undo one write; None where there is nothing to do (it was never made, or somebody has undone it already)."""
    path = Path(entry.path)
    try:
        snapshot = files.read(path, Path(entry.project), path.parent)
        current = snapshot.data if snapshot.existed else None
        data, outcome = _before(entry, current)
        if data != current:
            _put_back(ledger, entry, snapshot, data)
    except TargetError as error:
        return Undone(path, "", error)
    ledger.journal.mark_undone(entry.id)
    return Undone(path, outcome) if outcome else None


def _put_back(ledger: Ledger, entry: Entry, snapshot: files.Snapshot, data: bytes | None) -> None:
    known = ledger.blocks.texts(entry.project)
    bullets = tuple((known[text], text) for text in read_bullets(data or b"") if text in known)
    kept = ledger.journal.record(
        ledger.journal.next_run(),
        snapshot.path,
        snapshot.data if snapshot.existed else None,
        data,
        project=entry.project,
        agents=entry.agents,
        state=EntryState.UNDONE,
        reason=f"undo of write {entry.id}",
        bullets=bullets,
    )
    try:
        files.swap(snapshot, data)
    except TargetError:
        ledger.journal.drop(kept)
        raise
    branch = branch_of(Path(entry.project), snapshot.path)
    ledger.blocks.settle(KnownBlock(entry.path, entry.project, branch, bullets, kept), entry.agents)


def _before(entry: Entry, current: bytes | None) -> tuple[bytes | None, str]:
    """What to put in the place of `current`, and how to call that. Raises TargetError for broken markers."""
    if current == entry.before:
        return current, ""
    if current == entry.after:
        return entry.before, "put back" if entry.before is not None else "removed: it did not exist before"
    if current is None:
        return None, "left alone: it was deleted since"
    block = _block(entry.before or b"").decode("utf-8", "replace").replace("\r\n", "\n")
    data = put_block(current, block)
    if not data and entry.before is None:
        return None, "removed: it held nothing but the block"
    if data == current:
        return current, ""
    done = "put back as it was before" if block else "taken out"
    return data, f"only the block was {done}: the rest was changed since, and stays"


def _block(data: bytes) -> bytes:
    span = find_block(data)
    return data[span.start : span.end] if span else b""


def _hash(block: bytes) -> str:
    return hashlib.blake2b(block, digest_size=16).hexdigest()
