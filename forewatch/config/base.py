"""What all configuration models are made of: durations, quantities, names, and a base that keeps secrets to itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo

from forewatch.config.authority import authority
from forewatch.guard.redact import redact
from forewatch.units import parse_duration, parse_quantity

FROM_FILE = "read from a file"
"""The validation context of values a person wrote: a bare number is no duration there."""


def _duration(value: object, info: ValidationInfo) -> object:
    # Code says seconds as floats; in YAML a number without a unit is the usual slip.
    bare = (int, float) if info.context == FROM_FILE else int
    if isinstance(value, bare) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit (try {value}s)")
    return parse_duration(value) if isinstance(value, str) else value


def _quantity(value: object) -> object:
    return parse_quantity(value) if isinstance(value, str) else value


def _host_name(value: object) -> object:
    if isinstance(value, str):
        try:
            authority(value)
        except ValueError as error:
            raise ValueError(f"{value[:80]} {error}") from None
    return value


HostName = Annotated[str, BeforeValidator(_host_name)]
"""`name`, `name:port`, an address, or one with a port."""
Duration = Annotated[float, BeforeValidator(_duration), Field(ge=0, allow_inf_nan=False)]
Quantity = Annotated[float, BeforeValidator(_quantity), Field(allow_inf_nan=False)]
Severity = Literal["critical", "warning", "info"]
Matchers = dict[str, str] | list[str]
"""A mapping (equality) or a list of matcher strings such as `service=~"web.*"`."""
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", max_length=63)]


class Model(BaseModel):
    """Says nothing of secrets, in errors or otherwise: what came from `${VARIABLE}` is masked wherever it is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        return redact(super().__repr__())

    def __str__(self) -> str:
        return redact(super().__str__())
