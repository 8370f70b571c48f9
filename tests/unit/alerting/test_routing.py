import pytest

from forewatch.alerting.routing import route_for
from forewatch.config.models import Config

pytestmark = pytest.mark.unit

NOTIFIERS = [{"name": "ops", "console": {}}, {"name": "web", "console": {}}]


def config(*routes, notifiers=NOTIFIERS):
    return Config.model_validate({"notifiers": notifiers, "routes": list(routes)})


def test_the_first_route_that_matches_wins():
    routes = config(
        {"match": {"team": "web"}, "notify": ["web"]},
        {"match": ["severity=~critical|warning"], "notify": ["ops"]},
        {"notify": ["ops", "web"]},
    )
    assert route_for(routes, {"team": "web", "severity": "critical"}).notify == ("web",)
    assert route_for(routes, {"team": "db", "severity": "critical"}).name == "routes[1]"
    assert route_for(routes, {"team": "db", "severity": "info"}).notify == ("ops", "web")


def test_what_no_route_matches_goes_to_every_notifier():
    route = route_for(config({"match": {"team": "web"}, "notify": ["web"]}), {"team": "db"})
    assert route.notify == ("ops", "web")
    assert route.name == "the default route"


def test_without_any_notifier_the_console_hears_of_it():
    assert route_for(config(notifiers=[]), {}).notify == ("console",)


@pytest.mark.parametrize(("severity", "hold"), [("critical", 0.0), ("warning", 60.0), ("info", 60.0)])
def test_a_critical_page_does_not_wait_for_a_remedy_unless_the_route_says_so(severity, hold):
    labels = {"severity": severity}
    assert route_for(config(), labels).hold == hold
    assert route_for(config({"notify": ["ops"]}), labels).hold == hold
    assert route_for(config({"notify": ["ops"], "hold": "5s"}), labels).hold == 5.0


def test_a_hold_of_zero_is_kept_and_not_taken_for_unset():
    assert route_for(config({"notify": ["ops"], "hold": "0s"}), {"severity": "warning"}).hold == 0.0


def test_a_notifier_named_twice_is_told_once():
    assert route_for(config({"notify": ["ops", "ops"]}), {}).notify == ("ops",)
