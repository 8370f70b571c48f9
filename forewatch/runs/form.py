"""The form of a runbook: its parameters as people and configurations fill them in. No Prefect here."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from forewatch.units import parse_duration

COMMON = {
    "service": "The service it is about, as named in the configuration.",
    "incident": "The incident it works on, such as INC-42; its notes and attachments go there.",
    "run": "Set by Forewatch itself; leave it empty.",
}
"""Parameters every runbook has."""

Seconds = Annotated[
    float, BeforeValidator(lambda value: parse_duration(value) if isinstance(value, str) else value), Field(ge=0)
]
"""A duration parameter: a number of seconds, or `5s`, `2m` as elsewhere in the configuration."""

_MUST_BE = {
    "list": "must be a list",
    "string": "must be text",
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "dict": "must be a mapping",
}


def with_common(signature: inspect.Signature) -> inspect.Signature:
    """A runbook's signature with the common parameters it does not declare itself, all optional."""
    missing = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=str | None)
        for name in COMMON
        if name not in signature.parameters
    ]
    return signature.replace(parameters=[*signature.parameters.values(), *missing])


def documented(doc: str) -> tuple[str, str]:
    """The text of a docstring before its Args, and the docstring with the common parameters among them."""
    description, _, rest = doc.partition("\nArgs:\n")
    common = "".join(f"    {name}: {text}\n" for name, text in COMMON.items() if f"    {name}:" not in rest)
    return description.strip(), f"{description.strip()}\n\nArgs:\n{common}{rest}"


def form_of(name: str, signature: inspect.Signature) -> type[BaseModel]:
    """A model with the parameters as its fields, which refuses any others."""
    fields: dict[str, Any] = {
        key: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for key, parameter in signature.parameters.items()
    }
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def problems_with(inputs: Mapping[str, Any], form: type[BaseModel]) -> list[str]:
    """What is wrong with some inputs, one sentence each; nothing if all is well."""
    return [": ".join((".".join(map(str, way)), what)) for way, what in problems_at(inputs, form)]


def problems_at(inputs: Mapping[str, Any], form: type[BaseModel]) -> list[tuple[tuple[str | int, ...], str]]:
    """What is wrong with some inputs, and where in them; nothing if all is well."""
    try:
        form.model_validate(dict(inputs))
    except ValidationError as error:
        return [(problem["loc"], _sentence(problem, form)) for problem in error.errors()]
    return []


def _sentence(problem: ErrorDetails, form: type[BaseModel]) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        near = get_close_matches(str(problem["loc"][-1]), form.model_fields, n=1)
        return "there is no such parameter" + (f" (did you mean {near[0]}?)" if near else "")
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        fewest = problem["ctx"]["min_length"]
        return "must not be empty" if fewest == 1 else f"must have at least {fewest} items"
    if kind == "literal_error":
        return f"must be one of {str(problem['ctx']['expected']).replace(' or ', ', ')}".replace("'", "")
    family, _, what = kind.partition("_")
    if what in ("type", "parsing") and family in _MUST_BE:
        return _MUST_BE[family]
    return problem["msg"].removeprefix("Value error, ")
