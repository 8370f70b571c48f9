"""Whatever stands in a file, it is a configuration or a list of problems, never a traceback."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forewatch.config.check import check_file
from forewatch.config.files import ConfigFiles
from forewatch.config.loader import parse
from forewatch.config.starter import STARTER
from forewatch.errors import ConfigError

pytestmark = pytest.mark.unit

LINE = re.compile(r"[^:]+:\d+:\d+: \S.*")
SECRET = "value-of-the-variable"

GOOD = """\
services:
  - name: storefront
    depends_on: [catalogue]
    instances: [{name: a, address: 10.0.0.1}]
    checks:
      - &check {http: "http://${HOST}:8001/health", every: 1s, timeout: 500ms, expect: {status: [200, 204]}}
      - {<<: *check, name: b}
      - process: {pidfile: run/x.pid}
      - {dns: {name: "${HOST}", server: "10.0.0.53:53"}, expect: {answers: [10.0.0.1]}}
      - tls: {address: "${HOST}:443", ca: ca.pem}
      - {sql: {url: !secret env:DATABASE, query: SELECT 1}, expect: {value: 1, rows: 1}}
      - {systemd: {unit: shop.service}, expect: {state: [active]}}
      - heartbeat: {token: 0b5e1a6c-7d8e-4f90-a1b2-c3d4e5f60718, cron: "0 3 * * *", zone: Europe/Berlin, grace: 1h}
    remedies:
      - {on: ['alertname=~"Check.*"'], runbook: restart-service, with: {command: [./start.sh]}, autonomy: auto}
  - name: catalogue
rules:
  - {alert: DiskFilling, metric: system.filesystem.utilization, statistic: max, above: 90%, for: 5m, clear: 80%}
notifiers:
  - {name: hook, webhook: {url: !secret file:url, secret: !secret env:HOOK, headers: {a: "${HOST}"}}}
routes:
  - {match: {severity: critical}, notify: [hook], hold: 0s}
heartbeat: {url: "https://${HOST}/"}
"""
PIECES = [
    "\t", "  ", "- ", ": ", "[", "]", "{", "}", "*check", "&a ", "<<: ", "!secret ", "${HOST}", "${", "null", "5", "-1",
    "1e999", ".nan", '"', "'", "\n", "|", "#", "\x00", "\ud800", "é", "\u2028", "name: x\n", "service", "9" * 30, "%",
    "---\n",
]  # fmt: skip

few = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def problems_of(text: str) -> list[str]:
    files = ConfigFiles((("/x/forewatch.yaml", text),))
    try:
        parse(files, known_runbooks=["restart-service"], environ={"HOST": SECRET})
    except ConfigError as error:
        return error.problems or ["an error without a problem"]
    return []


def check(text: str) -> None:
    for problem in problems_of(text):
        assert LINE.fullmatch(problem)
        assert SECRET not in problem


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good text with some slices cut out, doubled or replaced by pieces that mean something to YAML."""
    text = draw(st.sampled_from([GOOD, STARTER]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(st.sampled_from(["", text[start:end] * 2, *PIECES])) + text[end:]
    return text


def test_the_text_that_is_mutated_is_good():
    assert problems_of(GOOD) == []


@few
@given(mutated())
def test_mutations_of_a_good_file(text):
    check(text)


@few
@given(st.text())
def test_any_text(text):
    check(text)


@few
@given(st.lists(st.sampled_from([*PIECES, "services:", "checks:", "rules:", "a", " "]), max_size=30).map("".join))
def test_any_row_of_yamls_own_signs(text):
    check(text)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["x", "5s", "${HOST}", "a: b", "ä", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["name", "checks", "http", "every", "on", "match", "notify", "webhook", "url", "status", "for", "process",
         "dns", "tls", "sql", "systemd", "heartbeat", "token", "cron", "zone", "unit", "address"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def flow(value: object) -> str:
    """A value as YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str):
        return f"'{value}'"
    return {None: "null", True: "true", False: "false"}.get(value, str(value))  # type: ignore[arg-type]


@few
@given(st.sampled_from(["services", "rules", "notifiers", "routes", "metrics", "heartbeat", "shifts"]), _VALUES)
def test_values_of_any_shape(key, value):
    check(f"{key}: {flow(value)}\n")
    check(f"{key}: [{flow(value)}]\n")


@few
@given(content=st.binary() | st.binary().map(lambda tail: b"services:\n" + tail))
def test_any_bytes(tmp_path, content):
    path = tmp_path / "forewatch.yaml"
    path.write_bytes(content)
    for problem in check_file(path).problems:
        assert LINE.fullmatch(problem)
