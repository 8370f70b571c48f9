"""A configuration is parsed by one process and loaded by the others; whatever is doubtful is parsed."""

import logging
import os
import pickle

import pytest

from forewatch.config import parsed_cache
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import in_force, parse
from forewatch.config.models import RemedyOff

pytestmark = pytest.mark.unit

TEXT = """
services:
  - name: app
    depends_on: [db]
    checks:
      - {http: "http://127.0.0.1:1/", expect: {status: 200, body: ok, latency: 800ms}}
      - sql: {url: !secret env:APP_DB}
    objectives: [{availability: 99.9%}]
    remedies:
      - {on: ['alertname=~"Check.*"'], runbook: restart-service, with: {command: [./start.sh]}, autonomy: auto}
  - {name: db, maintenance: [nights]}
times: [{name: nights, zone: Europe/Berlin, ranges: [{times: ["02:00-06:00"]}]}]
rules: [{alert: Full, metric: system.filesystem.utilization, above: 90%}]
routes: [{match: ['severity=~"warning|info"'], notify: [hook], hold: 5s}]
notifiers: [{name: hook, webhook: {url: "http://127.0.0.1:1/", secret: !secret env:HOOK}}]
"""


def files(text=TEXT):
    return ConfigFiles((("/etc/forewatch.yaml", text),))


def there(home):
    return list(home.run.glob("*"))


@pytest.fixture
def home(store):
    store.home.create()
    return store.home


@pytest.fixture
def parses(monkeypatch):
    """How often a text is parsed."""
    seen = []

    def counted(files, off=()):
        seen.append(files)
        return in_force(files, off)

    monkeypatch.setattr(parsed_cache, "in_force", counted)
    return seen


def test_what_was_parsed_once_is_loaded_and_is_the_same(home, parses):
    first = parsed_cache.parsed(home, files())
    again = parsed_cache.parsed(home, files())
    assert len(parses) == 1
    assert again == first == parse(files())
    assert again.services[0].checks[1].sql.url == first.services[0].checks[1].sql.url


def test_remedies_that_are_off_are_off_in_what_is_kept_and_one_with_others_off_is_another(home, parses):
    off = (RemedyOff("app", 0, "restart-service", "forewatch.yaml:1:1: its runbook does not load"),)
    assert len(parsed_cache.parsed(home, files()).services[0].remedies) == 1
    for _ in range(2):
        found = parsed_cache.parsed(home, files(), off)
        assert (found.services[0].remedies, tuple(found.remedies_off)) == ([], off)
    assert len(parses) == 2


def test_it_is_readable_by_its_owner_alone_and_the_older_one_goes(home):
    parsed_cache.parsed(home, files())
    [before] = there(home)
    assert before.stat().st_mode & 0o777 == 0o600
    parsed_cache.parsed(home, files("services: [{name: shop}]"))
    [after] = there(home)
    assert after != before


def test_no_secret_is_written_down(home, monkeypatch):
    monkeypatch.setenv("HOOK", "hunter2-hunter2")
    parsed_cache.parsed(home, files())
    [path] = there(home)
    assert b"hunter2" not in path.read_bytes()


def test_a_text_with_a_variable_is_not_kept(home, monkeypatch, parses):
    monkeypatch.setenv("ADDRESS", "hunter2-hunter2")
    text = files('services: [{name: app, description: "${ADDRESS}"}]')
    assert parsed_cache.parsed(home, text).services[0].description == "hunter2-hunter2"
    parsed_cache.parsed(home, text)
    assert len(parses) == 2
    assert there(home) == []


def test_other_code_does_not_load_it(home, parses, monkeypatch):
    parsed_cache.parsed(home, files())
    monkeypatch.setattr(parsed_cache, "_code", lambda: "the next version")
    parsed_cache.parsed(home, files())
    assert len(parses) == 2


def test_a_damaged_file_is_parsed_instead(home, parses, caplog):
    parsed_cache.parsed(home, files())
    [path] = there(home)
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    assert parsed_cache.parsed(home, files()) == parse(files())
    assert len(parses) == 2
    assert "is damaged" in caplog.text


def test_what_cannot_be_loaded_is_parsed_instead(home, parses, caplog):
    import hashlib

    parsed_cache.parsed(home, files())
    [path] = there(home)
    content = pickle.dumps(parse(files())).replace(b"forewatch.config", b"forewatch.gonfic")
    path.write_bytes(hashlib.sha256(content).digest() + content)
    assert parsed_cache.parsed(home, files()) == parse(files())
    assert "cannot be loaded" in caplog.text


def test_a_file_that_others_could_have_written_is_not_loaded(home, parses, caplog):
    parsed_cache.parsed(home, files())
    [path] = there(home)
    path.chmod(0o620)
    parsed_cache.parsed(home, files())
    assert len(parses) == 2
    assert "others could have written it" in caplog.text


def test_a_link_in_its_place_is_not_followed(home, parses):
    parsed_cache.parsed(home, files())
    [path] = there(home)
    elsewhere = home.root / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    parsed_cache.parsed(home, files())
    assert len(parses) == 2


def test_a_folder_that_cannot_be_written_costs_only_time(home, parses, caplog, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with caplog.at_level(logging.INFO):
        assert parsed_cache.parsed(home, files()) == parse(files())
    assert "each process parses it" in caplog.text
