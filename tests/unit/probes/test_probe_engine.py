"""The engine with a fake probe, on a loop with virtual time."""

import asyncio
import itertools
from pathlib import Path

import pytest
from virtual_loop import LoopClock, run

from forewatch.checking.results import CheckKey, CheckState, ProbeResult, monitors
from forewatch.config.models import Config
from forewatch.incidents.events import AlertCleared, AlertRaised
from tasks.probes.engine import AT_A_TIME, BATCH, MANY, TOGETHER, CheckEngine
from tasks.probes.own_lateness import RAN_LATE

pytestmark = pytest.mark.unit

PASS = ProbeResult(True, 0.0, "fine")
FAIL = ProbeResult(False, 0.0, "broken")


def config(*checks: dict, service: str = "shop") -> Config:
    return Config.model_validate({"services": [{"name": service, "checks": list(checks)}]})


def http(name: str, every: str = "1s", **more) -> dict:
    return {"name": name, "http": f"http://{name}/", "every": every, "fails_after": 1, "recovers_after": 1, **more}


class Watch:
    """An engine with a scripted world: `world[name]` is whether a check passes, `takes[name]` how long it needs."""

    def __init__(self, config: Config, states=None, **more) -> None:
        self.world: dict[str, bool] = {}
        self.takes: dict[str, float] = {}
        self.starts: dict[str, list[float]] = {}
        self.running: dict[str, int] = {}
        self.told: list[tuple[float, object]] = []
        self.batches: list[tuple[float, list]] = []
        self.refuse = False
        self.engine = CheckEngine(
            config, Path("."), states or {}, self.on_transition, self.on_results,
            clock=LoopClock(), probe=self.probe, **more,
        )  # fmt: skip

    async def probe(self, check, instance, context) -> ProbeResult:
        name = check.label
        self.starts.setdefault(name, []).append(asyncio.get_running_loop().time())
        self.running[name] = self.running.get(name, 0) + 1
        assert self.running[name] == 1, f"{name} overlaps itself"
        try:
            await asyncio.sleep(self.takes.get(name, 0.0))
        finally:
            self.running[name] -= 1
        return PASS if self.world.get(name, True) else FAIL

    async def on_transition(self, event) -> None:
        if self.refuse:
            raise OSError("disk full")
        self.told.append((asyncio.get_running_loop().time(), event))

    async def on_results(self, results) -> None:
        if self.refuse:
            raise OSError("disk full")
        self.batches.append((asyncio.get_running_loop().time(), results))

    def kinds(self) -> list[str]:
        return [type(event).__name__ for _, event in self.told]


def test_each_check_keeps_its_own_cadence_without_drift():
    async def scene():
        watch = Watch(config(http("quick"), http("slow", every="7s")))
        watch.takes = {"quick": 0.3, "slow": 0.3}
        await watch.engine.start()
        await asyncio.sleep(70)
        await watch.engine.stop()
        return watch

    watch = run(scene())
    quick = watch.starts["quick"]
    assert len(quick) == 70
    assert quick[-1] - quick[0] == pytest.approx(69, abs=1e-6)
    # The first probe of a slow check comes early; from the second on it keeps its grid.
    slow = watch.starts["slow"]
    assert slow[0] - 1000 < 5
    assert {round(b - a, 6) for a, b in itertools.pairwise(slow[1:])} == {7.0}


def test_first_probes_are_spread_and_all_held_within_five_seconds():
    async def scene():
        watch = Watch(config(*(http(f"c{n}", every="60s") for n in range(200))))
        await watch.engine.start()
        await asyncio.sleep(5)
        await watch.engine.stop()
        return watch

    firsts = sorted(starts[0] - 1000 for starts in run(scene()).starts.values())
    assert len(firsts) == 200
    assert firsts[-1] <= 5
    assert all(any(second <= first < second + 1 for first in firsts) for second in range(5))


def test_a_slow_target_delays_no_other_and_never_overlaps_itself():
    async def scene():
        watch = Watch(config(http("hung"), http("fine")), first_round=0.0)
        watch.takes = {"hung": 3.5}
        await watch.engine.start()
        await asyncio.sleep(20.1)
        pulse = watch.engine.pulse()
        await watch.engine.stop()
        return watch, pulse

    watch, pulse = run(scene())
    fine = watch.starts["fine"]
    assert len(fine) >= 20
    assert pulse.lateness_max < 0.001
    gaps = [b - a for a, b in itertools.pairwise(watch.starts["hung"][1:])]
    assert gaps == pytest.approx([4.0] * len(gaps))  # missed rounds are left out, the grid stays


def test_no_more_probes_run_at_once_than_allowed_and_lateness_tells():
    async def scene():
        watch = Watch(config(*(http(f"c{n}", every="10s") for n in range(9))), at_once=3, first_round=0.0)
        watch.takes = {f"c{n}": 1.0 for n in range(9)}
        most = 0
        await watch.engine.start()
        for _ in range(40):
            await asyncio.sleep(0.1)
            most = max(most, sum(watch.running.values()))
        pulse = watch.engine.pulse()
        await watch.engine.stop()
        return watch, most, pulse

    watch, most, pulse = run(scene())
    assert most == 3
    assert len(watch.starts) == 9
    assert pulse.lateness_max == pytest.approx(2.0, abs=0.01)


def test_a_suspended_loop_does_not_make_up_for_missed_rounds():
    async def scene():
        watch = Watch(config(http("c")))
        await watch.engine.start()
        await asyncio.sleep(3)
        before = len(watch.starts["c"])
        asyncio.get_running_loop().passed += 600
        await asyncio.sleep(2.5)
        pulse = watch.engine.pulse()
        await watch.engine.stop()
        return len(watch.starts["c"]) - before, pulse

    after, pulse = run(scene())
    assert 3 <= after <= 4
    assert pulse.lateness_max > 500


def test_a_transition_is_told_before_the_batch_that_carries_it():
    async def scene():
        watch = Watch(config(http("c")))
        await watch.engine.start()
        await asyncio.sleep(3)
        watch.world["c"] = False
        await asyncio.sleep(2)
        watch.world["c"] = True
        await asyncio.sleep(2)
        await watch.engine.stop()
        return watch

    watch = run(scene())
    assert watch.kinds() == ["AlertRaised", "AlertCleared"]
    told = watch.told[0][0]
    carried = next(at for at, batch in watch.batches for one in batch if not one.result.ok)
    assert told <= carried <= told + BATCH + 0.001
    assert sum(len(batch) for _, batch in watch.batches) == len(watch.starts["c"])


def test_a_transition_that_is_refused_is_told_again_soon_and_no_result_is_lost():
    async def scene():
        watch = Watch(config(http("c", every="60s")))
        watch.world["c"] = False
        watch.refuse = True
        await watch.engine.start()
        await asyncio.sleep(10)
        assert watch.engine.states[CheckKey("shop", "c", "default")].status == "unknown"
        watch.refuse = False
        await asyncio.sleep(1.5)
        state = watch.engine.states[CheckKey("shop", "c", "default")]
        await watch.engine.stop()
        return watch, state

    watch, state = run(scene())
    assert watch.kinds() == ["AlertRaised"]
    assert state.status == "down"
    assert sum(len(batch) for _, batch in watch.batches) == len(watch.starts["c"])


def test_a_probe_that_breaks_ends_only_its_own_check():
    async def scene():
        watch = Watch(config(http("good"), http("broken")))
        probe = watch.probe

        async def sometimes(check, instance, context):
            if check.label == "broken":
                raise ValueError("a bug")
            return await probe(check, instance, context)

        watch.engine._probe = sometimes
        await watch.engine.start()
        await asyncio.sleep(5)
        await watch.engine.stop()
        return watch

    watch = run(scene())
    assert len(watch.starts["good"]) == 5
    assert "AlertRaised" in watch.kinds()


def test_a_relief_goes_on_in_the_rhythm_and_the_state_of_the_watch_before():
    async def scene():
        long = config(http("hourly", every="1h"), http("c", every="10s"))
        keys = [monitor.key for monitor in monitors(long)]
        ago = LoopClock().now()
        states = {
            keys[0]: CheckState("up", successes=1, since=1, at=ago - 600_000_000),
            keys[1]: CheckState("unknown", failures=2, since=1, at=ago - 4_000_000),
        }
        watch = Watch(long, states)
        watch.world["c"] = False
        await watch.engine.start()
        await asyncio.sleep(3600)
        await watch.engine.stop()
        return watch

    watch = run(scene())
    assert watch.starts["hourly"] == [pytest.approx(1000 + 3000)]  # not probed anew at every relief
    assert watch.starts["c"][0] == pytest.approx(1006)
    event = watch.told[0][1]
    assert isinstance(event, AlertRaised)
    assert event.values["failures"] == 3


def test_alerts_of_checks_no_longer_configured_are_cleared_at_the_start():
    async def scene():
        labels = dict(monitors(config(http("old")))[0].labels)
        watch = Watch(config(http("new")), firing=[labels])
        await watch.engine.start()
        await watch.engine.stop()
        return watch, labels

    watch, labels = run(scene())
    event = watch.told[0][1]
    assert isinstance(event, AlertCleared)
    assert event.labels == labels


def test_reconfiguring_leaves_unchanged_checks_alone_and_clears_the_removed_ones():
    async def scene():
        watch = Watch(config(http("stays", every="10s"), http("goes"), http("healthy")))
        watch.world = {"goes": False}
        await watch.engine.start()
        await asyncio.sleep(11)
        grid = watch.starts["stays"][-1]
        await watch.engine.reconfigure(config(http("stays", every="10s"), http("comes")))
        gone = len(watch.starts["goes"])
        await asyncio.sleep(11)
        await watch.engine.stop()
        return watch, grid, gone

    watch, grid, gone = run(scene())
    assert watch.kinds() == ["AlertRaised", "AlertCleared"]
    assert watch.told[1][1].labels["check"] == "goes"
    assert len(watch.starts["goes"]) == gone
    assert grid + 10 == pytest.approx(watch.starts["stays"][watch.starts["stays"].index(grid) + 1])
    assert len(watch.starts["comes"]) == 11


def test_a_failing_check_whose_url_changes_stays_down_until_it_passes():
    async def scene():
        watch = Watch(config(http("c")))
        watch.world["c"] = False
        await watch.engine.start()
        await asyncio.sleep(2)
        await watch.engine.reconfigure(config({**http("c"), "http": "http://elsewhere/"}))
        await asyncio.sleep(2)
        watch.world["c"] = True
        await asyncio.sleep(2)
        await watch.engine.stop()
        return watch

    assert run(scene()).kinds() == ["AlertRaised", "AlertCleared"]


def test_a_failing_check_whose_labels_change_fails_on_under_the_new_ones():
    async def scene():
        watch = Watch(config(http("c")))
        watch.world["c"] = False
        await watch.engine.start()
        await asyncio.sleep(2)
        await watch.engine.reconfigure(config(http("c", severity="warning")))
        await asyncio.sleep(2)
        watch.world["c"] = True
        await asyncio.sleep(2)
        await watch.engine.stop()
        return watch

    events = [event for _, event in run(scene()).told]
    told = [(type(event).__name__, event.labels["severity"]) for event in events]
    assert told == [("AlertRaised", "critical"), ("AlertRaised", "warning"), ("AlertCleared", "warning")]
    assert events[1].before == events[0].labels
    assert events[1].annotations == events[0].annotations


def test_a_check_that_recovers_before_its_new_labels_were_taken_is_cleared_under_the_old():
    async def scene():
        watch = Watch(config(http("c")))
        watch.world["c"] = False
        await watch.engine.start()
        await asyncio.sleep(2)

        async def refuse_labels(event):
            if getattr(event, "before", None) is not None:
                raise RuntimeError("the store is away")
            watch.told.append((0.0, event))

        watch.engine._on_transition = refuse_labels
        await watch.engine.reconfigure(config(http("c", severity="warning")))
        watch.world["c"] = True
        await asyncio.sleep(2)
        await watch.engine.stop()
        return watch

    events = [event for _, event in run(scene()).told]
    assert [(type(event).__name__, event.labels["severity"]) for event in events] == [
        ("AlertRaised", "critical"),
        ("AlertCleared", "critical"),
    ]


def slowly(watch, seconds):
    """Decisions take so long."""

    async def take(event):
        await asyncio.sleep(seconds)
        watch.told.append((asyncio.get_running_loop().time(), event))

    watch.engine._on_transition = take


def test_a_check_that_recovers_while_its_new_labels_are_being_taken_is_cleared_under_the_new():
    async def scene():
        watch = Watch(config(http("c")))
        watch.world["c"] = False
        await watch.engine.start()
        await asyncio.sleep(2)
        slowly(watch, 1.5)
        watch.world["c"] = True
        await watch.engine.reconfigure(config(http("c", severity="warning")))
        await asyncio.sleep(5)
        await watch.engine.stop()
        return watch

    events = [event for _, event in run(scene()).told]
    told = [(type(event).__name__, event.labels["severity"]) for event in events]
    assert told == [("AlertRaised", "critical"), ("AlertRaised", "warning"), ("AlertCleared", "warning")]


@pytest.mark.parametrize("then", ["info", None])
def test_a_configuration_that_comes_while_new_labels_are_being_taken_finds_the_alert_where_it_is(then):
    async def scene():
        watch = Watch(config(http("c"), http("other")))
        watch.world["c"] = False
        await watch.engine.start()
        await asyncio.sleep(2)
        slowly(watch, 1.5)
        first = asyncio.create_task(watch.engine.reconfigure(config(http("c", severity="warning"), http("other"))))
        await asyncio.sleep(0.5)
        checks = [http("c", severity=then)] if then else []
        await watch.engine.reconfigure(config(*checks, http("other")))
        await first
        await asyncio.sleep(15)
        await watch.engine.stop()
        return watch

    events = [event for _, event in run(scene()).told]
    last = events[-1]
    if then is None:
        assert (type(last).__name__, last.labels["severity"]) == ("AlertCleared", "warning")
    else:
        assert (last.before["severity"], last.labels["severity"]) == ("warning", "info")


def test_stopping_ends_probes_at_once_but_lets_a_decision_be_made():
    async def scene():
        watch = Watch(config(http("hung"), http("failing")), first_round=0.0)
        watch.takes["hung"] = 100.0
        watch.world["failing"] = False
        decided = []

        async def slowly(event):
            await asyncio.sleep(0.5)
            decided.append(event)

        watch.engine._on_transition = slowly
        await watch.engine.start()
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        await watch.engine.stop()
        return watch, decided, asyncio.get_running_loop().time() - began

    watch, decided, took = run(scene())
    assert len(decided) == 1
    assert took < 1
    assert watch.running["hung"] == 0
    assert [one.state.status for _, batch in watch.batches for one in batch] == ["down"]


LATE = ProbeResult(False, 5.0, "no answer within 5 s", timed_out=True, late=True)
SILENT = ProbeResult(False, 5.0, "no answer within 5 s", timed_out=True)


def answering(watch: Watch, result: ProbeResult) -> None:
    """Every probe of the watch gives this result from now on."""

    async def probe(check, instance, context) -> ProbeResult:
        return result

    watch.engine._probe = probe


def test_late_rounds_raise_no_alert_of_the_check_but_one_of_forewatch_and_it_ends_with_them():
    async def scene():
        watch = Watch(config(*(http(f"c{n}", every="5s") for n in range(4))))
        await watch.engine.start()
        await asyncio.sleep(10)
        answering(watch, LATE)
        await asyncio.sleep(100)
        states = watch.engine.states
        answering(watch, PASS)
        await asyncio.sleep(100)
        await watch.engine.stop()
        return watch, states

    watch, states = run(scene())
    assert {(state.status, state.late > 3) for state in states.values()} == {("up", True)}
    assert watch.kinds() == ["AlertRaised", "AlertCleared"]
    assert {event.labels["alertname"] for _, event in watch.told} == {"ForewatchOverloaded"}
    assert 1 <= watch.told[0][1].values["late"] <= 4


def test_checks_that_are_not_even_started_are_late_too():
    async def scene():
        watch = Watch(config(http("hung", every="1s", timeout="1s"), http("waits", every="1s")), at_once=1)
        watch.takes = {"hung": 1000.0, "waits": 1000.0}
        await watch.engine.start()
        await asyncio.sleep(80)
        await watch.engine.stop()
        return watch

    (told,) = run(scene()).told
    assert told[1].labels["alertname"] == "ForewatchOverloaded"


def test_an_overload_that_the_watch_before_told_of_is_cleared_by_this_one():
    async def scene():
        labels = {"alertname": "ForewatchOverloaded", "service": "forewatch", "severity": "critical"}
        watch = Watch(config(http("c")), firing=[labels])
        await watch.engine.start()
        await asyncio.sleep(70)
        await watch.engine.stop()
        return watch

    watch = run(scene())
    assert watch.kinds() == ["AlertCleared"]
    assert watch.told[0][1].labels["alertname"] == "ForewatchOverloaded"


@pytest.mark.parametrize("held_up", [0.0, RAN_LATE])
def test_a_time_out_says_whether_our_own_loop_was_late_lately(held_up):
    async def scene():
        watch = Watch(config(http("c")))
        answering(watch, SILENT)
        now = asyncio.get_running_loop().time()
        watch.engine._context.lateness.note(now - held_up, now)
        await watch.engine.start()
        await asyncio.sleep(2)
        await watch.engine.stop()
        return watch

    assert run(scene()).told[0][1].values["observer_late"] is (held_up > 0)


def test_many_checks_that_are_due_within_a_hundredth_of_a_second_begin_together_and_keep_their_grid():
    async def scene():
        watch = Watch(config(*(http(f"c{n}", every="10s") for n in range(MANY))))
        await watch.engine.start()
        await asyncio.sleep(40)
        pulse = watch.engine.pulse()
        await watch.engine.stop()
        return watch, pulse

    watch, pulse = run(scene())
    moments = {start for starts in watch.starts.values() for start in starts}
    assert len(moments) < pulse.rounds / 1.5
    assert pulse.lateness_max < 0.001
    for starts in watch.starts.values():
        assert all(abs(after - before - 10) <= 2 * TOGETHER for before, after in itertools.pairwise(starts[1:]))
        assert abs(starts[-1] - starts[1] - 10 * (len(starts) - 2)) <= 2 * TOGETHER


def test_checks_that_are_all_due_at_once_do_not_wait_for_each_others_beginnings():
    at_once = []

    class Counting(Watch):
        async def probe(self, check, instance, context):
            at_once.append(sum(self.running.values()) + 1)
            return await super().probe(check, instance, context)

    async def scene():
        watch = Counting(config(*(http(f"c{n}", every="60s") for n in range(400))), first_round=0.0)
        await watch.engine.start()
        await asyncio.sleep(1)
        await watch.engine.stop()

    run(scene())
    assert len(at_once) >= 400
    assert max(at_once) <= 4 * AT_A_TIME
