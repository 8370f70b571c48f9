"""Load tests on a store: whose turn it is, what speaks against one, and what a run says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shop_with_benchmark import CONFIG, config_of

from forewatch.alerting.matchers import parse_matchers
from forewatch.alerting.silence import Silence
from forewatch.clock import micros
from forewatch.errors import NotFound, SecretError, TransitionRefused
from forewatch.incidents.events import AlertCleared, AlertRaised, ChangeReported
from forewatch.load_tests import benchmarks
from forewatch.load_tests.histogram import Histogram
from forewatch.silence_edit import set_silence
from forewatch.store import benchmark_runs, housekeeping, points, series

pytestmark = pytest.mark.unit


def waiting(shop):
    found = benchmarks.due(shop.store, shop.config, shop.clock.now())
    return [f"{service}/{one.name}" for service, one in found]


def why_not(shop, service="shop"):
    return benchmarks.why_not(shop.store, shop.config, service, shop.clock.now())


def test_what_never_ran_is_due_and_what_ran_waits_for_its_time(shop):
    assert waiting(shop) == ["mail/send", "mail/read", "shop/front"]
    shop.run(every=3600)
    assert waiting(shop) == ["mail/send", "mail/read"]
    shop.clock.advance(86_400)
    assert waiting(shop) == ["mail/send", "mail/read", "shop/front"]


def test_a_run_dated_in_the_future_does_not_keep_it_from_running(shop):
    shop.run(every=60)
    shop.clock.jump(-10 * 86_400)
    assert "shop/front" in waiting(shop)


def test_a_suspect_run_is_repeated_within_the_hour(shop):
    shop.runs(15)
    assert shop.run(slower=1.6, every=1800).judgement.state == "suspect"
    assert "shop/front" not in waiting(shop)
    shop.clock.advance(1800)
    assert "shop/front" in waiting(shop)


def test_what_was_measured_becomes_series_and_a_run_with_a_histogram(shop):
    shop.run(errors=3)
    with shop.store.read_metrics() as conn:
        known = {(one.metric, one.labels.get("quantile", "")): one for one in series.all_series(conn)}
        p95 = points.last(conn, known["benchmark.duration", "p95"].id)
        ratio = points.last(conn, known["benchmark.errors.ratio", ""].id)
        [run] = benchmark_runs.newest(conn, "shop", "front", 10)
    assert set(known) == {
        *(("benchmark.duration", one) for one in ("p50", "p90", "p95", "p99", "p99.9")),
        ("benchmark.throughput", ""),
        ("benchmark.errors.ratio", ""),
    }
    assert known["benchmark.throughput", ""].labels == {"benchmark": "front", "service": "shop"}
    assert p95 is not None
    assert p95[1] == pytest.approx(0.03 * 1.64, rel=0.15)
    assert ratio == (run.at, 0.01)
    assert Histogram.from_json(run.measured["times"]).total == 300
    assert len(run.measured["medians"]) == 1


def test_a_service_that_became_slower_raises_an_alert_that_says_since_which_deployment(shop):
    shop.runs(15)
    shop.decide(ChangeReported("stock 9 was deployed", "stock", "ci", shop.clock.now() - 5))
    shop.decide(ChangeReported("shop 1.4.2 was deployed", "shop", "ci", shop.clock.now() - 1))
    said = shop.runs(3, slower=1.4)
    assert [ran.event is not None for ran in said] == [False, False, True]
    [summary] = shop.firing()
    assert summary.startswith("front: p")
    assert "(median of 15 runs): " in summary
    assert "% slower, p = 0.0012, first seen after shop 1.4.2 was deployed (2026-01-16 11:59Z)" in summary
    assert isinstance(said[-1].event, AlertRaised)
    assert said[-1].event.labels["severity"] == "critical"
    assert said[-1].event.values["compared_with"] == 15
    # Said once; later slow runs are no news.
    assert shop.run(slower=1.4).event is None
    assert len(shop.firing()) == 1


def test_the_alert_ends_once_two_runs_are_back(shop):
    shop.runs(15)
    shop.runs(5, slower=1.4)
    assert shop.run().event is None
    ended = shop.run()
    assert isinstance(ended.event, AlertCleared)
    assert ended.event.values["reason"] == "the last 2 runs are as before"
    assert shop.firing() == []


def test_a_person_accepts_how_slow_it_is_and_later_runs_are_compared_with_that(shop):
    shop.runs(15)
    shop.runs(4, slower=1.4)
    end = benchmarks.accept(shop.store, "shop", "front", "ana", shop.clock.now())
    assert end is not None
    assert end.values["reason"] == "ana says that this is how it is now"
    shop.decide(end)
    assert shop.firing() == []
    # The four slow runs and those to come are the new past.
    assert shop.run(slower=1.4).judgement.reason == "10 runs are needed to compare, there are 5"
    shop.runs(8, slower=1.4)
    assert shop.run(slower=1.4).judgement.state == "steady"
    with pytest.raises(TransitionRefused, match="shop/front is not slower than it was: there is nothing to accept"):
        benchmarks.accept(shop.store, "shop", "front", "ana", shop.clock.now())


def test_a_run_of_a_generator_that_was_late_is_kept_and_not_compared(shop):
    shop.runs(15)
    for _ in range(4):
        ran = shop.run(slower=2.0, late=0.2)
        assert ran.event is None
        assert ran.judgement.state == "unsure"
        assert ran.text.startswith("not compared: the load generator itself was late by 200 ms (p99)")
    assert shop.firing() == []
    with shop.store.read_metrics() as conn:
        of_p50 = series.find(conn, "benchmark.duration", {"quantile": "p50"})
        assert len(points.between(conn, of_p50[0].id, 0, shop.clock.now())) == 15
    assert shop.run().judgement.state == "steady"


def test_runs_of_another_load_are_not_compared_with(shop):
    shop.runs(15)
    shop.config = config_of(CONFIG.replace('8080/"', '8080/", rate: 20'))
    ran = shop.run(slower=2.0)
    assert ran.judgement.reason == "10 runs are needed to compare, there are 1"


def test_a_benchmark_that_is_no_longer_configured_ends_its_alert(shop):
    shop.runs(15)
    shop.runs(3, slower=1.4)
    assert benchmarks.unwatched(shop.store, shop.config, shop.clock.now()) == []
    shop.config = config_of(CONFIG.replace("name: front", "name: door"))
    [end] = benchmarks.unwatched(shop.store, shop.config, shop.clock.now())
    assert end.unwatched
    shop.decide(end)
    assert shop.firing() == []


@pytest.mark.parametrize("service", ["shop", "stock"])
def test_no_load_while_an_incident_of_the_service_or_its_dependency_is_open(shop, service):
    assert why_not(shop) is None
    shop.fails(service)
    assert why_not(shop) == f"INC-1 of {service} is open"
    assert why_not(shop, "mail") is None


def test_its_own_alert_does_not_keep_the_load_away(shop):
    shop.runs(15)
    shop.runs(3, slower=1.4)
    assert why_not(shop) is None
    shop.fails("shop")
    assert why_not(shop) == "INC-1 of shop is open"
    # What joined its incident is over again: only the next run can end what is left of it.
    shop.recovers("shop")
    assert why_not(shop) is None


def test_no_load_in_planned_maintenance_of_a_dependency(shop):
    shop.clock.advance(14 * 3600)
    assert why_not(shop) == "stock is in planned maintenance (nights)"


@pytest.mark.parametrize(("kind", "keeps"), [("maintenance", True), ("silence", False)])
def test_no_load_in_maintenance_begun_by_hand_but_under_a_plain_silence(shop, kind, keeps):
    now = shop.clock.now()
    silence = Silence("", parse_matchers(["service=shop"]), now, now + micros(3600), "ana", "work", now, kind)
    with shop.store.decide() as conn:
        set_silence(conn, silence, config=(1, shop.config), now=now)
    reason = why_not(shop)
    assert (reason == "shop is in maintenance until 2026-01-01T13:00:00.000Z") is keeps
    assert (reason is None) is not keeps


def test_benchmarks_are_found_by_name(shop):
    assert benchmarks.find(shop.config, "shop").name == "front"
    assert benchmarks.find(shop.config, "mail", "read").name == "read"
    for service, name, why in (
        ("nobody", None, "there is no service nobody"),
        ("stock", None, "stock has no benchmarks"),
        ("mail", None, "mail has several benchmarks: name one of send, read"),
        ("mail", "burn", "mail has no such benchmark: name one of send, read"),
    ):
        with pytest.raises(NotFound, match=why):
            benchmarks.find(shop.config, service, name)


def test_secrets_are_read_when_the_load_is_put_on(shop, monkeypatch):
    shop.config = config_of(CONFIG.replace('url: "http://127.0.0.1:8080/"', "url: !secret env:SHOP_URL"))
    monkeypatch.delenv("SHOP_URL", raising=False)
    with pytest.raises(SecretError, match="SHOP_URL is not set"):
        benchmarks.load_of(shop.benchmark)
    monkeypatch.setenv("SHOP_URL", "http://127.0.0.1:1/x?token=abc")
    assert benchmarks.load_of(shop.benchmark).url == "http://127.0.0.1:1/x?token=abc"
    shop.run()
    with shop.store.read_metrics() as conn:
        [run] = benchmark_runs.newest(conn, "shop", "front", 1)
    assert run.load["url"] == "!secret env:SHOP_URL"


def test_only_one_load_at_a_time_on_a_machine(shop):
    with benchmarks.one_at_a_time(shop.store.home) as free:
        assert free
        with benchmarks.one_at_a_time(shop.store.home) as also:
            assert not also
    with benchmarks.one_at_a_time(shop.store.home) as again:
        assert again


def test_housekeeping_lets_go_of_old_runs(shop):
    shop.runs(3)
    shop.clock.advance(89 * 86_400)
    report = housekeeping.retain_metrics(shop.store, shop.config.retention, shop.clock.now())
    assert report.removed["benchmark runs"] == 2
    with shop.store.read_metrics() as conn:
        assert len(benchmark_runs.newest(conn, "shop", "front", 10)) == 1


def test_a_stopped_run_says_so(shop):
    measured = replace(shop.measured(), stopped=True)
    ran = benchmarks.record(shop.store, shop.config, "shop", shop.benchmark, measured, shop.clock.now())
    assert ran.text == "stopped before its end, and so not compared"
