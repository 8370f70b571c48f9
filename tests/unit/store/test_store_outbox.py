"""The outbox: claims, retries, and clocks that jump."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection
from store_rows import HOUR, NOW, SECOND, notification

from forewatch.store import outbox
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit


@pytest.fixture
def conn(store: Store):
    with store.decide() as conn:
        yield conn


def claimed(conn: Connection, now: int, term: int = 1, limit: int = 10) -> list[str]:
    return [found.id for found in outbox.claim(conn, now=now, term=term, limit=limit)]


def state(conn: Connection, id: str = "NT-1") -> str:
    found = outbox.get(conn, id)
    assert found is not None
    return found.state


def test_a_notification_comes_back_as_it_was_put(conn: Connection) -> None:
    outbox.add(conn, notification())
    assert outbox.get(conn, "NT-1") == notification()
    assert outbox.get(conn, "NT-2") is None
    assert outbox.of_incident(conn, "INC-1") == [notification()]


def test_a_due_one_is_claimed_once(conn: Connection) -> None:
    outbox.add(conn, notification())
    [found] = outbox.claim(conn, now=NOW, term=7, limit=10)
    assert (found.state, found.claimed_term, found.claimed_until, found.attempts) == (
        "claimed",
        7,
        NOW + 30 * SECOND,
        1,
    )
    assert claimed(conn, NOW + 29 * SECOND) == []


def test_the_most_severe_go_first(conn: Connection) -> None:
    outbox.add(conn, notification("NT-1", severity="info"))
    outbox.add(conn, notification("NT-2", severity="warning"))
    outbox.add(conn, notification("NT-3", severity="critical", not_before=NOW + 1))
    outbox.add(conn, notification("NT-4", severity="critical"))
    assert claimed(conn, NOW + 1, limit=3) == ["NT-4", "NT-3", "NT-2"]
    assert claimed(conn, NOW + 1) == ["NT-1"]


def test_a_claim_runs_out_after_30_seconds_and_the_late_sender_cannot_answer_for_the_new_one(conn: Connection) -> None:
    outbox.add(conn, notification())
    assert claimed(conn, NOW, term=1) == ["NT-1"]
    assert claimed(conn, NOW + 30 * SECOND, term=2) == ["NT-1"]
    assert not outbox.mark_sent(conn, "NT-1", 1, NOW, {"status": 200})
    assert outbox.mark_failed(conn, "NT-1", 1, NOW, "timed out", permanent=True) == "claimed"
    assert outbox.mark_sent(conn, "NT-1", 2, NOW + 31 * SECOND, {"status": 200})
    found = outbox.get(conn, "NT-1")
    assert found is not None
    assert (found.state, found.sent_at, found.receipt) == ("sent", NOW + 31 * SECOND, {"status": 200})
    assert claimed(conn, NOW + 24 * HOUR) == []


def test_what_a_dead_sender_left_under_way_goes_out_as_soon_as_the_next_term_begins(conn: Connection) -> None:
    outbox.add(conn, notification())
    assert claimed(conn, NOW, term=1) == ["NT-1"]
    assert claimed(conn, NOW + 3 * SECOND, term=1) == []
    assert claimed(conn, NOW + 3 * SECOND, term=2) == ["NT-1"]
    assert claimed(conn, NOW + 3 * SECOND, term=1) == []
    assert not outbox.mark_sent(conn, "NT-1", 1, NOW, {"status": 200})
    assert outbox.mark_sent(conn, "NT-1", 2, NOW + 4 * SECOND, {"status": 200})


def test_a_failed_one_is_tried_again_after_1_2_4_seconds_up_to_5_minutes(conn: Connection) -> None:
    outbox.add(conn, notification())
    waits, now = [], NOW
    for _ in range(11):
        assert claimed(conn, now) == ["NT-1"]
        assert outbox.mark_failed(conn, "NT-1", 1, now, "connection refused", permanent=False) == "failed"
        found = outbox.get(conn, "NT-1")
        assert found is not None
        assert found.last_error == "connection refused"
        assert claimed(conn, found.not_before - 1) == []
        waits.append((found.not_before - now) // SECOND)
        now = found.not_before
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_permanent_failure_is_not_tried_again(conn: Connection) -> None:
    outbox.add(conn, notification())
    assert claimed(conn, NOW) == ["NT-1"]
    assert outbox.mark_failed(conn, "NT-1", 1, NOW, "404: no such hook", permanent=True) == "dead"
    assert claimed(conn, NOW + 48 * HOUR) == []


def test_it_is_given_up_after_a_day_of_attempts(conn: Connection) -> None:
    outbox.add(conn, notification())
    now, tries, found_state = NOW, 0, "due"
    while found_state != "dead":
        assert claimed(conn, now) == ["NT-1"]
        tries += 1
        found_state = outbox.mark_failed(conn, "NT-1", 1, now, "503", permanent=False) or "gone"
        now += round(outbox.back_off(tries) * SECOND)
    assert 23.9 * HOUR < now - NOW < 24.2 * HOUR


def test_a_clock_set_forward_by_days_does_not_make_a_page_dead(conn: Connection) -> None:
    outbox.add(conn, notification())
    assert claimed(conn, NOW) == ["NT-1"]
    assert outbox.mark_failed(conn, "NT-1", 1, NOW + 72 * HOUR, "503", permanent=False) == "failed"


@pytest.mark.parametrize("held", [True, False])
def test_a_clock_set_back_an_hour_does_not_delay_a_page(conn: Connection, held: bool) -> None:
    outbox.add(conn, notification(state="held" if held else "due", not_before=NOW + (60 * SECOND if held else 0)))
    assert claimed(conn, NOW - HOUR) == ["NT-1"]


def test_a_clock_set_back_an_hour_does_not_delay_the_next_attempt_of_an_old_page(conn: Connection) -> None:
    outbox.add(conn, notification(created_at=NOW - 3 * HOUR, not_before=NOW - 3 * HOUR))
    assert claimed(conn, NOW) == ["NT-1"]
    outbox.mark_failed(conn, "NT-1", 1, NOW, "503", permanent=False)
    assert claimed(conn, NOW - HOUR) == ["NT-1"]


def test_a_clock_set_back_an_hour_does_not_lengthen_a_dead_senders_claim(conn: Connection) -> None:
    outbox.add(conn, notification(created_at=NOW - 3 * HOUR))
    assert claimed(conn, NOW, term=1) == ["NT-1"]
    assert claimed(conn, NOW - HOUR, term=2) == ["NT-1"]


def test_a_clock_that_is_trimmed_by_a_second_releases_nothing_early(conn: Connection) -> None:
    outbox.add(conn, notification(state="held", not_before=NOW + 60 * SECOND))
    assert claimed(conn, NOW - SECOND) == []


def test_a_held_page_is_released_and_the_others_stay_held(conn: Connection) -> None:
    outbox.add(conn, notification("NT-1", state="held", not_before=NOW + HOUR))
    outbox.add(conn, notification("NT-2", state="held", not_before=NOW + HOUR, incident_id="INC-2"))
    assert [one.id for one in outbox.held_in(conn, "INC-1")] == ["NT-1"]
    assert outbox.release(conn, "NT-1", "page", {"title": "down"}, NOW)
    assert not outbox.release(conn, "NT-1", "report", {"title": "healed"}, NOW)
    assert claimed(conn, NOW) == ["NT-1"]


def test_a_held_page_that_goes_out_in_another_one_is_never_claimed(conn: Connection) -> None:
    outbox.add(conn, notification("NT-1", state="held", not_before=NOW + SECOND))
    outbox.merge(conn, ["NT-1"])
    assert claimed(conn, NOW + HOUR) == []


def test_a_held_page_leaves_by_itself_where_nobody_decides_when_its_hold_is_over(conn: Connection) -> None:
    outbox.add(conn, notification("NT-1", state="held", not_before=NOW + SECOND))
    assert claimed(conn, NOW + 5 * SECOND) == []
    assert claimed(conn, NOW + 7 * SECOND) == ["NT-1"]


def test_held_pages_become_reports_but_claimed_ones_stay_pages(conn: Connection) -> None:
    outbox.add(conn, notification("NT-1", not_before=NOW))
    assert claimed(conn, NOW) == ["NT-1"]
    outbox.add(conn, notification("NT-2", state="held", not_before=NOW + HOUR))
    assert outbox.release(conn, "NT-2", "report", {"title": "storefront is healed"}, NOW)
    assert not outbox.release(conn, "NT-1", "report", {"title": "storefront is healed"}, NOW)
    page, report = outbox.of_incident(conn, "INC-1")
    assert (page.id, page.kind, page.state) == ("NT-1", "page", "claimed")
    assert (report.kind, report.state, report.content) == ("report", "due", {"title": "storefront is healed"})
    assert claimed(conn, NOW) == ["NT-2"]


def test_the_age_of_the_queue_is_that_of_its_oldest_due(conn: Connection) -> None:
    assert outbox.oldest_due(conn, NOW) is None
    outbox.add(conn, notification("NT-1", state="held", not_before=NOW + HOUR))
    assert outbox.oldest_due(conn, NOW) is None
    outbox.add(conn, notification("NT-2", not_before=NOW - 5 * SECOND))
    assert outbox.oldest_due(conn, NOW) == NOW - 5 * SECOND
    assert claimed(conn, NOW) == ["NT-2"]
    assert outbox.oldest_due(conn, NOW) is None
    assert outbox.oldest_due(conn, NOW + 31 * SECOND) == NOW + 30 * SECOND
    assert outbox.oldest_due(conn, NOW - 2 * HOUR) == NOW - 2 * HOUR
    assert state(conn) == "held"
