"""What an analyst's answer must keep to before any of it is believed. Pure; each check is a function with a reason.

The analyst is not trusted, and neither is what it read. A rule can only say what its evidence says: every name in it
must stand in what was called, or in what the user typed; what a tool answered (and so a web page, a file's content or
a test's output) lends no word to a rule. Counts are made here.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

import msgspec
from msgspec import Struct

from headroomd.analysis.grounds import grounds, is_grounded, is_path, source
from headroomd.analysis.plain import why_not_plain
from headroomd.analysis.prompt import LONGEST_RULE, MOST_RULES
from headroomd.analysis.rule_text import RuleText, parse, root, roots, said_alike, stands_in, words_of
from headroomd.analysis.vocabulary import EFFECTS, FRAME, PLAIN
from headroomd.ledger import Rule
from headroomd.model import Evidence, Section
from headroomd.writing.wording import harmless_prose

__all__ = ["Given", "Known", "Refused", "Review", "Unusable", "review"]

_LONGEST_ANSWER: Final = 64 * 1024  # characters
_SHOWN: Final = 120  # characters of a refused rule that are kept
_MOST_UNGROUNDED: Final = 2
_URGED: Final = re.compile(r"\b(?:use|run|with|via|call|invoke|prefer|prefers)\s+(?:the\s+)?$", re.IGNORECASE)
_DENIED: Final = re.compile(
    r"(?:\b(?:not|never|instead\s+of|rather\s+than|avoid|don['’]?t\s+(?:use|run)|no|over|statt|nicht|kein)"
    r"(?:\s+(?:use|run|the|with|via|plain|bare|just))*|不要用?|不用)\s*[`'\"]?$",
    re.IGNORECASE,
)
_COMMANDS: Final = frozenset({Section.ENVIRONMENT, Section.COMMANDS, Section.RETRY})


class Known(Struct, frozen=True):
    """A learning that is there already."""

    id: str
    section: Section
    text: str  # as its bullet says it
    evidence: tuple[Evidence, ...] = ()
    is_rule: bool = False  # the analyst worded it


class Given(Struct, frozen=True):
    """What an answer is held against."""

    items: Mapping[str, Sequence[Evidence]]  # by the ids that were handed out
    exists: Callable[[str], bool]  # whether a relative path is in the project
    known: Mapping[str, Known] = {}  # by id
    evidence_of: Callable[[str], Sequence[Evidence]] = lambda _: ()  # of a learning, by its id
    by_hand: Sequence[str] = ()  # lines that people wrote into the files that blocks stand in
    name: Callable[[Section, str], str] = lambda section, text: f"{section}:{text}"  # the id of a new rule


class Refused(Struct, frozen=True):
    """A rule that is not believed, and why."""

    rule: str
    reason: str


class Review(Struct, frozen=True):
    """What is left of an answer."""

    rules: list[Rule]
    refused: list[Refused]


class Unusable(ValueError):  # noqa: N818 - it is said of the answer
    """The answer as a whole is none; the message says why."""


class _Said(Struct, frozen=True):
    """One rule as the analyst gave it."""

    section: str
    rule: str
    evidence: list[str]
    replaces: list[str] = []


class _Refusal(Exception):  # noqa: N818 - it is no error: it is what is said of a rule
    """Why one rule is not believed."""


class _Candidate(Struct, frozen=True):
    """A rule on its way through the checks."""

    said: _Said
    section: Section
    text: RuleText
    cited: list[Sequence[Evidence]]
    replaced: list[Known]

    @property
    def evidence(self) -> list[Evidence]:
        """All that is cited, and what the replaced learnings rest on."""
        found = [one for item in self.cited for one in item] + [one for old in self.replaced for one in old.evidence]
        return list({one.id: one for one in found}.values())


def review(answer: str, given: Given) -> Review:
    """Every rule of `answer` that keeps to the contract, and why each of the others does not. Raises Unusable."""
    rules: dict[str, Rule] = {}
    refused: list[Refused] = []
    for number, raw in enumerate(_read(answer)):
        try:
            if number >= MOST_RULES:
                _refuse(f"more than {MOST_RULES} rules in one answer")
            rule = _reviewed(_convert(raw), given, rules)
        except _Refusal as refusal:
            refused.append(Refused(_shown(raw), str(refusal)))
        else:
            rules[rule.id] = _joined(rules[rule.id], rule) if rule.id in rules else rule
    return Review(list(rules.values()), refused)


def _read(answer: str) -> list[Any]:
    if len(answer) > _LONGEST_ANSWER:
        raise Unusable("the answer is too long")
    try:
        value = json.loads(answer, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"the answer is no JSON that can be used ({type(error).__name__})") from error
    if not isinstance(value, dict) or value.keys() != {"rules"} or not isinstance(value["rules"], list):
        raise Unusable("the answer does not have the shape that was asked for")
    return value["rules"]


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _convert(raw: Any) -> _Said:
    if not isinstance(raw, dict) or not raw.keys() <= {"section", "rule", "evidence", "replaces"}:
        _refuse("it does not have the shape that was asked for")
    try:
        return msgspec.convert(raw, _Said, strict=True)
    except (msgspec.ValidationError, RecursionError):
        _refuse("it does not have the shape that was asked for")


def _reviewed(said: _Said, given: Given, accepted: Mapping[str, Rule]) -> Rule:
    text = " ".join(said.rule.split(" ")).strip(" ")
    if reason := why_not_plain(text):
        _refuse(reason)
    candidate = _Candidate(said, _section(said.section), _parsed(text), _cited(said, given), _replaced(said, given))
    for check in _CHECKS:
        check(candidate, given)
    _check_replaced(candidate)
    evidence = _relevant(candidate)
    needed = _needed_sessions(candidate, evidence, given)
    _check_new(candidate, given)
    rendered = candidate.text.rendered
    if len(rendered) > LONGEST_RULE or not harmless_prose(rendered):
        _refuse("it cannot be shown safely")
    id_, rendered = _identity(candidate.section, rendered, given, accepted)
    return Rule(
        id=id_,
        section=candidate.section,
        text=rendered,
        evidence=tuple(one.id for one in evidence),
        needs_sessions=needed,
        paths=tuple(name for name in candidate.text.names if is_path(name) and given.exists(name)),
        replaces=tuple(old.id for old in candidate.replaced if old.id != id_),
        is_tainted=any(one.tainted for one in evidence),
    )


def _parsed(text: str) -> RuleText:
    try:
        return parse(text)
    except ValueError as error:
        _refuse(str(error))


# -- the text and what it rests on -----------------------------------------------------------------------------------


def _section(name: str) -> Section:
    try:
        return Section(name)
    except ValueError:
        _refuse("there is no such section")


def _cited(said: _Said, given: Given) -> list[Sequence[Evidence]]:
    if not said.evidence:
        _refuse("it cites no evidence")
    if not set(said.evidence) <= given.items.keys():
        _refuse("it cites evidence that was not handed out")
    return [given.items[id_] for id_ in dict.fromkeys(said.evidence)]


def _replaced(said: _Said, given: Given) -> list[Known]:
    if not set(said.replaces) <= given.known.keys():
        _refuse("it replaces a learning that was not handed out")
    ids = dict.fromkeys(said.replaces)
    return [msgspec.structs.replace(given.known[id_], evidence=tuple(given.evidence_of(id_))) for id_ in ids]


def _check_names(candidate: _Candidate, given: Given) -> None:
    """Every path, command, flag, program and identifier stands in the evidence, or is a path of the project."""
    own = source(candidate.evidence)
    for name in candidate.text.names:
        if name.startswith(("/", "~")) or ".." in name.split("/") or "/../" in name:
            _refuse("it names something outside of the project")
        if stands_in(name, own):
            continue
        if not (is_path(name) and given.exists(name)):
            _refuse("it names something that stands neither in its evidence nor in the project")


def _check_section(candidate: _Candidate, given: Given) -> None:
    """The evidence is of the sort that the section is made of; the user's words are of every sort."""
    del given
    sections = {one.lesson.section for one in candidate.evidence}
    is_said = Section.PREFERENCES in sections
    if candidate.section is Section.PREFERENCES and not is_said:
        _refuse("it calls something a preference that the user did not say")
    same = _COMMANDS if candidate.section in _COMMANDS else {candidate.section}
    if not is_said and sections.isdisjoint(same):
        _refuse("its evidence is of another section")
    if candidate.section not in (Section.PREFERENCES, Section.PERMISSIONS) and not candidate.text.names:
        _refuse("it names nothing of this project")


def _check_effects(candidate: _Candidate, given: Given) -> None:
    """Words with an effect beyond the fact come from what the user said or what was run, never from the analyst."""
    del given
    own = grounds(candidate.evidence)
    if any(word in EFFECTS and root(word) not in own for word in words_of(candidate.text.prose)):
        _refuse("it asks for something that its evidence does not show")


def _check_prose(candidate: _Candidate, given: Given) -> None:
    """What is neither plain words nor in the evidence is the analyst's own: a little of that is let pass."""
    del given
    own = grounds(candidate.evidence)
    words = [word for word in words_of(candidate.text.prose) if word not in PLAIN]
    ungrounded = {word for word in words if not is_grounded(word, own)}
    if len(ungrounded) > min(_MOST_UNGROUNDED, (len(set(words)) + len(candidate.text.names)) // 2):
        _refuse("it says what its evidence does not")


def _check_direction(candidate: _Candidate, given: Given) -> None:
    """What failed is not what to do, and what worked is not what to avoid."""
    del given
    names = list(zip(candidate.text.names, candidate.text.before, strict=True))
    denied = {name for name, before in names if _DENIED.search(before)}
    urged = {name for name, before in names if _URGED.search(before) and name not in denied}
    for item in candidate.cited:
        lesson = item[0].lesson
        if lesson.section is Section.PREFERENCES:
            unwanted = _denied_words(lesson.subject)
            turned = any(name.split()[0] in unwanted for name in urged)
        else:
            # "npm test" that works in a folder only is right and wrong: what counts is what stands beside it
            is_part = stands_in(lesson.subject, lesson.remedy)
            turned = bool(lesson.remedy) and ((lesson.subject in urged and not is_part) or lesson.remedy in denied)
        if turned:
            _refuse("it turns its evidence round")


def _denied_words(text: str) -> set[str]:
    """What the user said not to use."""
    found = set()
    for match in re.finditer(r"[\w./-]*\w", text):
        if _DENIED.search(text[: match.start()]):
            found.add(match[0])
    return found


def _check_specific(candidate: _Candidate, given: Given) -> None:
    """It says something about this project, not about every one."""
    del given
    own = grounds(candidate.evidence)
    nouns = {word for word in words_of(candidate.text.prose) if len(word) > 3 and root(word) in own}
    wide = {pair for pair in roots(candidate.text.prose) if not pair.isascii() and pair in own}
    if not candidate.text.names and len(nouns) < 2 and len(wide) < 2:
        _refuse("it would be as true of every project")


_CHECKS: Final = (_check_names, _check_section, _check_effects, _check_prose, _check_direction, _check_specific)


# -- support ---------------------------------------------------------------------------------------------------------


def _relevant(candidate: _Candidate) -> list[Evidence]:
    """The evidence that has something to do with the rule: citing what has not lends it no support."""
    words = roots(" ".join(word for word in words_of(candidate.text.prose) if word not in FRAME))
    found = []
    for one in candidate.evidence:
        own_words = source([one])
        if any(stands_in(name, own_words) for name in candidate.text.names) or len(words & roots(own_words)) >= 2:
            found.append(one)
    return found


def _needed_sessions(candidate: _Candidate, evidence: Sequence[Evidence], given: Given) -> int:
    """How many sessions must show the rule: 1 where the user said it in so many words."""
    if any(_says(one, candidate.text, given) for one in evidence):
        return 1
    by_agent: dict[str, set[str]] = defaultdict(set)
    for one in evidence:
        by_agent[one.agent].add(one.session)
    if max(map(len, by_agent.values()), default=0) < 2:
        _refuse("neither two sessions nor explicit words of the user show it")
    return 2


def _says(one: Evidence, text: RuleText, given: Given) -> bool:
    """Whether the user's words, alone and explicitly, say what the rule says."""
    if one.lesson.section is not Section.PREFERENCES or one.needs_sessions > 1:
        return False
    own_words = source([one])
    own = roots(own_words)
    words = {word for word in words_of(text.prose) if word not in PLAIN}
    if not all(stands_in(name, own_words) or (is_path(name) and given.exists(name)) for name in text.names):
        return False
    shared = sum(is_grounded(word, own) for word in words) + len(text.names)
    return shared * 2 >= len(words) + len(text.names)


def _check_replaced(candidate: _Candidate) -> None:
    """All evidence of what is replaced speaks for the rule that takes its place."""
    for old in candidate.replaced:
        if not old.evidence:
            _refuse("it replaces a learning without its evidence")
        for one in old.evidence:
            own_words = source([one])
            says_names = all(stands_in(name, own_words) for name in candidate.text.names)
            if not (candidate.text.names and says_names) and not said_alike(candidate.text.rendered, old.text):
                _refuse("it replaces a learning whose evidence does not show it")


# -- what is there already -------------------------------------------------------------------------------------------


def _check_new(candidate: _Candidate, given: Given) -> None:
    rendered = candidate.text.rendered
    if any(said_alike(rendered, line) for line in given.by_hand):
        _refuse("somebody has written it into the file already")
    replaced = {old.id for old in candidate.replaced}
    for known in given.known.values():
        if not known.is_rule and known.id not in replaced and said_alike(rendered, known.text):
            _refuse("it is known already")


def _identity(section: Section, text: str, given: Given, accepted: Mapping[str, Rule]) -> tuple[str, str]:
    """The rule that this one is a paraphrase of, if there is one: its evidence then speaks for that one, too."""
    for old in given.known.values():
        if old.is_rule and old.section is section and said_alike(text, old.text):
            return old.id, old.text
    for rule in accepted.values():
        if rule.section is section and said_alike(text, rule.text):
            return rule.id, rule.text
    return given.name(section, text), text


def _joined(one: Rule, other: Rule) -> Rule:
    return msgspec.structs.replace(
        one,
        evidence=tuple(dict.fromkeys(one.evidence + other.evidence)),
        replaces=tuple(dict.fromkeys(one.replaces + other.replaces)),
        needs_sessions=min(one.needs_sessions, other.needs_sessions),
        is_tainted=one.is_tainted or other.is_tainted,
    )


def _shown(raw: Any) -> str:
    rule = raw.get("rule") if isinstance(raw, dict) else None
    text = rule if isinstance(rule, str) else type(raw).__name__
    return "".join(char if char.isprintable() else "?" for char in text[: _SHOWN * 2])[:_SHOWN]


def _refuse(reason: str) -> NoReturn:
    raise _Refusal(reason)
