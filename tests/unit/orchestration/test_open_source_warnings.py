from types import SimpleNamespace

import pytest

from forewatch.config.models import Config
from forewatch.home import Home
from forewatch.orchestration.settings import Settings
from forewatch.orchestration.supervisor import Supervisor

pytestmark = pytest.mark.unit


def test_forewatch_up_warns_of_each_source_without_a_token(tmp_path):
    sources = [{"name": "a", "grafana": {}}, {"name": "b", "grafana": {}, "token": "t0ken"}, {"name": "c", "kuma": {}}]
    config = Config.model_validate({"sources": sources})
    said = []
    supervisor = Supervisor(Home(tmp_path), Settings(config="forewatch.yaml"), said.append)
    supervisor._warn_of_open_sources(SimpleNamespace(configuration=SimpleNamespace(current=lambda: (1, config))))
    assert [line.partition(":")[2].partition(" has")[0] for line in said] == [" source a", " source c"]
    assert all("start no remedy; add `token: !secret env:NAME`" in line for line in said)
