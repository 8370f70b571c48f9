"""`forewatch bench`, `benchmarks`, `deployments` and `trends`, as they are typed."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from forewatch.cli import app
from forewatch.clock import micros
from forewatch.commands import bench
from forewatch.errors import ForewatchError
from forewatch.load_tests.histogram import Histogram
from forewatch.load_tests.result import Measured, Second
from forewatch.store import config_versions, points
from forewatch.store.points import Point

pytestmark = pytest.mark.unit

CONFIG = """
services:
  - name: shop
    benchmarks:
      - {name: front, url: "http://127.0.0.1:8080/"}
  - {name: mail}
"""


@pytest.fixture
def loads(typed, monkeypatch):
    """The loads that were put on, each of which measures what `made` says."""
    with typed.runtime.store.decide() as conn:
        config_versions.add(conn, [("forewatch.yaml", CONFIG)], typed.clock.now())
    sent = []

    def put(load):
        sent.append(load)
        return measured(typed.clock.now(), load.rate, load.duration)

    monkeypatch.setattr(bench, "put", put)
    return sent


def measured(at=0, rate=10.0, duration=30.0, **changes):
    rng = np.random.default_rng(at % 1000)
    times = Histogram.of(float(one) for one in 0.03 * rng.lognormal(0, 0.2, 300))
    made = Measured(at, rate, duration, duration, 300, 300, times=times, lag=Histogram.of([0.001] * 300))
    made.seconds = [Second(300, 300, 0, times)]
    made.bytes = 150_000
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def shown(capsys, **changes):
    bench.show(measured(**changes).as_json())
    return capsys.readouterr().out


def test_a_load_is_told_in_a_few_lines(capsys):
    lines = shown(capsys).splitlines()
    assert lines[0] == "requests   300 due, 300 good (10.0 a second), 0 failed"
    assert lines[1].startswith("times      p50 ")
    assert [word for word in lines[1].split() if word.startswith(("p", "max"))] == [
        "p50", "p90", "p95", "p99", "p99.9", "max",
    ]  # fmt: skip
    assert lines[2] == "bodies     150.0kB (5.0kB a second)"
    assert lines[3].startswith("generator  late by 1 ms (p99)")
    assert len(lines) == 4


def test_errors_delays_and_a_late_generator_are_said(capsys):
    said = shown(
        capsys,
        good=290,
        errors={"timeout": 6, "status 503": 2, "unsent": 2},
        delayed=30,
        lag=Histogram.of([0.03] * 300),
    )
    assert "errors     status 503 2, timeout 6, unsent 2 (3.3%)" in said
    assert "The load generator itself was late by p99 30 ms: part of these times is its own." in said
    assert "32 requests could not be sent on time, because as many as allowed were in flight, 2 of them until" in said
    assert "Requests that were not answered in time are in the times with the time-out." in said


def test_what_was_stopped_says_how_far_it_came(capsys):
    assert "Stopped after 12.0 s of 30 s; 4 requests under way are not counted." in shown(
        capsys, stopped=True, elapsed=12.0, unfinished=4
    )


def test_bench_takes_the_load_from_its_options(loads):
    ended = CliRunner().invoke(
        app,
        [
            *(
                "bench",
                "http://127.0.0.1:1/x",
                "--rate",
                "200",
                "--duration",
                "1m",
                "--timeout",
                "500ms",
                "-H",
                "A: b: c",
            ),
            *("--method", "post", "--body", "hello", "--arrivals", "poisson", "--seed", "3", "--max-in-flight", "7"),
        ],
    )
    assert ended.exit_code == 0, ended.output
    assert ended.output.startswith("POST http://127.0.0.1:1/x: 200 requests a second for 1m, at random times.\n")
    [load] = loads
    assert (load.rate, load.duration, load.timeout, load.max_in_flight) == (200, 60, 0.5, 7)
    assert (load.headers, load.body, load.arrivals, load.seed) == ({"A": "b: c"}, "hello", "poisson", 3)


def test_bench_as_json_is_everything(loads):
    ended = CliRunner().invoke(app, ["bench", "http://127.0.0.1:1/", "--json"])
    made = json.loads(ended.output)
    assert made["due"] == made["good"] == 300
    assert set(made["quantiles"]) == {"p50", "p90", "p95", "p99", "p99.9"}
    assert made["trustworthy"] is True


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--rate", "inf"], "a rate of inf requests a second is refused"),
        (["--duration", "forever"], "--duration forever: forever is not a duration"),
        (["--duration", "2d"], "it lasts from 1 s to an hour"),
        (["-H", "nonsense"], "--header nonsense: write it as 'NAME: VALUE'"),
    ],
)
def test_what_bench_cannot_mean_is_refused_in_a_sentence(words, why, loads):
    ended = CliRunner().invoke(app, ["bench", "http://127.0.0.1:1/", *words])
    assert isinstance(ended.exception, ForewatchError)
    assert why in str(ended.exception)
    assert loads == []


def test_benchmarks_are_listed_run_and_shown(typed, loads):
    assert "shop     front      10/s for 30s  1d     never" in typed.say("benchmarks", "list")
    assert "shop/front has not run yet." in typed.say("benchmarks", "show", "shop")
    said = typed.say("benchmarks", "run", "shop")
    assert "requests   300 due, 300 good" in said
    assert said.endswith("young: 10 runs are needed to compare, there are 1\n")
    assert "young: 10 runs are needed" in typed.say("benchmarks", "list")
    assert "young  10 runs are needed to compare, there are 1" in typed.say("benchmarks", "show", "shop", "front")
    [kept] = json.loads(typed.say("benchmarks", "show", "shop", "--json"))
    assert kept["load"]["rate"] == 10.0
    assert "there is nothing to accept" in typed.complain("benchmarks", "accept", "shop")


def test_a_service_in_trouble_is_left_alone_unless_somebody_insists(typed, loads):
    typed.fails("shop")
    why = typed.complain("benchmarks", "run", "shop")
    assert why == "shop/front is not run now: INC-1 of shop is open (--anyway runs it all the same)"
    assert loads == []
    typed.say("benchmarks", "run", "shop", "--anyway")
    assert len(loads) == 1


def test_a_deployment_is_marked_and_listed(typed, loads):
    assert typed.say("deployments", "mark", "shop", "1.4.2", "--comment", "new basket", "--at", "10m") == (
        "shop 1.4.2 was deployed: new basket, 2025-12-31 23:50:00.\n"
    )
    assert "shop     shop 1.4.2 was deployed: new basket  ana" in typed.say("deployments", "list")
    assert "No change was reported" in typed.say("deployments", "list", "--service", "mail")
    assert "there is no service web" in typed.complain("deployments", "mark", "web", "1")
    assert "neither a while ago" in typed.complain("deployments", "mark", "shop", "1", "--at", "yesterday")
    assert "in the future" in typed.complain("deployments", "mark", "shop", "1", "--at", "2030-01-01T00:00")


def test_trends_tell_weeks_and_deployments_and_what_is_chance(typed, loads):
    """Three weeks of a check with a daily rhythm; it takes a third longer since a deployment nine days ago."""
    rng, begin, hour = np.random.default_rng(1), typed.clock.now(), 3600
    sample = []
    for number in range(21 * 24):
        level = 0.03 * (1 + 0.3 * math.sin(number / 24 * 2 * math.pi)) * rng.lognormal(0, 0.05)
        slower = 1.33 if number >= 12 * 24 else 1.0
        at = begin + micros(number * hour)
        sample.append(Point("check.duration", {"check": "http"}, "shop", at, level * slower))
        sample.append(Point("check.duration", {"check": "http"}, "mail", at, level))
        sample.append(Point("other.metric", {}, "mail", at, 1 + number / 24 * 0.02 + rng.normal(0, 0.01)))
    with typed.runtime.store.measure() as conn:
        points.write(conn, sample)
    typed.clock.advance(21 * 86_400)
    typed.say("deployments", "mark", "shop", "1.4.2", "--at", "9d")
    typed.say("deployments", "mark", "mail", "2", "--at", "9d")
    typed.say("deployments", "mark", "mail", "3", "--at", "2d")

    said = typed.say("trends", "--weeks", "3")
    weeks, steps = said.split("\n\n")[:2]
    assert len(weeks.splitlines()) == 1 + 2 * 3
    [of_shop] = [line for line in steps.splitlines() if "shop 1.4.2 was deployed" in line]
    [second_of_mail] = [line for line in steps.splitlines() if "mail 2 was deployed" in line]
    [third_of_mail] = [line for line in steps.splitlines() if "mail 3 was deployed" in line]
    change, chance = of_shop.split()[-2:]
    assert float(change.rstrip("%")) == pytest.approx(33, abs=6)
    assert float(chance) < 0.01
    assert float(second_of_mail.split()[-1]) > 0.05
    assert third_of_mail.endswith("needs 4 days on each side, has 2")

    everything = json.loads(typed.say("trends", "--service", "mail", "--metric", "*", "--json"))
    assert {one["metric"] for one in everything} == {"check.duration", "other.metric"}
    assert "other.metric {service=mail} has risen 1" in typed.say("trends", "--metric", "other.*")
    assert "Nothing of these was measured." in typed.say("trends", "--metric", "nothing.*")
