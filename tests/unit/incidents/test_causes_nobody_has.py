"""What was withheld for a dependency is told soon after nobody has that before them any more."""

import pytest
from memory_view import World

from forewatch.clock import micros
from forewatch.config.models import Config
from forewatch.incidents.deciding.withheld_alerts import CONFIGURATION_READ_WITHIN
from forewatch.incidents.events import AlertRaised, RoutesChanged

pytestmark = pytest.mark.unit

COMPANY = {
    "services": [{"name": "website", "depends_on": ["db"]}, {"name": "db"}],
    "notifiers": [{"name": "ops", "console": {}}],
    "routes": [{"notify": ["ops"]}],
    "digest": {"within": "0s"},
}
RATIO = {"alertname": "HttpErrorRatio", "service": "db", "severity": "critical"}


def pages_of_website(world):
    return [one for one in world.view.outbox.values() if "website" in one.content["title"]]


def test_a_new_configuration_that_tells_nobody_of_the_dependency_has_the_dependant_told():
    world = World(COMPANY)
    world.fails(service="db", summary="db is down: refused")
    world.wait(1)
    world.fails(service="website", summary="website answers with errors: 503")
    assert not pages_of_website(world)
    routes = [{"match": {"service": "db"}, "notify": []}, {"notify": ["ops"]}]
    world.view.config = Config.model_validate({**COMPANY, "routes": routes})
    world.decide(RoutesChanged(["AL-1"], 2, world.now))
    world.wait(CONFIGURATION_READ_WITHIN + 1)
    assert len(pages_of_website(world)) == 1


def test_an_alert_of_the_dependency_that_only_looks_back_explains_nothing_any_more():
    world = World(COMPANY)
    world.fails(service="db", summary="db is down: refused")
    world.fails(service="website", summary="website answers with errors: 503")
    world.decide(AlertRaised(RATIO, {"summary": "db: errors"}, world.now, {"value": 1.0, "high": 0.1}))
    world.wait(20)
    world.recovers(service="db")
    world.wait(35)
    assert [reason.by for one in world.view.withheld("AL-2") for reason in one.reasons] == ["AL-3"]
    looks_back = {"recovered_at": world.now, "since_recovery": None, "aftermath_until": world.now + micros(600)}
    world.decide(AlertRaised(RATIO, {"summary": "db: errors"}, world.now, {"value": 1.0, "high": 0.1, **looks_back}))
    world.wait(5)
    assert len(pages_of_website(world)) == 1
