import pytest

from forewatch.config.secrets import Secret
from forewatch.guard.redact import redact

pytestmark = pytest.mark.unit


def test_a_revealed_secret_is_masked_from_then_on(monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "an-unusual-value")
    assert redact("says an-unusual-value") == "says an-unusual-value"
    Secret("env:HOOK_SECRET").reveal()
    assert redact("says an-unusual-value") == "says ***"
