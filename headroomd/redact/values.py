"""What a value looks like: a placeholder, a reference to a variable, an ordinary word, or something random."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_innocent", "is_ordinary_word", "looks_random"]

_TAG: Final = r"\[[a-z][a-z0-9-]*\]"

# What stands where a secret would stand, and is none. Matched against the whole value, quotes taken off.
_INNOCENT: Final = re.compile(
    rf"""
      {_TAG}                                    # redacted already
    | [^A-Za-z0-9]*                             # punctuation, ***, ...
    | [xX.*•-]+
    | \d{{1,3}} | \d{{1,4}}(?::\d{{1,4}})+              # counts, line numbers
    | \$\{{?[A-Za-z_][\w.:]*\}}?                # $NAME ${{NAME}} $env:NAME
    | \$\{{?\d+\}}?
    | \$\(.* | \$\{{\{{.* | \{{\{{.* | `.*      # substitutions and templates
    | %\w+% | %[sdr] | %\(\w+\)s              # cmd.exe, printf
    | !(?:Ref|Sub|GetAtt|ImportValue|vault|secret|env|env_var|include|reference)\b.*       # YAML tags
    | [$#@%]?\{{[^{{}}]*\}}                     # {{name}} of a template, #{{name}}
    | [\[{{(]["'].*                              # the beginning of an object
    | <[^<>]*>? | \[[A-Z _-]*\]                 # <token>, [REDACTED]
    | [a-z][a-z0-9+.-]*://.*                    # a URL: what is secret in it is told by itself
    | (?:your|my|the|some|example|sample|test|dummy|fake|replace|insert|enter)[_ -](?:\w+[_ -])*
      (?:here|key|token|secret|password|value|me)
    | (?:none|null|nil|undefined|true|false|yes|no|on|off|required|optional|redacted|masked|hidden|placeholder|empty
       |str|string|text|int|integer|number|float|bool|boolean|bytes|any|object|char|varchar|unknown|void|date|uuid
       |include|omit|same-origin|inherit|write|read|bearer|basic|digest|token|password|secret|auth|key|plain)
      (?:\[\]|\?|!|\|.*)?
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

_FILE: Final = re.compile(
    r"""
      @?(?:~|\.{1,2})?/(?:[\w.@-]+/)*[\w@-]+\.\w{1,8}                       # /run/key.pem
    | @?(?:~|\.{1,2})/.*
    | /(?:etc|home|usr|var|opt|tmp|run|root|Users|srv|mnt|data|dev|proc|sys|app|workspace)(?:/[\w.@-]+)*/?
    | [A-Za-z]:\\[\w\\ .-]*
    | @?[\w~-][\w./@~-]*\.(?:pem|key|json|ya?ml|env|txt|crt|cer|p12|pfx|pub|toml|ini|conf|cfg|py|tsx?|jsx?|mjs|go|rs|rb
       |java|kt|md|sh|php|cs|html|css|sql|lock|log|xml|csv)(?::\d+)*
    | id=[\w.-]+(?:,.*)?                         # docker build --secret
    """,
    re.VERBOSE | re.DOTALL,
)
# What stands to the right of an assignment in a program and is no literal.
_CODE: Final = re.compile(
    r"""
      [A-Za-z_][\w.]*(?:->\w+)*[(\[](?:["'].*|\d{0,3}|[A-Za-z_.,*&:(\[]*)  # a call, a subscript
    | [A-Za-z_]\w*(?:::\w+)+
    | (?:self|this|process\.env|os\.environ|config|settings|args|opts|options|req|request|res|response|user|data|body
       |params|props|state|ctx|context|env|secrets|vars|var|local|module|session|form|input|cls|client|event|result
       |json|payload|import\.meta\.env|System|Deno|Bun)(?:[.?!]+[A-Za-z_]\w*)+
    | const|static|new|await|typeof|return|function|lambda|async|fn|func|let|pub|public|private|def | \w{1,2}
    # user_password, newToken: a name that ends like the name that it is given to
    | (?:[A-Za-z][A-Za-z0-9]*_)+(?:password|passwd|secret|token|key|credentials?|passphrase)
    | [a-z][A-Za-z]*(?:Password|Passwd|Secret|Token|Key|Credentials?|Passphrase)
    """,
    re.VERBOSE | re.DOTALL,
)
_LONGEST: Final = 200  # characters of anything innocent

_ORDINARY: Final = frozenset(
    (  # noqa: SIM905 - readable at a glance
        "a about absent accepted accessible active after again all allowed already also always an and any are as "
        "at authenticated authentication authorization auto automatically available based be because been before "
        "being below blank but by can cannot case changed check checks configured correct could count created "
        "default defined deliberately denied deprecated did different disabled do does encrypted env environment "
        "error exists expected expired expires expiry failed fails field file files flag for format found from "
        "generated generation given got handling has hashed have here if ignored in incorrect input intentionally "
        "invalid is isn it its just known length like loaded login lost management manager many match matches may "
        "misconfigured mismatch missing more must name named needed needs never new no not nothing now of ok old "
        "on one only option optional or our out passed please policy present prompt protected provided read "
        "refresh rejected required requires reset returned revoked rotated rotation same sent set shall should "
        "shown so stale still store stored strength that the their then there these this to too type types "
        "unauthorized under unexpected unique unknown unset unused update updated use used user username using "
        "valid validated validation value values via wait was wasn we were what when where which while will with "
        "without won would wrong you your "
    ).split()
)


def is_innocent(value: str, *, may_be_code: bool = False, may_be_file: bool = False) -> bool:
    """Whether the value is a placeholder, a reference or a type: nothing that opens a door.

    `may_be_code`: it stands without quotes where a program could stand, so calls and names are no literals.
    `may_be_file`: the name before it may name a file as well; a password is never in a file's name.
    """
    bare = value.strip("\"'`\\ \t").rstrip(",;:.)}")
    if len(bare) > _LONGEST:
        return False
    patterns = (_INNOCENT, *([_CODE] if may_be_code else []), *([_FILE] if may_be_file else []))
    return any(pattern.fullmatch(bare) for pattern in patterns)


def is_ordinary_word(value: str) -> bool:
    """Whether an English sentence goes on with this word after "password is" or "token:"."""
    word = value.strip("\"'`\\.,;:!?)(").lower()
    return word in _ORDINARY or word.partition("'")[0] in _ORDINARY


def looks_random(value: str, length: int = 16) -> bool:
    """Whether it holds a run of at least `length` letters and digits mixed, as keys do and words do not."""
    return any(
        any(character.isdigit() for character in run) and any(character.isalpha() for character in run)
        for run in re.findall(rf"[A-Za-z0-9+/=]{{{length},}}", value)
    )
