"""What never stands in a log line, a trace or an error report: secrets, and the addresses of people.

Three nets, each enough by itself for most of it: the configured secrets by their very text, values under names
that sound like a secret, and what looks like one wherever it stands. Whatever is masked is told apart by its form:
``[secret]``, ``u***@example.com``, ``+49***12``. Every step takes time in proportion to the text, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from typing import Final
from urllib.parse import quote

MASK: Final = "[secret]"
SHORTEST: Final = 6
"""Characters of a configured secret that is looked for: a shorter one would be found in ordinary words."""

_DEEPEST: Final = 16
"""Levels of lists and mappings; an exception with its frames has ten."""
_MOST: Final = 64 * 1024
"""Characters of one text that are kept: whole bodies have no place in a log."""
_WORD: Final = 4 * 1024
"""Characters that a secret may have that is in one piece."""
_LONGEST_INTEGER: Final = 2**63
_SHORT_LOCAL: Final = 3
_SHORTEST_PHONE: Final = 11

_NAMES: Final = (
    r"authorization|cookie|password|passwd|passphrase|secret|token|(?:routing|api|private|account)[ _-]?key"
    r"|access[_-]?key(?:[_-]?id)?|session[_-]?id|credentials?|signature|pwd|(?<![a-z])dsn"
)
_SECRET_KEYS: Final = re.compile(rf"(?i)(?:{_NAMES})")
_PHONE_KEYS: Final = re.compile(
    r"(?i)phone|msisdn|(?:^|[_-])(?:mobile|tel|sms|cell)(?:$|[_-]|(?-i:[A-Z]))|(?-i:Mobile|Sms|Tel)(?:$|[_-])"
)
# What follows a name and a colon where that is said of a setting, and is no value of it.
_SAID: Final = (
    r"(?:is|are|was|must|has|have|may|needs?|not|no|an?|the|unknown|missing|expected|only|cannot|does)"
)
# Groups that begin with "keep" stay, the rest of a match is masked.
_SECRETS: Final = re.compile(
    r"(?i)(?P<keep1>bearer\s{1,4}|basic\s{1,4})[a-z0-9+/=_.~-]{8,}"
    r"|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|xoxe\.[\w.-]{8,}|whsec_[\w+/=-]{8,}|\binc_[0-9a-z]{8}_[\w-]{20,}"
    r"|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|\bglsa_\w{16,}|\bsk_live_\w{8,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|(?P<keep2>https?://hooks\.slack\.com/)\S+"
    r"|(?P<keep3>https?://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/)\S+"
    r"|(?P<keep4>https?://[\w.-]{1,200}\.webhook\.office\.com/)\S+"
    r"|(?P<keep5>/(?:ack|calendars|heartbeats?/ping)/)[\w.~%=+-]{8,}"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
    r"|\bSG\.[\w-]{8,}\.[\w-]{8,}|\bAIza[\w-]{16,}"
    r"|(?P<keep6>\b(?:x-[a-z-]{0,20}(?:key|token)|authorization|(?:set-)?cookie|private-token):\s?)"
    r"(?!\[secret\])[^\r\n]+"
    # Quoted: up to the quote, blanks too; JSON within JSON has a backslash before each. Else: one word.
    rf"|(?P<keep7>(?:{_NAMES}|(?<![a-z])sig)\\{{0,8}}[\"']?\s?[:=]\s{{0,2}}(?:b?\\{{0,8}}[\"'])?)(?!\[secret\])"
    r"(?:(?<=\\[\"'])[^\"'\\\r\n]+|(?<!\\)(?<=\")(?:[^\"\\\r\n]|\\+[^\\\r\n])+|(?<!\\)(?<=')(?:[^'\\\r\n]|\\+[^\\\r\n])+"
    rf"|(?<![\"'])(?!b?\\*[\"']|\{{\w{{1,20}}:|{_SAID}\s)(?:(?:bearer|basic)\s{{1,4}})?[^\s\"'&,;)}}\]]+)"
    # The name and password of an address; passwords may hold what an address should not.
    r"|(?<=://)[^\s@/?#:\"']{0,512}:[^\s\"'<>]{0,512}@|(?<=://)[^\s@/?#:\"'<>]{1,512}@"
    r"|(?<=://)[^\s@/?#:\"']{0,512}:(?!\d{1,5}(?:[\s,;)\"']|$))[^\r\n@/<>]{1,128}@"
)
# One of these, in small letters, is in everything that the above can match: most texts need no second look.
_HINTS: Final = (
    *("://", "token", "secret", "key", "auth", "passw", "passp", "bearer", "basic", "cookie", "credential"),
    *(
        "signature",
        "dsn",
        "sig",
        "pwd",
        "xox",
        "xapp-",
        "whsec_",
        "inc_",
        "gh",
        "glpat-",
        "glsa_",
        "sk_live_",
    ),
    *("akia", "eyj", "/ack/", "/calendars/", "/ping/", "-----begin", "sg.", "aiza", "session"),
)
_BOT_TOKENS: Final = re.compile(r"\b\d{8,10}:[\w-]{35}\b")
_PHONES: Final = re.compile(r"(?<![\w+.])(?:\+|%2[Bb]|00)[1-9](?:(?:%20|[\s().\/-]){0,2}\d){6,14}(?!\w)")
_LOCAL_PHONES: Final = re.compile(
    r"(?<![\w.+:/-])(?:\(?[2-9]\d{2}\)?[-. ][2-9]\d{2}[-. ]\d{4}"
    r"|8[ -]?\(\d{3}\)[ -]?\d{3}[ -]?\d{2}[ -]?\d{2}"
    r"|\(?0[1-9]\d{1,3}\)?(?: ?[ /] ?\d(?: ?\d){5,8}|-\d{6,9}))(?![\w-])"
)
_AT: Final = re.compile(r"@|%40")
_LOCAL: Final = re.compile(r"\"[^\"\r\n]{1,64}\"|[\w.+~&*!#$%^{}|=?/'`-]+")
_IN_FRONT: Final = "'`=/|{?&*"
_DOMAIN: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*|\[[0-9A-Fa-f:.]{2,60}\]")

_hidden: tuple[str, ...] = ()


def hide(secrets: Iterable[str]) -> None:
    """Mask these texts too from now on, wherever they stand, percent-encoded as well."""
    global _hidden  # noqa: PLW0603 - there is one log for a process, and this is a part of it
    known = {secret for secret in secrets if len(secret) >= SHORTEST}
    known |= {quote(secret, safe="") for secret in known}
    _hidden = tuple(sorted(known | {*_hidden}, key=len, reverse=True))


def hide_named(values: Mapping[str, str]) -> None:
    """Mask those of these texts whose name says that they are secrets, such as variables of an environment."""
    hide(text for name, text in values.items() if _SECRET_KEYS.search(name) and text not in _hidden)


def mask(value: object, key: str = "", depth: int = 0) -> object:
    """`value` without secrets and addresses, made of nothing but what JSON has, and instants.

    `key`: the name it stands under, which may say what it is. Never raises.
    """
    if isinstance(value, Mapping | list | tuple | AbstractSet):
        return MASK if value and _SECRET_KEYS.search(key) else _mask_many(value, key, depth)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | datetime | date):
        return _mask_number(value, key)
    text = _text(value)
    if not text:
        return text
    if _SECRET_KEYS.search(key):
        return MASK
    return _short_phone(text) if _PHONE_KEYS.search(key) else mask_text(text)


def _mask_number(value: float | date, key: str) -> object:
    if isinstance(value, int | float) and _PHONE_KEYS.search(key):
        return _short_phone(str(value))
    if type(value) is int and not -_LONGEST_INTEGER <= value < _LONGEST_INTEGER:
        return mask_text(hex(value))
    return value


def _mask_many(value: Mapping[object, object] | Iterable[object], key: str, depth: int) -> object:
    if depth >= _DEEPEST:
        return "[deeper]"
    if isinstance(value, Mapping):
        return {mask_text(_text(k)): mask(v, _text(k), depth + 1) for k, v in value.items()}
    return [mask(each, key, depth + 1) for each in value]


def _text(value: object) -> str:
    try:
        if isinstance(value, bytes | bytearray):
            text = bytes(value).decode("utf-8", "replace")
        else:
            text = str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - a fault in the repr of whatever is logged must not end the work it tells of
        return f"<{type(value).__name__} that cannot be printed>"
    # Half of a surrogate pair has no UTF-8.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def mask_text(text: str) -> str:
    """`text` without secrets, e-mail addresses and phone numbers, and not endless."""
    if len(text) < SHORTEST:
        return text
    if len(text) > _MOST:
        # Configured secrets first: half of one would not be found. Then at a blank, so that no other is cut in two.
        whole = len(text)
        text = _hide(text)[:_MOST]
        text = f"{text[: _last_blank(text)]}... ({whole} characters)"
    text = mask_secrets(text)
    if "@" in text or "%40" in text:
        text = _mask_mails(text)
    if "+" in text or "00" in text or "%2" in text:
        text = _PHONES.sub(_masked_phone, text)
    return _LOCAL_PHONES.sub(_masked_phone, text) if len(text) >= _SHORTEST_PHONE else text


def mask_secrets(text: str) -> str:
    """`text` without secrets; people's addresses and what looks like a phone number, as columns of figures do, stay."""
    text = _hide(text)
    small = text.lower()
    if any([hint in small for hint in _HINTS]):
        text = _SECRETS.sub(_masked, text)
    return _BOT_TOKENS.sub(MASK, text) if ":" in text else text


def _hide(text: str) -> str:
    for secret in _hidden:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def _last_blank(text: str) -> int:
    """Where the last word begins, which may be cut; without a blank near the end, all that is near goes."""
    return max(text.rfind(blank, len(text) - _WORD) for blank in " \n\t") + 1 or len(text) - _WORD


def _masked(match: re.Match[str]) -> str:
    kept = match.lastgroup
    tail = "@" if kept is None and match[0].endswith("@") else ""
    return f"{match[kept] if kept else ''}{MASK}{tail}"


def _mask_mails(text: str) -> str:
    done, rest = [], 0
    for at in _AT.finditer(text):
        before = text[rest : at.start()]
        # Read backwards, so that a long text without an address is looked at once and not from every place in it.
        found, domain = _LOCAL.match(before[::-1]), _DOMAIN.match(text, at.end())
        if found is not None and domain is not None and not before.endswith(MASK):
            local = before[len(before) - found.end() :].lstrip(_IN_FRONT)
            shown = local.lstrip('"')[0] if len(local) >= _SHORT_LOCAL else ""
            before = f"{before[: len(before) - len(local)]}{shown}***"
        done += [before, at[0]]
        rest = at.end()
    return "".join([*done, text[rest:]])


def _masked_phone(match: re.Match[str]) -> str:
    encoded = match[0].replace("%20", " ")
    return _short_phone(f"+{encoded[3:]}" if encoded.startswith("%2") else encoded)


def _short_phone(text: str) -> str:
    """`+49***12`: what tells two of them apart and lets nobody be called."""
    digits = "".join([each for each in text if each.isdigit()])
    if len(digits) < 6:  # noqa: PLR2004 - nothing would be left to mask
        return "***"
    return f"{'+' if text.startswith('+') else ''}{digits[:2]}***{digits[-2:]}"
