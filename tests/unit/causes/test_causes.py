"""The causes of stored incidents, from our own checks, from what services report, and from alerts alone."""

import pytest

from forewatch.errors import NotFound
from forewatch.reports.causes import causes_of
from forewatch.store import incidents

pytestmark = pytest.mark.unit


def services(ranking):
    return [cause.service for cause in ranking.causes]


def the_incident(shop):
    with shop.runtime.store.read() as conn:
        return incidents.listing(conn)[-1].id


def test_the_service_whose_own_checks_fail_and_whose_dependencies_pass_is_first(shop):
    shop.quiet()
    shop.trouble(20, {"web": 0, "api": 0})
    shop.alert("web")
    shop.trouble(60, {"web": 0, "api": 0})
    ranking = causes_of(shop.runtime, the_incident(shop))
    assert services(ranking)[0] == "api"
    assert ranking.confident
    assert ranking.causes[0].evidence.startswith("api: availability 100% -> 0%")
    assert "by way of web -> api" in ranking.causes[0].evidence
    assert "ranked by depth" in ranking.note


def test_a_slow_service_below_the_one_that_fails_is_found(shop):
    shop.quiet()
    waiting = {"web": {"check.duration": 2.0}}
    shop.trouble(20, {"web": 0, "db": 1.5, "api": 1.6}, **waiting)
    shop.alert("web")
    shop.trouble(60, {"web": 0, "db": 1.5, "api": 1.6}, **waiting)
    ranking = causes_of(shop.runtime, the_incident(shop))
    assert services(ranking)[0] == "db"
    assert ranking.causes[0].evidence.endswith("this came with the failures of web, which depends on it")


def test_counted_requests_are_attributed(shop):
    def load(slow=0.0, failed=0.0):
        return {
            name: {
                "http.server.request.count": 100.0,
                "http.server.request.duration": 0.1 * place + (slow if name != "web" else slow / 2),
                "http.server.request.failed": failed,
            }
            for place, name in enumerate(("db", "api", "web"), 1)
        }

    shop.quiet(**load())
    shop.trouble(20, {}, **load(failed=30.0))
    shop.alert("web")
    shop.trouble(60, {}, **load(failed=30.0))
    ranking = causes_of(shop.runtime, the_incident(shop))
    assert services(ranking)[0] == "db"
    assert "failed requests a bucket" in ranking.causes[0].evidence
    assert "ranked by depth" not in ranking.note


def test_without_measurements_the_deepest_that_fires_is_first(shop):
    shop.alert("web")
    shop.alert("db")
    shop.alert("api")
    ranking = causes_of(shop.runtime, the_incident(shop))
    assert services(ranking)[0] == "db"
    assert "alerts alone" in ranking.note


def test_a_service_of_which_nothing_was_seen_is_not_in_the_list(shop):
    shop.quiet()
    shop.trouble(20, {"api": 0})
    shop.alert("api")
    shop.trouble(60, {"api": 0})
    ranking = causes_of(shop.runtime, the_incident(shop))
    assert services(ranking) == ["api"]


def test_the_failing_service_is_named_though_its_measurements_are_as_usual(shop):
    shop.quiet()
    shop.alert("db", alertname="DiskFull", severity="warning")
    shop.measure(60, {}, {})
    ranking = causes_of(shop.runtime, the_incident(shop))
    assert [(cause.service, cause.evidence) for cause in ranking.causes] == [("db", "db is the only one that fires")]
    assert not ranking.confident


def test_services_nobody_measures_are_named(shop):
    shop.quiet()
    shop.trouble(20, {"api": 0})
    shop.alert("api")
    shop.runtime.configuration.config = shop.runtime.configuration.config.model_copy(
        update={"services": [*shop.runtime.configuration.config.services, *_unseen()]}
    )
    ranking = causes_of(shop.runtime, the_incident(shop))
    assert services(ranking)[0] == "api"
    assert "nothing is measured of mail" in ranking.note


def _unseen():
    from forewatch.config.models import Service

    return [Service(name="mail")]


def test_a_rule_that_looked_back_over_minutes_is_ranked_in_coarser_steps(shop):
    shop.quiet(24 * 3600)
    shop.trouble(600, {"web": 2.0, "api": 1.9})
    shop.alert("web", alertname="SlowAnswers", severity="warning")
    ranking = causes_of(shop.runtime, the_incident(shop))
    assert services(ranking)[0] == "api"
    assert ranking.confident


def test_an_unknown_incident_is_told(shop):
    with pytest.raises(NotFound, match="there is no incident INC-99"):
        causes_of(shop.runtime, "INC-99")
