"""A store of its own for every test, and a small world round it: a clock, a configuration, a drain of the inbox."""

import json
import shutil
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.intake.drain import Drain
from forewatch.intake.lanes import parts_of_events
from forewatch.intake.posted_alerts import check
from forewatch.intake.writer import Writer, _Waiting
from forewatch.runtime import Runtime
from forewatch.store import alerts, inbox, schema, shifts
from forewatch.store.engine import Store


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("intake"))
    Store.open(home, migrate=True).close()
    return home


class World:
    """What arrives is put into the inbox with `arrive`; `drain` decides until there is nothing left."""

    def __init__(self, store):
        self.store = store
        self.clock = FakeClock()
        self.config = Config.model_validate({"sources": [{"name": "prometheus", "alertmanager": {}}]})
        self.configuration = SimpleNamespace(current=lambda: (1, self.config))
        self.runtime = Runtime(store.home, store, self.clock, self.configuration)
        with store.decide() as conn:
            now = self.clock.now()
            self.fence = shifts.take(conn, "page-people", "test", expected_term=None, scheduled_for=now, now=now)
        self.drainer = self.new_drain()
        self.writer = None

    def new_drain(self):
        return Drain(self.store, self.clock, self.configuration, self.fence)

    def arrive(self, body, kind="alertmanager", source="prometheus"):
        """Put it into the inbox as one row without a lane of its own, as an earlier version did; returns its number."""
        row = {"at": self.clock.now(), "source": source, "kind": kind, "body": body}
        with self.store.intake() as conn:
            return inbox.add(conn, [row])

    def post(self, *alerts):
        """Take alerts in as POST /api/v2/alerts does, with the writer's own code on no thread of its own."""
        self.take("prometheus", "alertmanager", check(json.dumps(alerts).encode(), self.clock.now()).parts)

    def send(self, *events, source="ci"):
        """Take the events of another source in."""
        self.take(source, "events", parts_of_events(events))

    def take(self, source, kind, parts):
        if self.writer is None:
            self.writer = Writer(self.store, self.clock)
            self.writer._look()
        self.writer._write([_Waiting(source, kind, tuple(parts), self.clock.now(), None)])

    def drain(self, most=100):
        """The slices it took, without the idle one."""
        slices = []
        for _ in range(most):
            done = self.drainer.slice()
            if done.idle:
                return slices
            slices.append(done)
        raise AssertionError(f"the inbox is not empty after {most} slices")

    def firing(self):
        with self.store.read() as conn:
            return {alert.name: alert for alert in alerts.all_firing(conn)}

    def mark(self, lane="rest"):
        with self.store.read() as conn:
            return inbox.mark(conn, lane)

    def decided(self):
        """The names of the alerts decided, in order, those over with a minus."""
        with self.store.read() as conn:
            rows = conn.execute(select(schema.observations).order_by(schema.observations.c.seq)).all()
        signs = {"AlertRaised": "", "AlertCleared": "-"}
        return [
            signs[row.event["type"]] + row.event["labels"].get("alertname", "") for row in rows if "labels" in row.event
        ]


@pytest.fixture
def store(migrated_home, tmp_path):
    copy = Home(tmp_path / "home")
    shutil.copytree(migrated_home.root, copy.root)
    copy.create()
    store = Store.open(copy)
    yield store
    store.close()


@pytest.fixture
def world(store):
    return World(store)
