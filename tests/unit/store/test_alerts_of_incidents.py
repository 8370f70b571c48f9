"""What is asked of an incident's alerts, answered by the store as by the memory of the unit tests."""

from __future__ import annotations

import pytest
from store_rows import HOUR, NOW, SECOND, alert

from forewatch.alerting.naming import Naming
from forewatch.store import alerts, naming
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit


@pytest.fixture
def three(store: Store) -> Store:
    """Of INC-1: one fires, one ended just now, one an hour ago."""
    rows = [
        alert(id="AL-1", fingerprint="a", service="db", incident_id="INC-1", starts_at=NOW - 2 * HOUR),
        alert(id="AL-2", fingerprint="b", service="app", incident_id="INC-1", starts_at=NOW - HOUR, status="resolved",
              ends_at=NOW, updated_at=NOW),
        alert(id="AL-3", fingerprint="c", service="web", incident_id="INC-1", starts_at=NOW - HOUR, status="resolved",
              ends_at=NOW - HOUR, updated_at=NOW - HOUR),
    ]  # fmt: skip
    with store.decide() as conn:
        for row in rows:
            alerts.put(conn, row)
        for notifier, named in (("ops", "AL-2"), ("ops", "AL-1"), ("data", "AL-1")):
            some = [Naming(named, "CheckFailing", "critical")]
            naming.put(conn, notifier, some, paged=True, at=NOW, notification_id="NT-1")
    return store


def test_what_fires_or_ended_lately_is_found_the_oldest_first(three: Store) -> None:
    with three.read() as conn:
        found = alerts.over_lately(conn, "INC-1", NOW - 30 * SECOND, 10)
        newest = alerts.over_lately(conn, "INC-1", NOW - 30 * SECOND, 1)
    assert [one.id for one in found] == ["AL-1", "AL-2"]
    assert [one.id for one in newest] == ["AL-2"]


def test_a_service_fires_in_an_incident_only_while_an_alert_of_it_does(three: Store) -> None:
    with three.read() as conn:
        assert alerts.fires_in(conn, "INC-1", "db")
        assert not alerts.fires_in(conn, "INC-1", "app")
        assert not alerts.fires_in(conn, "INC-2", "db")


def test_who_was_told_of_what_in_an_incident_comes_by_its_oldest_alert_first(three: Store) -> None:
    with three.read() as conn:
        found = [(one.alert_id, one.notifier) for one in naming.of_incident(conn, "INC-1")]
    assert found == [("AL-1", "data"), ("AL-1", "ops"), ("AL-2", "ops")]
