"""A store of its own, a clock that stands still, and a shop with a load test."""

from __future__ import annotations

import numpy as np

from forewatch.clock import FakeClock
from forewatch.config.detection import Benchmark
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import parse
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.incidents.events import AlertCleared, AlertRaised, Event
from forewatch.load_tests import benchmarks
from forewatch.load_tests.benchmarks import Ran
from forewatch.load_tests.histogram import Histogram
from forewatch.load_tests.result import Measured, Second
from forewatch.store import alerts
from forewatch.store.engine import Store

CONFIG = """
services:
  - name: shop
    depends_on: [stock]
    benchmarks:
      - {name: front, url: "http://127.0.0.1:8080/", every: 1d, severity: critical}
  - {name: stock, maintenance: [nights]}
  - name: mail
    benchmarks:
      - {name: send, url: "http://127.0.0.1:8081/", method: POST, body: hello, every: 30m}
      - {name: read, url: "http://127.0.0.1:8081/inbox"}
times:
  - name: nights
    ranges: [{times: ["00:00-06:00"]}]
"""


def config_of(text: str) -> Config:
    return parse(ConfigFiles((("forewatch.yaml", text),)), environ={})


class Shop:
    """`runs(...)` stores runs of a benchmark a day apart and decides upon what they say."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.config = store, FakeClock(), config_of(CONFIG)
        # Noon: nobody is in maintenance.
        self.clock.advance(12 * 3600)
        self._rng = np.random.default_rng(1)

    @property
    def benchmark(self) -> Benchmark:
        return benchmarks.find(self.config, "shop")

    def measured(self, slower: float = 1.0, errors: int = 0, late: float = 0.001) -> Measured:
        mood = float(np.exp(self._rng.normal(0, 0.02)))
        times = Histogram.of(float(one) for one in 0.03 * slower * mood * self._rng.lognormal(0, 0.3, 300))
        second = Second(300, 300 - errors, errors, times)
        lag = Histogram.of([late] * 300)
        failed = {"status 503": errors} if errors else {}
        return Measured(
            self.clock.now(), 10.0, 30.0, 30.0, 300, 300 - errors, failed, 5_000, times=times, lag=lag, seconds=[second]
        )

    def run(self, slower: float = 1.0, every: float = 86_400.0, errors: int = 0, late: float = 0.001) -> Ran:
        measured = self.measured(slower, errors, late)
        self.clock.advance(30)
        ran = benchmarks.record(self.store, self.config, "shop", self.benchmark, measured, self.clock.now())
        if ran.event is not None:
            self.decide(ran.event)
        self.clock.advance(every - 30)
        return ran

    def runs(self, count: int, slower: float = 1.0) -> list[Ran]:
        return [self.run(slower) for _ in range(count)]

    def decide(self, event: Event) -> None:
        decide(self.store, event, config=(1, self.config), now=self.clock.now())

    def fails(self, service: str) -> None:
        labels = {"alertname": "CheckFailing", "service": service, "severity": "critical"}
        self.decide(AlertRaised(labels, {"summary": f"{service} fails"}, self.clock.now()))

    def recovers(self, service: str) -> None:
        labels = {"alertname": "CheckFailing", "service": service, "severity": "critical"}
        self.decide(AlertCleared(labels, self.clock.now()))

    def firing(self) -> list[str]:
        with self.store.read() as conn:
            return [alert.annotations["summary"] for alert in alerts.all_firing(conn) if alert.name == benchmarks.ALERT]
