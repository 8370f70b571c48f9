"""The kinds of checks as they are written, and what is said of slips in them."""

from __future__ import annotations

import pytest

from forewatch.checking.results import monitors
from forewatch.config.models import CHECK_KINDS, Check
from forewatch.config.targets import name_server

pytestmark = pytest.mark.unit

TOKEN = "0b5e1a6c-7d8e-4f90-a1b2-c3d4e5f60718"
EACH = {
    "http": "http://127.0.0.1/",
    "tcp": "127.0.0.1:1",
    "process": {"name": "x"},
    "command": ["true"],
    "dns": {"name": "shop.example"},
    "tls": "shop.example:443",
    "sql": {"url": "sqlite://"},
    "systemd": {"unit": "shop.service"},
    "heartbeat": {"token": TOKEN, "period": 3600.0},
}


def check(text: str) -> str:
    return f"services:\n  - name: shop\n    checks:\n      - {text}\n"


def test_every_kind_goes_by_its_name():
    assert set(EACH) == set(CHECK_KINDS)
    for kind, target in EACH.items():
        made = Check.model_validate({kind: target})
        assert (made.kind, made.label) == (kind, kind)
        assert (made.fails_after, made.recovers_after) == ((1, 1) if kind == "heartbeat" else (3, 2))


def test_defaults_of_what_is_looked_at(config):
    [service] = config(
        "services:\n  - name: shop\n    checks:\n"
        "      - dns: {name: shop.example}\n"
        "      - tls: {address: shop.example:443, ca: ca.pem}\n"
        "      - sql: {url: !secret env:DATABASE}\n"
        f"      - heartbeat: {{token: {TOKEN}, period: 1h}}\n"
    ).services
    dns, tls, sql, heartbeat = (getattr(check, check.kind) for check in service.checks)
    assert (dns.type, dns.server) == ("A", None)
    assert tls.server_name is None
    assert sql.query == "SELECT 1"
    assert (heartbeat.period, heartbeat.grace, heartbeat.zone) == (3600.0, 300.0, "UTC")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("dns: {name: shop.example, type: ANY}", "dns.type: ANY must be one of A, AAAA, CNAME, "),
        ("dns: {name: x, server: dns.example}", "dns.server: dns.example is not an address to probe (try IP[:PORT])"),
        ("dns: {name: x, server: '127.0.0.1:0'}", "dns.server: 127.0.0.1:0 is not an address to probe"),
        ("tls: shop.example", "tls: shop.example is not an address to probe (try HOST:PORT)"),
        ("tls: {address: shop.example}", "tls.address: shop.example is not an address to probe (try HOST:PORT)"),
        ("sql: {url: shop.db}", "sql.url: a database is written as SQLAlchemy does (try postgresql://"),
        ("systemd: {unit: --version}", "systemd.unit: --version is not a unit's name (try shop.service)"),
        ("systemd: {unit: a b}", "systemd.unit: a b is not a unit's name"),
        ("heartbeat: {token: abc, period: 1h}", "heartbeat.token: the token is not a UUID (uuidgen makes one)"),
        (f"heartbeat: {{token: {TOKEN}}}", "heartbeat: needs exactly one of period, cron"),
        (f"heartbeat: {{token: {TOKEN}, period: 1h, cron: '0 3 * * *'}}", "heartbeat: needs exactly one of period"),
        (f"heartbeat: {{token: {TOKEN}, cron: '0 25 * * *'}}", '"0 25 * * *" is not a cron expression: bad hour'),
        (f"heartbeat: {{token: {TOKEN}, cron: '0 3 * * *', zone: Europe/Berln}}", "(try Europe/Berlin)"),
        (f"heartbeat: {{token: {TOKEN}, period: 0s}}", "heartbeat.period: 0s is out of range: at least 1s"),
        (
            "http: http://127.0.0.1/\n        expect: {rows: 1}",
            "rows is expected of sql checks, and this is one of http",
        ),
        ("tcp: a:1\n        expect: {answers: []}", "answers is expected of dns checks, and this is one of tcp"),
        ("sql: {url: 'sqlite://'}\n        expect: {state: active}", "state is expected of systemd checks"),
    ],
)
def test_a_slip_is_told_where_it_is(problems, text, problem):
    found = problems(check(text))
    assert any(problem in line for line in found), found


def test_a_token_or_password_is_never_shown(problems):
    found = problems(check("heartbeat: {token: hunter2222, period: 1h}"))
    assert found
    assert not any("hunter2222" in line for line in found)


def test_two_jobs_may_not_call_by_one_token(problems):
    text = "services:\n  - name: shop\n    checks:\n" + "".join(
        f"      - {{name: {name}, heartbeat: {{token: {token}, period: 1h}}}}\n"
        for name, token in (("a", TOKEN), ("b", TOKEN.upper()))
    )
    assert any("another heartbeat has the same token, in forewatch.yaml:4" in line for line in problems(text))


def test_the_address_of_each_instance_may_stand_in_every_network_check(config):
    found = config(
        "services:\n  - name: shop\n    instances: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}]\n"
        "    checks:\n"
        "      - tls: '{address}:443'\n"
        "      - name: tls-more\n        tls: {address: '{address}:443', server_name: shop.example}\n"
        "      - dns: {name: shop.example, server: '{address}'}\n"
        "      - sql: {url: 'postgresql://shop@{address}/shop'}\n"
        "      - systemd: {unit: shop.service}\n"
    )
    assert [monitor.key.instance for monitor in monitors(found)] == ["a", "b"] * 4 + ["default"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.53", ("10.0.0.53", 53)),
        ("10.0.0.53:5353", ("10.0.0.53", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
        ("[::1]", ("::1", 53)),
    ],
)
def test_a_name_server_is_an_address_with_or_without_a_port(text, found):
    assert name_server(text) == found


@pytest.mark.parametrize("text", ["", "dns", "1.2.3.4:", "1.2.3.4:99999", "[::1]:x", "[::1", "1.2.3.4:1:2"])
def test_anything_else_is_no_name_server(text):
    with pytest.raises(ValueError):
        name_server(text)
