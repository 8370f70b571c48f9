"""The OpenAPI says what is answered: whatever schemathesis thinks of, at every path beside the compatible API's."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import CONFIGURATION, Deciding, Serving

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
SOURCES = """\
  - {name: grafana, grafana: {}}
  - {name: kuma, kuma: {}, token: 0123456789abcdef0123}
  - {name: pagerduty, pagerduty: {}, token: RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR}
  - {name: json, json: {labels: {alertname: x}}}
"""
PUSH, JOB, RUN = "/api/push/{token}", "/ping/{token}", "/ping/{token}/{action}"
OPERATIONS = [
    *(("GET", path) for path in ("/", "/healthz", "/incidents", "/incidents/{incident_id}", "/metrics")),
    *(("GET", path) for path in ("/pictures/anomaly/{number}.svg", "/pictures/forecast/{series_id}.svg")),
    *((method, path) for path in (JOB, RUN) for method in ("GET", "HEAD", "POST")),
    *((method, PUSH) for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")),
    *(("POST", path) for path in ("/intake/{name}", "/v2/enqueue", "/v2/change/enqueue")),
]


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    serving = Serving(tmp_path_factory.mktemp("serving"), CONFIGURATION + SOURCES)
    serving.start()
    with Deciding(serving.home):
        yield serving
    serving.stop()


@pytest.fixture(scope="module")
def schema(serving):
    return schemathesis.openapi.from_url(f"{serving.url}/openapi.json").exclude(path_regex=r"^/(api/v2|-)/")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_one_the_document_names(schema, method, path):
    # Of `/healthz`, 503 is what it is for.
    checks = CHECKS if path == "/healthz" else [not_a_server_error, *CHECKS]

    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    def answers_as_described(case):
        case.call_and_validate(checks=checks, timeout=20)

    answers_as_described()


def test_no_operation_is_left_out(schema):
    described = {(found.ok().method.upper(), found.ok().path) for found in schema.get_all_operations()}
    assert described == set(OPERATIONS)


def test_a_method_that_is_not_taken_is_told_all_that_are(serving):
    paths = httpx.get(f"{serving.url}/openapi.json", trust_env=False).json()["paths"]
    for path, methods in paths.items():
        answer = httpx.request("TRACE", f"{serving.url}{path.replace('{', '').replace('}', '')}", trust_env=False)
        told = set(answer.headers.get("Allow", "").split(", "))
        assert answer.status_code == 405, path
        assert told == {method.upper() for method in methods}, path


def test_a_request_for_another_host_and_a_picture_of_nothing_are_described(serving):
    assert httpx.get(f"{serving.url}/pictures/forecast/99999999999999999999999.svg", trust_env=False).status_code == 404
    foreign = httpx.get(f"{serving.url}/metrics", headers={"Host": "evil.example"}, trust_env=False)
    described = httpx.get(f"{serving.url}/openapi.json", trust_env=False).json()["paths"]["/metrics"]["get"][
        "responses"
    ]
    assert str(foreign.status_code) in described
