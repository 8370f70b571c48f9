"""What was typed becomes a text, a path or a number without pydantic.

Typer builds a pydantic adapter for every parameter of the command that runs, also for one nobody gave; importing
pydantic and building it takes a quarter of a second. Plain values need none of that. Whatever is not plain, or is
wrong, goes Typer's own way, with Typer's own message.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Private names of Typer; a test holds them: tests/unit/commands/test_command_line.py.
from typer import core
from typer._coercion import RuntimeParam, TypeDescriptor, build_runtime_param


@dataclass(frozen=True)
class Plain(RuntimeParam):
    """Takes what needs no conversion worth the name, and leaves the rest to Typer."""

    descriptor: TypeDescriptor

    def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:
        kind = self.annotation
        if kind is Path and isinstance(value, str):
            return Path(value)
        if kind in (str, int, float, bool) and type(value) is kind:
            return value
        if kind is int and isinstance(value, str) and value.isascii() and value.isdecimal():
            low, high = self.parameter_info.min, self.parameter_info.max
            if (low is None or low <= int(value)) and (high is None or int(value) <= high):
                return int(value)
        if kind == list[str] and all(isinstance(one, str) for one in value):
            return list(value)
        return build_runtime_param(self.descriptor)._coerce_value(value, param=param, ctx=ctx)


def install() -> None:
    """Let every parameter of this process's commands take plain values without pydantic."""
    setattr(core._TyperParameter, "get_runtime_param", _plain)  # noqa: B010 - a method in place of one


def _plain(parameter: Any) -> RuntimeParam:
    descriptor: TypeDescriptor = parameter.type_descriptor
    return Plain(descriptor.parameter_info, descriptor.annotation, descriptor)
