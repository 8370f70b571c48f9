"""What is news in an error tracker, and what is over."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.sources import Source
from forewatch.incidents.events import AlertCleared, AlertRaised
from forewatch.intake import issue_changes
from forewatch.intake.issue_changes import Look, Seen, SeenIssue, changes
from forewatch.intake.issues import Issue

pytestmark = pytest.mark.unit

START = 1_767_225_600 * MICROSECONDS
MINUTE = micros(60)
SENTRY = Source.model_validate({"name": "errors", "sentry": {"api": {"organization": "acme", "token": "t0ken"}}})
BUGSINK = Source.model_validate({"name": "bugs", "bugsink": {"url": "http://bugs.example", "token": "t0ken"}})


def issue(id="1", state="new", first_seen=START + MINUTE, **fields):
    whole = Issue(id, "it broke", first_seen, last_seen=START + MINUTE, level="error", state=state, events=1)
    return replace(whole, **fields)


class Tracker:
    """Looks, one a minute."""

    def __init__(self, source=SENTRY):
        self.source = source
        self.seen = Seen(START)
        self.now = START

    def look(self, *issues, **look):
        self.now += MINUTE
        self.seen, events = changes(self.source, self.seen, Look(issues, **look), self.now)
        return events


@pytest.fixture
def tracker():
    """A tracker that has answered once."""
    tracker = Tracker()
    assert (
        tracker.look(issue("old", "regressed", first_seen=START - MINUTE), issue("done", "resolved", first_seen=0))
        == []
    )
    return tracker


def test_what_was_there_before_the_source_was_asked_pages_nobody():
    tracker = Tracker()
    issues = [
        issue(f"{state}-{number}", state, first_seen=0)
        for number in range(500)
        for state in ("new", "escalating", "open")
    ]
    assert tracker.look(*issues) == []
    assert tracker.look(*issues) == []


def test_an_issue_first_seen_since_is_news_once(tracker):
    [event] = tracker.look(issue())
    assert isinstance(event, AlertRaised)
    assert event.annotations["why"] == "new in Sentry"
    assert event.identity == {"source": "errors", "issue": "1"}
    assert tracker.look(issue(events=40)) == []


@pytest.mark.parametrize("state", ["regressed", "escalating"])
def test_an_old_issue_that_nobody_knew_of_is_news_when_it_comes_back(tracker, state):
    [event] = tracker.look(issue("old-too", state, first_seen=0))
    assert event.annotations["why"] == f"{state} in Sentry"


def test_an_old_issue_that_only_has_another_event_is_no_news(tracker):
    assert tracker.look(issue("old-too", "ongoing", first_seen=0)) == []
    assert tracker.look(issue("old-too", "ongoing", events=99, first_seen=0)) == []


def test_one_that_was_resolved_and_regresses_is_news(tracker):
    [event] = tracker.look(issue("done", "regressed", first_seen=0))
    assert event.annotations["why"] == "regressed in Sentry"


def test_one_that_fires_and_escalates_is_said_again_of_the_same_alert(tracker):
    [first] = tracker.look(issue())
    [again] = tracker.look(issue(state="escalating", events=500))
    assert again.identity == first.identity
    assert again.annotations["why"] == "escalating in Sentry"


@pytest.mark.parametrize(
    ("state", "said"),
    [("resolved", "is resolved there"), ("ignored", "is ignored there"), ("ongoing", "no news any more")],
)
def test_it_is_over_when_the_tracker_says_so_and_only_once(tracker, state, said):
    tracker.look(issue())
    [event] = tracker.look(issue(state=state))
    assert isinstance(event, AlertCleared)
    assert said in event.values["reason"]
    assert not event.unwatched
    assert tracker.look(issue(state=state)) == []


def test_one_that_a_rule_of_the_tracker_raised_is_over_when_it_is_resolved_and_not_before(tracker):
    tracker.look(issue("old", "ongoing", first_seen=0))
    by_webhook = replace(tracker.seen.issues["old"], firing=True)
    tracker.seen = replace(tracker.seen, issues={"old": by_webhook})
    assert tracker.look(issue("old", "ongoing", first_seen=0)) == []
    [event] = tracker.look(issue("old", "resolved", first_seen=0))
    assert isinstance(event, AlertCleared)


def test_it_is_over_when_it_is_deleted(tracker):
    tracker.look(issue())
    [event] = tracker.look(gone={"1", "never-known"})
    assert isinstance(event, AlertCleared)
    assert "1" not in tracker.seen.issues


def test_one_that_fires_and_is_not_in_the_list_goes_on_firing(tracker):
    tracker.look(issue())
    assert tracker.look() == []
    assert tracker.look(complete=True) == []
    assert tracker.seen.firing == ["1"]


def test_one_that_vanished_from_a_whole_list_and_comes_back_regressed_is_news(tracker):
    """It was resolved by a person meanwhile, and a list of unresolved issues does not show that."""
    assert tracker.look(issue("old", "regressed", first_seen=0)) == []
    assert tracker.look(complete=True) == []
    [event] = tracker.look(issue("old", "regressed", first_seen=0))
    assert event.annotations["why"] == "regressed in Sentry"


def test_a_reopened_one_that_nobody_calls_regressed_is_no_news(tracker):
    """Somebody did it by hand, and knows."""
    assert tracker.look(issue("done", "ongoing", first_seen=0)) == []


def test_the_rate_is_counted_from_look_to_look_and_users_are_told(tracker):
    tracker.look(issue("old", "ongoing", events=10, first_seen=0))
    [event] = tracker.look(issue("old", "escalating", events=130, users=7, first_seen=0))
    assert event.values == {"events": 130, "users": 7, "events_per_minute": 120.0}
    assert event.annotations["event_rate"] == "120 a minute"
    assert (event.annotations["events"], event.annotations["users"]) == ("130", "7")


def test_a_count_that_shrank_is_a_rate_of_nothing(tracker):
    tracker.look(issue("old", "ongoing", events=100, first_seen=0))
    [event] = tracker.look(issue("old", "escalating", events=3, first_seen=0))
    assert event.values["events_per_minute"] == 0


def test_a_tracker_without_substates_is_read_by_what_changes():
    tracker = Tracker(BUGSINK)
    tracker.look(
        issue("a", "open", first_seen=0), issue("b", "resolved", first_seen=0), issue("c", "ignored", first_seen=0)
    )
    events = tracker.look(*(issue(id, "open", first_seen=0) for id in "abc"), issue("d", "open"))
    assert [(event.labels["issue"], event.annotations["why"]) for event in events] == [
        ("b", "regressed in Bugsink"),
        ("c", "escalating in Bugsink"),
        ("d", "new in Bugsink"),
    ]
    assert {event.labels["alertname"] for event in events} == {"BugsinkIssue"}
    [over] = tracker.look(issue("b", "resolved", first_seen=0))
    assert over.identity == events[0].identity
    [again] = tracker.look(issue("b", "open", first_seen=0))
    assert again.identity == events[0].identity


def test_only_so_many_are_remembered_and_none_that_fires_is_forgotten(monkeypatch):
    monkeypatch.setattr(issue_changes, "MOST_REMEMBERED", 3)
    tracker = Tracker()
    tracker.look()
    tracker.look(issue("fires", last_seen=START))
    many = [issue(f"{number}", "resolved", last_seen=START + number) for number in range(10)]
    tracker.look(*many)
    assert set(tracker.seen.issues) == {"fires", "8", "9"}
    old = replace(many[2], state="new", first_seen=START + 1)
    assert tracker.look(old) == [], "forgotten is not new"


STATES = ["new", "regressed", "escalating", "open", "ongoing", "resolved", "ignored"]
_looks = st.lists(
    st.tuples(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(STATES)), max_size=4), st.booleans(),
              st.sets(st.sampled_from("abc"))),
    max_size=12,
)  # fmt: skip


@given(_looks)
def test_whatever_happens_an_alert_is_cleared_only_if_raised_and_the_memory_knows_what_fires(looks):
    tracker, firing = Tracker(), set()
    for issues, complete, gone in looks:
        for event in tracker.look(*(issue(id, state) for id, state in issues), complete=complete, gone=gone):
            id = event.identity["issue"]
            if isinstance(event, AlertRaised):
                firing.add(id)
            else:
                assert id in firing
                firing.remove(id)
        assert set(tracker.seen.firing) == firing
        assert all(isinstance(one, SeenIssue) for one in tracker.seen.issues.values())
