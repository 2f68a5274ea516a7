"""Keep secrets out of all that this project writes down or shows: no other module has such rules.

Every record passes ``record`` on its way into the journal, and every line passes ``Lines`` on its
way to the terminal. Reports pass all records through ``harmless`` again, since a journal may be
older than a rule.

  secrets      values under a telling name (password, token, ...) and key material are replaced
  invisibles   reports write out control characters, marks that turn the reading direction, and
               halves of surrogate pairs: these could hide text, and XML cannot hold them all

This is best effort: a secret of an unknown form under an innocent name looks like any other value.
Every expression takes time that is linear in the length of the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from converge.text.secret_forms import COMMANDS, PROSE, TOKEN_NEEDS, TOKENS

HIDDEN = "(not shown)"
_MARK = "\ue000"  # stands for HIDDEN while a text is worked on
LONGEST = 4000  # characters of one text that a report shows
EXAMINED = 200_000  # characters of one text that are looked at; the rest is left out
DEEPEST = 12  # levels of a record in a report

#: Names of secrets; those of the last line count only as whole words.
_NAME = (
    r"(?:(?<!NO)pass(?:word|wd|phrase|code|command)|passwort|kennwort|wachtwoord|contrase.a|pwd"
    r"|mot[-_ ]de[-_ ]passe|(?:ssh|remote|imap|smtp|mail|db|my|http|ftp|rpc)_?pass(?![a-z])"
    r"|secret|token|credential|cookie|mnemonic|authorization|connection[-_ ]?string"
    r"|(?:api|private|signing|access|account|encryption|session|preshared|master|storage|app|luks"
    r"|client|license|service|webhook|auth|user|wep|gpr)[-_. ]?key|SAMLResponse|bindpw"
    r"|(?:op|bw|bitwarden)[-_]session"
    r"|(?<![A-Za-z])(?:pass|psk|pat|auth|otp|sig|pw)(?![A-Za-z]))"
)
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
#: Fields whose text names what the fields of _VALUES in the same record hold.
_NAMING = ("key", "name", "what", "variable", "entry")
_VALUES = frozenset(("before", "after", "old", "found", "wanted", "expected", "value", "reason"))

_BEGIN = (
    r"-----BEGIN (?:[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1)-----"
    r"|---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY ----"
)
_END = r"-----END (?:[A-Z0-9 ]{0,50}|OpenVPN Static key V1)-----|---- END SSH2 [A-Z ]{0,40} ----"
#: A name in YAML whose value is the indented lines below it.
_BLOCK = (
    rf"^[ \t-]{{0,80}}[\"']?[\w.-]{{0,64}}{_NAME}[\w.-]{{0,64}}[\"']?:[ \t]{{0,9}}"
    r"[|>][0-9+-]{0,2}[ \t]{0,9}"
)


@dataclass(frozen=True)
class _Form:
    """An expression, compiled for the first text that it may be in: few are ever needed, and they
    take long to compile. Where it has a group, only the group is hidden.

    ``needs``: one of these is in all that the expression matches, in lower case where that ignores
    case; empty where that is not known."""

    text: str
    flags: int
    needs: tuple[str, ...] = ()
    folds: bool = False  # the expression ignores case

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.text, self.flags)

    def hide(self, value: str) -> str:
        # Without case, letters beyond ASCII stand for some of ASCII.
        if self.needs and (not self.folds or value.isascii()):
            seen = value.lower() if self.folds else value
            for one in self.needs:  # a loop: any() takes twice as long, and most texts have nothing
                if one in seen:
                    break
            else:
                return value
        return self.pattern.sub(_hide, value)


#: An expression that begins with a word, or with one of several: no quantifier is behind the word.
_BEGINS = re.compile(r"\\b(?:\(\?:([a-z0-9_|-]{2,})\)|([a-z0-9_-]{2,}))(?=[\\\[(])")


def _form(text: str, flags: int, *needs: str) -> _Form:
    begins = None if flags else _BEGINS.match(text)
    if begins:
        needs = needs or tuple((begins[1] or begins[2]).split("|"))
    return _Form(text, flags, tuple(filter(None, needs)), bool(flags & re.IGNORECASE))


#: Key material that its own form gives away: expression, flags, and what is in all that it matches.
_FORMS: tuple[tuple[Any, ...], ...] = (
    (rf"(?:{_BEGIN}).*?(?:{_END}|\Z)", re.DOTALL, "---- BEGIN ", "-----BEGIN "),
    (r"(?m)^Private-Lines: [0-9]+\n((?:[A-Za-z0-9+/=]+\n?)+)", 0, "Private-Lines: "),  # PuTTY
    (rf"(?<![\w.-])(?:{'|'.join(TOKENS)})", 0, *TOKEN_NEEDS),
    *COMMANDS,
    # A word of prose ("basic indexing=true") has neither a digit nor a capital letter.
    (
        r"\b(?i:bearer|basic|token|negotiate|digest)\s+"
        r"((?=[a-z._~+/-]{0,512}[A-Z0-9])[A-Za-z0-9._~+/-]{12,}={0,2})(?![\w=])",
        0,
    ),
    (r"(?<=://)((?=[^/\s@\"'<>]{0,512}:)[^/\s\"'<>]{0,512})(?=@)", 0, "://"),
    (r"\bhttps?://([^/\s@:\"'<>]{1,512})(?=@)", 0, "http"),
    (r"(?<=://)((?=[^/\s@:]{0,63}[A-Z0-9])[^/\s@:\"'<>]{16,512})(?=@)", 0, "://"),
    (r"hooks\.slack\.com/(?:services|workflows)/([\w/]{8,200})", 0, "hooks.slack.com/"),
    (r"discord(?:app)?\.com/api/webhooks/([\w/-]{8,200})", 0, ".com/api/webhooks/"),
    (
        r"[?&;](?:x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)"
        r"|sig|signature|key|code|auth|apikey|awsaccesskeyid|jwt)=([^&\s#\"']+)",
        re.IGNORECASE,
        "x-amz-",
        "x-goog-",
        "sig=",
        "signature=",
        "key=",
        "code=",
        "auth=",
        "awsaccesskeyid=",
        "jwt=",
    ),
    (r"(?<!\S)(?:-u|-U|--user|--proxy-user)(?:[ =]|(?=\S))([^\s:/]{1,128}:[^\s]+)", 0, "-u", "-U"),
    (r"\bsshpass\s+-p\s*(\S+)", 0),
    (r"(?<!\S)-pass(?:in|out)?[ =]pass:(\S+)", 0, "pass:"),  # openssl
    (
        r"\s:\s+(?:PSK|EAP|XAUTH|NTLM)\s+[\"']?([^\s\"']+)",
        0,
        "PSK",
        "EAP",
        "XAUTH",
        "NTLM",
    ),  # ipsec.secrets
    (r"\bBW_SESSION=[\"']?([^\s\"']+)", 0, "BW_SESSION="),
    (r"<(?:D|P|Q|DP|DQ|InverseQ)>([A-Za-z0-9+/=]{16,})</", 0, "</"),  # an RSA key in XML
    (r"\blogin\s+\S+\s+(?:account\s+\S+\s+)?password\s+(\S+)", 0),  # netrc
    (r"(?m)^\s{0,40}password[ \t]+(\S+)[ \t]*$", 0, "password"),
    (r"access-tokens\W{1,40}(?:value\W{1,40})?([^\n]+)", re.IGNORECASE, "access-tokens"),
    (r"hooks\.zapier\.com/hooks/catch/([\w/-]{8,200})", 0, "hooks.zapier.com/"),
    (r"webhook\.office\.com/webhookb2/([\w/@-]{8,400})", 0, "webhook.office.com/"),
    (
        r"maker\.ifttt\.com/trigger/[^\s/]{1,128}/(?:json/)?with/key/([\w-]{8,200})",
        0,
        "maker.ifttt.com/",
    ),
    # Password options that are one letter, of programs that have them.
    (
        r"\b(?:redis-cli|mysql\w{0,16}|mariadb\w{0,16}|mosquitto_\w{1,8}|ldap\w{1,16}"
        r"|sshpass|gpg-preset-passphrase)\b[^\n|;&]{0,300}?\s-[aPpw][ =]?([^\s-]\S*)",
        0,
        "redis-cli",
        "mysql",
        "mariadb",
        "mosquitto_",
        "ldap",
        "sshpass",
        "gpg-preset-passphrase",
    ),
    (r"\bhttps?\s[^\n|;&]{0,200}?(?:-a|--auth)[ =]([^\s:/]{1,128}:[^\s]+)", 0, "http"),
    (r"(?<!\S)-U[ =]?[^\s%]{1,128}%(\S+)", 0, "-U"),  # smbclient
    (r"\bIDENTIFIED\s+(?:WITH\s+\w{1,64}\s+)?BY\s+[\"']?([^\s\"';]+)", re.IGNORECASE, "identified"),
    (r"(?m)^[^\s:#]{1,255}:(?:\d{1,5}|\*):[^\s:]{1,64}:[^\s:]{1,64}:(\S+)$", 0, ":"),  # pgpass
    (
        r"\t(?:TRUE|FALSE)\t/[^\t]{0,512}\t(?:TRUE|FALSE)\t\d{1,18}\t[^\t]{1,256}\t(\S+)",
        0,
        "\tTRUE\t",
        "\tFALSE\t",
    ),
    (rf"<[\w:.-]{{0,32}}{_NAME}[\w.-]{{0,32}}>([^<\n]{{1,2000}})<", re.IGNORECASE, "<"),
    # {"name": "DB_PASSWORD", "value": "..."}, as text
    (
        rf"\"(?:name|key)\"\s{{0,9}}:\s{{0,9}}\"[\w.-]{{0,64}}{_NAME}[\w.-]{{0,64}}\",?\s{{0,9}}"
        r"\"value\"\s{0,9}:\s{0,9}\"([^\"]+)",
        re.IGNORECASE,
        '"',
    ),
    (rf"(?m){_BLOCK}\n((?:[ \t]+\S[^\n]*\n?){{1,200}})", re.IGNORECASE, "\n"),
    (r"\$(?:1|2[aby]|5|6|y|gy|7|apr1|argon2id?)\$([^\s:]{8,})", 0, "$"),
    (r"\{S?SHA(?:256|512)?\}([A-Za-z0-9+/=]{16,})", 0, "SHA"),
    (
        r"(?:authorization|cookie)[\"']?\s{0,9}[:=]\s{0,9}([^\n\"']+)",
        re.IGNORECASE,
        "authorization",
        "cookie",
    ),
)
_MATERIAL = tuple(_form(*row) for row in _FORMS)
#: Sentences are looked at where one of their words is there: most texts have none.
_TELLING = re.compile("pass|kenn|wacht|contrase|secret|token|key|pin|seed|recovery|mnemonic", re.I)
_PROSE = tuple(_form(*row) for row in PROSE)
_SEPARATOR = r"\\?[\"']?(?:\[\$?[\w@.-]{1,16}\]){0,4}\s{0,20}(?:=>|[=:]|%3[Dd])\s{0,20}"
#: A name and its value: to the end of the line where the line begins with the name.
_ENTRY = re.compile(
    rf"(?im)^([ \t+-]{{0,40}}(?:export |set -gx |set -x |declare -x |environment=)?[\"']?"
    rf"[\w.-]{{0,64}}{_NAME}[\w.-]{{0,64}}{_SEPARATOR})(?!{_MARK})(\S[^\n]*)$"
)
_ASSIGNMENT = re.compile(
    rf"({_NAME}[\w.-]{{0,64}}{_SEPARATOR})(?!{_MARK})"
    r"(\\?\"[^\"\\\n]*\\?\"?|'[^'\n]*'?|[^\s,;&\"'\\]+)",
    re.IGNORECASE,
)
_FLAG = re.compile(
    r"(?<!\S)((?:--?|set -[A-Za-z]{1,4} )[\w-]{0,64}"
    r"(?:pass(?:word|wd|phrase|code)|secret|token|api-?key)[\w-]{0,64}[ \t]{1,9})(?!-)(\S+)",
    re.IGNORECASE,
)


def secrets(value: str) -> str:
    """The text with each secret replaced by HIDDEN; a text without secrets is unchanged."""
    return _remembered(value) if len(value) < 400 else _secrets(value)


def _secrets(value: str) -> str:
    value = value.replace(HIDDEN, _MARK)  # without blanks, so that a second pass changes nothing
    for form in _MATERIAL:
        value = form.hide(value)
    if telling := _TELLING.search(value):
        for form in _PROSE:
            value = form.hide(value)
    assigned = (_ENTRY, _ASSIGNMENT) if re.search("[=:]|%3[Dd]", value) else ()
    flags = (_FLAG,) if telling else ()  # each has one of those words
    for pattern in (*assigned, *flags):
        value = pattern.sub(rf"\g<1>{_MARK}", value)
    return value.replace(_MARK, HIDDEN)


_remembered = lru_cache(maxsize=8192)(_secrets)  # reports say the same words again and again


def _hide(match: re.Match[str]) -> str:
    if not match.re.groups:
        return _MARK
    start, end = (place - match.start() for place in match.span(1))
    return f"{match[0][:start]}{_MARK}{match[0][end:]}"


class Lines:
    """``secrets`` for lines that come one by one: a private key or a YAML block has several."""

    def __init__(self) -> None:
        self._within = False
        self._below: int | None = None  # indentation of the name that a YAML block belongs to

    def __call__(self, line: str) -> str:
        dashes = "----" in line  # as in each begin and end of a key
        ends = dashes and re.search(_END, line) is not None
        if self._within:
            self._within = not ends
            return HIDDEN if line.strip() else line
        if self._below is not None and len(line) - len(line.lstrip()) > self._below:
            return HIDDEN
        if line.strip():
            block = ("|" in line or ">" in line) and re.fullmatch(_BLOCK, line, re.IGNORECASE)
            self._below = len(line) - len(line.lstrip()) if block else None
        self._within = dashes and re.search(_BEGIN, line) is not None and not ends
        return secrets(line)


def record(value: Any) -> Any:
    """A record, or a part of a record, without secrets: HIDDEN replaces the values of telling names
    and the secrets in each text. A text is cut at EXAMINED characters."""
    if isinstance(value, str):
        if len(value) > EXAMINED:
            more = len(value) - EXAMINED
            value = f"{value[:EXAMINED]}... ({more} more characters)"
        return secrets(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, dict | Mapping):  # a dict is known as one at once
        named = _is_named(value)
        return {
            secrets(key) if isinstance(key, str) else key: HIDDEN
            if _is_secret(key, one, named=named)
            else record(one)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [record(line) for line in _lines(value)]
    return value


def _lines(values: list[Any] | tuple[Any, ...]) -> list[Any]:
    """A list without secrets: its texts may be the lines of one text."""
    lines = Lines()
    return [lines(value) if isinstance(value, str) else value for value in values]


def _is_named(value: Mapping[Any, Any]) -> bool:
    """Whether a field of _NAMING says that the record is about a secret."""
    for key in _NAMING:
        name = value.get(key)
        if name is not None and isinstance(name, str) and _telling(name):
            return True
    return False


def _is_secret(key: object, value: object, *, named: bool) -> bool:
    if value is None or value == "" or isinstance(value, bool):
        return False
    return (named and key in _VALUES) or _telling(str(key))


@lru_cache(maxsize=4096)
def _telling(name: str) -> bool:
    """Whether the name is that of a secret: records have the same few names."""
    return _SECRET_NAME.search(name) is not None


# -- reports ---------------------------------------------------------------------------------------


def harmless(record: Mapping[str, object]) -> dict[str, object]:
    """The record for a report: without secrets and invisible characters, and of limited depth."""
    value = _value(record, 0)
    assert isinstance(value, dict)
    return value


def text(value: str) -> str:
    """One text for a report: without secrets and invisible characters, cut at LONGEST."""
    value = secrets(value if len(value) <= EXAMINED else value[:EXAMINED])
    if len(value) > LONGEST:
        value = f"{value[:LONGEST]}... ({len(value) - LONGEST} more characters)"
    return value if value.isprintable() else visible(value)


def visible(value: str) -> str:
    """A text with each invisible character written out as ``\\uXXXX``; line ends and tabs stay."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in value)


def _value(value: object, depth: int) -> object:
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, dict | Mapping):  # a dict is known as one at once
        if depth >= DEEPEST:
            return {}
        named = _is_named(value)
        return {
            text(str(key)): HIDDEN if _is_secret(key, one, named=named) else _value(one, depth + 1)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [] if depth >= DEEPEST else [_value(line, depth + 1) for line in _lines(value)]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return text(str(value))
