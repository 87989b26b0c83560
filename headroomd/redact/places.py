"""Secrets that only their place gives away: in a URL, a header, an option of a known program, a statement of SQL."""

from __future__ import annotations

import re
from typing import Final

from headroomd.redact.kinds import Kind

__all__ = ["PLACES"]

# A word of a command line, quoted or not; group 1 is the word with its quotes.
_WORD: Final = r"""(\\*"[^"\n]*"?|'[^'\n]*'?|(?![-\s])[^\s"'`;|&]+)"""
_WITHIN: Final = r"[^\n|;&]{0,300}?\s"  # other words of the same command

_DATABASES: Final = "mysql mysqldump mysqladmin mysqlimport mariadb mycli"


def _place(name: str, gates: str, pattern: str) -> Kind:
    bounded = pattern.replace(r"\s*", r"\s{0,9}").replace(r"\s+", r"\s{1,9}")  # two runs of blanks must not fight
    return Kind(name, tuple(gates.split()), bounded, re.IGNORECASE, 1)


def _option(programs: str, options: str, *, joined: bool = False) -> Kind:
    """An option of the programs whose value is a password; `joined` to the option as in `mysql -psecret`."""
    names = "|".join(re.escape(program) for program in programs.split())
    flags = "|".join(re.escape(option) for option in options.split())
    value = r"""("[^"\n]+"?|'[^'\n]+'?|[^\s"'`;|&]+)""" if joined else rf"[\s=]\s*{_WORD}"
    return _place("password", programs, rf"\b(?:{names})\b{_WITHIN}(?-i:{flags}){value}")


PLACES: Final[tuple[Kind, ...]] = (
    # URLs: scheme://user:password@host, scheme://token@host; a port is no password
    _place(
        "password",
        "://",
        r"""\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@"'`<>]{0,200}:(?!\d{1,5}/)([^\s"'`<>]{1,500})@(?=[\w\[$.{-])""",
    ),
    _place("token", "://", r"""://(?=[A-Za-z_-]{0,40}\d)([\w.~%-]{16,300})@(?=[\w\[])"""),
    # Headers
    _place(
        "authorization",
        "authorization",
        r"""authorization\\*["']?\s*[:=,]\s*\\*["']?(?:(?:bearer|basic|token|digest|negotiate|apikey|key|bot|sso-key|aws4-hmac-sha256)\s+)?([^\n"'\\]{3,})""",
    ),
    _place("token", "bearer", r"""\bbearer[ :=]\s*\\*["']?((?=[a-z._~+/=-]{0,40}\d|\S{24})[\w.~+/=-]{8,})"""),
    _place("token", "basic", r"""\bbasic\s+((?=[a-z+/]{0,40}[0-9=A-Z])[\w+/]{12,}={0,2})(?![\w-])"""),
    _place("cookie", "cookie", r"""\b(?:set-)?cookie\\*["']?\s*[:=,]\s*\\*["']?([^\n"'\\]{3,})"""),
    # Options of known programs
    _option(_DATABASES, "-p", joined=True),
    _option("sshpass", "-p", joined=True),
    _option("7z 7za 7zr", "-p", joined=True),
    _option("sshpass mongo mongosh mongodump mongorestore", "-p"),
    _place(
        "password",
        "login",
        rf"\b(?:docker|podman|nerdctl|buildah|skopeo|helm|crane|oras|oc|az)\s+(?:registry\s+)?login\b{_WITHIN}(?-i:-p)[\s=]\s*{_WORD}",
    ),
    _option("redis-cli", "-a --pass"),
    _option("ldapsearch ldapadd ldapmodify ldapwhoami", "-w"),
    _option("unzip zip sqlcmd bcp", "-P"),
    _option("keytool jarsigner", "-storepass -keypass"),
    _place(
        "password",
        "-u --user",
        rf"""\b(?:curl|wget|http|https|xh)\b{_WITHIN}(?:-u|--user|-a|--auth)[\s=]?\s*["']?[^\s:"']{{1,200}}:([^\s"']+)""",
    ),
    _place(
        "cookie",
        "curl",
        rf"""\bcurl\b{_WITHIN}(?-i:-b|--cookie)[\s=]\s*("[^"\n]*=[^"\n]*"?|'[^'\n]*=[^'\n]*'?|[^\s"']+=[^\s"']+)""",
    ),
    _place(
        "password",
        "htpasswd",
        rf"""\bhtpasswd\s+(?:-\w+\s+){{0,5}}?-\w{{0,8}}b\w{{0,8}}\s+(?:-\w+\s+){{0,5}}(?:\S+\s+)?\S+\s+{_WORD}\s*(?:$|[\n;|&])""",
    ),
    _place("password", "rabbitmqctl", rf"rabbitmqctl\s+(?:add_user|change_password)\s+\S+\s+{_WORD}"),
    _place("password", "smbclient", r"""smbclient\b[^\n|;&]{0,300}?-U\s*["']?[^\s%"']{1,200}%([^\s"']+)"""),
    _place("password", "pass:", r"""-pass(?:in|out)?\s+["']?pass:([^\s"']+)"""),
    _place("password", "chpasswd", r"""echo\s+["']?[\w.-]{1,64}:([^\s"'|]+)["']?\s*\|\s*(?:sudo\s+)?chpasswd"""),
    _place(
        "password",
        "stdin sudo",
        rf"""(?:echo|printf)\s+(?:-n\s+|["']%s["']\s+)?{_WORD}\s*\|[^\n|;&]{{0,200}}?(?:--?(?:password-)?stdin|sudo\s+-S)""",
    ),
    _place(
        "token",
        "login",
        r"\b(?:vault|gh|npm|heroku|snyk|doppler)\s+(?:auth\s+)?login\s+(?:--?[\w-]+\s+){0,5}<{0,3}\s*((?=\S*\d)[^\s\"'<>|;&-]\S{9,})",
    ),
    _place("secret", "configure", rf"configure\s+set\s+\S{{0,80}}?(?:key|secret|token|password)\S{{0,80}}\s+{_WORD}"),
    _place(
        "secret",
        "config",
        rf"config\s+(?:set\s+|--\w+\s+|-g\s+){{0,5}}\S{{0,80}}?(?:_auth|_authtoken|password|secret|token|api[_-]?key)\s+{_WORD}",
    ),
    _place(
        "secret",
        "secret",
        rf"secrets?\s+set\s+\S+[^\n|;&]{{0,200}}?\s(?:--body|-b|--value|--secret-string)[\s=]\s*{_WORD}",
    ),
    _place("secret", "secret", rf"secretsmanager\b[^\n|;&]{{0,300}}?--secret-string[\s=]\s*{_WORD}"),
    _place("password", "convertto-securestring", rf"ConvertTo-SecureString\s+(?:-String\s+)?{_WORD}"),
    # SQL, XML, shell defaults, lists of names and values
    _place("password", "identified", r"""\bidentified\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?(\\*["'][^"'\n]+)"""),
    _place("password", "password", r"""\bpassword\s*\(?\s*(\\*'[^'\n]{1,500})(?=')"""),
    _place(
        "secret",
        "<",
        r"""<[\w:.-]{0,60}(?:password|passwd|secret|token|apikey|api_key|accesskey|privatekey)>\s*([^<\s][^<\n]*)""",
    ),
    _place("secret", "${", r"""\$\{\w{0,60}(?:password|passwd|pass|pwd|secret|token|key)\w{0,20}:?[-=+]([^}\n]+)"""),
    _place(
        "secret",
        "value",
        r"""(?:name|key)\\*["']?\s*[:=]\s*\\*["']?[\w.-]{0,80}(?:password|passwd|passphrase|pass|pwd|secret|token|key|credentials?)\\*["']?[,\s]+\\*["']?value\\*["']?\s*[:=]\s*\\*["']?([^\s"'\\,}]+)""",
    ),
    _place(
        "password",
        "password passphrase passwd secret token",
        r"""[Uu]s(?:e|ing)\s+["'`]?([^\s"'`]{3,200})["'`]?\s+as\s+(?:(?:the|my|your|a|its)\s+)?"""
        r"""(?:\w+\s+)?(?:password|passphrase|passwd|secret|token|api key)\b""",
    ),
)
