"""Objectives: the check they name exists, and each goes by a name of its own."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.unit

CHECKS = "    checks: [{name: page, http: 'http://shop/'}, {name: port, tcp: 'shop:1'}]\n"


def found(problems, *objectives: str, checks: str = CHECKS) -> list[str]:
    listed = "".join(f"      - {one}\n" for one in objectives)
    text = f"services:\n  - name: shop\n{checks}    objectives:\n{listed}"
    return [line.partition(": ")[2] for line in problems(text)]


def test_an_objective_names_a_check_there_is(problems):
    assert (
        found(problems, "{availability: 99.9%, check: page}", "{latency: {under: 1s, share: 99%}, check: port}") == []
    )
    assert found(problems, "{availability: 99.9%, check: pages}") == [
        "services[0].objectives[0].check: there is no check pages (did you mean page?)"
    ]


def test_a_service_without_checks_can_have_no_objective(problems):
    assert found(problems, "{availability: 99.9%}", checks="") == [
        "services[0].objectives: an objective is measured by a check, and the service has none; add one under checks:"
    ]


def test_two_of_a_kind_need_names(problems):
    same = "{availability: 99.9%}", "{availability: 99%, check: port}"
    assert found(problems, *same) == [
        "services[0].objectives[1]: objectives[0] goes by the name availability already; add name: to tell them apart"
    ]
    assert found(problems, same[0], "{name: availability, latency: {under: 1s, share: 99%}}") == [
        "services[0].objectives[1].name: objectives[0] goes by the same name availability"
    ]
    assert found(problems, same[0], "{name: port, availability: 99%}", "{latency: {under: 1s, share: 99%}}") == []
