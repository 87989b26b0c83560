"""The daily look at every learning: does it still hold in the project, and on the machine, as they are now?"""

from __future__ import annotations

import shutil
from pathlib import Path

from headroomd.heeding import heed
from headroomd.ledger import Learning, Ledger, LifecycleRules, Reword
from headroomd.model import Lesson, Section
from headroomd.truth import Truth, named_programs

__all__ = ["revalidate_project"]


def revalidate_project(
    ledger: Ledger,
    project: Path,
    rules: LifecycleRules,
    path: str,
    home: Path | None = None,
    reword: Reword | None = None,
) -> list[Learning]:
    """Bring the learnings of `project` up to the world; returns those whose status changed.

    `path` is the PATH on which programs are looked for: a lesson that needs one which was there at an earlier look
    and is there no longer does not hold, nor does one that says a program is missing which has come since.
    """
    heed(ledger, project)
    truth = Truth(project, home)
    before = {learning.id: learning for learning in ledger.learnings.of_project(str(project))}
    names = {name for learning in before.values() for name in named_programs(learning.lesson)}
    changed = ledger.programs.changed(path, {name: shutil.which(name, path=path) is not None for name in names})

    def check(lesson: Lesson) -> str:
        return truth.check(lesson) or _by_programs(lesson, changed)

    after = ledger.learnings.refresh(str(project), check, rules, reword)
    return [one for one in after if one.id in before and before[one.id].status is not one.status]


def _by_programs(lesson: Lesson, changed: dict[str, bool]) -> str:
    """Why the programs that came and went disprove a lesson; "" where they do not."""
    for name in named_programs(lesson):
        is_remedy = name in named_programs(Lesson(lesson.section, "", lesson.remedy))
        if is_remedy and changed.get(name) is False:
            return f"{name} is no longer on PATH"
        if not is_remedy and changed.get(name) is True and lesson.section is Section.ENVIRONMENT:
            return f"{name} is on PATH now"
    return ""
