"""`forewatch schema` takes what a file may say, and refuses the common slips."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from forewatch.cli import app
from forewatch.config.document import read_document
from forewatch.config.json_schema import config_schema
from forewatch.config.models import SET_BY_LOADER, Config
from forewatch.config.secrets import Secret
from forewatch.config.starter import STARTER

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = config_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def plain(value: object) -> object:
    """As an editor sees it: a `!secret` is a text with a tag."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.reference if isinstance(value, Secret) else value


def errors(text: str) -> list[str]:
    document = read_document("x.yaml", text, folder=".", environ={})
    return [error.message for error in VALIDATOR.iter_errors(plain(document.value))]


def examples() -> list[tuple[str, str]]:
    """Every configuration that the documentation and the examples show."""
    found = [("the starter configuration", STARTER)]
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        for text in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
            first = re.match(r"(?:#.*\n)*(\w+):", text)
            if first and first[1] in {*Config.model_fields, "include"}:
                found.append((page.name, text))
    found += [(file.name, file.read_text(encoding="utf-8")) for file in sorted((ROOT / "examples").rglob("*.yaml"))]
    return found


@pytest.mark.parametrize(("page", "text"), examples())
def test_every_configuration_that_is_shown_fits(page, text):
    assert errors(text) == []


def test_there_are_such_configurations():
    assert len(examples()) > 5


def test_the_schema_is_one_of_draft_2020_12_and_what_the_command_prints():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    printed = CliRunner().invoke(app, ["schema"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout) == SCHEMA


def test_every_key_has_its_place_and_folder_none():
    assert set(SCHEMA["properties"]) == ({"include"} | set(Config.model_fields)) - set(SET_BY_LOADER)


def test_defaults_are_written_as_a_person_writes_them():
    check = SCHEMA["$defs"]["Check"]["properties"]
    assert check["every"]["default"] == "10s"
    assert "minimum" not in check["every"]
    assert SCHEMA["$defs"]["Rule"]["properties"]["for"]["default"] == "0s"
    assert SCHEMA["$defs"]["Retention"]["properties"]["points"]["default"] == "7d"


def test_keys_are_explained_in_the_words_of_the_models():
    check = SCHEMA["$defs"]["Check"]["properties"]
    assert check["timeout"]["description"].startswith("Default 5 s")
    assert "uuid" in SCHEMA["$defs"]["HeartbeatTarget"]["properties"]["token"]["description"].lower()


@pytest.mark.parametrize(
    "text",
    [
        "metrics:\n",
        "include: conf.d/*.yaml\n",
        "include: [a.yaml, conf.d/*.yaml]\n",
        "services: [{name: a, checks: [{http: 'http://x/', every: 1h30m, expect: {json: {ok: true}}}]}]\n",
        "services: [{name: a, checks: [{sql: {url: !secret env:DB}, expect: {value: 1}}]}]\n",
        "services: [{name: a, checks: [{tls: 'a:1'}, {tls: {address: 'a:1'}}]}]\n",
        "rules: [{alert: a, metric: m, above: 90%}, {alert: b, metric: m, above: 0.9, for: 0s}]\n",
        "notifiers: [{name: a, webhook: {url: 'http://x/', secret: !secret file:key}}]\n",
    ],
)
def test_what_a_file_may_say_fits(text):
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "servces: []\n",
        "folder: /x\n",
        "services: [{checks: []}]\n",
        "services: [{name: A Shop}]\n",
        "services: [{name: a, checks: [{http: 'http://x/', every: 5}]}]\n",
        "services: [{name: a, checks: [{http: 'http://x/', every: 5 minutes}]}]\n",
        "services: [{name: a, checks: [{http: 'http://x/', tcp: 'a:1'}]}]\n",
        "services: [{name: a, checks: [{every: 5s}]}]\n",
        "services: [{name: a, checks: [{dns: {name: a, type: ANY}}]}]\n",
        "services: [{name: a, checks: [{heartbeat: {token: x, period: 1h, cron: '* * * * *'}}]}]\n",
        "services: [{name: a, checks: [{http: 'http://x/', severity: fatal}]}]\n",
        "notifiers: [{name: a}]\n",
        "rules: [{alert: a, metric: m, above: high}]\n",
    ],
)
def test_a_slip_does_not_fit(text):
    assert errors(text)
