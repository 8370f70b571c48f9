"""Places in configuration files, and problems that name them."""

from __future__ import annotations

from dataclasses import dataclass, field

from forewatch.guard.redact import is_sensitive, redact

_LONGEST_QUOTE = 80


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong. As text: `forewatch.yaml:12:9: services[0].checks[1].every: 5 minuts is not a duration`."""

    file: str
    line: int
    column: int
    where: str
    what: str
    warning: bool = False
    """It works, and hardly as it was meant."""

    def __str__(self) -> str:
        kind = "warning: " if self.warning else ""
        where = f"{self.where}: " if self.where else ""
        return one_line(f"{self.file}:{self.line}:{self.column}: {kind}{where}{self.what}")


@dataclass(slots=True, eq=False)
class Spot:
    """Where a value stands: at its key, in a list at the item; line and column from 1.

    `where` is its way from the top of its own file. `text` is a scalar as written, before `${VARIABLE}` is filled in.
    """

    file: str
    line: int
    column: int
    where: str = ""
    text: str | None = None
    expanded: bool = False
    secret: bool = False
    children: dict[str | int, Spot] = field(default_factory=dict)

    def problem(self, what: str) -> Problem:
        return Problem(self.file, self.line, self.column, self.where, what)

    def warning(self, what: str) -> Problem:
        # It may speak of values beside its own, which came from a variable.
        return Problem(self.file, self.line, self.column, self.where, redact(what), warning=True)

    def at(self, *way: str | int) -> Spot:
        """The spot that `way` leads to, or the last one on it that stands in the file."""
        spot = self
        for step in way:
            if step not in spot.children:
                break
            spot = spot.children[step]
        return spot

    def quote(self) -> str:
        """A scalar as written, fit to be shown; nothing of a field that holds a secret."""
        if self.text is None:
            return "this"
        if self.secret:
            return "a secret"
        if is_sensitive(self.where.rpartition(".")[2]):
            return "this value"
        return shorten(redact(self.text)) or '""'


def shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 3]}..."


def one_line(text: str) -> str:
    """`text` with what is not printable escaped: one line, which any terminal takes."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
