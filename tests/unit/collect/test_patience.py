"""A call that hangs is waited for only so long, and only one thread hangs with it."""

from __future__ import annotations

import threading

import pytest

from tasks.collect.patience import Patience

pytestmark = pytest.mark.unit


async def test_it_returns_what_the_call_returns_and_raises_what_it_raises() -> None:
    patience = Patience()
    assert await patience.call("a", lambda: 42, 5) == 42
    with pytest.raises(ZeroDivisionError):
        await patience.call("a", lambda: 1 // 0, 5)
    assert await patience.call("a", lambda: 43, 5) == 43


async def test_a_call_that_failed_may_be_made_again_at_once() -> None:
    patience = Patience()
    for _ in range(2_000):
        with pytest.raises(ZeroDivisionError):
            await patience.call("a", lambda: 1 // 0, 5)


async def test_a_hanging_call_fails_in_time_and_the_next_one_at_once() -> None:
    patience, release, calls = Patience(), threading.Event(), []

    def hang() -> None:
        calls.append(1)
        release.wait(30)

    with pytest.raises(TimeoutError, match=r"nfs has not answered within 0\.05s"):
        await patience.call("nfs", hang, 0.05)
    with pytest.raises(TimeoutError, match="since an earlier round"):
        await patience.call("nfs", hang, 30)
    assert len(calls) == 1
    assert await patience.call("another", lambda: 1, 5) == 1
    release.set()


async def test_once_it_answers_again_it_is_asked_again() -> None:
    patience, release = Patience(), threading.Event()
    with pytest.raises(TimeoutError):
        await patience.call("nfs", lambda: release.wait(30), 0.05)
    hanging = next(thread for thread in threading.enumerate() if thread.name == "collect nfs")
    release.set()
    hanging.join(5)
    assert await patience.call("nfs", lambda: 1, 5) == 1


async def test_a_time_out_of_the_call_itself_comes_through_as_it_is() -> None:
    def gives_up() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await Patience().call("a", gives_up, 5)
