"""The feed against a real Bugsink, through the real store and decisions."""

import shutil
from types import SimpleNamespace

import pytest
from bugsink_server import BugsinkServer, programs

from forewatch.clock import SystemClock
from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.store import alerts, shifts
from forewatch.store.engine import Store
from forewatch.store.shifts import Fence
from tasks.feeds import Feeds
from tasks.shifts.decider import Decider

SHIFT = "collect-metrics"


@pytest.fixture(scope="module")
def bugsink(tmp_path_factory):
    bin = programs()
    if bin is None:
        pytest.skip("no Bugsink here: install it in a venv of its own and set FOREWATCH_BUGSINK to its bin folder")
    server = BugsinkServer(tmp_path_factory.mktemp("bugsink"), bin)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def runtime(bugsink, tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    store = Store.open(home, migrate=True)
    feed = {"url": bugsink.url, "token": bugsink.token, "every": "10s"}
    config = Config.model_validate({"sources": [{"name": "bugs", "bugsink": feed, "service": ["project"]}]})
    runtime = SimpleNamespace(home=home, store=store, clock=SystemClock(), config=config)
    runtime.configuration = SimpleNamespace(current=lambda: (1, runtime.config))
    with store.decide() as conn:
        shifts.take(conn, SHIFT, "test:1", expected_term=None, scheduled_for=1, now=1)
    yield runtime
    store.close()
    shutil.rmtree(home.root)


@pytest.fixture
def look(runtime):
    """One look as after a restart: what was seen is in the store alone. Returns all alerts, oldest first."""

    async def look():
        decider = Decider(runtime, Fence(SHIFT, 1))
        await Feeds(runtime, decider).once()
        await decider.close()
        with runtime.store.read() as conn:
            return sorted(alerts.listing(conn), key=lambda alert: int(alert.id.removeprefix("AL-")))

    return look


async def test_issues_of_a_real_bugsink_become_alerts_and_end_with_them(bugsink, look, runtime):
    bugsink.send("OldError")
    assert await look() == [], "what was there before is no news"

    bugsink.send("CartError")
    bugsink.send("ThriftError", level="warning")
    bugsink.send("OldError")
    cart, thrift = sorted(await look(), key=lambda alert: alert.annotations["summary"])
    assert cart.annotations["summary"] == "CartError: the cart is empty"
    assert (cart.severity, thrift.severity) == ("critical", "warning")
    assert cart.labels["alertname"] == "BugsinkIssue"
    assert (cart.service, cart.source, cart.classification) == ("shop", "bugs", "errors")
    assert cart.labels["environment"] == "prod"
    assert cart.annotations["why"] == "new in Bugsink"
    assert cart.generator_url.startswith(f"{bugsink.url}/issues/issue/")

    bugsink.send("CartError")
    assert [alert.status for alert in await look()] == ["firing", "firing"]

    bugsink.act("CartError", "resolve")
    bugsink.act("ThriftError", "mute")
    assert [alert.status for alert in await look()] == ["resolved", "resolved"]

    bugsink.send("CartError")
    bugsink.act("ThriftError", "unmute")
    again = (await look())[2:]
    assert {(alert.labels["project"], alert.annotations["why"]) for alert in again} == {
        ("shop", "regressed in Bugsink"), ("shop", "escalating in Bugsink"),
    }  # fmt: skip

    bugsink.http.delete(f"/issues/{bugsink.issue('CartError')['id']}/").raise_for_status()
    states = {alert.annotations["summary"][:4]: alert.status for alert in (await look())[2:]}
    assert states == {"Cart": "resolved", "Thri": "firing"}

    runtime.config = Config()
    assert {alert.status for alert in await look()} == {"resolved"}


async def test_a_token_bugsink_does_not_know_is_said_once(bugsink, runtime):
    feed = {"url": bugsink.url, "token": "0" * 40}
    runtime.config = Config.model_validate({"sources": [{"name": "bugs", "bugsink": feed}]})
    clock = SimpleNamespace(now=SystemClock().now, seconds=0.0)
    clock.monotonic = lambda: clock.seconds
    runtime.clock = clock
    decider = Decider(runtime, Fence(SHIFT, 1))
    loop = Feeds(runtime, decider)
    for _ in range(4):
        await loop.once()
        clock.seconds += 1_000
    await decider.close()
    with runtime.store.read() as conn:
        [alert] = alerts.all_firing(conn)
    assert alert.labels["alertname"] == "FeedFailing"
    assert "look at the token" in alert.annotations["summary"]
    assert "0000000000" not in alert.annotations["summary"]
