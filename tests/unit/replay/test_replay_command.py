"""`forewatch replay` on a state folder, as a person calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from histories import SHOP, START, History
from sqlalchemy import text
from typer.testing import CliRunner, Result

from forewatch.cli import app
from forewatch.clock import MICROSECONDS, SystemClock
from forewatch.commands.replay import moment
from forewatch.errors import ConfigError, ForewatchError

pytestmark = pytest.mark.unit


@pytest.fixture
def history(begin: Callable[..., History]) -> History:
    history = begin()
    # The command asks the clock of this machine how long ago something was.
    history.clock.jump((SystemClock().now() - START) / MICROSECONDS - 3600)
    return history


def call(history: History, *words: str) -> Result:
    return CliRunner().invoke(app, ["replay", *words, "--home", str(history.store.home.root)])


def test_a_sound_history_ends_with_exit_0_and_one_line(history: History) -> None:
    history.fails()
    history.recovers()
    result = call(history)
    assert result.exit_code == 0
    assert result.stdout.startswith("2 observations, 2 decisions, all the same (")
    assert result.stdout.rstrip().endswith("decisions/s).")


def test_a_difference_ends_with_exit_1_and_a_sentence(history: History) -> None:
    history.fails()
    with history.store.decide() as conn:
        conn.execute(text("UPDATE decisions SET reasons = '[]'"))
    result = call(history)
    assert result.exit_code == 1
    assert result.stdout.startswith("1 observations, 1 decisions, 1 of them different")
    assert "CheckFailing was raised" in result.stdout
    found = json.loads(call(history, "--json").stdout)
    assert (found["observations"], found["same"], found["different"]) == (1, 0, 1)


def test_nothing_to_replay_is_said(history: History) -> None:
    assert call(history).stdout.startswith("Nothing was observed")
    history.fails()
    assert call(history, "--until", "2h").stdout.startswith("Nothing was observed")


def test_another_configuration_prints_what_it_would_have_changed(history: History, tmp_path: Path) -> None:
    history.fails()
    other = tmp_path / "new.yaml"
    other.write_text(SHOP.replace("notify: [ops]", "notify: [web]"), encoding="utf-8")
    result = call(history, "--config", str(other))
    assert result.exit_code == 0, result.output
    assert "ops would not have been notified (" in result.stdout
    assert json.loads(call(history, "--config", str(other), "--json").stdout)["told_lost"]["ops"][0]["id"] == "NT-1"


def test_another_configuration_with_nothing_to_replay(history: History, tmp_path: Path) -> None:
    other = tmp_path / "new.yaml"
    other.write_text(SHOP, encoding="utf-8")
    assert "Nothing has been observed yet" in call(history, "--config", str(other)).stdout


def test_a_broken_configuration_is_refused_with_its_line(history: History, tmp_path: Path) -> None:
    other = tmp_path / "new.yaml"
    other.write_text("routes: [{notfy: [ops]}]\n", encoding="utf-8")
    result = call(history, "--config", str(other))
    assert isinstance(result.exception, ConfigError)
    assert "new.yaml:1:" in str(result.exception)


def test_a_time_is_a_while_ago_or_a_moment() -> None:
    assert moment("--since", "1h", 2 * 3600 * MICROSECONDS) == 3600 * MICROSECONDS
    assert moment("--since", "1970-01-01T01:00:00+00:00", 0) == 3600 * MICROSECONDS
    with pytest.raises(ForewatchError, match="--since soon: neither a while ago"):
        moment("--since", "soon", 0)


def test_a_time_that_ends_before_it_begins_is_refused(history: History) -> None:
    result = call(history, "--since", "1h", "--until", "2h")
    assert isinstance(result.exception, ForewatchError)
    assert str(result.exception) == "--since 1h is after --until 2h"
