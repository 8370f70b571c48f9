"""`forewatch objectives`: what was reached and is left, for people and for programs."""

import json

import pytest

from forewatch.clock import micros
from forewatch.store import config_versions, points
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

CONFIG = """
services:
  - name: storefront
    checks: [{http: "http://storefront/"}]
    objectives: [{availability: 99.9%}, {latency: {under: 300ms, share: 99%}, window: 7d}]
  - name: mail
    checks: [{tcp: "mail:25"}]
    objectives: [{name: takes-mail, availability: 99%}]
"""


@pytest.fixture
def shop(typed):
    """Two hours of answers, one a minute, the first twelve of them bad."""
    now = typed.clock.now()
    with typed.runtime.store.decide() as conn:
        config_versions.add(conn, [(str(typed.home.root / "forewatch.yaml"), CONFIG)], now)
    with typed.runtime.store.measure() as conn:
        labels = {"check": "http", "instance": "default"}
        points.write(
            conn,
            [Point("check.up", labels, "storefront", now - micros(60 * n), float(n < 108)) for n in range(120)],
        )
    return typed


def test_they_are_listed_with_what_is_left(shop):
    lines = shop.say("objectives").splitlines()
    heads = "SERVICE OBJECTIVE TARGET REACHED BUDGET LEFT BURN 1H BURN 5M BURN 6H BURN 30M SINCE OUTLOOK"
    assert " ".join(lines[0].split()) == heads
    assert " ".join(lines[1].split()) == (
        "storefront availability 99.9% over 30d 90% 72.5% 0x 0x 100x 0x 2025-12-31T22:01Z "
        "needs 6 hours of the last day; history of 1h 59m only"
    )
    assert " ".join(lines[2].split()).startswith("storefront latency 99% over 7d the answers of the past")
    assert " ".join(lines[3].split()) == "mail takes-mail 99% over 30d no answers yet"


def test_programs_get_every_figure(shop):
    [one] = [each for each in json.loads(shop.say("objectives", "storefront", "--json"))
             if each["kind"] == "availability"]  # fmt: skip
    assert one["service"] == "storefront"
    assert (one["good"], one["total"], one["share"]) == (108, 120, 0.9)
    assert one["budget"]["allowed"] == pytest.approx(2592)
    assert one["budget"]["spent"] == pytest.approx(714)
    assert one["burn"]["slow"] == {"long": pytest.approx(100), "short": 0}
    assert one["since"] == "2025-12-31T22:01:00.000Z"
    assert one["used_up"] is None


def test_only_those_of_a_service_are_shown(shop):
    assert "storefront" not in shop.say("objectives", "mail")
    assert shop.complain("objectives", "shop") == "there is no service shop in the configuration"


def test_without_any_it_says_where_to_read(typed):
    assert typed.say("objectives").startswith("No service has objectives; docs/operations/objectives.md")
