"""What pydantic finds wrong, as one line a problem that names the place, the slip and the remedy.

Messages quote the file as written. What a `${VARIABLE}` stands for is never in one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from forewatch.config.models import SET_BY_LOADER, Config
from forewatch.config.secrets import Secret
from forewatch.config.spots import Problem, Spot
from forewatch.config.synonyms import hint as synonym
from forewatch.units import format_duration

_WANTED = {
    "int": "a whole number",
    "float": "a number with its unit, such as 5s or 90%",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
}
_LIMITS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
# Follows from another error, or says again in pydantic's words what that one says.
_ECHOES = {"default_factory_not_called", "none_required"}
_NUMBER = re.compile(r"[-+.\d]*")


def near(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` where one of the known words is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def unknown_key(key: str, spot: Spot, known: Collection[str], model: type[BaseModel] = Config) -> Problem:
    """`spot` is the key's own; the problem is said of the mapping it stands in, which `model` describes."""
    parent = spot.where.removesuffix(key).removesuffix(".")
    hint = synonym(key, model) or near(key, known) or f" (there are {', '.join(known)})"
    return Problem(spot.file, spot.line, spot.column, parent, f'unknown key "{key}"{hint}')


def from_pydantic(error: ValidationError, top: Spot) -> list[Problem]:
    """One problem for each value that is wrong. `top` is the spot of what was validated."""
    wrong: list[_Wrong] = []
    kinds: dict[int, _Wrong] = {}
    for detail in error.errors(include_url=False, include_input=False):
        if detail["type"] in _ECHOES:
            continue
        found = _Wrong(detail, top)
        if not found.wanted or (known := kinds.setdefault(id(found.spot), found)) is found:
            wrong.append(found)
        else:
            known.wanted += [kind for kind in found.wanted if kind not in known.wanted]
    # Where one of several kinds got further before it failed, its error is the one that helps.
    passed = {id(parent) for each in wrong for parent in each.parents}
    return [each.problem() for each in wrong if not (each.one_of_several and id(each.spot) in passed)]


class _Wrong:
    """One error of pydantic's, placed in the file."""

    def __init__(self, detail: ErrorDetails, top: Spot) -> None:
        self.type = detail["type"]
        self.context: dict[str, Any] = detail.get("ctx", {})
        self.message = detail["msg"]
        self.way = detail["loc"]
        self.parents: list[Spot] = []
        self.spot = top
        steps = 0
        # Steps that are not in the file name a kind of value (`str`, `list[int]`) or a key that is missing.
        for step in self.way:
            if step in self.spot.children:
                self.parents.append(self.spot)
                self.spot = self.spot.children[step]
                steps += 1
        self.one_of_several = steps < len(self.way) and self.type != "missing"
        self.wanted = [kind] if (kind := self._kind()) else []

    def _kind(self) -> str | None:
        if self.type == "is_instance_of":
            return "a !secret reference" if self.context.get("class") == Secret.__name__ else None
        family, _, rest = self.type.partition("_")
        return _WANTED.get(family) if rest != "pattern_mismatch" and not rest.startswith("too_") else None

    def problem(self) -> Problem:
        if self.type == "extra_forbidden":
            model = _model_at(self.way)
            return unknown_key(str(self.way[-1]), self.spot, keys_of(model), model)
        return self.spot.problem(self._sentence())

    def _sentence(self) -> str:
        spot, shown = self.spot, self.spot.quote()
        if self.type == "missing":
            return f"{self.way[-1]} is missing"
        if self.type == "value_error":
            if spot.text is not None and (spot.expanded or shown != spot.text):
                return f"{shown} does not stand for a valid value"
            return str(self.context["error"])
        if self.type == "string_pattern_mismatch":
            return f"{shown} is not a name: a-z, 0-9, dot, dash and underscore, with a letter or digit at both ends"
        if self.type == "string_too_long":
            return f"{shown} is longer than {self.context['max_length']} characters"
        if self.type == "literal_error":
            known = str(self.context["expected"]).replace(" or ", ", ").replace("'", "")
            return f"{shown} must be one of {known}{near(shown, known.split(', '))}"
        if self.type in _LIMITS:
            name, words = _LIMITS[self.type]
            return f"{shown} is out of range: {words} {self._limit(self.context[name])}"
        if self.wanted:
            return f"{self._found()} must be {' or '.join(self.wanted)}{self._hint()}"
        return self.message

    def _limit(self, limit: float) -> str:
        """In the unit the value is written in: a duration's limit reads as a duration."""
        plain = _NUMBER.fullmatch(self.spot.text or "") is not None
        return f"{limit:g}" if plain or self.spot.expanded else format_duration(limit)

    def _found(self) -> str:
        if self.spot.text is not None:
            return self.spot.quote() if self.spot.text.strip("~") else "it is empty and"
        return "it"

    def _hint(self) -> str:
        if self.wanted == ["text"] and self.spot.text and not self.spot.secret:
            return " (put it in quotes)"
        return " (such as !secret env:NAME)" if "a !secret reference" in self.wanted else ""


def _model_at(way: tuple[int | str, ...]) -> type[BaseModel]:
    """The model of a mapping, for the way to a key that it may not have."""
    model: type[BaseModel] = Config
    for step in way[:-1]:
        for name, field in model.model_fields.items():
            if step == (field.alias or name) and (inner := _model_in(field.annotation)) is not None:
                model = inner
                break
    return model


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys a mapping may have."""
    return top_keys() if model is Config else [field.alias or name for name, field in model.model_fields.items()]


def top_keys() -> list[str]:
    """What may stand at the top of a file."""
    return ["include", *(name for name in Config.model_fields if name not in SET_BY_LOADER)]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model a field holds, alone, in a list or optionally."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part)) is not None), None)
