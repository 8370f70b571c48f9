"""Keep secrets out of everything that leaves a process: logs, notifications, Sentry, timelines.

Two nets. Values known to be secret (`remember`) never survive `redact`, wherever they stand. What merely looks like a
secret (credentials in URLs, headers, `password=...`, vendors' tokens, private keys, card numbers) is caught by pattern.

Every pattern is linear: repetitions are bounded, possessive, or over runs that cannot overlap. Where masking too much
and too little are the choice, it masks too much.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

MASK = "***"
"""Shorter than any remembered value, so that masking one always shortens the text and must come to an end."""

SHORTEST = 4
"""A remembered value has at least this many characters; shorter ones would black out ordinary words."""

MOST = 2_000
"""Values and spellings remembered at once; beyond that the oldest are forgotten."""

_DEEPEST = 40
_PASSES = 4

_remembered: dict[str, None] = {}
_longest_first: tuple[str, ...] = ()
_lock = threading.Lock()


def remember(value: str) -> None:
    """From now on mask `value`, also where it is URL-, JSON- or base64-encoded. Ignores fewer than 4 characters."""
    global _longest_first
    if len(value) < SHORTEST:
        return
    spellings = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    encoded = value.encode(errors="surrogatepass")
    spellings.add(quote(encoded, safe=""))
    if len(encoded) >= 2 * SHORTEST:
        spellings.add(base64.b64encode(encoded).decode().rstrip("="))
    with _lock:
        for spelling in spellings:
            _remembered.pop(spelling, None)
            _remembered[spelling] = None
        while len(_remembered) > MOST:
            del _remembered[next(iter(_remembered))]
        _longest_first = tuple(sorted(_remembered, key=len, reverse=True))


def redact(text: str) -> str:
    """`text` with every secret replaced by `***`. Never raises; a second pass changes nothing."""
    # A mask together with what stands beside it may look like a secret again, so go on until nothing changes.
    for _ in range(_PASSES):
        before = text
        lowered = text.lower()
        for pattern in _PATTERNS:
            if any(sign in lowered for sign in pattern.signs):
                text = pattern.regex.sub(pattern.replacement, text)
        text = _mask_remembered(_CARD.sub(_mask_card, text))
        if text == before:
            break
    return text


def redact_data(data: Any) -> Any:
    """A redacted copy of JSON-like data: what stands under a key such as `password` is masked whole, and whatever is
    not JSON becomes its redacted text. Never raises."""
    return _redact_data(data, ())


def is_sensitive(key: str) -> bool:
    """Whether a field of this name holds a secret."""
    return _SENSITIVE.search(key) is not None


def _redact_data(data: Any, path: tuple[int, ...]) -> Any:
    if isinstance(data, str):
        return redact(data)
    if data is None or isinstance(data, (bool, float)):
        return data
    if isinstance(data, int):
        return data if redact(digits := str(data)) == digits else MASK
    if len(path) >= _DEEPEST or id(data) in path:
        return MASK
    path = (*path, id(data))
    if isinstance(data, Mapping):
        return {
            redact(str(key)): MASK if _holds_secret(key, value) else _redact_data(value, path)
            for key, value in data.items()
        }
    if isinstance(data, (list, tuple, set, frozenset)):
        return [_redact_data(item, path) for item in data]
    if isinstance(data, bytes):
        return redact(data.decode(errors="replace"))
    return redact(_text_of(data))


def _holds_secret(key: object, value: object) -> bool:
    return value is not None and not isinstance(value, bool) and value != "" and is_sensitive(str(key))


def _text_of(thing: object) -> str:
    try:
        return str(thing)
    except Exception as error:  # noqa: BLE001 - a stranger's __str__ may raise anything, and redaction may not
        return f"<{type(thing).__name__} that cannot be shown: {type(error).__name__}>"


def _mask_remembered(text: str) -> str:
    changed = True
    while changed:
        changed = False
        for value in _longest_first:
            if value in text:
                text = text.replace(value, MASK)
                changed = True
    return text


@dataclass(frozen=True)
class _Pattern:
    """`regex` is tried only where one of the lower-case `signs` occurs: looking for a substring costs far less."""

    signs: tuple[str, ...]
    regex: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


_FLAGS = re.IGNORECASE | re.ASCII

_KEY = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credential|cookie|authorization|auth[_-]?string|(?<=sentry[_-])dsn"
    r"|session[_-]?id|(?:api|access|account|encryption|integration|private|routing|shared|signing)[_-]?key)"
)
_KEY_SIGNS = (
    "passw", "passphrase", "pwd", "secret", "token", "credential", "cookie", "authorization", "auth_string",
    "auth-string", "authstring", "dsn", "session", "apikey", "_key", "-key", "accesskey", "privatekey", "routingkey",
)  # fmt: skip
_SENSITIVE = re.compile(_KEY, _FLAGS)

_VALUE = r"""(?P<value>
    b?\\{1,4}"[^"\\]*+(?:\\{1,4}")?       # quoted inside a quoted text
  | b?\\{1,4}'[^'\\]*+(?:\\{1,4}')?
  | b?"(?:[^"\\\r\n]|\\.)*+"?
  | b?'(?:[^'\\\r\n]|\\.)*+'?
  | [\[({][^\r\n]*+                       # a structure: to the end of the line
  | (?(line)[^\r\n"']++|(?:[^\s,;&"'<>]|,(?=\S))++)
)"""
_ASSIGNMENT = re.compile(
    rf"""(?P<name>(?:(?P<line>authorization|cookie)|{_KEY})[\w-]{{0,40}}\\{{0,4}}(?P<quote>["'])?\]?)
    (?P<separator>[ \t]{{0,4}}(?:=>|:=|[:=](?!=))[ \t]{{0,4}} | (?(quote),[ \t]{{0,4}}(?=b?\\{{0,4}}["'])|(?!)))
    {_VALUE}""",
    _FLAGS | re.VERBOSE,
)
_FLAG = re.compile(
    rf"""(?<![\w-])(?P<name>--[\w-]{{0,40}}?{_KEY}[\w-]{{0,40}})
    (?P<separator>[ \t]{{1,4}})(?!-)(?P<line>(?!))?{_VALUE}""",
    _FLAGS | re.VERBOSE,
)
_OPENING = re.compile(r"b?\\{0,4}[\"']")
_REFERENCE = re.compile(r"(?:(?:env|file|prefect):|/)[\w./-]{0,150}$", re.ASCII)


def _mask_value(found: re.Match[str]) -> str:
    # `secret env:HOOK_SECRET: the variable ...`, `keys/hook_token: No such file` speak of a reference, not a value.
    if found["separator"] == ": " and _REFERENCE.search(found.string[max(0, found.start() - 200) : found.start()]):
        return found[0]
    opening = _OPENING.match(found["value"])
    quoting = opening[0] if opening else ""
    return f"{found['name']}{found['separator']}{quoting}{MASK}{quoting.removeprefix('b')}"


def _mask_credential(found: re.Match[str]) -> str:
    # "basic authentication" and "bearer credentials" are prose.
    return found[0] if found[2].isalpha() and found[2].islower() else f"{found[1]}{MASK}"


def _mask_card(found: re.Match[str]) -> str:
    digits = [int(character) for character in found[0] if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return MASK if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else found[0]


# Cards begin with 22-27 (Mastercard) or 3 to 6; an instant in microseconds begins with 1 and is left alone.
_CARD = re.compile(r"(?<![0-9A-Za-z])(?<!\d\.)(?:2[2-7]|[3-6]\d)(?:[ -]?\d){11,17}(?![0-9A-Za-z])", re.ASCII)


def _tokens(signs: str, regex: str) -> _Pattern:
    return _Pattern(tuple(signs.split()), re.compile(regex, re.ASCII), MASK)


_PATTERNS = (
    _Pattern(
        ("private key",),
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}-----|\Z)", re.DOTALL),
        MASK,
    ),
    _Pattern(("://",), re.compile(r"""://[^\s/?#"'<>]+@"""), f"://{MASK}@"),
    _Pattern(_KEY_SIGNS, _ASSIGNMENT, _mask_value),
    _Pattern(("--",), _FLAG, _mask_value),
    _Pattern(
        ("bearer", "basic"),
        re.compile(r"\b((?:bearer|basic)[ \t]{1,4})([A-Za-z0-9._~+/=-]{8,}+)", _FLAGS),
        _mask_credential,
    ),
    # The look-behind lets a run of base64url characters be tried once, at its start.
    _tokens("eyj", r"(?<![\w-])eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+){0,3}"),
    _tokens("akia asia", r"(?<![A-Za-z0-9])A(?:KIA|SIA)[0-9A-Z]{16}(?![A-Za-z0-9])"),
    _tokens("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"gh[oprsu]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,255}"),
    _tokens("xox xapp-", r"xox[abceoprs](?:-[A-Za-z0-9]{1,255}){2,8}|xapp(?:-[A-Za-z0-9]{1,255}){2,8}"),
    _tokens("hooks.slack.com/", r"(?<=hooks\.slack\.com/)[\w/-]{8,255}"),
    _tokens("/api/webhooks/", r"(?<=/api/webhooks/)\d{5,25}/[\w-]{20,255}"),
    # PagerDuty: events routing keys and REST keys.
    _tokens("r0", r"(?<![A-Za-z0-9])R0[0-9A-Z]{30}(?![A-Za-z0-9])"),
    _tokens("u+", r"(?<![A-Za-z0-9])u\+[\w-]{18}(?![\w-])"),
    _tokens("glpat- sntry pnu_ pnb_ npm_ hvs.", r"(?:glpat-|sntry[su]_|pn[ub]_|npm_|hvs\.)[\w-]{20,255}"),
    _tokens("sk_ rk_ sk- aiza", r"(?:[sr]k_(?:live|test)_|(?<![A-Za-z0-9])sk-|AIza)[\w-]{20,255}"),
)
