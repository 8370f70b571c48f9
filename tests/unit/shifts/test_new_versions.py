"""A version of the configuration with other routes is processed once, whoever has the watch."""

from __future__ import annotations

import pytest

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.home import Home
from forewatch.incidents.events import AlertRaised, RoutesChanged
from forewatch.runtime import Runtime
from forewatch.store import config_versions
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence, take
from forewatch.trials.replay.replay import stored_configurations
from tasks.shifts import versions

pytestmark = pytest.mark.unit

NOTIFIERS = "notifiers: [{name: ops, console: {}}, {name: web, console: {}}]\n"
BEFORE = NOTIFIERS + "routes: [{notify: [ops]}]\n"
AFTER = NOTIFIERS + "routes: [{match: {service: shop}, notify: [web]}, {notify: [ops]}]\n"


class Watch:
    """A holder of the watch on a store of its own, and the events it processed."""

    def __init__(self, home: Home) -> None:
        self.clock = FakeClock()
        self.store = Store.open(home, migrate=True)
        self.runtime = Runtime(home, self.store, self.clock, None)  # type: ignore[arg-type]
        self.decided: list[object] = []
        with self.store.decide() as conn:
            self.fence = take(conn, "check-health", "me", expected_term=None, scheduled_for=0, now=0) or Fence("", 0)

    def configure(self, text: str) -> int:
        with self.store.decide() as conn:
            return config_versions.add(conn, [("/etc/forewatch.yaml", text)], self.clock.now())

    def fails(self, service: str) -> None:
        labels = {"alertname": "Down", "service": service, "severity": "critical"}
        now = self.clock.now()
        decide(self.store, AlertRaised(labels, {}, now), config=(1, Config()), now=now)

    async def follow(self, version: int) -> None:
        async def noted(event: object) -> None:
            self.decided.append(event)

        config = stored_configurations(self.store)(version)
        await versions.settle(self.runtime, self.fence, noted, version, config)


@pytest.fixture
def watch(tmp_path):
    watch = Watch(Home(tmp_path))
    yield watch
    watch.store.close()


async def test_the_alerts_it_leads_to_others_are_named_once(watch):
    first = watch.configure(BEFORE)
    await watch.follow(first)
    watch.fails("shop")
    watch.fails("stock")
    second = watch.configure(AFTER)
    for _ in range(2):
        await watch.follow(second)
    assert watch.decided == [RoutesChanged(["AL-1"], second, watch.clock.now())]


async def test_the_first_version_of_all_is_no_change(watch):
    watch.fails("shop")
    await watch.follow(watch.configure(AFTER))
    assert watch.decided == []


async def test_where_the_version_before_cannot_be_read_all_that_fires_is_asked(watch, monkeypatch):
    await watch.follow(watch.configure(BEFORE))
    watch.fails("shop")
    watch.fails("stock")
    second = watch.configure(AFTER)
    monkeypatch.setattr(versions, "_configuration", lambda runtime, version: None)
    await watch.follow(second)
    assert watch.decided == [RoutesChanged(["AL-1", "AL-2"], second, watch.clock.now())]


async def test_where_the_first_was_never_settled_the_second_goes_by_it(watch):
    """Whoever had the first watch may have stood still before it could."""
    watch.configure(BEFORE)
    watch.fails("shop")
    second = watch.configure(AFTER)
    await watch.follow(second)
    assert watch.decided == [RoutesChanged(["AL-1"], second, watch.clock.now())]
