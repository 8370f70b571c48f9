"""Durations and quantities as people write them: `5m`, `90%`, `500ms`, `10GB`."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

_QUANTITY = re.compile(r"(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([a-zA-Z%]*(?:/s)?)")
_FACTORS = {
    "": 1.0,
    "%": 0.01,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "B": 1.0,
    "kB": 1e3,
    "KB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "TB": 1e12,
    "KiB": 1024.0,
    "MiB": 1024.0**2,
    "GiB": 1024.0**3,
    "TiB": 1024.0**4,
}


def parse_duration(text: str) -> float:
    """`500ms`, `5s`, `1.0s`, `0s`, `5m`, `2h`, `1d`, `1h30m` -> seconds. Raises ValueError naming the fix."""
    text = text.strip()
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text} is not a duration (try {_suggest(text)})")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _suggest(text: str) -> str:
    """The nearest duration to what was typed: `5 minuts` -> `5m`."""
    found = re.match(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text)
    if not found:
        return "5m"
    number, word = found.groups()
    word = word.lower()
    if word.startswith(("ms", "milli")):
        return f"{number}ms"
    unit = word[:1]
    return f"{number}{unit if unit in _SECONDS else 's'}"


def format_duration(seconds: float) -> str:
    """Seconds as a person says them, two parts at most: `3h 12m`, `45s`, `120ms`."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if round(seconds, 3) < 1:
        return f"{seconds * 1000:.0f}ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + "s"
    parts = []
    rest = round(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def parse_quantity(text: str) -> float:
    """`90%` -> 0.9, `500ms` -> 0.5, `10GB` -> 1e10, `42` -> 42.0. Raises ValueError naming the units known."""
    found = _QUANTITY.fullmatch(text.strip())
    unit = found.group(2).removesuffix("/s") if found else ""
    if not found or unit not in _FACTORS:
        raise ValueError(f"{text} is not a quantity (try 90%, 500ms, 10GB or a plain number)")
    return float(found.group(1)) * _FACTORS[unit]


def format_bytes(count: float) -> str:
    """Bytes as a person says them: `1.4GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f}{unit}" if unit == "B" else f"{count:.1f}{unit}"
        count /= 1000
    return f"{count:.1f}TB"
