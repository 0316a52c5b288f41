r"""Label matchers in Alertmanager's syntax: `severity="critical"`, `job=~"api|web"`, `{team!="db",env!~dev}`.

One scanner reads both of Alertmanager's dialects: the UTF-8 one (any name, Go escapes in quotes) and, where
that fails, the classic one (a backslash before anything but `\`, `"` and `n` is just a backslash; an unquoted
value may hold blanks). Refused, though some Alertmanager lets it pass, is what nobody can have meant: `a==b`,
one brace of two, and `\b` in a quoted expression, which is a backspace in one dialect and a word boundary in
the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, get_args

import re2

Operator = Literal["=", "!=", "=~", "!~"]
"""Equal, not equal, matches, does not match."""

_RESERVED = "{}!=~,\\\"'`"
"""What, besides white space, ends an unquoted name (Alertmanager's lexer)."""

_EXAMPLES = """accepted are e.g. severity="critical", team!="db", job=~"api|web", env!~"dev.*\""""

_OPERATOR = re.compile("=~|!=|!~|=")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_UNQUOTED_NAME = re.compile(rf"[^\s{re.escape(_RESERVED)}]+")
_UNQUOTED_VALUE = re.compile(r'[^,{}"]+')
_BLANKS = re.compile(r"\s+")

_CLASSIC_ESCAPE = re.compile(r'\\([n"\\])')
_GO_ESCAPE = re.compile(
    r"""\\(?:(?P<letter>[abfnrtv\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})
    |u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))|(?P<unknown>\\)""",
    re.VERBOSE,
)
_GO_LETTERS = dict(zip('abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. Regular expressions are RE2's and must match the whole value.

    Raises ValueError for an empty name, an unknown operator or an expression that RE2 refuses.
    """

    name: str
    op: Operator
    value: str
    _regex: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Check the parts and compile the expression once: matching happens for every alert."""
        if not self.name:
            raise ValueError("a matcher needs a label name")
        if self.op not in get_args(Operator):
            raise ValueError(f"{self.op!r} is not a matcher operator; accepted are =, !=, =~ and !~")
        if self.op in ("=~", "!~"):
            object.__setattr__(self, "_regex", _compiled(self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """True if the label's value meets the condition; a missing label has the empty value."""
        value = labels.get(self.name, "")
        if self._regex is None:
            return (value == self.value) is (self.op == "=")
        return (self._regex.fullmatch(_bytes(value)) is not None) is (self.op == "=~")

    def __str__(self) -> str:
        """The matcher in Alertmanager's syntax; `parse_matcher` gives back an equal one."""
        name = self.name if _UNQUOTED_NAME.fullmatch(self.name) else _quote(self.name)
        return f"{name}{self.op}{_quote(self.value)}"


def parse_matcher(text: str) -> Matcher:
    """The one matcher in `text`, without braces. Raises ValueError with the column and what is accepted."""
    if text.lstrip().startswith("{"):
        raise ValueError(f"{text!r}: a single matcher is written without braces; {_EXAMPLES}")
    found = parse_matchers(text)
    if len(found) != 1:
        raise ValueError(f"{text!r}: expected one matcher, found {len(found)}; {_EXAMPLES}")
    return found[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """All matchers of a comma-separated list, in braces or not, in the order written; none for an empty list.

    Raises ValueError with the column (from 1) of the mistake, what it is and what is accepted.
    """
    return _Scanner(text).matchers()


class _Scanner:
    """One pass over one text; `_at` is the offset of what comes next."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def matchers(self) -> tuple[Matcher, ...]:
        braced = self._accept("{")
        found: list[Matcher] = []
        while self._next() not in ("", "}"):
            found.append(self._matcher())
            # A comma after the last matcher is allowed, so nothing is demanded behind it.
            if not self._accept(","):
                break
        if braced and not self._accept("}"):
            self._fail("expected a comma or the closing brace")
        if not braced and self._next() == "}":
            self._fail("closing brace without an opening one")
        if self._next():
            self._fail("expected the end" if braced else "expected a comma or the end")
        return tuple(found)

    def _matcher(self) -> Matcher:
        start = self._at
        name, operator = self._name(), self._operator()
        value = self._value(operator)
        try:
            return Matcher(name, operator, value)
        except ValueError as refused:
            self._fail(str(refused), start)

    def _name(self) -> str:
        start = self._at
        if self._next() == '"':
            name = _go_unescape(self._quoted())
            if name is None:
                self._fail("the quoted name holds an escape that Go does not know", start)
            return name
        return self._take(_UNQUOTED_NAME) or self._fail("expected a label name")

    def _operator(self) -> Operator:
        self._take(_BLANKS)
        taken = self._take(_OPERATOR) or self._fail("expected an operator: =, !=, =~ or !~")
        operator: Operator = taken  # type: ignore[assignment]  # _OPERATOR lets nothing else through
        return operator

    def _value(self, operator: Operator) -> str:
        first, start = self._next(), self._at
        if first == '"':
            raw = self._quoted()
            value = _go_unescape(raw)
            if value is None:
                return _classic_unescape(raw)
            if operator in ("=~", "!~") and any(found["letter"] == "b" for found in _GO_ESCAPE.finditer(raw)):
                self._fail(r"\b is ambiguous: write \\b for a word boundary, \x08 for a backspace", start)
            return value
        raw = self._take(_UNQUOTED_VALUE).rstrip()
        if raw.startswith(("=", "~", "!")):
            self._fail("this is no operator; if it belongs to the value, quote the value", start)
        return _classic_unescape(raw)

    def _quoted(self) -> str:
        return (self._take(_QUOTED) or self._fail("the closing quote is missing"))[1:-1]

    def _next(self) -> str:
        self._take(_BLANKS)
        return self._text[self._at : self._at + 1]

    def _accept(self, character: str) -> bool:
        found = self._next() == character
        self._at += found
        return found

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _fail(self, what: str, at: int | None = None) -> NoReturn:
        column = (self._at if at is None else at) + 1
        raise ValueError(f"{self._text!r}, column {column}: {what}; {_EXAMPLES}")


def _compiled(expression: str) -> Any:  # noqa: ANN401  # re2 has no types
    options = re2.Options()
    options.log_errors = False  # RE2 would print to stderr; the ValueError says it all
    try:
        return re2.compile(_bytes(expression), options)
    except re2.error as refused:
        reason = refused.args[0].decode(errors="replace")
        raise ValueError(f"{expression!r} is not a regular expression of RE2: {reason}") from None


def _bytes(text: str) -> bytes:
    # JSON can smuggle a lone surrogate into a label; that alert must still be routed.
    return text.encode(errors="surrogatepass")


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'


def _classic_unescape(raw: str) -> str:
    return _CLASSIC_ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], raw)


def _go_unescape(raw: str) -> str | None:
    """What Go's strconv.Unquote makes of the inside of a quoted string; None if it would refuse an escape."""
    out = bytearray()
    end = 0
    for found in _GO_ESCAPE.finditer(raw):
        if found["unknown"]:
            return None
        out += _bytes(raw[end : found.start()])
        end = found.end()
        if found["letter"]:
            out.append(_GO_LETTERS[found["letter"]])
        elif found["byte"] or found["octal"]:
            out.append(int(found["byte"], 16) if found["byte"] else int(found["octal"], 8))
        else:
            code = int(found["short"] or found["long"], 16)
            if code > _LAST_CODE_POINT or code in _SURROGATES:
                return None
            out += chr(code).encode()
    out += _bytes(raw[end:])
    try:
        return out.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return None
