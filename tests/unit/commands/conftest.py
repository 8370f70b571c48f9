"""Commands as they are typed, on a store of their own and a clock that stands still."""

import getpass
import shutil
import time

import pytest
from typer.testing import CliRunner

from forewatch.alerting.alert import Alert
from forewatch.cli import app
from forewatch.clock import FakeClock
from forewatch.config.models import Config
from forewatch.deciding import decide
from forewatch.errors import ForewatchError
from forewatch.home import Home
from forewatch.incidents.events import AlertCleared, AlertRaised, TimerDue
from forewatch.runtime import Runtime, open_runtime
from forewatch.store import alerts, config_versions, timers
from forewatch.store.engine import Store

CONFIG = """
services:
  - {name: storefront, depends_on: [catalogue]}
  - {name: catalogue}
  - {name: mail, maintenance: [nights]}
notifiers:
  - name: ops
    console: {}
times:
  - name: nights
    ranges: [{times: ["00:00-06:00"]}]
"""


class Typed:
    """`say(...)` is what a command prints, `complain(...)` the sentence of one that is refused."""

    def __init__(self, home: Home, clock: FakeClock, runtime: Runtime) -> None:
        self.home, self.clock, self.runtime = home, clock, runtime

    def say(self, *words: str) -> str:
        ended = CliRunner().invoke(app, [*words, "--home", str(self.home.root)], env={"COLUMNS": "250"})
        assert ended.exit_code == 0, ended.output or ended.exception
        return ended.output

    def complain(self, *words: str) -> str:
        ended = CliRunner().invoke(app, [*words, "--home", str(self.home.root)], env={"COLUMNS": "250"})
        assert isinstance(ended.exception, ForewatchError), ended.output
        assert ended.output == ""
        return str(ended.exception)

    @property
    def config(self) -> tuple[int, Config]:
        return self.runtime.configuration.current()

    def fails(self, service: str, name: str = "CheckFailing", severity: str = "critical") -> Alert:
        """An alert of a service fires."""
        labels = {"alertname": name, "service": service, "severity": severity}
        self._decide(AlertRaised(labels, {"summary": f"{name} on {service}"}, self.clock.now()))
        with self.runtime.store.read() as conn:
            return alerts.all_firing(conn, service)[-1]

    def recovers(self, service: str, name: str = "CheckFailing", severity: str = "critical") -> None:
        labels = {"alertname": name, "service": service, "severity": severity}
        self._decide(AlertCleared(labels, self.clock.now()))

    def wait(self, seconds: float) -> None:
        """Let time pass; timers that came due meanwhile run out at its end."""
        self.clock.advance(seconds)
        for _ in range(10):
            with self.runtime.store.read() as conn:
                due = timers.due(conn, self.clock.now())
            for timer in due:
                self._decide(TimerDue(timer.id, timer.kind, timer.subject, self.clock.now()))
            if not due:
                return
        raise AssertionError("timers never come to rest")

    def _decide(self, event: object) -> None:
        decide(self.runtime.store, event, config=self.config, now=self.clock.now())


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("commands"))
    home.create()
    store = Store.open(home, migrate=True)
    with store.decide() as conn:
        config_versions.add(conn, [(str(home.root / "forewatch.yaml"), CONFIG)], FakeClock().now())
    store.close()
    return home


@pytest.fixture
def typed(prepared_home, tmp_path, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "ana")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    home, clock = Home(tmp_path / "home"), FakeClock()
    shutil.copytree(prepared_home.root, home.root)
    monkeypatch.setattr("forewatch.runtime.open_runtime", lambda home: open_runtime(home, clock))
    runtime = open_runtime(home, clock)
    yield Typed(home, clock, runtime)
    runtime.store.close()
    monkeypatch.undo()
    time.tzset()
