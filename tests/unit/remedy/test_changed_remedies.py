"""Which services have other remedies than before."""

import pytest

from forewatch.config.models import Config
from forewatch.remedy.changed import changed_remedies

pytestmark = pytest.mark.unit


def config(**autonomies):
    return Config.model_validate(
        {
            "services": [
                {
                    "name": name,
                    "remedies": [{"on": {}, "runbook": "restart-service", "autonomy": autonomy}] if autonomy else [],
                }
                for name, autonomy in autonomies.items()
            ]
        }
    )


def test_the_same_remedies_are_no_change():
    assert changed_remedies(config(shop="auto", stock=None), config(shop="auto", stock=None)) == []


def test_another_autonomy_is():
    assert changed_remedies(config(shop="shadow", stock="auto"), config(shop="auto", stock="auto")) == ["shop"]


def test_a_new_remedy_is_and_so_is_one_that_went():
    assert changed_remedies(config(shop=None, stock="auto"), config(shop="auto", stock=None)) == ["shop", "stock"]


def test_a_new_service_with_remedies_is_and_one_without_is_not():
    assert changed_remedies(config(), config(shop="auto", stock=None)) == ["shop"]
