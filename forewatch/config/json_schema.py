"""The configuration's form as JSON Schema (draft 2020-12), for editors: what may stand where, with a word on each.

Made from the same models that judge a file, so it cannot lag behind them. It knows less than `forewatch check`: names
that must exist, and what one value demands of another, are beyond it.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from forewatch.config import base
from forewatch.config.models import CHECK_KINDS, NOTIFIER_KINDS, SET_BY_LOADER, Check, Config, Notifier, ProcessTarget
from forewatch.config.secrets import Secret
from forewatch.config.sources import SOURCE_KINDS, Source
from forewatch.config.targets import HeartbeatTarget
from forewatch.units import format_duration

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DURATION = {
    "type": "string",
    "pattern": r"^\s*(\d+(\.\d+)?(ms|s|m|h|d|w))+\s*$",
    "description": "A duration with its unit: 500ms, 5s, 5m, 2h, 1d, 1h30m.",
}
_QUANTITY = {
    "type": ["number", "string"],
    "pattern": r"^\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*[a-zA-Z%]*(/s)?\s*$",
    "description": "A number, or one with its unit: 90%, 500ms, 10GB.",
}
_SECRET = {
    "type": "string",
    "description": "A secret by reference: !secret env:NAME or !secret file:PATH. "
    'An editor must be told of the tag (in VS Code: "yaml.customTags": ["!secret scalar"]).',
}
_INCLUDE = {
    "type": ["string", "array", "null"],
    "items": {"type": "string"},
    "description": "More files, by path or glob, relative to this one: conf.d/*.yaml.",
}
_ONE_OF: dict[type[BaseModel], tuple[str, ...]] = {
    Check: CHECK_KINDS,
    Notifier: NOTIFIER_KINDS,
    Source: SOURCE_KINDS,
    ProcessTarget: ("name", "pidfile", "port"),
    HeartbeatTarget: ("period", "cron"),
}
_LIMITS = ("ge", "gt", "le", "lt", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def config_schema() -> dict[str, Any]:
    """The schema of one file; of one that is included, too."""
    schema = Config.model_json_schema(schema_generator=_Generator, mode="validation")
    _tidy(schema)
    properties: dict[str, Any] = schema["properties"]
    for name in SET_BY_LOADER:
        del properties[name]
    schema.get("$defs", {}).pop("RemedyOff", None)
    # A key with nothing below it says nothing, and may stand there.
    empty_too = {name: {"anyOf": [value, {"type": "null"}]} for name, value in properties.items()}
    for name, value in properties.items():
        if "description" in value:
            empty_too[name]["description"] = value["description"]
    schema["properties"] = {"include": _INCLUDE, **empty_too}
    return {"$schema": DIALECT, **schema, "title": "Forewatch configuration"}


class _Generator(GenerateJsonSchema):
    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        function: object = schema["function"]["function"]
        if function is base._duration:
            return dict(_DURATION)
        return dict(_QUANTITY) if function is base._quantity else super().function_before_schema(schema)

    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:
        return dict(_SECRET) if schema["cls"] is Secret else super().is_instance_schema(schema)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        model = schema["cls"]
        said = _docstrings(model)
        for name, field in model.model_fields.items():
            if name in said:
                made["properties"][field.alias or name]["description"] = said[name]
        if model in _ONE_OF:
            made["oneOf"] = [{"required": [kind]} for kind in _ONE_OF[model]]
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """What stands in quotes below each field of a model."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _tidy(node: Any) -> None:
    """Defaults as a person writes them, no limits of numbers on durations, and no defaults that say nothing."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    for value in node.values():
        _tidy(value)
    if node.get("pattern") in (_DURATION["pattern"], _QUANTITY["pattern"]):
        for limit in _LIMITS:
            node.pop(limit, None)
    if node.get("pattern") == _DURATION["pattern"] and isinstance(default := node.get("default"), int | float):
        node["default"] = format_duration(default).replace(" ", "") if default else "0s"
    if "default" in node and (node["default"] is None or isinstance(node["default"], dict | list)):
        del node["default"]
