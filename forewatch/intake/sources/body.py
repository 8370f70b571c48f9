"""Reading a JSON body that may be anything: what comes back can be stored, or there is one sentence that says why not.

Python's own reader takes more than JSON (NaN, numbers beyond every float, halves of characters) and what it takes
cannot always be written down again.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

DEEPEST = 50
"""Levels of lists and objects within each other."""


def read_json(body: bytes) -> Any:
    """The JSON of a body. Raises ValueError with a sentence that says what is wrong and where."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the body is not UTF-8 text: byte {error.start} cannot be read") from None
    try:
        data = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(data)
    if "\\u" in text:
        _check_characters(data)
    return data


def read_object(body: bytes) -> dict[str, Any]:
    """As `read_json`, where only an object will do."""
    data = read_json(body)
    if not isinstance(data, dict):
        raise ValueError(f"the body must be a JSON object, not {kind_of(data)}")
    return data


def kind_of(value: object) -> str:
    """What a JSON value is, in JSON's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    return {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}.get(
        type(value), type(value).__name__
    )


_TOO_DEEP = f"the body is nested more than {DEEPEST} levels deep"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is beyond every number")
    return number


def _check_depth(data: object) -> None:
    """Level by level, since a recursion would end where the depth is worst."""
    level: list[Any] = [data] if isinstance(data, dict | list) else []
    for _ in range(DEEPEST):
        level = [
            inner
            for value in level
            for inner in (value.values() if type(value) is dict else value)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _check_characters(data: object) -> None:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("the body is not JSON: it has half a character (a surrogate without its partner)") from None
