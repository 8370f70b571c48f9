import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from forewatch.clock import FakeClock
from forewatch.config.models import Config, Console, Notifier, Route, Webhook
from forewatch.config.secrets import Secret
from forewatch.errors import DeliveryFailed, NotFound, SecretError, StoreUnavailable
from forewatch.home import Home
from forewatch.notifying.sender import Receipt
from forewatch.orchestration.settings import Settings
from forewatch.store import alerts, generations, ids, naming, outbox
from forewatch.store.engine import Store
from forewatch.store.shifts import take
from notifiers.console.sender import ConsoleSender
from tasks import delivery
from tasks.delivery import Delivery, deliver_directly, send_test

pytestmark = pytest.mark.unit


class Channels:
    """Stands for all senders: what each answers is told by name, and what each was given is kept."""

    templates = ConsoleSender.templates

    def __init__(self):
        self.answers, self.given, self.contents = {}, [], []

    def __call__(self, notifier, home):
        channels = self

        class Sender:
            templates = channels.templates

            async def send(self, notification, content, rendered):
                channels.given.append((notifier.name, notification.id, rendered.text))
                channels.contents.append(content)
                answer = channels.answers.get(notifier.name)
                if isinstance(answer, Exception):
                    raise answer
                if isinstance(answer, asyncio.Event):
                    await answer.wait()
                return Receipt(notifier.name, "200")

        return Sender()

    def told(self):
        return [name for name, _, _ in self.given]


@pytest.fixture
def channels(monkeypatch):
    channels = Channels()
    monkeypatch.setattr(delivery, "load", lambda name: channels)
    monkeypatch.setattr(delivery, "WAIT", 0.2)
    return channels


HOOK = Notifier(name="hook", webhook=Webhook(url="http://127.0.0.1:9/"))
CONFIG = Config(
    notifiers=[HOOK, Notifier(name="terminal", console=Console())], routes=[Route(notify=["hook", "terminal"])]
)


@pytest.fixture
def world(tmp_path):
    home = Home(tmp_path)
    home.create()
    store = Store.open(home, migrate=True)
    world = SimpleNamespace(home=home, store=store, clock=FakeClock(), config=CONFIG)
    world.configuration = SimpleNamespace(current=lambda: (1, world.config))
    yield world
    store.close()


def put(world, *notifications):
    with world.store.decide() as conn:
        for notification in notifications:
            outbox.add(conn, notification)


def stored(world, id="NT-1"):
    with world.store.read() as conn:
        return outbox.get(conn, id)


def down(permanent=False, **more):
    return DeliveryFailed("hook: it is away", permanent=permanent, **more)


def test_an_attempt_with_all_its_stand_ins_is_over_before_its_claim():
    assert delivery.PATIENCE + 3 * delivery.PATIENCE_OTHERS < outbox.CLAIM - 2


async def test_what_is_due_is_sent_once_and_its_receipt_kept(world, channels, a_notification, an_alert):
    with world.store.decide() as conn:
        alerts.put(conn, an_alert)
    put(world, a_notification(attempts=0, alert_id="AL-1"))
    sender = Delivery(world, 1)
    done = await sender.deliver_due()
    assert (done.sent, done.failed, done.under_way) == (["NT-1"], [], 0)
    assert stored(world).state == "sent"
    assert stored(world).receipt == {"notifier": "hook", "detail": "200", "instead_of": None, "reason": None}
    world.clock.advance(60)
    assert (await sender.deliver_due()).sent == []
    assert channels.told() == ["hook"]


async def test_a_notice_of_an_incident_as_a_whole_has_all_its_alerts(world, channels, a_notification, an_alert):
    with world.store.decide() as conn:
        alerts.put(conn, an_alert)
        alerts.put(conn, replace(an_alert, id="AL-2", fingerprint="f2"))
        alerts.put(conn, replace(an_alert, id="AL-3", fingerprint="f3", incident_id="INC-8"))
    put(world, a_notification(attempts=0, kind="resolved"), a_notification(id="NT-2", attempts=0, alert_id="AL-2"))
    await Delivery(world, 1).deliver_due()
    assert {content["id"]: [alert["id"] for alert in content["alerts"]] for content in channels.contents} == {
        "NT-1": ["AL-1", "AL-2"],
        "NT-2": ["AL-2"],
    }


async def test_what_fails_for_now_is_tried_again_later(world, channels, a_notification):
    put(world, a_notification(attempts=0))
    channels.answers["hook"] = down()
    sender = Delivery(world, 1)
    assert (await sender.deliver_due()).failed == ["NT-1"]
    assert (stored(world).state, stored(world).last_error) == ("failed", "hook: it is away")
    assert (await sender.deliver_due()).failed == []
    channels.answers.clear()
    world.clock.advance(1)
    assert (await sender.deliver_due()).sent == ["NT-1"]
    assert channels.told() == ["hook", "hook"]


async def test_a_receiver_that_asks_for_time_gets_it(world, channels, a_notification):
    put(world, a_notification(attempts=0))
    channels.answers["hook"] = down(retry_after=delivery.LONG_WAIT)
    sender = Delivery(world, 1)
    await sender.deliver_due()
    world.clock.advance(delivery.LONG_WAIT - 1)
    await sender.deliver_due()
    assert channels.told() == ["hook"]
    world.clock.advance(1)
    await sender.deliver_due()
    assert channels.told() == ["hook", "hook"]


async def test_a_receiver_that_asks_for_much_time_gets_it_and_somebody_else_is_told_at_once(
    world, channels, a_notification
):
    put(world, a_notification(attempts=0))
    channels.answers["hook"] = down(retry_after=120.0)
    sender = Delivery(world, 1)
    assert (await sender.deliver_due()).failed == ["NT-1"]
    assert channels.told() == ["hook", "terminal"]
    world.clock.advance(119)
    await sender.deliver_due()
    assert channels.told() == ["hook", "terminal"]
    channels.answers.clear()
    world.clock.advance(1)
    assert (await sender.deliver_due()).sent == ["NT-1"]


async def test_after_a_few_attempts_somebody_else_is_told_once_while_trying_goes_on(world, channels, a_notification):
    put(world, a_notification(attempts=0))
    channels.answers["hook"] = down()
    sender = Delivery(world, 1)
    for _ in range(delivery.TELL_OTHERS_AFTER + 2):
        world.clock.advance(60)
        await sender.deliver_due()
    assert channels.told().count("terminal") == 1
    assert channels.given[delivery.TELL_OTHERS_AFTER][2].endswith("(meant for hook: hook: it is away)")
    channels.answers.clear()
    world.clock.advance(400)
    assert (await sender.deliver_due()).sent == ["NT-1"]


async def test_somebody_else_is_told_again_later_for_the_attempt_that_should_have_told_them_may_have_died(
    world, channels, a_notification
):
    put(world, a_notification(attempts=delivery.TELL_OTHERS_AFTER + delivery.TELL_OTHERS_EVERY - 1))
    channels.answers["hook"] = down()
    await Delivery(world, 1).deliver_due()
    assert channels.told() == ["hook", "terminal"]


@pytest.mark.parametrize(
    "failure",
    [down(permanent=True), SecretError("secret env:X: the environment variable X is not set"), RuntimeError("a fault")],
)
async def test_what_a_notifier_will_never_take_goes_to_another_of_its_route_at_once(
    world, channels, a_notification, failure
):
    put(world, a_notification(attempts=0))
    channels.answers["hook"] = failure
    assert (await Delivery(world, 1).deliver_due()).sent == ["NT-1"]
    assert channels.told() == ["hook", "terminal"]
    receipt = stored(world).receipt
    assert (receipt["notifier"], receipt["instead_of"]) == ("terminal", "hook")
    assert str(failure) in receipt["reason"]
    assert "(meant for hook: " in channels.given[-1][2]


async def test_a_notifier_that_left_the_configuration_costs_no_page(world, channels, a_notification):
    world.config = Config()
    put(world, a_notification(attempts=0))
    assert (await Delivery(world, 1).deliver_due()).sent == ["NT-1"]
    assert channels.told() == ["console"]
    assert "hook is not in the configuration any more" in channels.given[0][2]


async def test_where_nobody_takes_it_it_is_tried_again(world, channels, a_notification):
    put(world, a_notification(attempts=0))
    channels.answers = {"hook": down(permanent=True), "terminal": down(permanent=True)}
    sender = Delivery(world, 1)
    assert (await sender.deliver_due()).failed == ["NT-1"]
    channels.answers.clear()
    world.clock.advance(1)
    assert (await sender.deliver_due()).sent == ["NT-1"]


async def test_a_receiver_that_hangs_delays_nobody_else(world, channels, a_notification):
    release = channels.answers["hook"] = asyncio.Event()
    put(world, a_notification(attempts=0), a_notification("NT-2", notifier="terminal", attempts=0))
    sender = Delivery(world, 1)
    done = await sender.deliver_due()
    assert (done.sent, done.under_way) == (["NT-2"], 1)
    # The clock jumps, the claim runs out: it is still ours and not sent twice.
    world.clock.advance(3600)
    await sender.deliver_due()
    assert channels.told().count("hook") == 1
    release.set()
    await sender.close()
    assert (await sender.deliver_due()).sent == ["NT-1"]


async def test_one_that_answers_too_late_is_tried_again(world, channels, a_notification, monkeypatch):
    monkeypatch.setattr(delivery, "PATIENCE", 0.05)
    channels.answers["hook"] = asyncio.Event()
    put(world, a_notification(attempts=0))
    sender = Delivery(world, 1)
    at_once = (await sender.deliver_due()).failed
    await sender.close()
    assert at_once + (await sender.deliver_due()).failed == ["NT-1"]
    assert stored(world).last_error == "hook: no answer within 0.05s"


async def test_what_was_sent_but_could_not_be_recorded_is_not_sent_again(world, channels, a_notification, monkeypatch):
    put(world, a_notification(attempts=0))
    sender = Delivery(world, 1)

    def full(*args):
        raise StoreUnavailable("decisions.db: the disk is full; free some space")

    with monkeypatch.context() as broken:
        broken.setattr(outbox, "mark_sent", full)
        assert (await sender.deliver_due()).sent == []
    world.clock.advance(outbox.CLAIM + 1)
    assert (await sender.deliver_due()).sent == ["NT-1"]
    assert channels.told() == ["hook"]
    assert stored(world).state == "sent"


async def test_what_is_in_no_outbox_leaves_directly(world, channels, a_notification):
    assert (await deliver_directly(a_notification("NT-direct"), CONFIG, world.home)).notifier == "hook"
    channels.answers["hook"] = down()
    receipt = await deliver_directly(a_notification("NT-direct"), CONFIG, world.home)
    assert (receipt.notifier, receipt.instead_of) == ("terminal", "hook")


async def test_keys_name_the_store_and_the_generation_and_stay_the_same_with_every_attempt(
    world, channels, a_notification
):
    with world.store.decide() as conn:
        generation = generations.begin(conn, world.clock.now())
        for prefix in ("NT", *["INC"] * 7):
            ids.next_id(conn, prefix)
    put(world, a_notification(attempts=0))
    channels.answers["hook"] = down()
    await Delivery(world, 1).deliver_due()
    with world.store.decide() as conn:
        generations.begin(conn, world.clock.advance(30))
    del channels.answers["hook"]
    await Delivery(world, 2).deliver_due()
    [failed, sent] = channels.contents
    assert failed["key"] == sent["key"] == f"{generation}-NT-1"
    assert sent["incident_key"] == f"{generation}-INC-7"


async def test_without_the_store_the_key_takes_the_generation_from_beside_it(world, channels, a_notification):
    Settings(config="", generation="9f3c21aa-67c2d1f0").write(world.home)
    await deliver_directly(a_notification("NT-direct-507a-1-hook"), CONFIG, world.home)
    await send_test(CONFIG, "hook", world.home)
    [page, test] = channels.contents
    assert page["key"] == "9f3c21aa-67c2d1f0-NT-direct-507a-1-hook"
    assert test["key"].startswith("9f3c21aa-67c2d1f0-NT-test-")


async def test_a_shift_that_closes_lets_deliveries_end_and_drops_late_ones(world, channels, a_notification):
    channels.answers["hook"] = asyncio.Event()
    put(world, a_notification(attempts=0))
    sender = Delivery(world, lambda: 5)
    await sender.deliver_due()
    await sender.close(timeout=0.05)
    assert (stored(world).state, stored(world).claimed_term) == ("claimed", 5)


async def test_a_test_goes_to_one_notifier_alone(world, channels):
    assert (await send_test(CONFIG, "hook", world.home)).notifier == "hook"
    assert channels.given[0][2] == "TEST Test of hook\nForewatch can reach you here. Nothing is wrong."
    channels.answers["hook"] = down(permanent=True)
    with pytest.raises(DeliveryFailed, match="it is away"):
        await send_test(CONFIG, "hook", world.home)
    assert channels.told() == ["hook", "hook"]
    with pytest.raises(NotFound, match=r"there is no notifier hok .*hook, terminal"):
        await send_test(CONFIG, "hok", world.home)


async def test_a_missing_secret_falls_back_with_the_real_senders(world, a_notification, monkeypatch, capsys):
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    hook = Notifier(name="hook", webhook=Webhook(url="http://127.0.0.1:9/", secret=Secret("env:NO_SUCH_SECRET")))
    world.config = Config(notifiers=[hook])
    put(world, a_notification(attempts=0))
    assert (await Delivery(world, 1).deliver_due()).sent == ["NT-1"]
    assert "the environment variable NO_SUCH_SECRET is not set" in capsys.readouterr().out


@pytest.fixture
def full_disk(world, monkeypatch):
    """`full_disk()` has the store refuse every write, `full_disk(False)` ends that."""
    decide = world.store.decide

    def refuse():
        raise StoreUnavailable("decisions.db: the disk is full; free some space")

    def be(full=True):
        monkeypatch.setattr(world.store, "decide", refuse if full else decide)

    return be


async def test_a_critical_page_leaves_once_though_the_store_takes_no_claim(world, channels, a_notification, full_disk):
    put(world, a_notification(), a_notification("NT-2", severity="warning"), a_notification("NT-3", kind="resolved"))
    carrier = Delivery(world, 1)
    full_disk()
    for _ in range(3):
        await carrier.deliver_due()
    assert [id for _, id, _ in channels.given] == ["NT-1"]

    full_disk(False)
    delivered = await carrier.deliver_due()
    assert sorted(delivered.sent) == ["NT-1", "NT-2", "NT-3"]
    assert [id for _, id, _ in channels.given].count("NT-1") == 1
    with world.store.read() as conn:
        assert outbox.get(conn, "NT-1").state == "sent"


async def test_a_page_that_cannot_be_claimed_nor_handed_over_goes_to_the_others(
    world, channels, a_notification, full_disk
):
    put(world, a_notification())
    channels.answers["hook"] = DeliveryFailed("hook: 503", permanent=False)
    full_disk()
    await Delivery(world, 1).deliver_due()
    assert channels.told() == ["hook", "terminal"]


async def test_the_ballast_makes_room_for_claims(world, channels, a_notification, full_disk, monkeypatch):
    put(world, a_notification("NT-2", severity="warning"))
    monkeypatch.setattr(delivery.ballast, "free", lambda home: full_disk(False) or True)
    full_disk()
    assert (await Delivery(world, 1).deliver_due()).sent == ["NT-2"]


@pytest.fixture
def overdue(world, an_alert, a_notification):
    """A page that was held until ten seconds ago, and whose timer nobody has come to."""
    now = world.clock.advance(100)
    alert = replace(an_alert, status="firing", ends_at=None)
    page = a_notification(
        attempts=0, state="held", kind="page", alert_id=alert.id, incident_id=alert.incident_id,
        created_at=now - 60_000_000, not_before=now - 10_000_000,
    )  # fmt: skip
    page = replace(page, content={**page.content, "named": [alert.id]})
    with world.store.decide() as conn:
        alerts.put(conn, alert)
        take(conn, "page-people", "me", expected_term=None, scheduled_for=0, now=now)
    put(world, page)
    return page


async def test_a_page_held_beyond_its_time_leaves_by_a_decision_and_counts_as_told(world, channels, overdue):
    assert (await Delivery(world, 1).deliver_due()).sent == [overdue.id]
    with world.store.read() as conn:
        assert [one.notifier for one in naming.of_alert(conn, overdue.alert_id)] == [overdue.notifier]


async def test_it_leaves_by_itself_where_that_cannot_be_decided(world, channels, overdue, monkeypatch):
    def break_off(*_, **__):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(delivery, "decide", break_off)
    assert (await Delivery(world, 1).deliver_due()).sent == [overdue.id]


async def test_a_page_that_is_held_while_a_claim_waits_for_its_turn_stays_held(world, channels, a_notification):
    """Nor is it taken for one from before the clock was set back."""
    real = world.store.run

    async def late(fn, *args, **more):
        if getattr(fn, "__name__", "") == "_claim":
            now = world.clock.advance(40)
            put(world, a_notification(attempts=0, state="held", created_at=now, not_before=now + 30_000_000))
        return await real(fn, *args, **more)

    world.store.run = late
    assert (await Delivery(world, 1).deliver_due()).sent == []
    assert stored(world).state == "held"
