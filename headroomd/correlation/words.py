"""What the user says to the agent, kept as evidence: corrections in words, and standing directions.

No rule follows from words by correlation: they are evidence that only an analyst can turn into one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct, structs

from headroomd.correlation.messages import rows_of, said
from headroomd.correlation.steps import asked, clean, evidence_id
from headroomd.model import Action, CallRef, Evidence, Lesson, Section, ToolCall, UserMessage
from headroomd.redact import redact

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


def _whole(words: str) -> tuple[tuple[str, str], ...]:
    return tuple((word, rf"\b{word}\b") for word in words.split())


_WHAT: Final = r"[^.!?]{1,80}?"
_DIRECTIONS: Final = rows_of(
    *((word, rf"{_LEAD}{word}\b") for word in ("always", "never", "immer", "nie")),
    # English
    ("now", r"\bfrom\s+now\s+on\b"),
    ("this", r"\bin\s+this\s+(?:project|repo|repository|codebase)\b"),
    ("forward", r"\bgoing\s+forward\b"),
    ("use", rf"\buse\s+{_WHAT}(?:,?\s+(?:and\s+)?not|\s+instead\s+of|\s+rather\s+than)\s"),
    ("prefer", rf"\bprefer\s+{_WHAT}\s+(?:over|to)\s"),
    ("ever", r"\b(?:don['’]?t|do\s+not)\s+ever\b"),
    # German
    ("jetzt", r"\bab\s+jetzt\b"),
    ("sofort", r"\bab\s+sofort\b"),
    ("diesem", r"\bin\s+diesem\s+projekt\b"),
    *_whole("niemals"),
    *((verb, rf"\b{verb}\s+{_WHAT}\b(?:nicht|statt|anstatt)\s") for verb in ("nutze", "verwende", "benutze", "nimm")),
    # Spanish, Portuguese, French, Italian
    *_whole("siempre sempre nunca jamás toujours jamais"),
    ("partir", r"\ba\s+partir\s+de\s+a(?:hora|gora)\b"),
    ("proyecto", r"\ben\s+este\s+proyecto\b"),
    ("projeto", r"\bneste\s+projeto\b"),
    ("projet", r"\bdans\s+ce\s+projet\b"),
    ("progetto", r"\bin\s+questo\s+progetto\b"),
    ("sormais", r"\bd[ée]sormais\b"),
    ("navant", r"\bdor[ée]navant\b"),
    ("ora", r"\bd['’]ora\s+in\s+poi\b"),
    *(
        (word, rf"\b(?:usar?|use|utilise|utiliza)\s+{_WHAT}\b(?:en\s+(?:lugar|vez)\s+de|em\s+vez\s+de)\s")
        for word in ("lugar", "vez")
    ),
    *((word, rf"\b(?:utilise|usa)\s+{_WHAT}\b(?:au\s+lieu\s+de|invece\s+di)\s") for word in ("lieu", "invece")),
    # Russian, Chinese, Japanese, Korean
    *_whole("всегда никогда впредь отныне"),
    ("проекте", r"\bв\s+этом\s+проекте\b"),
    *["总是", "始终", "永远", "从现在起", "从现在开始", "以后都", "以后请", "以后不", "这个项目", "本项目", "一律"],
    *["必ず", "常に", "絶対に", "今後", "このプロジェクト", "항상", "절대", "앞으로"],
    ("프로젝트", r"이\s*프로젝트"),
)
_WEB_TOOL: Final = re.compile(r"web_?(?:fetch|search)|(?:^|_)(?:fetch|browse)|^mcp|__|browser", re.IGNORECASE)
_WEB_COMMAND: Final = re.compile(
    r"\b(?:curl|wget|xh|lynx|w3m|https?(?=\s))\b.*://(?!(?:localhost|127\.|\[::1\]|0\.0\.0\.0))"
)


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
    if not found and about is None:
        return
    text = redact(text)  # as a whole: cut into sentences, a secret may lose the words that give it away
    found = list(directions(text)) if found else []
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
        if not short or len(short) > _LONGEST or short.endswith(("?", "？")) or not said(_DIRECTIONS, short.lower()):
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
    return Evidence(
        id=evidence_id(lesson, message.key),
        lesson=lesson,
        agent=message.agent,
        session=message.session,
        at=message.at or ref.at,
        failed=structs.replace(ref, text=ref.text or "(no call)", answer=f"the user said: {words}"),
        note=about.what if about is not None else "",
        needs_sessions=1 if is_explicit else 2,
        wasted=_COST,
    )
