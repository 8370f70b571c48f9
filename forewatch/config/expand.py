"""`${VARIABLE}` in the configuration's strings: filled in from the environment, and masked from then on."""

from __future__ import annotations

import re
from collections.abc import Mapping

from forewatch.guard.redact import remember

_REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[^}]*)(?P<end>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`text` with each `${VARIABLE}` replaced by its value and each `$$` by `$`; any other `$` stays.

    Values are remembered for redaction. Raises ValueError for a variable that is not set or not well written.
    """

    def value_of(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return "$"
        if not found["end"] or not _NAME.fullmatch(name):
            raise ValueError("a variable is written ${NAME}, and a plain $ before a { is written $$")
        value = environ.get(name)
        if value is None:
            raise ValueError(
                f"the environment variable {name} is not set (write $${{{name}}} if that is meant literally)"
            )
        remember(value)
        return value

    return _REFERENCE.sub(value_of, text)
