"""Messages from Jinja2 templates, which can fail in every way and must not cost a page.

Defaults are files beside each channel. A user's own `template:` runs in a sandbox with a deadline and a length; where
it fails, the message is plain text that says so.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.environment import Template
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from forewatch.guard.redact import redact
from forewatch.notifying.sender import Rendered

LONGEST = 8_000
"""Characters of a message; what is beyond is cut."""

DEADLINE = 1.0
"""Seconds a user's template may take."""

_LARGEST_NUMBER = 10**12
_WIDTH = re.compile(r"%[^a-zA-Z%]*(?:\d{4,}|\*)")
# They make a long text of a short one in a single step, which no deadline can interrupt.
_GROWING_METHODS = frozenset({"center", "expandtabs", "format", "format_map", "ljust", "replace", "rjust", "translate", "zfill"})  # fmt: skip  # noqa: E501
_GROWING_FILTERS = ("batch", "center", "format", "indent", "pprint", "replace", "slice", "wordwrap")


class TooSlow(TemplateError):
    pass


class Sandbox(ImmutableSandboxedEnvironment):
    """No way to Python's insides, to changing what it is given, or to huge values in one step."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options)

    def wrap_str_format(self, value: Any) -> None:
        return None  # Jinja would let str.format pass, in a wrapper that knows no widths

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr in _GROWING_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str) and _WIDTH.search(left):
            raise SecurityError("a width of more than 999 in a % format")
        if operator == "**" and not (_small(left, 1_000) and _small(right, 20)):
            raise SecurityError("** of large numbers")
        if operator == "*" and not (_small(left, _LARGEST_NUMBER) and _small(right, _LARGEST_NUMBER)):
            raise SecurityError("* of anything but moderate numbers")
        return super().call_binop(context, operator, left, right)


async def render(content: Mapping[str, Any], templates: Path, template: str | None = None, note: str = "") -> Rendered:
    """The message for a completed content (see `notifying.content`), by the user's `template` or the channel's own.

    Never fails: a template that does is replaced by plain text with the reason. `note` is added to the end as it is.
    """
    problem = ""
    try:
        if template is None:
            text = _write(_default(templates), content)
        else:
            # The thread is for what the deadline inside cannot interrupt.
            async with asyncio.timeout(2 * DEADLINE):
                text = await asyncio.to_thread(render_user_template, template, content)
    except TimeoutError:
        problem = f"it took longer than {DEADLINE:g}s"
    except Exception as error:  # noqa: BLE001 - a template may raise whatever its expressions raise; it is told below
        problem = redact(str(error)) or type(error).__name__
    if problem:
        text = f"{plain(content)}\n(template failed: {problem})"
    return Rendered(redact(str(content["title"])), redact(f"{text.strip()}\n({note})" if note else text.strip()))


def render_user_template(template: str, content: Mapping[str, Any]) -> str:
    """The text of a template from the configuration. Raises TemplateError, or whatever its expressions raise."""
    with_deadline = _Deadline(time.monotonic() + DEADLINE)
    return with_deadline.run(lambda: _write(_sandbox().from_string(template), content))


def plain(content: Mapping[str, Any]) -> str:
    """The message without any template."""
    head = f"{content['word']} {content['title']}"
    return "\n".join(filter(None, [head, str(content["text"]), *map(str, content["links"].values())]))


def _write(template: Template, content: Mapping[str, Any]) -> str:
    parts: list[str] = []
    length = 0
    for part in template.generate(**content):
        parts.append(part[: LONGEST - length])
        length += len(part)
        if length > LONGEST:
            return "".join(parts) + f"\n(cut at {LONGEST} characters)"
    return "".join(parts)


class _Deadline:
    """Runs a function and raises TooSlow in the middle of whatever Python line it is at when time is up.

    A thread cannot be stopped from outside; a compiled template is Python, so tracing its lines stops every loop.
    """

    def __init__(self, until: float) -> None:
        self._until = until

    def run(self, work: Callable[[], str]) -> str:
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            return work()
        finally:
            sys.settrace(before)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if time.monotonic() > self._until:
            raise TooSlow(f"it took longer than {DEADLINE:g}s")
        return self._trace


@lru_cache(maxsize=1)
def _sandbox() -> Sandbox:
    sandbox = Sandbox()
    for name in _GROWING_FILTERS:
        del sandbox.filters[name]
    return sandbox


@lru_cache
def _default_environment(templates: Path) -> Sandbox:
    return Sandbox(loader=FileSystemLoader(templates))


def _default(templates: Path) -> Template:
    return _default_environment(templates).get_template("message.txt")


def _small(value: object, limit: float) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= limit
