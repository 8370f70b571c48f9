"""Which firing alerts another configuration leads to others."""

import pytest

from forewatch.alerting.alert import Alert
from forewatch.alerting.route_change import rerouted
from forewatch.config.models import Config

pytestmark = pytest.mark.unit


def config(*routes):
    notifiers = [{"name": name, "console": {}} for name in ("ops", "web")]
    return Config.model_validate({"notifiers": notifiers, "routes": [*routes, {"notify": ["ops"]}]})


def fires(alert_id, **labels):
    return Alert(
        id=alert_id,
        fingerprint=alert_id,
        labels={"alertname": "Down", **labels},
        annotations={},
        service=labels.get("service", "host"),
        severity="critical",
        status="firing",
        starts_at=0,
        ends_at=None,
        updated_at=0,
        incident_id="INC-1",
    )


FIRING = [fires("AL-1", service="shop"), fires("AL-2", service="stock")]


def test_the_same_routes_lead_nobody_elsewhere():
    routes = {"match": {"service": "shop"}, "notify": ["web"]}
    assert rerouted(config(routes), config(routes), FIRING) == []


def test_one_whose_route_names_others_is_led_elsewhere():
    before = config({"match": {"service": "shop"}, "notify": ["ops"]})
    after = config({"match": {"service": "shop"}, "notify": ["ops", "web"]})
    assert rerouted(before, after, FIRING) == ["AL-1"]


def test_a_route_put_before_the_others_moves_only_what_it_matches():
    after = config({"match": {"service": "stock"}, "notify": ["web"]})
    assert rerouted(config(), after, FIRING) == ["AL-2"]


def test_another_name_of_a_route_that_leads_to_the_same_people_is_no_change():
    after = config({"match": {"service": "stock"}, "notify": ["ops"]})
    assert rerouted(config(), after, FIRING) == []


def test_told_with_a_group_from_now_on_is_told_otherwise():
    before = config({"match": {"service": "shop"}, "notify": ["ops"]})
    after = config({"match": {"service": "shop"}, "notify": ["ops"], "group_by": ["alertname"]})
    assert rerouted(before, after, FIRING) == ["AL-1"]
