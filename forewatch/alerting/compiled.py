"""What is worked out of the configuration once, not at every alert: trees of routes, matchers, calendars."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

Source = TypeVar("Source")
Result = TypeVar("Result")


class Compiled(Generic[Source, Result]):
    """A function of one object that is asked once per object, for as long as the object lives.

    By identity: models of the configuration never change, but hold lists and so cannot be hashed. The result must not
    hold on to the object.
    """

    def __init__(self, build: Callable[[Source], Result]) -> None:
        self._build = build
        self._known: dict[int, tuple[weakref.ref[Source], Result]] = {}
        self.__doc__ = build.__doc__

    def __call__(self, source: Source) -> Result:
        key = id(source)
        known = self._known.get(key)
        if known is not None and known[0]() is source:
            return known[1]
        result = self._build(source)
        self._known[key] = (weakref.ref(source, lambda _: self._known.pop(key, None)), result)
        return result
