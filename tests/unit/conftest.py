"""For all unit tests."""

from __future__ import annotations

import pytest

from forewatch.guard import redact as guard


@pytest.fixture(autouse=True)
def secrets_of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test declares secret is masked in no other's texts: `shop` is a password here and a service there."""
    monkeypatch.setattr(guard, "_remembered", {})
    monkeypatch.setattr(guard, "_longest_first", ())
