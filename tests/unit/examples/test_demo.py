"""The demo names the ports it was given."""

import argparse

import pytest

from examples.shop import demo
from examples.shop.shop import Shop

pytestmark = pytest.mark.unit


class Up:
    """A Forewatch that ends when it is waited for."""

    def wait(self):
        return 0


def test_the_line_on_how_to_break_more_names_the_service_where_it_is(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(demo.time, "sleep", lambda _: None)
    monkeypatch.setattr(demo, "show_fault", lambda *_: "INC-1")
    options = argparse.Namespace(fault="die", service="catalogue", port=4281, prefect_port=4282, once=False)
    assert demo.show(Shop(tmp_path, 9001), tmp_path, options, Up()) == 0
    said = capsys.readouterr().out
    assert "curl http://127.0.0.1:9002/fault/hang" in said
    assert "http://127.0.0.1:4281/incidents/INC-1" in said
    assert "8001" not in said
