"""What people do, and what they hear afterwards; and who hears where somebody could not be reached."""

from __future__ import annotations

import pytest
from acting import Evening, service

from forewatch.incidents.events import Acknowledged, RunRequested

pytestmark = pytest.mark.unit

APP, DB = service("app", remedy={}), service("db", remedy={})


def test_after_an_acknowledgement_an_update_pages_only_with_what_is_news_and_critical() -> None:
    evening = Evening([APP])
    evening.breaks("app", at=1)
    evening.happens(10, lambda now: Acknowledged("INC-1", "ana", now))
    evening.raises("Slow", at=20, severity="warning", service="app")
    evening.raises("DiskFull", at=40, service="app")
    evening.play(60)
    assert [(str(one), one.kind) for one in evening.told] == [
        ("4 s, people: CRITICAL app fails: http connection refused", "page"),
        ("20 s, people: UPDATE Slow on app", "update"),
        ("40 s, people: UPDATE DiskFull on app", "page"),
    ]


def test_a_run_that_a_person_started_has_the_credit_for_the_recovery() -> None:
    evening = Evening([APP])
    evening.breaks("app", at=1)
    evening.happens(15, lambda now: RunRequested("restart-service", {}, "ana", now, service="app"))
    evening.play(60)
    assert [name for _, name in evening.restarted] == ["app"]
    assert evening.heard()[1:] == [
        "20 s, people: RESOLVED app is back to normal after 16s: fixed by RUN-1 (restart-service)"
    ]
    assert "ana starts restart-service as RUN-1." in evening.timelines["INC-1"]


def teams(*, reachable: bool) -> Evening:
    """A database with a team that may not be reached, and an app on it with another."""
    notifiers = [{"name": name, "console": {}} for name in ("data", "backend")]
    routes = [
        {"match": {"service": service}, "notify": [team]} for service, team in (("db", "data"), ("app", "backend"))
    ]
    evening = Evening([DB, {**APP, "depends_on": ["db"]}], notifiers=notifiers, routes=routes)
    if not reachable:
        evening.unreachable["data"] = 10
    evening.breaks("db", at=1, until=30)
    evening.play(60)
    return evening


def test_while_the_team_of_the_database_is_told_the_team_above_it_is_not() -> None:
    assert teams(reachable=True).heard() == [
        "4 s, data: CRITICAL db fails: http connection refused",
        "32 s, data: RESOLVED db is back to normal after 28s, and so is app",
    ]


def test_a_page_that_is_given_up_explains_nothing_and_the_team_above_is_told() -> None:
    evening = teams(reachable=False)
    assert "NT-1 could not be delivered to data, so nobody was notified of AL-1." in evening.timelines["INC-1"]
    page, end = evening.told
    assert str(page) == "11 s, backend: CRITICAL app fails: http connection refused"
    assert page.text.startswith("Still failing")
    assert (end.to, end.kind) == ("backend", "resolved")
