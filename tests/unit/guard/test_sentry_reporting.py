import subprocess
import sys

import pytest

from forewatch.guard import sentry

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(sentry, "_sent", {})


def test_a_kind_of_error_is_admitted_a_few_times_a_window_and_the_rest_counted():
    kind = ("flow x", "ValueError", "flows.x:run")
    assert [sentry._admit(kind, 0.0) for _ in range(5)] == [(True, 0)] * 3 + [(False, 0)] * 2
    assert sentry._admit(("flow y", "ValueError", "flows.y:run"), 1.0) == (True, 0)
    assert sentry._admit(kind, sentry.WINDOW - 1) == (False, 0)
    assert sentry._admit(kind, sentry.WINDOW) == (True, 3)
    assert sentry._admit(kind, sentry.WINDOW) == (True, 0)


def test_the_memory_of_kinds_is_bounded():
    for number in range(2 * sentry._KINDS):
        sentry._admit((str(number),), 0.0)
    assert len(sentry._sent) == sentry._KINDS


def test_the_group_is_what_it_is_about_its_type_and_our_innermost_function():
    frames = [
        {"module": "runbooks.restart_service", "function": "restart_service"},
        {"module": "tasks.act.process", "function": "signal"},
        {"module": "os", "function": "kill"},
    ]
    event = {"exception": {"values": [{"type": "PermissionError", "stacktrace": {"frames": frames}}]}}
    tags = {"process": "worker", "runbook": "restart-service", "step": "stop"}
    assert sentry._kind(event, tags) == ("runbook restart-service", "PermissionError", "tasks.act.process:signal:stop")
    assert sentry._kind({"message": "hello"}, tags) is None


def test_an_error_raised_from_a_reported_one_counts_as_reported():
    inner, outer = ValueError("inner"), RuntimeError("outer")
    outer.__cause__ = inner
    assert not sentry._reported(outer)
    sentry._mark(inner, "_forewatch_reported", True)
    assert sentry._reported(outer)


def test_an_error_keeps_the_tags_of_where_it_was_raised():
    with pytest.raises(ValueError) as raised, sentry.scope(flow="respond"), sentry.scope(step="stop", run=None):
        raise ValueError("no")
    assert raised.value._forewatch_tags == {"flow": "respond", "step": "stop"}


def test_without_a_dsn_nothing_of_the_sdk_is_imported():
    program = (
        "import sys; from forewatch.guard.sentry import start_sentry, report, scope, flush\n"
        "assert start_sentry('x') is False\n"
        "with scope(flow='x'): assert report(ValueError('x')) is False\n"
        "flush()\n"
        "assert 'sentry_sdk' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30, env={})
