"""Alerts and incidents: one at a time, and every change a compare-and-set."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection
from store_rows import NOW, alert, incident

from forewatch.errors import TransitionRefused
from forewatch.store import alerts, ids, incidents, timeline
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit


@pytest.fixture
def conn(store: Store):
    with store.decide() as conn:
        yield conn


def test_ids_count_up_for_each_prefix(conn: Connection) -> None:
    assert [ids.next_id(conn, prefix) for prefix in ("INC", "INC", "AL", "INC")] == ["INC-1", "INC-2", "AL-1", "INC-3"]


def test_an_alert_comes_back_as_it_was_put(conn: Connection) -> None:
    alerts.put(conn, alert(incident_id="INC-1"))
    assert alerts.get(conn, "AL-1") == alerts.firing(conn, "f1") == alert(incident_id="INC-1")
    assert (
        alerts.of_incident(conn, "INC-1")
        == alerts.all_firing(conn)
        == alerts.listing(conn)
        == [alerts.get(conn, "AL-1")]
    )
    assert alerts.all_firing(conn, "stock") == []
    assert alerts.get(conn, "AL-2") is None


def test_a_fingerprint_fires_once_at_a_time(conn: Connection) -> None:
    alerts.put(conn, alert())
    with pytest.raises(TransitionRefused, match="AL-2 cannot fire: another alert f1 is firing already"):
        alerts.put(conn, alert("AL-2"))


def test_the_next_episode_may_fire_after_the_last_is_over(conn: Connection) -> None:
    alerts.put(conn, alert())
    alerts.put(conn, alert(status="resolved", ends_at=NOW + 1))
    assert alerts.firing(conn, "f1") is None
    alerts.put(conn, alert("AL-2"))
    assert [found.id for found in alerts.all_firing(conn)] == ["AL-2"]


def test_an_incident_moves_one_revision_at_a_time(conn: Connection) -> None:
    incidents.put(conn, incident())
    incidents.put(conn, incident(status="acknowledged", revision=2, acknowledged_by="ann"))
    with pytest.raises(
        TransitionRefused, match="INC-1 cannot become mitigated at revision 2: it is acknowledged at revision 2"
    ):
        incidents.put(conn, incident(status="mitigated", revision=2))
    assert incidents.get(conn, "INC-1") == incident(status="acknowledged", revision=2, acknowledged_by="ann")


def test_a_resolved_incident_cannot_be_opened_again(conn: Connection) -> None:
    incidents.put(conn, incident())
    incidents.put(conn, incident(status="resolved", revision=2))
    with pytest.raises(TransitionRefused, match="cannot become triggered"):
        incidents.put(conn, incident(status="triggered", revision=3))


def test_an_incident_that_is_not_there_cannot_change(conn: Connection) -> None:
    with pytest.raises(TransitionRefused, match="there is no such incident"):
        incidents.put(conn, incident(revision=2))


def test_a_group_has_one_open_incident(conn: Connection) -> None:
    incidents.put(conn, incident())
    with pytest.raises(TransitionRefused, match="INC-2: storefront has another open incident already"):
        incidents.put(conn, incident("INC-2"))
    incidents.put(conn, incident(status="resolved", revision=2))
    assert incidents.listing(conn, open_only=True) == []
    incidents.put(conn, incident("INC-2", opened_at=NOW + 1))
    assert incidents.get(conn, "INC-2") == incident("INC-2", opened_at=NOW + 1)
    assert [found.id for found in incidents.listing(conn)] == ["INC-2", "INC-1"]
    assert [found.id for found in incidents.listing(conn, open_only=True)] == ["INC-2"]
    assert incidents.listing(conn, service="stock") == []


def test_the_timeline_keeps_the_order_of_writing_whatever_the_clock_says(conn: Connection) -> None:
    timeline.add(conn, "INC-1", at=NOW, kind="opened", actor="forewatch", text="first")
    timeline.add(conn, "INC-1", at=NOW - 1, kind="note", actor="ann", text="second", data={"a": 1})
    timeline.add(conn, "INC-2", at=NOW, kind="note", actor="ann", text="elsewhere")
    assert [(entry.text, entry.data) for entry in timeline.of_incident(conn, "INC-1")] == [
        ("first", {}),
        ("second", {"a": 1}),
    ]
