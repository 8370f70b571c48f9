"""The likely causes of an incident for its page: cheap, and never a reason for the page not to open."""

from __future__ import annotations

import logging
from collections import OrderedDict

from forewatch.clock import micros
from forewatch.errors import ForewatchError
from forewatch.incidents.causes.ranking import Ranking
from forewatch.runtime import Runtime

KEPT = 64
"""Rankings that are remembered."""

NOTHING = Ranking((), "")

_log = logging.getLogger(__name__)


class LikelyCauses:
    """Rankings for pages: each is made at most once a minute, and trouble in making one is a sentence, not an error."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._kept: OrderedDict[tuple[str, int], Ranking] = OrderedDict()

    def of(self, incident_id: str) -> Ranking:
        """On the store's thread: it reads."""
        key = (incident_id, self._runtime.clock.now() // micros(60))
        if key not in self._kept:
            self._kept[key] = self._made(incident_id)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    def _made(self, incident_id: str) -> Ranking:
        try:
            # Loads numpy, which nothing else in this process needs.
            from forewatch.reports.causes import causes_of

            found = causes_of(self._runtime, incident_id)
            # The page begins with what is known; a guess would only push the timeline down.
            return found if found.confident else NOTHING
        except ForewatchError as error:
            return Ranking((), f"the causes could not be ranked: {error}")
        except Exception as error:  # noqa: BLE001 - the page of an incident must open whatever was measured
            _log.exception("ranking the causes of %s failed", incident_id)
            return Ranking((), f"the causes could not be ranked: {type(error).__name__}, see the log of serve")
