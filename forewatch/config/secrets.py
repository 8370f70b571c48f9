"""Secrets by reference: `!secret env:NAME`, `!secret file:PATH`, `!secret prefect:BLOCK`.

The configuration holds the reference; the value is read by the step that uses it and by nothing else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from forewatch.errors import SecretError
from forewatch.guard.redact import remember

SCHEMES = ("env", "file", "prefect")


@dataclass(frozen=True)
class Secret:
    """A reference such as `env:HOOK_SECRET`; `folder` is where a relative `file:` path starts."""

    reference: str
    folder: str = "."

    @classmethod
    def parse(cls, reference: str, folder: str) -> Secret:
        """What a person wrote after `!secret`. Raises ValueError saying what such a reference looks like."""
        scheme, _, rest = reference.partition(":")
        if scheme not in SCHEMES or not rest:
            raise ValueError("a secret is written !secret env:NAME, !secret file:PATH or !secret prefect:BLOCK")
        return cls(reference, folder)

    @property
    def scheme(self) -> str:
        return self.reference.partition(":")[0]

    def reveal(self) -> str:
        """The value, read now and masked from here on in all this process says. Raises SecretError naming the
        reference, never the value."""
        value = self._read()
        remember(value)
        return value

    def _read(self) -> str:
        scheme, _, rest = self.reference.partition(":")
        if scheme == "env":
            value = os.environ.get(rest)
            if value is None:
                raise SecretError(f"secret {self.reference}: the environment variable {rest} is not set")
            return value
        if scheme == "file":
            path = Path(self.folder, rest)
            try:
                return path.read_text(encoding="utf-8").rstrip("\r\n")
            except OSError as error:
                raise SecretError(f"secret {self.reference}: cannot read {path}: {error.strerror}") from error
            except UnicodeDecodeError as error:
                raise SecretError(f"secret {self.reference}: {path} is not UTF-8 text") from error
        raise SecretError(f"secret {self.reference}: only a Prefect flow can read a prefect: secret")

    def __str__(self) -> str:
        return f"!secret {self.reference}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.is_instance_schema(cls, serialization=core_schema.plain_serializer_function_ser_schema(str))


def reveal(value: str | Secret) -> str:
    """The text of a field that may be written plainly or as a secret."""
    return value.reveal() if isinstance(value, Secret) else value
