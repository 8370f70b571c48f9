"""The commands there are: each imported when it is asked for, and light where somebody waits for a list."""

import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from forewatch import __version__
from forewatch.cli import COMMANDS, app
from forewatch.home import Home
from forewatch.orchestration.settings import Settings
from forewatch.store.engine import Store

pytestmark = pytest.mark.unit

LOOK = """
import sys
from forewatch.cli import app
try:
    app()
finally:
    print([name for name in ("sqlalchemy", "pydantic", "asyncio", "numpy", "prefect") if name in sys.modules])
"""


def typed(*words):
    return CliRunner().invoke(app, words, env={"COLUMNS": "120"})


@pytest.mark.parametrize("module", COMMANDS)
def test_the_commands_of_a_module_are_those_it_is_imported_for(module):
    part = typer.Typer()
    import_module(f"forewatch.commands.{module}").register(part)
    part.callback()(lambda: None)
    assert sorted(typer.main.get_command(part).commands) == sorted(COMMANDS[module])


def test_the_help_names_every_command():
    said = typed("--help").output
    for name in (name for names in COMMANDS.values() for name in names):
        assert f" {name} " in said


@pytest.mark.parametrize("word", ["--version", "version"])
def test_the_version_is_told(word):
    assert typed(word).output.removeprefix("forewatch ") == f"{__version__}\n"


def test_a_slip_in_a_command_is_said():
    ended = typed("statsu")
    assert ended.exit_code == 2
    assert "No such command 'statsu'" in ended.output


@pytest.mark.parametrize("words", [("incidents", "list"), ("incidents", "list", "--limit", "7"), ("status",)])
def test_status_and_the_list_of_incidents_import_nothing_heavy(words, tmp_path):
    """Together these libraries take a second: nobody waits that long for a list."""
    home = Home(tmp_path)
    home.create()
    Store.open(home, migrate=True).close()
    Settings(config="forewatch.yaml").write(home)
    ended = subprocess.run(
        [sys.executable, "-c", LOOK, *words, "--home", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stdout.splitlines()[-1] == "[]", ended


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("incidents", "list", "--limit", "many"), "valid integer"),
        (("incidents", "list", "--limit", "0"), "greater than or equal to 1"),
        (("up", "--port", "70000"), "less than or equal to 65535"),
    ],
)
def test_a_wrong_value_gets_the_sentence_it_always_had(words, said):
    ended = typed(*words)
    assert ended.exit_code == 2
    assert said in ended.output
