r"""The two ways in which Alertmanager reads matchers. Pure; what a text means is its name, operator and value.

*UTF-8*, since 0.27:

    matchers = [ "{" ] [ matcher { "," matcher } [ "," ] ] [ "}" ]
    matcher  = text ( "=" | "!=" | "=~" | "!~" ) text
    text     = a run without blanks and {}!=~,\"'`  |  "double quoted, with the escapes of a Go string"

*Classic*, before: a name is letters, digits, _ and :, everything after the operator is the value, quoted or not, and a
backslash that escapes nothing stands for itself (`"10\.0\.\d+"`). Either brace may be missing.
Source: Alertmanager's documentation, "UTF-8 strict mode" and "Matcher".
"""

from __future__ import annotations

import re
from typing import Literal, cast

Operator = Literal["=", "!=", "=~", "!~"]
Triple = tuple[str, Operator, str]
"""Name, operator, value."""

BARE = re.compile(r"""[^\s{}!=~,\\"'`]+""")

_TOKEN = re.compile(
    r"""(?P<blank>\s+)
      | (?P<operator>=~|!~|!=|=)
      | (?P<punctuation>[{},])
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<bare>[^\s{}!=~,\\"'`]+)""",
    re.VERBOSE | re.DOTALL,
)
_GO_ESCAPE = re.compile(
    r"\\(?:x(?P<byte>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<octal>[0-7]{3})|(?P<one>.?))",
    re.DOTALL,
)
_GO_ESCAPES = {"\\": "\\", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SURROGATES = range(0xD800, 0xE000)

_CLASSIC = re.compile(r"[ \t\n\f\r]*([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t\n\f\r]*(=~|=|!=|!~)[ \t\n\f\r]*(.*)", re.DOTALL)
_CLASSIC_ESCAPES = {"\\": "\\", '"': '"', "n": "\n"}


def utf8(text: str) -> list[Triple]:
    """Raises ValueError with one sentence that quotes the text and says what was expected."""
    tokens = _tokens(text)
    braces = bool(tokens) and tokens[0] == ("punctuation", "{")
    if braces != (bool(tokens) and tokens[-1] == ("punctuation", "}")):
        raise ValueError(f"{text}: a brace has no partner (both or neither)")
    if braces:
        tokens = tokens[1:-1]
    found = []
    while tokens:
        found.append(_triple(text, tokens[:3]))
        if tokens[3:] and tokens[3] != ("punctuation", ","):
            raise ValueError(f"{text}: expected a comma before {tokens[3][1]} (quote a value that has blanks)")
        tokens = tokens[4:]
    return found


def classic(text: str) -> list[Triple]:
    """Raises ValueError with one sentence that quotes the text."""
    return [classic_one(part) for part in _parted(text.removeprefix("{").removesuffix("}"))]


def classic_one(text: str) -> Triple:
    """One matcher, commas and all. Raises ValueError with one sentence that quotes the text."""
    found = _CLASSIC.fullmatch(text)
    if found is None:
        raise ValueError(f"{text}: not a label name, an operator and a value")
    written = found[3].rstrip(" \t\n\f\r")
    inner = written
    if written.startswith('"'):
        if len(written) < 2 or not written.endswith('"'):
            raise ValueError(f"{text}: a quote is not closed")
        inner = written[1:-1]
    unescaped = re.sub(r"\\(.)", lambda escape: _CLASSIC_ESCAPES.get(escape[1], escape[0]), inner, flags=re.DOTALL)
    plain = re.sub(r"\\.", "", inner, flags=re.DOTALL)
    # What is left of an odd row of backslashes before the last quote means that quote, which then closes nothing.
    if '"' in plain or (inner != written and plain.endswith("\\")):
        raise ValueError(f"{text}: a quote inside the value needs a backslash before it")
    return found[1], cast(Operator, found[2]), unescaped


def _parted(text: str) -> list[str]:
    """Split at the commas outside double quotes; nothing after the last one is no matcher."""
    parts, start, inside, escaped = [], 0, False, False
    for at, character in enumerate(text):
        if character == "," and not inside:
            parts.append(text[start:at])
            start = at + 1
        elif character == '"':
            inside, escaped = inside if escaped else not inside, False
        elif character != ",":
            escaped = character == "\\" and not escaped
    last = text[start:].strip()
    return [*parts, last] if last else parts


def _triple(text: str, tokens: list[tuple[str, str]]) -> Triple:
    words = ("bare", "quoted")
    if tokens[0][0] not in words or not tokens[0][1]:
        raise ValueError(f"{text}: expected a label name before {tokens[0][1] or 'the operator'}")
    name = tokens[0][1]
    if len(tokens) < 2 or tokens[1][0] != "operator":
        raise ValueError(f"{text}: expected one of = != =~ !~ after {name}")
    operator = cast(Operator, tokens[1][1])
    if len(tokens) < 3 or tokens[2][0] not in words:
        raise ValueError(f'{text}: expected a value after {name}{operator} (the empty one is {name}{operator}"")')
    return name, operator, tokens[2][1]


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each token, blanks left out, quotes and escapes undone."""
    tokens = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            wrong = "a quote is not closed" if text[at] == '"' else f"{text[at]} needs double quotes around the value"
            raise ValueError(f"{text}: {wrong}")
        kind = cast(str, found.lastgroup)
        if kind != "blank":
            tokens.append((kind, _unescaped(text, found[kind]) if kind == "quoted" else found[kind]))
        at = found.end()
    return tokens


def _unescaped(text: str, inner: str) -> str:
    if "\n" in inner:
        raise ValueError(f"{text}: a line break inside quotes is written \\n")

    def undo(escape: re.Match[str]) -> bytes:
        number = escape["short"] or escape["long"]
        if number is not None and (point := int(number, 16)) <= 0x10FFFF and point not in _SURROGATES:
            return chr(point).encode()
        if escape["byte"] is not None:
            return bytes([int(escape["byte"], 16)])
        if escape["octal"] is not None and int(escape["octal"], 8) < 256:
            return bytes([int(escape["octal"], 8)])
        if escape["one"] in _GO_ESCAPES:
            return _GO_ESCAPES[escape["one"]].encode()
        raise ValueError(f"{text}: {escape[0]} is not an escape (try \\{escape[0]})")

    found, at = b"", 0
    for escape in _GO_ESCAPE.finditer(inner):
        found += inner[at : escape.start()].encode(errors="surrogatepass") + undo(escape)
        at = escape.end()
    whole = found + inner[at:].encode(errors="surrogatepass")
    try:
        return whole.decode(errors="strict") if at else inner
    except UnicodeDecodeError:
        raise ValueError(f"{text}: the escapes do not make UTF-8") from None
