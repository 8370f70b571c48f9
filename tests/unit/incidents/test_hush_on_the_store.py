"""The same histories on the real store: what the decisions read there is what they read in memory."""

import pytest
import test_reviews
from memory_view import NINE_O_CLOCK, World, shop
from test_withheld_alerts import HOUR, silence

from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.home import Home
from forewatch.incidents.events import AlertCleared, AlertRaised, TimerDue, from_json
from forewatch.store import alerts, groups, outbox, timers, withheld
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path):
    store = Store.open(Home(tmp_path), migrate=True)
    yield store
    store.close()


class StoredWorld(World):
    """A world whose memory is the store. Times are as in `World`; what is due is delivered at once."""

    def __init__(self, store, config=None):
        super().__init__(config, now=NINE_O_CLOCK)
        self.store = store

    def decide(self, event):
        config = (1, self.view.config)
        self.last = decide(self.store, from_json(event.as_json()), config=config, now=self.now)
        return self.last

    def wait(self, seconds):
        until = self.now + micros(seconds)
        while (at := self._next()) is not None and at <= until:
            self.now = max(self.now, at)
            with self.store.read() as conn:
                due = timers.due(conn, self.now)
            for timer in due:
                self.decide(TimerDue(timer.id, timer.kind, timer.subject, self.now))
        self.now = until

    def reconfigure(self, config):
        self.view.config = Config.model_validate(config)

    def read(self, look, *about):
        with self.store.read() as conn:
            return look(conn, *about)

    def told(self):
        """(kind, alert, reason) of every notification, in order."""
        with self.store.read() as conn:
            found = [outbox.get(conn, f"NT-{number}") for number in range(1, 100)]
        return [(one.kind, one.alert_id, one.content["reason"]) for one in found if one is not None]

    def _next(self):
        return self.read(timers.next_due)


def grouped(store, **more):
    route = {"notify": ["ops"], "group_by": ["alertname"], "group_interval": "5m"}
    return StoredWorld(store, shop(autonomy="shadow", routes=[route]) | more)


def test_a_group_forgets_what_is_over_under_its_silence(store):
    world = grouped(store)
    world.fails("http")
    world.fails("tcp")
    world.wait(60)
    silence(world, "check=tcp", hours=0.25)
    world.wait(600)
    world.recovers("tcp")
    world.wait(600)
    world.fails("tcp")
    world.wait(600)
    assert [reason for _, _, reason in world.told()] == ["first notification", "new alerts added"]


def test_a_group_says_nothing_of_one_that_flaps_but_how_it_ends(store):
    world = grouped(store, flapping={"after": 3, "within": "10m", "calm": "5m"})
    for _ in range(12):
        world.fails()
        world.wait(60)
        world.recovers()
        world.wait(60)
    assert len(world.told()) <= 3
    world.wait(HOUR)
    assert world.told()[-1][0] == "resolved"
    assert world.read(groups.listing) == []


def test_a_route_that_has_another_place_by_then_tells_what_it_withheld(store):
    mute = {"notify": ["ops"], "mute": ["mornings"]}
    times = [test_reviews.MORNINGS]
    world = StoredWorld(store, shop(autonomy="shadow", routes=[mute]) | {"times": times})
    world.fails()
    first = {"match": {"service": "elsewhere"}, "notify": ["web"]}
    world.reconfigure(shop(autonomy="shadow", routes=[first, mute]) | {"times": times})
    world.wait(2 * HOUR)
    assert [told[:2] for told in world.told()] == [("page", "AL-1")]
    assert world.read(withheld.all_firing) == {}


def test_what_is_silenced_in_an_incident_resolved_by_hand_opens_another_in_the_end(store):
    world = StoredWorld(store, shop(autonomy="shadow"))
    world.fails()
    silence(world, "service=shop")
    world.resolve()
    world.wait(2 * HOUR)
    assert [kind for kind, _, _ in world.told() if kind != "report"] == ["page", "resolved", "page"]
    assert world.read(alerts.get, "AL-1").incident_id == "INC-2"


def test_a_silence_over_very_many_alerts_is_no_long_decision_and_one_page_an_incident(store, monkeypatch):
    monkeypatch.setattr("forewatch.incidents.deciding.silencing.COVERED_AT_ONCE", 3)
    world = StoredWorld(store, shop(autonomy="shadow") | {"digest": {"within": "5s"}})
    for number in range(8):
        world.fails(f"check{number}")
    world.now += micros(1)
    silence(world, "service=shop")
    assert len(world.read(withheld.all_firing)) == 3
    world.wait(5)
    assert len(world.read(withheld.all_firing)) == 8
    world.wait(2 * HOUR)
    assert [kind for kind, _, _ in world.told()].count("page") == 2


def test_an_inhibition_finds_its_source_by_several_labels_and_none(store):
    rules = [
        {"source": ["severity=critical"], "target": ["severity=warning"], "equal": ["service", "zone"]},
        {"source": ['alertname=~"All.*"'], "target": ["severity=info"]},
    ]
    world = StoredWorld(store, shop(autonomy="shadow") | {"inhibitions": rules})
    world.fails("a", zone="eu")
    world.fails("b", severity="warning", zone="us")
    world.fails("c", severity="warning", zone="eu")
    world.fails("d", severity="info")
    world.fails("e", severity="critical", service="elsewhere", alertname="AllDown")
    world.fails("f", severity="info")
    assert list(world.read(withheld.all_firing)) == ["AL-3", "AL-6"]


def test_a_clock_that_was_wrong_once_does_not_make_an_old_episode_the_latest(store):
    world = StoredWorld(store, shop(autonomy="shadow"))
    labels = {"alertname": "Odd", "service": "shop"}
    ahead = world.now + micros(86_400)
    world.decide(AlertRaised(labels, {}, ahead))
    world.decide(AlertCleared(labels, ahead))
    world.wait(60)
    world.decide(AlertRaised(labels, {}, world.now))
    firing = world.read(alerts.get, "AL-2")
    assert world.read(alerts.latest, firing.fingerprint) == firing


def test_the_end_of_one_of_very_many_alerts_reads_and_names_a_few_of_the_others(store, monkeypatch):
    world = StoredWorld(store, shop(autonomy="shadow"))
    for number in range(30):
        world.fails(f"check{number}")
    monkeypatch.setattr(alerts, "of_incident", None)
    world.recovers("check3")
    said = next(reason.text for reason in world.last.reasons if reason.code == "incident-goes-on")
    assert said.startswith("INC-1 stays open, AL-1, ")
    assert said.endswith(" and more still firing.")
    for number in {*range(30)} - {3}:
        world.recovers(f"check{number}")
    assert world.codes()[-2:] == ["incident-resolved", "resolved-due"]


def test_an_incident_waits_for_its_flapping_alerts(store):
    world = StoredWorld(store, shop(autonomy="shadow") | {"flapping": {"after": 3, "within": "10m", "calm": "5m"}})
    for _ in range(3):
        world.fails("http")
        world.wait(20)
        world.recovers("http")
        world.wait(20)
    assert world.codes()[-1:] == ["waits-for-calm"]
    world.fails("tcp")
    world.recovers("tcp")
    assert world.codes()[-1:] == ["waits-for-calm"]
    world.wait(600)
    assert world.told()[-1][0] == "resolved"
