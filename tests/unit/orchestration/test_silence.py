"""When does a Prefect server that lives count as hung?"""

from __future__ import annotations

import pytest

from forewatch.orchestration.supervisor import HUNG_AFTER, Silence

pytestmark = pytest.mark.unit


def test_a_server_that_answers_now_and_then_is_never_hung() -> None:
    silence = Silence(0.0)
    assert not any(silence.too_long(1, answers=second % 100 == 0, now=float(second)) for second in range(1000))


def test_a_server_that_lives_and_says_nothing_is_hung() -> None:
    silence = Silence(0.0)
    silence.too_long(1, answers=True, now=0.0)
    assert not silence.too_long(1, answers=False, now=HUNG_AFTER)
    assert silence.too_long(1, answers=False, now=HUNG_AFTER + 1)


def test_a_new_server_gets_its_own_time_to_start() -> None:
    silence = Silence(0.0)
    silence.too_long(1, answers=False, now=HUNG_AFTER - 1)
    assert not silence.too_long(2, answers=False, now=HUNG_AFTER + 5)
    assert silence.too_long(2, answers=False, now=2 * HUNG_AFTER + 6)


def test_a_server_that_is_just_being_restarted_is_not_hung() -> None:
    silence = Silence(0.0)
    assert not any(silence.too_long(None, answers=False, now=float(second)) for second in range(1000))
