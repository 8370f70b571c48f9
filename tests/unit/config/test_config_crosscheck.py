"""What only makes sense together: names that must exist, be unique, or not form a circle."""

import pytest

pytestmark = pytest.mark.unit


def service(name: str, more: str = "") -> str:
    return f"  - {{name: {name}{', ' + more if more else ''}}}\n"


def rest(found: list[str]) -> list[str]:
    """The lines without the file's name."""
    return [line.removeprefix("forewatch.yaml:") for line in found]


def test_dangling_names_are_found_and_the_nearest_named(problems):
    text = (
        "services:\n" + service("catalogue") + service("shop", "depends_on: [catalog]")
        + "rules:\n  - {alert: A, metric: m, above: 1, service: shopp}\n"
        + "notifiers:\n  - {name: ops, console: {}}\n"
        + "routes:\n  - notify: [opps]\n"
    )  # fmt: skip
    assert rest(problems(text)) == [
        "3:31: services[1].depends_on[0]: there is no service catalog (did you mean catalogue?)",
        "5:37: rules[0].service: there is no service shopp (did you mean shop?)",
        "9:14: routes[0].notify[0]: there is no notifier opps (did you mean ops?)",
    ]


def test_what_is_implied_may_be_named(problems):
    text = "services:\n" + service("web", "depends_on: [host]") + "routes: [{notify: [console]}]\n"
    assert problems(text + "rules: [{alert: A, metric: m, above: 1, service: forewatch}]\n") == []


def test_runbooks_are_checked_where_they_are_known(problems):
    text = "services:\n" + service("web", "remedies: [{on: {}, runbook: restart-servce}]")
    assert problems(text) == []
    assert rest(problems(text, ["restart-service"])) == [
        "2:37: services[0].remedies[0].runbook: there is no runbook restart-servce (did you mean restart-service?)"
    ]


def test_names_stand_once(problems):
    text = (
        "services:\n" + service("web") + service("web")
        + "notifiers:\n  - {name: a, console: {}}\n  - {name: a, console: {}}\n"
        + "rules:\n  - {alert: A, metric: m, above: 1}\n  - {alert: A, metric: m, above: 2}\n"
        + "  - {alert: A, metric: m, above: 2, service: web}\n"
    )  # fmt: skip
    assert [line.partition(": ")[2] for line in problems(text)] == [
        "services[1].name: there is a service web already, in forewatch.yaml:2",
        "notifiers[1].name: there is a notifier a already, in forewatch.yaml:5",
        "rules[1].alert: there is a rule A already, in forewatch.yaml:8, for the same service; "
        "put the difference in the alert's name",
    ]


def test_two_checks_of_a_kind_need_names(problems):
    checks = "checks: [{tcp: 'a:1'}, {tcp: 'a:2'}, {name: x, tcp: 'a:3'}, {name: x, http: 'http://a'}]"
    assert [line.partition(": ")[2] for line in problems("services:\n" + service("web", checks))] == [
        "services[0].checks[1]: another tcp check without a name; add name: to tell them apart",
        "services[0].checks[3].name: checks[2] goes by the same name x",
    ]


def test_a_circle_of_dependencies_is_printed(problems):
    text = "services:\n" + "".join(
        service(name, f"depends_on: [{other}]") for name, other in ("ab", "bc", "ca", "dd")
    )  # fmt: skip
    assert [line.partition(": ")[2] for line in problems(text)] == [
        "services[0].depends_on: services depend on each other in a circle: a -> b -> c -> a",
        "services[3].depends_on: services depend on each other in a circle: d -> d",
    ]


def test_a_chain_of_thousands_is_no_circle(problems):
    text = "services:\n" + service("s0") + "".join(service(f"s{i}", f"depends_on: [s{i - 1}]") for i in range(1, 2000))
    assert problems(text) == []


def test_approve_is_refused_with_a_sentence(problems):
    [line] = problems("services:\n" + service("web", "remedies: [{on: {}, runbook: r, autonomy: approve}]"))
    assert "approve does not exist yet; use shadow" in line


@pytest.mark.parametrize(
    "where",
    ["heartbeat: {url: !secret 'prefect:x'}", "notifiers: [{name: a, webhook: {url: !secret prefect:x}}]"],
)
def test_a_page_must_leave_without_prefect(problems, where):
    [line] = problems(where)
    assert "must leave without Prefect" in line


def test_a_secret_is_refused_where_it_would_be_stored_or_shown(problems):
    [line] = problems("services:\n" + service("web", "remedies: [{on: {}, runbook: r, with: {a: [!secret env:X]}}]"))
    assert "neither a secret nor a ${VARIABLE} may stand here" in line
    [line] = problems("services:\n" + service("web", "checks: [{tcp: 'a:1', expect: {json: {a: !secret env:X}}}]"))
    assert "shown to people" in line
    [line] = problems("listen: !secret env:X")
    assert line == "forewatch.yaml:1:1: listen: a secret must be text"


def test_a_variable_is_refused_as_a_runbooks_input_for_it_may_be_a_secret(problems, monkeypatch):
    monkeypatch.setenv("API_KEY", "tops3cret")
    remedy = "remedies: [{on: {}, runbook: r, with: {a: '%s'}}]"
    [line] = problems("services:\n" + service("web", remedy % "key ${API_KEY}"))
    assert "neither a secret nor a ${VARIABLE} may stand here" in line
    assert problems("services:\n" + service("web", remedy % "costs 5$$")) == []


def test_matchers_are_parsed(problems):
    [line] = problems("""routes: [{notify: [console], match: ['service=~"("']}]""")
    assert line.startswith('forewatch.yaml:1:38: routes[0].match[0]: not a matcher: service=~"("')


@pytest.mark.parametrize(
    "url", ["ftp://a", "a", "http://", "http://a:x/", "http://a:99999/", "http://[a", "http://a b"]
)
def test_a_url_that_cannot_be_is_refused(problems, url):
    [line] = problems("services:\n" + service("web", f"checks: [{{http: '{url}'}}]"))
    assert f"{url} is not an address to probe" in line
    [line] = problems(f"notifiers: [{{name: a, webhook: {{url: '{url}'}}}}]")
    assert f"{url} is not a URL" in line


@pytest.mark.parametrize("address", ["a", "a:", ":80", "a:b", "a:0", "a:65536", "http://a:80", "a:80/x"])
def test_an_address_that_cannot_be_is_refused(problems, address):
    [line] = problems("services:\n" + service("web", f"checks: [{{tcp: '{address}'}}]"))
    assert "is not an address to probe (try HOST:PORT)" in line


def test_an_address_stands_for_each_instances(problems):
    def found(instances: str) -> list[str]:
        return problems(
            "services:\n" + service("web", f"instances: [{instances}], checks: [{{tcp: '{{address}}:80'}}]")
        )

    assert found("{name: a, address: 10.0.0.1}, {name: b, address: '[::1]'}") == []
    assert "the service has no instances" in found("")[0]
    assert "and b has none" in found("{name: b}")[0]
    assert "with the address of b is not HOST:PORT" in found("{name: b, address: 'x:1'}")[0]


def test_a_check_ends_before_its_next_one_begins(problems, config):
    [line] = problems("services:\n" + service("web", "checks: [{tcp: 'a:1', every: 1s, timeout: 2s}]"))
    assert "2s is longer than every (1s)" in line
    quick = config("services:\n" + service("web", "checks: [{tcp: 'a:1', every: 1s}]"))
    assert quick.services[0].checks[0].timeout == 1.0


def test_a_route_tells_somebody(problems):
    [line] = problems("routes: [{notify: []}]")
    assert "nobody would be notified" in line


def test_capacities_stand_once_belong_to_services_there_are_and_match_what_can_be_read(problems):
    text = (
        "services:\n" + service("orders")
        + "capacities:\n"
        + "  - {name: pool, metric: m, limit: 80, service: orderz}\n"
        + "  - {name: pool, metric: m, limit_metric: m}\n"
        + "  - {name: quota, metric: q, limit: 10GB, match: ['a=~\"(\"', 'b=1'], service: host}\n"
    )  # fmt: skip
    assert [line.partition(": ")[2] for line in problems(text)][:3] == [
        "capacities[0].service: there is no service orderz (did you mean orders?)",
        "capacities[1].name: there is a capacity pool already, in forewatch.yaml:4",
        "capacities[1].limit_metric: m is the metric itself; name the one that holds its limit",
    ]
    assert "capacities[2].match[0]: not a matcher:" in problems(text)[3]
    assert len(problems(text)) == 4


def test_benchmarks_of_a_service_have_names_of_their_own_and_addresses_to_reach(problems):
    front = "{name: front, url: 'http://a/'}"
    text = "services:\n" + service("web", f"benchmarks: [{front}, {front}]") + service("shop", f"benchmarks: [{front}]")
    assert [line.partition(": ")[2] for line in problems(text)] == [
        "services[0].benchmarks[1].name: there is a benchmark front already, in forewatch.yaml:2"
    ]
    text = "services:\n" + service("web", "benchmarks: [{name: a, url: web:8080}, {name: b, url: !secret prefect:url}]")
    assert [line.partition(": ")[2] for line in problems(text)] == [
        "services[0].benchmarks[0].url: web:8080 is not a URL (try http://HOST[:PORT]/PATH)",
        "services[0].benchmarks[1].url: prefect: secrets are not for benchmarks, which a terminal may run too",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "rules: [{alert: A, metric: m, above: 1, severity: criticl}]\n",
        "services: [{name: web, checks: [{tcp: 'a:1', severity: criticl}]}]\n",
        "routes: [{match: {severity: criticl}, notify: [console]}]\n",
        "routes: [{match: ['severity=criticl'], notify: [console]}]\n",
        "routes: [{routes: [{match: {severity: criticl}, notify: [console]}]}]\n",
        "inhibitions: [{source: {severity: criticl}, target: {}}]\n",
    ],
)
def test_a_severity_there_is_none_of_is_found_wherever_it_stands(problems, text):
    [line] = problems(text)
    assert "criticl" in line
    assert line.endswith("(did you mean critical?)")


def test_a_severity_far_from_any_is_said_with_those_there_are(problems):
    assert rest(problems("routes: [{match: {severity: page}}]\n")) == [
        "1:19: routes[0].match.severity: there is no severity page (there are critical, warning, info)"
    ]


def test_patterns_and_severities_of_senders_are_not_judged(problems):
    assert problems("routes: [{match: ['severity=~\"page|x\"', 'severity!=page']}]\n") == []
    assert problems("sources: [{name: a, alertmanager: {}}]\nroutes: [{match: {severity: page}}]\n") == []


@pytest.mark.parametrize(
    ("check", "what"),
    [
        ("{http: 'https://a', ca: ca.pem, verify_tls: false}", "verify_tls: false trusts every certificate"),
        ("{tcp: 'a:1', ca: ca.pem}", "ca is for http checks (a tls check takes it below tls:"),
        ("{tls: 'a:1', server_name: a}", "server_name is for http checks (a tls check takes it below tls:"),
    ],
)
def test_authorities_are_for_http_checks_that_verify(problems, check, what):
    assert what in problems(f"services: [{{name: web, checks: [{check}]}}]\n")[0]
    assert problems("services: [{name: web, checks: [{http: 'https://a', ca: ca.pem}]}]\n") == []
    assert problems("services: [{name: web, checks: [{http: 'https://10.0.0.5', server_name: a.example}]}]\n") == []
