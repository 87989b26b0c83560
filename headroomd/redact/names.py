"""Secrets that the name before them gives away: `password=`, `"api_key": "..."`, `--token X`, "the password is X"."""

from __future__ import annotations

import re
from typing import Final

from headroomd.redact.gates import literal_pattern
from headroomd.redact.values import is_innocent, is_ordinary_word, looks_random

__all__ = ["redact_named"]

# Every name begins with one of these. They are searched in lower case, the patterns are tried only where one stands.
_STEMS: Final = re.compile(
    literal_pattern(
        (  # noqa: SIM905 - readable at a glance
            "pass pwd secret token key credential auth sess conn dsn otp sid salt sig jwt cert cookie pin bearer"
            " security contrase senha mot_de_pass mot-de-pass пароль 密码 パスワード 비밀번호"
        ).split()
    )
)
_NAME: Final = re.compile(
    r"""
      (?P<password> passw(?:or)?d | passwort | passphrase | passcode | (?<![a-z])pass | (?-i:(?<=[a-z])Pass)
                  | (?-i:(?<![a-z])pwd | Pwd | (?<=[_;])PWD) | contrase[ñn]a | senha | mot[_-]de[_-]passe
                  | пароль | 密码 | パスワード | 비밀번호 )
    | (?P<strong> secret | token | credentials? | conn(?:ection)?[_-]?str(?:ing)? | (?<![a-z])dsn | security[_-]?code
                  | (?<![a-z])otp | (?<=(?<![a-z])t)otp )
    # Names of ordinary things too: what follows must look random.
    | (?P<weak>   (?<![a-z])(?: auth | sid | salt | signature | sig | session(?:[_-]?id)? | sess(?:[_-]?id)? | jwt
                  | cert | pin ) | cookie | bearer )
    | (?P<key>    (?: (?<![a-z])key | (?-i:(?<=[a-z])Key) | (?<=api)key | (?<=access)key )(?:[_-]?id)? )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SECRET_KEY: Final = re.compile(  # which keys are secret whatever their value looks like
    r"(?:api|access|private|secret|signing|encryption|account|shared|master|session|auth|app|license|service|deploy|ssh"
    r"|consumer|subscription|webhook|admin|integration|storage)[ _-]?$",
    re.IGNORECASE,
)

_SUFFIX: Final = (
    r"(?:[_-]?(?:hash|digest|base64|b64|value|enc|encrypted|prod|production|dev|staging|test|live|old|new|\d{1,3}))?"
)
_CLOSE: Final = r"""\\*["'`]?\]?\)?"""
_LINK: Final = re.compile(
    rf"""{_SUFFIX}{_CLOSE}(?:
        (?P<typed>[ \t]*:[ \t]*(?:str|string|bytes|[A-Z])[\w.\[\]| ]{{0,40}}[ ]=[ ])  # password: str = "..."
      | (?P<assign>[ \t]+(?:=>|:=|===?|!==?|\|\|=|\?=|=)[ \t]*|(?:=>|:=|===?|!==?|\?=|=)(?:[ \t]*(?=[rbuf]?\\*["'`]))?)
      | (?P<colon>[ \t]*:(?!:)(?:[ \t]*[|>][+-]?[ \t]*\n)?[ \t]*)
      | (?P<comma>(?<=["'`]),[ \t]*(?=\\*["'`]))                               # ("password", "...")
      | (?P<prose>[ \t]+(?:(?:for|of|to|on|in)[ \t]+(?:[\w.@-]{{1,40}}[ \t]+){{1,4}}?)?
        (?:is|was|are|will[ ]be|should[ ]be|must[ ]be|to|equals|ist|es|est)(?:[ \t]+now)?[: \t]+)
      | (?P<space>[ \t]+)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_QUOTED: Final = re.compile(
    r"""[rbuf]{0,2}(?:
        \\+"(?P<a>(?:[^"\\\n]|\\+[^"\\\n])+)
      | \\+'(?P<b>(?:[^'\\\n]|\\+[^'\\\n])+)
      | "(?P<c>(?:[^"\\\n]|\\.)+)
      | '(?P<d>(?:[^'\\\n]|\\.)+)
      | `(?P<e>[^`\n]+)
    )""",
    re.VERBOSE,
)
# Unquoted: to the next blank; in a command or a query also to what ends a word there.
_BARE_CHARACTER: Final = r"""\\(?![nrt"'])|["'`](?=[A-Za-z0-9])"""
_LOOSE: Final = re.compile(rf"""(?P<a>(?:[^\s"'`\\]|{_BARE_CHARACTER})+)""")
_TIGHT: Final = re.compile(rf"""(?P<a>(?:[^\s"'`\\;&|]|{_BARE_CHARACTER})+)""")
_TRAILING: Final = ",)};:.!?>"

_LOOK_BACK: Final = 80  # characters before a name that are looked at
_FLAG: Final = re.compile(r"""(?:^|[\s"'(\[,])--?[\w-]*$""")
_LINE_START: Final = re.compile(r"(?:^|\n)[ \t]*(?:(?:export|set|ENV)[ \t]+)?[\w.-]*$")
_CODE: Final = re.compile(r"(?:\b(?:const|let|var|val|final)[ \t]+|\b(?:self|this)\.|\$)[\w.]*$")
_CALL: Final = re.compile(r"""\w\(\s*\\*["'`][\w.-]*$|["'`]--?[\w-]*$""")
_SETTER: Final = re.compile(
    r"""(?:set|put|add|with|env|header|param|append|define|store)\w*\(\s*\\*["'`][\w.-]*$|["'`]--?[\w-]*$""",
    re.IGNORECASE,
)
_COMPARISONS: Final = ("==", "===", "!=", "!==")
_PARSER: Final = re.compile(r"\b(?:unexpected|unknown|illegal|next|expected|invalid|bad|end) $", re.IGNORECASE)
_NOT_SECRET: Final = re.compile(r"(?:public|primary|foreign|sort|partition)[ _-]?$", re.IGNORECASE)
_TAG_OPEN: Final = re.compile(r"\[[a-z0-9-]*$")


def redact_named(text: str) -> str:
    """`text` with the values of secret-sounding names replaced by what they are the value of."""
    pieces: list[str] = []
    at = 0
    for stem in _STEMS.finditer(_lowered(text)):
        if stem.start() < at or not (name := _NAME.match(text, stem.start())):
            continue
        if span := _value_span(text, name):
            start, end = span
            pieces += (text[at:start], f"[{_tag(name)}]")
            at = end
    return "".join([*pieces, text[at:]])


def _lowered(text: str) -> str:
    """The text in lower case, character for character."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def _tag(name: re.Match[str]) -> str:
    if name["password"]:
        return "password"
    word = name[0].lower()
    return next((tag for tag in ("token", "credential", "session", "key", "cookie") if tag in word), "secret")


def _value_span(text: str, name: re.Match[str]) -> tuple[int, int] | None:
    """Where the secret value of this name stands, if it has one."""
    link = _LINK.match(text, name.end())
    if link is None:
        return None
    before = text[max(0, name.start() - _LOOK_BACK) : name.start()]
    if _NOT_SECRET.search(before) or (text.startswith("]", name.end()) and _TAG_OPEN.search(before)):
        return None
    if quoted := _QUOTED.match(text, link.end()):
        start, end = quoted.span(quoted.lastgroup or 0)
    else:
        tight = link["assign"] is not None and not _LINE_START.search(before)
        bare = (_TIGHT if tight else _LOOSE).match(text, link.end())
        if bare is None:
            return None
        start, end = bare.span()
        trailing = _TRAILING if text[start] == "[" else _TRAILING + "]"  # a tag keeps its bracket
        while end > start and text[end - 1] in trailing:
            end -= 1
    is_secret = _judge(text[start:end], name, link, before, is_quoted=quoted is not None)
    return (start, end) if is_secret else None


def _judge(value: str, name: re.Match[str], link: re.Match[str], before: str, *, is_quoted: bool) -> bool:
    how = link.lastgroup
    is_shell = name[0].isupper() and link["assign"] == "="
    if is_innocent(value, may_be_code=not is_quoted and not is_shell, may_be_file=not name["password"]):
        return False
    if name["weak"] or (name["key"] and not _SECRET_KEY.search(before)):
        return looks_random(value)
    if (link["assign"] or "").strip() in _COMPARISONS and not is_quoted:
        return False
    if how == "comma" and not (_SETTER if not name["password"] else _CALL).search(before):
        return looks_random(value)
    if how == "space" and not _FLAG.search(before):
        return looks_random(value) or (bool(name["password"]) and looks_random(value, 6) and "." not in value)
    if is_quoted:
        return True
    if how != "assign" and (is_ordinary_word(value) or _PARSER.search(before)):
        return False
    if how == "prose":
        return bool(name["password"]) or looks_random(value, 6) or len(value) >= 12
    return not _CODE.search(before) or looks_random(value)
