"""Is an HTTP answer as expected? Each function raises `Failing` with the value found, or returns. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from forewatch.config.models import Expectation
from tasks.probes.attempt import Failing
from tasks.probes.headers import Head
from tasks.probes.words import spoken

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")
_SHOWN = 80
_LINES_SHOWN = 4


def judge_status(status: int, expect: Expectation, elapsed: float, details: Mapping[str, Any]) -> None:
    if expect.status is None:
        if not 200 <= status <= 399:
            raise Failing(f"{status} after {spoken(elapsed)}", details)
        return
    wanted = expect.status if isinstance(expect.status, list) else [expect.status]
    if status not in wanted:
        listed = " or ".join(str(one) for one in wanted)
        raise Failing(f"{status} after {spoken(elapsed)}, expected {listed}", details)


def judge_headers(head: Head, expect: Expectation, details: Mapping[str, Any]) -> None:
    """A header that comes in several lines is as expected where one of them is, or all of them as a list."""
    for name, wanted in expect.headers.items():
        found = head.all(name)
        if not found:
            raise Failing(f"header {name} is missing", details)
        if not any(wanted in line for line in (*found, ", ".join(found))):
            said = " and ".join(f'"{_short(line)}"' for line in found[:_LINES_SHOWN])
            more = f" and {len(found) - _LINES_SHOWN} more" if len(found) > _LINES_SHOWN else ""
            raise Failing(f'header {name} is {said}{more}, expected "{wanted}"', details)


def wants_body(expect: Expectation) -> bool:
    return expect.body is not None or bool(expect.json_path)


def judge_body(text: str, expect: Expectation, details: Mapping[str, Any]) -> None:
    if expect.body is not None and expect.body not in text:
        raise Failing(f'body lacks "{expect.body}"', details)
    if not expect.json_path:
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failing("body is not JSON", details) from error
    for path, wanted in expect.json_path.items():
        try:
            found = value_at(document, path)
        except LookupError as error:
            raise Failing(f"json has no {path}", details) from error
        if not _equal(found, wanted):
            raise Failing(f"json {path} is {_short(json.dumps(found))}, expected {json.dumps(wanted)}", details)


def value_at(document: Any, path: str) -> Any:
    """What stands at a path: `$.a[0].b`, `a[0].b`, `$['a key']`. Raises LookupError where nothing does."""
    rest = path.removeprefix("$")
    position = 0
    value = document
    while position < len(rest):
        step = _STEP.match(rest, position)
        if step is None:
            raise LookupError(path)
        position = step.end()
        name, index, *quoted = step.groups()
        if index is not None and isinstance(value, list):
            value = value[int(index)]
        elif index is None and isinstance(value, dict):
            value = value[name if name is not None else next(key for key in quoted if key is not None)]
        else:
            raise LookupError(path)
    return value


def _equal(found: Any, wanted: Any) -> bool:
    # In Python True == 1; in JSON it is not.
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
