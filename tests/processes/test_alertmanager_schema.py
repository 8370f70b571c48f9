"""Schemathesis on our OpenAPI of the compatible API: whatever it thinks of, the answer is one the document names."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import Deciding, Serving

from forewatch.console.alertmanager.posting import PATH

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = [
    ("GET", PATH),
    ("POST", PATH),
    ("GET", f"{PATH}/groups"),
    ("GET", "/api/v2/silences"),
    ("POST", "/api/v2/silences"),
    ("GET", "/api/v2/silence/{silence_id}"),
    ("DELETE", "/api/v2/silence/{silence_id}"),
    ("GET", "/api/v2/receivers"),
    ("GET", "/api/v2/status"),
    ("POST", "/-/reload"),
    ("GET", "/-/healthy"),
    ("HEAD", "/-/ready"),
]


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    serving = Serving(tmp_path_factory.mktemp("serving"))
    serving.start()
    with Deciding(serving.home):
        yield schemathesis.openapi.from_url(f"{serving.url}/openapi.json").include(path_regex=r"^/(api/v2|-)/")
    serving.stop()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_one_the_document_names(schema, method, path):
    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    def answers_as_described(case):
        case.call_and_validate(checks=CHECKS, timeout=20)

    answers_as_described()


def test_no_operation_is_left_out(schema):
    described = {(found.ok().method.upper(), found.ok().path) for found in schema.get_all_operations()}
    assert {path for _, path in described} == {path for _, path in OPERATIONS} | {"/-/ready"}
    assert {(method, path) for method, path in described if path.startswith("/api")} == {
        (method, path) for method, path in OPERATIONS if path.startswith("/api")
    }
