"""Any JSON, by the templates of the source: what nobody has written a parser for.

Templates are Jinja2 in a sandbox, compiled once. What the body lacks is empty in them, and an empty label is left out.
Their output is bounded, and so is what they may multiply: much of what they see is written by others.

An alert is over when its `resolved` template says so. A source without that template has no way to say it, so there an
alert ends when nothing was heard of it for the source's `resolve_after`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import ChainableUndefined, Template, TemplateError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from forewatch.clock import micros
from forewatch.config.sources import Json, Source
from forewatch.incidents.events import Event
from forewatch.intake.limits import LONGEST_VALUE, ellipsis
from forewatch.intake.sources.body import kind_of, read_json
from forewatch.intake.sources.making import (
    Parsed,
    cleared,
    labels_of,
    raised,
    when,
)

MOST_ITEMS = 5_000
"""Alerts in one body."""
LONGEST_LABEL = 1 << 20
"""Characters a label's template gives, before it is held to what a label may have."""
LONGEST_PRODUCT = 100_000
"""Characters or entries a `*` may make, and the largest number `**` may."""
GROWING = ("center", "expandtabs", "format", "format_map", "join", "ljust", "replace", "rjust", "translate", "zfill")
"""Methods of a text that can make it any size."""
PRIVATE_HEADERS = ("authorization", "cookie", "proxy-authorization")


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox that also refuses to make huge things out of small ones."""

    intercepted_binops = frozenset(("*", "**", "%"))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str | bytes) and attr in GROWING:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*" and not (_small(left) and _small(right) and _size(left) * _size(right) <= LONGEST_PRODUCT):
            raise TemplateError(f"a product of more than {LONGEST_PRODUCT} is not made")
        if operator == "**" and not (_number(left) and _number(right) and abs(left) <= 1_000 and abs(right) <= 16):
            raise TemplateError("a power this large is not worked out")
        if operator == "%" and not (_number(left) and _number(right)):
            raise TemplateError("% is for numbers here; put texts together with ~")
        return super().call_binop(context, operator, left, right)


_ENVIRONMENT = _Environment(undefined=ChainableUndefined, autoescape=False)
for _name in ("center", "indent", "format", "pprint", "filesizeformat", "wordwrap", "xmlattr", "urlize"):
    # They make their argument's size, or take its square in time.
    _ENVIRONMENT.filters.pop(_name, None)
for _name in ("range", "lipsum", "cycler", "joiner", "namespace"):
    _ENVIRONMENT.globals.pop(_name, None)


@lru_cache(maxsize=1024)
def compiled(text: str) -> Template:
    """A template. Raises ValueError with Jinja2's sentence for one that cannot be read."""
    try:
        return _ENVIRONMENT.from_string(text)
    except TemplateError as error:
        raise ValueError(f"not a template: {error}") from None


def parse(body: bytes, headers: Mapping[str, str], source: Source, now: int) -> Parsed:
    """The events of a body, by the mapping of the source. Raises ValueError where the body has not its shape."""
    mapping = source.json_
    if mapping is None:
        raise ValueError(f"{source.name} is no source of the kind json")
    data = read_json(body)
    shown = {name.lower(): value for name, value in headers.items() if name.lower() not in PRIVATE_HEADERS}
    parsed = Parsed()
    for index, item in enumerate(_items(data, mapping.items)):
        try:
            parsed.events.append(_event(source, mapping, {"body": data, "item": item, "headers": shown}, now))
        except ValueError as error:
            where = f"{mapping.items}[{index}]: " if mapping.items else ""
            parsed.refused.append(f"{where}{error}")
    return parsed


def _items(data: object, path: str | None) -> list[Any]:
    if not path:
        return [data]
    found: object = data
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"{path} must be the list of alerts, not {kind_of(found)}")
    if len(found) > MOST_ITEMS:
        raise ValueError(f"{len(found)} alerts are more than one request may have ({MOST_ITEMS})")
    return found


def _event(source: Source, mapping: Json, seen: Mapping[str, Any], now: int) -> Event:
    made = {name: _rendered(f"labels.{name}", text, seen, LONGEST_LABEL) for name, text in mapping.labels.items()}
    labels = labels_of(made, "labels")
    if mapping.resolved and _rendered("resolved", mapping.resolved, seen, 100).lower() == "true":
        return cleared(source.name, labels, now, identity=labels)
    annotations = {
        name: _or_why_not(f"annotations.{name}", text, seen, LONGEST_VALUE)
        for name, text in mapping.annotations.items()
    }
    return raised(
        source,
        labels,
        annotations,
        now,
        identity=labels,
        at=when(_or_why_not("starts_at", mapping.starts_at, seen, 100)) if mapping.starts_at else None,
        generator_url=annotations.get("generator_url") or annotations.get("url"),
        until=None if mapping.resolved else now + micros(source.resolve_after),
    )


def _or_why_not(name: str, text: str, seen: Mapping[str, Any], longest: int) -> str:
    """As `_rendered`, or why the template cannot be filled in: what does not make the alert must not cost it."""
    try:
        return _rendered(name, text, seen, longest)
    except ValueError as error:
        return str(error)


def _rendered(name: str, text: str, seen: Mapping[str, Any], longest: int) -> str:
    """At most `longest` characters of what a template gives. Raises ValueError naming the template."""
    rendered, length = [], 0
    try:
        for piece in compiled(text).generate(seen):
            rendered.append(piece)
            length += len(piece)
            if length > longest:
                break
    # A template can raise whatever the Python below it does: arithmetic on texts, a filter on the wrong type.
    except Exception as error:  # noqa: BLE001
        raise ValueError(f"the template {name} cannot be filled in: {ellipsis(str(error), 200)}") from None
    return "".join(rendered).strip()[:longest]


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def _small(value: object) -> bool:
    return _number(value) or isinstance(value, str | list | tuple)


def _size(value: Any) -> float:
    if isinstance(value, int | float):
        return max(1.0, abs(value)) if abs(value) < 1e300 else float("inf")
    return max(1, len(value))
