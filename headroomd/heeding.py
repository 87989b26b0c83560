"""The user's hand: what people did to our blocks since they were written becomes decisions in the ledger.

    a bullet deleted          never again, in whatever words
    a bullet reworded         kept as reworded, in every file
    a bullet added            kept as it is, in every file
    the block or file gone    nothing is written there until `headroomd enable`

On another branch a file is another file: nothing is concluded from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from headroomd.errors import TargetError
from headroomd.ledger import Decided, Entry, KnownBlock, Ledger, learning_id
from headroomd.model import Lesson, Section
from headroomd.redact import holds_secret
from headroomd.writing.block import find_block, read_sections
from headroomd.writing.edits import find_edits
from headroomd.writing.files import MAX_SIZE
from headroomd.writing.wording import harmless

__all__ = ["branch_of", "heed", "is_fit"]

_LONGEST: Final = 400  # characters of a bullet that somebody wrote by hand
_SECTIONS: Final = {section.value: section for section in Section}


def heed(ledger: Ledger, project: Path) -> None:
    """Take down what was done by hand to the blocks of `project`; once is enough. Raises LedgerError."""
    for block in ledger.blocks.of_project(str(project)):
        if block.branch == branch_of(project, Path(block.path)):
            _heed_block(ledger, block)


def branch_of(project: Path, path: Path) -> str:
    """What git says is checked out, for a file of the project; "" for any other."""
    if not path.is_relative_to(project):
        return ""
    try:
        return (project / ".git/HEAD").read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _heed_block(ledger: Ledger, block: KnownBlock) -> None:
    try:
        data = _read(Path(block.path))
        stands = data is not None and find_block(data) is not None
        found = read_sections(data or b"")
    except (OSError, TargetError):  # whoever writes next says what is wrong with it
        return
    if block.refused:
        if stands:
            ledger.blocks.allow_again(block.path)
        return
    latest = ledger.journal.latest(Path(block.path))
    agents = latest.agents if latest is not None else ()
    if latest is not None:
        block = _caught_up(ledger, block, latest, [text for _, text in found], stands=stands)
    if not stands:
        # A block may hold nothing but the line that sends an agent to its memory file.
        if block.bullets or (latest is not None and latest.id == block.write and _holds_block(latest)):
            ledger.blocks.settle(replace(block, bullets=(), refused=True), agents)
        return
    now = _decide(ledger, block, found, agents)
    if now != block.bullets:
        ledger.blocks.settle(replace(block, bullets=now), agents)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= MAX_SIZE else b""
    except FileNotFoundError:
        return None


def _caught_up(ledger: Ledger, block: KnownBlock, latest: Entry, texts: list[str], *, stands: bool) -> KnownBlock:
    """The block as it was last written.

    A write that the journal knows and `block` does not may have been made just before a crash: the file tells.
    """
    is_made = [text for _, text in latest.bullets] == texts and _holds_block(latest) == stands
    if latest.id > block.write and is_made:
        block = replace(block, bullets=latest.bullets, write=latest.id)
        ledger.blocks.settle(block, latest.agents)
    return block


def _holds_block(entry: Entry) -> bool:
    """Whether a block stood in the file after a write."""
    try:
        return find_block(entry.after or b"") is not None
    except TargetError:
        return False


def _decide(
    ledger: Ledger, block: KnownBlock, found: list[tuple[str, str]], agents: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Take down what was done; returns the bullets that stand in the block now, with their ids."""
    edits = find_edits(block.bullets, found)
    texts = dict(block.bullets)
    for id_ in edits.deleted:
        ledger.decisions.decide(id_, Decided.FORGOTTEN, texts[id_])
    ids = {text: id_ for id_, text in block.bullets}
    for id_, text in edits.reworded.items():
        if is_fit(text):
            ledger.decisions.pin(id_, text)
            ids[text] = id_
    known = ledger.blocks.texts(block.project) if edits.added else {}
    for heading, text in edits.added:
        if text in known:  # put back by hand, or copied from another file
            ids[text] = known[text]
            if ledger.decisions.is_forgotten(known[text]):
                ledger.decisions.restore(known[text])
        elif is_fit(text):
            lesson = Lesson(_SECTIONS.get(heading, Section.PREFERENCES), text)
            ids[text] = learning_id(block.project, lesson)
            ledger.decisions.adopt(block.project, ids[text], lesson, msgspec.json.encode(agents).decode())
    return tuple((ids[text], text) for _, text in found if text in ids)


def is_fit(text: str) -> bool:
    """Whether a person's words may go to other files, too. Others stay in the journal, not in the block."""
    return len(text) <= _LONGEST and harmless(text) and not holds_secret(text)
