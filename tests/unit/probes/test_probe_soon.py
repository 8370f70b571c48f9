"""A check is asked now: its own round is brought forward, and counts as any other."""

import asyncio
import itertools
import random

import pytest
from test_probe_engine import Watch, config, http
from virtual_loop import run

from forewatch.checking.results import CheckKey
from forewatch.config.models import Config
from tasks.shifts.looks import Looks

pytestmark = pytest.mark.unit

HOME = CheckKey("shop", "home", "default")
PATIENT = http("home", every="600s", fails_after=3, recovers_after=2)


def scene(act, *checks, takes=0.0):
    """Start a watch of `checks`, let one round pass, then `act(watch, looks)`."""

    async def whole():
        watch = Watch(config(*(checks or [PATIENT])), first_round=0.0, rng=random.Random(1))
        watch.takes = {"home": takes}
        await watch.engine.start()
        await asyncio.sleep(1.5 + takes)
        try:
            return await act(watch, Looks(None, None, watch.engine, None)), watch
        finally:
            await watch.engine.stop()

    return run(whole())


def test_its_next_result_comes_at_once():
    async def act(watch, looks):
        began = asyncio.get_running_loop().time()
        result = await watch.engine.soon(HOME)
        assert asyncio.get_running_loop().time() == pytest.approx(began)
        return result

    result, watch = scene(act)
    assert (result.key, result.result.ok) == (HOME, True)
    assert len(watch.starts["home"]) == 2


def test_the_grid_of_its_moments_stays():
    async def act(watch, looks):
        await watch.engine.soon(HOME)
        await asyncio.sleep(130)

    _, watch = scene(act, http("home", every="60s"))
    first, brought_forward, *others = watch.starts["home"]
    assert brought_forward - first == pytest.approx(1.5, abs=0.01)
    assert {round(b - a, 6) for a, b in itertools.pairwise(others)} == {60.0}


def test_never_are_there_two_rounds_at_once():
    async def act(watch, looks):
        first = watch.engine.soon(HOME)
        await asyncio.sleep(0.1)
        assert watch.running["home"] == 1
        second = watch.engine.soon(HOME)
        assert first is second
        return await second

    _, watch = scene(act, takes=0.5)
    assert len(watch.starts["home"]) == 2


def test_it_counts_as_a_round_towards_the_checks_own_verdict():
    async def act(watch, looks):
        watch.world["home"] = False
        return [(await watch.engine.soon(HOME)).state for _ in range(3)]

    states, watch = scene(act)
    assert [(state.status, state.failures) for state in states] == [("up", 1), ("up", 2), ("down", 3)]
    assert watch.kinds() == ["AlertRaised"]


def test_the_transition_is_taken_before_who_asked_hears_of_the_result():
    async def act(watch, looks):
        watch.world["home"] = False
        await watch.engine.soon(HOME)
        return watch.kinds()

    kinds, _ = scene(act, http("home", every="60s"))
    assert kinds == ["AlertRaised"]


def test_what_is_not_watched_gives_nothing():
    async def act(watch, looks):
        return watch.engine.soon(CheckKey("shop", "gone", "default"))

    assert scene(act)[0] is None


def test_what_is_watched_no_longer_is_unknown_and_nobody_waits_for_it():
    async def act(watch, looks):
        asking = asyncio.create_task(looks.see([HOME]))
        await asyncio.sleep(0.1)
        await watch.engine.reconfigure(Config())
        return await asking

    seen, _ = scene(act, takes=30.0)
    assert [(one["ok"], one["status"]) for one in seen] == [(None, "unknown")]


class TestLooks:
    def test_a_result_younger_than_a_second_costs_no_probe(self):
        async def act(watch, looks):
            await watch.engine.soon(HOME)
            await asyncio.sleep(0.9)
            return await looks.see([HOME])

        seen, watch = scene(act)
        assert seen[0]["ok"] is True
        assert len(watch.starts["home"]) == 2

    def test_one_whose_decision_took_long_is_as_old_as_what_was_seen(self):
        async def act(watch, looks):
            async def take(event):
                await asyncio.sleep(5)

            watch.engine._on_transition = take
            watch.world["home"] = False
            await watch.engine.soon(HOME)
            watch.world["home"] = True
            watch.engine._on_transition = watch.on_transition
            return await looks.see([HOME])

        seen, watch = scene(act, http("home", every="600s"))
        assert seen[0]["ok"] is True, "it passes now, and has failed five seconds ago"
        assert len(watch.starts["home"]) == 3

    def test_an_older_one_is_probed_anew(self):
        async def act(watch, looks):
            watch.world["home"] = False
            return await looks.see([HOME])

        seen, watch = scene(act)
        assert seen == [
            {"service": "shop", "check": "home", "instance": "default", "ok": False, "reason": "broken",
             "at": seen[0]["at"], "status": "up"},
        ]  # fmt: skip
        assert len(watch.starts["home"]) == 2

    def test_what_does_not_answer_within_two_seconds_is_unknown_and_its_round_goes_on(self):
        async def act(watch, looks):
            watch.takes["home"] = 5.0
            began = asyncio.get_running_loop().time()
            seen = await looks.see([HOME])
            took = asyncio.get_running_loop().time() - began
            assert watch.running["home"] == 1
            return seen, took

        (seen, took), _ = scene(act)
        assert took == pytest.approx(2.0, abs=0.01)
        assert (seen[0]["ok"], seen[0]["reason"], seen[0]["status"]) == (None, "no answer within 2s", "up")

    def test_a_review_probes_a_check_once_in_its_own_period_at_most(self):
        async def act(watch, looks):
            for _ in range(5):
                await looks.see([HOME], urgent=False)
                await asyncio.sleep(5)
            early = len(watch.starts["home"])
            await looks.see([HOME], urgent=True)
            return early, len(watch.starts["home"])

        assert scene(act)[0] == (2, 3)

    def test_what_has_grown_old_while_a_slow_one_was_waited_for_is_probed_once_more(self):
        other = CheckKey("shop", "other", "default")

        async def act(watch, looks):
            watch.takes["other"] = 5.0
            watch.world["home"] = False
            asking = asyncio.create_task(looks.see([HOME, other]))
            await asyncio.sleep(1.0)
            watch.world["home"] = True
            return await asking

        seen, watch = scene(act, PATIENT, http("other", every="600s"))
        assert [one["ok"] for one in seen] == [True, None], "it passes now, whatever it said two seconds ago"
        assert len(watch.starts["home"]) == 3

    def test_what_its_own_round_has_said_meanwhile_counts(self):
        other = CheckKey("shop", "other", "default")

        async def act(watch, looks):
            watch.takes["other"] = 5.0
            watch.world["home"] = False
            asking = asyncio.create_task(looks.see([HOME, other]))
            await asyncio.sleep(1.2)
            watch.world["home"] = True
            await watch.engine.soon(HOME)
            return await asking

        seen, watch = scene(act, PATIENT, http("other", every="600s"))
        assert [one["ok"] for one in seen] == [True, None]
        assert len(watch.starts["home"]) == 3

    def test_one_that_does_not_answer_soon_then_stays_as_it_was(self):
        other = CheckKey("shop", "other", "default")

        async def act(watch, looks):
            watch.takes["other"] = 5.0
            watch.world["home"] = False
            asking = asyncio.create_task(looks.see([HOME, other]))
            await asyncio.sleep(1.0)
            watch.takes["home"] = 5.0
            began = asyncio.get_running_loop().time()
            return await asking, asyncio.get_running_loop().time() - began

        (seen, took), _ = scene(act, PATIENT, http("other", every="600s"))
        assert [one["ok"] for one in seen] == [False, None]
        assert took == pytest.approx(1.25, abs=0.01)
