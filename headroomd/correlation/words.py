"""What the user says to the agent, kept as evidence: corrections in words, and standing directions.

No rule follows from words by correlation: they are evidence that only an analyst can turn into one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct, structs

from headroomd.correlation.steps import asked, clean
from headroomd.model import Action, CallRef, Evidence, Lesson, Section, ToolCall, UserMessage

__all__ = ["Trouble", "corrections", "directions", "is_outside_text", "reasons", "trouble"]

_LONGEST: Final = 300  # characters of what is kept of a message
_LONGEST_CORRECTION: Final = 600  # what is longer is a task, or was pasted
_LONGEST_MESSAGE: Final = 2000  # ... and what is longer than this is not even looked through for directions
_MOST_LINES: Final = 8
_MOST_DIRECTIONS: Final = 3  # of one message: a document that was pasted has many
_COST: Final = 2000  # characters that a session loses over something that its user must put right, about
_FRESH: Final = 3  # calls after which words are no longer about a failure
_FENCED: Final = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_QUOTED: Final = re.compile(r"^(?:>|\t| {4}).*$", re.MULTILINE)
_SENTENCE_END: Final = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])|\n+")
_WORD: Final = re.compile(r"\w+")
_WIDE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts in which few characters say much

_LEAD: Final = r"(?:^|[,;:—–-]\s*|\b(?:please|and|but|so|should|must|we|you|i|to|bitte|por favor)\s+)"
_DIRECTION: Final = re.compile(
    rf"""{_LEAD}(?:always|never)\b
    | \bfrom\s+now\s+on\b | \bin\s+this\s+(?:project|repo|repository|codebase)\b | \bgoing\s+forward\b
    | \buse\s+[^.!?]{{1,80}}?(?:,?\s+(?:and\s+)?not|\s+instead\s+of|\s+rather\s+than)\s
    | \bprefer\s+[^.!?]{{1,80}}?\s+(?:over|to)\s | \b(?:don['’]?t|do\s+not)\s+ever\b
    | \b(?:ab\s+(?:jetzt|sofort)|in\s+diesem\s+projekt|niemals)\b | {_LEAD}(?:immer|nie)\b
    | \b(?:nutze|verwende|benutze|nimm)\s+[^.!?]{{1,80}}?\b(?:nicht|statt|anstatt)\s
    | \b(?:a\s+partir\s+de\s+a(?:hora|gora)|en\s+este\s+proyecto|neste\s+projeto|siempre|sempre|nunca|jamás)\b
    | \b(?:d[ée]sormais|dor[ée]navant|dans\s+ce\s+projet|toujours|jamais|d['’]ora\s+in\s+poi|in\s+questo\s+progetto)\b
    | \b(?:usar?|use|utilise|utiliza)\s+[^.!?]{{1,80}}?\b(?:en\s+(?:lugar|vez)\s+de|em\s+vez\s+de)\s
    | \b(?:utilise|usa)\s+[^.!?]{{1,80}}?\b(?:au\s+lieu\s+de|invece\s+di)\s
    | \b(?:всегда|никогда|впредь|отныне|в\s+этом\s+проекте)\b
    | 总是|始终|永远|从现在起|从现在开始|以后(?:都|请|不)|(?:这个|本)项目|一律
    | 必ず|常に|絶対に|今後|このプロジェクト|항상|절대|앞으로|이\s*프로젝트
    """,
    re.IGNORECASE | re.VERBOSE,
)
_WEB_TOOL: Final = re.compile(r"web_?(?:fetch|search)|(?:^|_)(?:fetch|browse)|^mcp|__|browser", re.IGNORECASE)
_WEB_COMMAND: Final = re.compile(r"\b(?:curl|wget|https?|xh|lynx|w3m)\b.*://(?!(?:localhost|127\.|\[::1\]|0\.0\.0\.0))")


class Trouble(Struct, frozen=True):
    """What the user's next words may be about."""

    ref: CallRef
    what: str  # for people and the analyst: "after a refusal"
    until: int = 0  # the last call of the stream after which they still may be; 0: whatever is called meanwhile
    is_clean: bool = False  # redacting takes longer than correlating: it waits until something is kept

    def sealed(self) -> Trouble:
        """The same with nothing secret in it: what may be stored."""
        if self.is_clean:
            return self
        return structs.replace(self, ref=structs.replace(self.ref, text=clean(self.ref.text)), is_clean=True)


def trouble(call: ToolCall, what: str, at: int = 0) -> Trouble:
    """What went wrong with `call`, the stream's call number `at` (0: it stays open until the user speaks)."""
    return Trouble(CallRef(call.key, call.at, asked(call)), f"after {what}", at + _FRESH if at else 0)


def corrections(message: UserMessage, about: Trouble | None, calls: int) -> Iterator[Evidence]:
    """What a message teaches: each direction in it, else the whole of it where it follows on trouble.

    `calls` is the number of calls that the stream has made.
    """
    if len(message.text) > _LONGEST_MESSAGE:
        return
    text = _own_words(message.text)
    if about is not None and about.until and about.until < calls:
        about = None
    found = list(directions(text))
    for sentence in found:
        yield _words(message, sentence, about, is_explicit=True)
    if about is not None and not found and _may_correct(text):
        yield _words(message, text, about, is_explicit=False)


def reasons(call: ToolCall) -> Iterator[Evidence]:
    """What the user typed when refusing `call`."""
    message = UserMessage(f"{call.key}:reason", call.agent, call.session, call.stream, call.at, call.reason)
    yield from corrections(message, trouble(call, "a refusal"), 0)


def directions(text: str) -> Iterator[str]:
    """The sentences of `text` that say how things are to be done from now on."""
    found = 0
    for sentence in _SENTENCE_END.split(text):
        short = sentence.strip()
        if not short or len(short) > _LONGEST or short.endswith(("?", "？")) or not _DIRECTION.search(short):
            continue
        yield short
        found += 1
        if found == _MOST_DIRECTIONS:
            return


def is_outside_text(call: ToolCall) -> bool:
    """Whether a call brings in text that neither the user nor the project wrote: the web, or an MCP server."""
    operation = call.operation
    if operation.action is Action.OTHER:
        return _is_web_tool(call.tool)
    return operation.action is Action.RUN and "://" in operation.command and _fetches(operation.command)


@lru_cache(maxsize=256)
def _is_web_tool(tool: str) -> bool:
    return _WEB_TOOL.search(tool) is not None


def _fetches(command: str) -> bool:
    return _WEB_COMMAND.search(command[:_LONGEST_MESSAGE]) is not None


def _own_words(text: str) -> str:
    """A message without what was pasted into it."""
    return _QUOTED.sub("", _FENCED.sub("", text)).strip()


def _may_correct(text: str) -> bool:
    if not text or len(text) > _LONGEST_CORRECTION or text.count("\n") >= _MOST_LINES or text.endswith(("?", "？")):
        return False
    return len(_WORD.findall(text)) >= 3 or len(_WIDE.findall(text)) >= 4  # "go on" corrects nothing


def _words(message: UserMessage, text: str, about: Trouble | None, *, is_explicit: bool) -> Evidence:
    words = clean(re.sub(r"\s+", " ", text), _LONGEST)
    lesson = Lesson(Section.PREFERENCES, words)
    ref = about.sealed().ref if about is not None else CallRef(message.key, message.at, "")
    seen = f"{lesson.identity}\x1f{message.key}"
    return Evidence(
        id=hashlib.sha256(seen.encode("utf-8", "replace")).hexdigest()[:20],
        lesson=lesson,
        agent=message.agent,
        session=message.session,
        at=message.at or ref.at,
        failed=structs.replace(ref, text=ref.text or "(no call)", answer=f"the user said: {words}"),
        note=about.what if about is not None else "",
        needs_sessions=1 if is_explicit else 2,
        wasted=_COST,
    )
