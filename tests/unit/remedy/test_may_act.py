import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.clock import MICROSECONDS, micros
from forewatch.config.models import Config, Limits, Remedy
from forewatch.remedy.limits import acted_or_may, exceeded
from forewatch.remedy.may_act import may_act
from forewatch.remedy.run import UNDER_WAY, Run
from forewatch.remedy.verdict import Allowed, Refused

pytestmark = pytest.mark.unit

NOW = 1_793_696_400 * MICROSECONDS


def remedy(autonomy="auto", per_hour=3, cooldown="60s"):
    return Remedy.model_validate(
        {
            "on": {},
            "runbook": "restart-service",
            "autonomy": autonomy,
            "limits": {"per_hour": per_hour, "cooldown": cooldown},
        }
    )


def run(ago=600.0, state="done", verified="healed", number=1, **fields):
    at = NOW - micros(ago)
    begun = state not in ("waiting", "claimed", "refused")
    return Run(
        **{
            "id": f"RUN-{number}",
            "kind": "respond",
            "runbook": "restart-service",
            "service": "shop",
            "incident_id": "INC-1",
            "alert_id": "AL-1",
            "remedy": "shop/restart-service",
            "inputs": {},
            "autonomy": "auto",
            "requested_by": "forewatch",
            "state": state,
            "attempts": 1,
            "flow_run_id": None,
            "created_at": at,
            "started_at": at if begun else None,
            "acted_at": at if begun else None,
            "finished_at": None,
            "outcome": None,
            "verified": verified,
            **fields,
        }
    )


def ask(the_remedy=None, *, firing=True, stopped=None, incident_runs=(), counted=()):
    return may_act(
        the_remedy or remedy(),
        firing=firing,
        stopped=stopped,
        incident_runs=incident_runs,
        counted=counted,
        now=NOW,
    )


def test_with_nothing_against_it_an_auto_remedy_may_act():
    assert ask() == Allowed()


@pytest.mark.parametrize(
    ("circumstances", "refused"),
    [
        ({"firing": False}, Refused("not-firing", "the alert does not fire any more")),
        (
            {"the_remedy": remedy("shadow")},
            Refused("shadow", "automation is in shadow mode for this remedy: it would have run restart-service"),
        ),
        (
            {"the_remedy": remedy("approve")},
            Refused(
                "approval-missing",
                "restart-service has the autonomy approve, and approvals cannot be given yet (use shadow or auto)",
            ),
        ),
        ({"stopped": "stopped by ana."}, Refused("automation-stopped", "stopped by ana", waits_for="automation")),
        (
            {"incident_runs": [run(state="started", number=7)]},
            Refused("run-under-way", "RUN-7 (restart-service) is at work already", waits_for="RUN-7"),
        ),
    ],
)
def test_each_reason_against_it_is_said(circumstances, refused):
    assert ask(**circumstances) == refused


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_run_of_the_same_remedy_on_another_incident_keeps_it_from_acting_too(state):
    verdict = ask(counted=[run(state=state, incident_id="INC-0", verified=None)])
    assert verdict == Refused("run-under-way", "RUN-1 (restart-service) is at work already", waits_for="RUN-1")


class TestLimits:
    def test_per_hour(self):
        runs = [run(ago=600.0 * number, number=number) for number in (3, 2, 1)]
        assert ask(remedy(per_hour=4), counted=runs) == Allowed()
        assert ask(remedy(per_hour=3), counted=runs) == Refused(
            "limit-per-hour", "it acted 3 times within the last hour, its limit is 3", again_at=NOW + micros(1800)
        )

    def test_a_run_counts_for_exactly_an_hour(self):
        assert ask(remedy(per_hour=1), counted=[run(ago=3600)]) == Allowed()
        assert isinstance(ask(remedy(per_hour=1), counted=[run(ago=3599.999999)]), Refused)

    def test_cooldown(self):
        assert ask(remedy(cooldown="60s"), counted=[run(ago=60)]) == Allowed()
        assert ask(remedy(cooldown="60s"), counted=[run(ago=59)]) == Refused(
            "cooldown", "it acted 59s ago and rests for 1m between two runs", again_at=NOW + micros(1)
        )

    def test_a_cooldown_of_more_than_an_hour_holds(self):
        assert isinstance(ask(remedy(cooldown="2h"), counted=[run(ago=7000)]), Refused)

    def test_runs_dated_in_the_future_count(self):
        ahead = run(ago=-1800)
        assert isinstance(ask(remedy(per_hour=1, cooldown="0s"), counted=[ahead]), Refused)
        assert ask(remedy(cooldown="60s"), counted=[ahead]) == Refused(
            "cooldown",
            "it acted 30m ahead of the clock and rests for 1m between two runs",
            again_at=NOW + micros(1860),
        )

    def test_a_refused_or_called_off_run_that_never_began_does_not_count(self):
        assert acted_or_may(run(state="refused")) is None
        assert acted_or_may(run(state="cancelled", started_at=None, acted_at=None)) is None

    def test_a_run_that_began_and_failed_counts_because_it_may_have_acted(self):
        assert acted_or_may(run(ago=5, state="failed", acted_at=None)) == NOW - micros(5)

    def test_a_run_counts_from_its_act_not_from_its_order(self):
        late = run(ago=100, acted_at=NOW - micros(5))
        assert isinstance(ask(remedy(cooldown="10s"), counted=[late]), Refused)

    @given(
        st.lists(st.floats(min_value=-4000, max_value=8000), max_size=8),
        st.integers(min_value=1, max_value=4),
        st.sampled_from([0.0, 2.0, 60.0, 5400.0]),
    )
    def test_acting_when_allowed_never_breaks_a_limit(self, agos, per_hour, cooldown):
        limits = Limits(per_hour=per_hour, cooldown=cooldown)
        runs = [run(ago=ago, number=number) for number, ago in enumerate(agos)]
        if exceeded(limits, runs, NOW) is None:
            assert sum(ago < 3600 for ago in agos) + 1 <= per_hour
            assert all(ago >= cooldown - 1e-5 for ago in agos)
        elif agos:
            assert sum(ago < 3600 for ago in agos) >= per_hour or min(agos) < cooldown + 1e-5
        else:
            raise AssertionError("refused without any run")


ROOMY = remedy(per_hour=9, cooldown="0s")


class TestBreaker:
    def failed(self, number, **fields):
        return run(**{"state": "failed", "verified": "not healed", "number": number, **fields})

    def test_one_run_that_did_not_heal_may_be_followed_by_another(self):
        assert ask(ROOMY, counted=[self.failed(1)]) == Allowed()

    def test_two_in_a_row_are_enough(self):
        assert ask(ROOMY, counted=[self.failed(1), self.failed(2)]) == Refused(
            "breaker", "restart-service did not heal 2 times in a row within the last hour"
        )

    def test_a_run_that_broke_off_did_not_heal_either(self):
        assert isinstance(ask(ROOMY, counted=[self.failed(1), run(state="failed", verified=None)]), Refused)

    def test_a_run_that_healed_in_between_starts_the_count_anew(self):
        assert ask(ROOMY, counted=[self.failed(1), run(number=2), self.failed(3)]) == Allowed()

    def test_runs_that_never_began_and_runs_of_others_neither_count_nor_reset(self):
        between = [
            run(state="refused", verified=None, number=2),
            run(state="done", verified=None, remedy=None, kind="runbook", number=3),
        ]
        assert isinstance(ask(ROOMY, counted=[self.failed(1), *between, self.failed(5)]), Refused)

    def test_runs_on_other_incidents_of_the_service_count(self):
        runs = [self.failed(1, incident_id="INC-7"), self.failed(2, incident_id="INC-8")]
        assert isinstance(ask(ROOMY, counted=runs), Refused)

    def test_it_looks_back_one_hour(self):
        old = [self.failed(1, ago=7000), self.failed(2, ago=3601)]
        assert ask(ROOMY, counted=old) == Allowed()
        assert ask(ROOMY, counted=[*old, self.failed(3, ago=3000)]) == Allowed()

    def test_it_is_not_asked_again_by_itself(self):
        assert not ask(ROOMY, counted=[self.failed(1), self.failed(2)]).for_now


def test_the_first_remedy_of_the_service_that_matches_is_chosen():
    from forewatch.alerting.alert import Alert
    from forewatch.remedy.choose import choose

    config = Config.model_validate(
        {
            "services": [
                {
                    "name": "shop",
                    "remedies": [
                        {"on": {"alertname": "Slow"}, "runbook": "collect-diagnostics"},
                        {"on": ["alertname=~Check.*"], "runbook": "restart-service"},
                        {"on": {}, "runbook": "last-resort"},
                    ],
                }
            ]
        }
    )

    def chosen(name, service="shop"):
        alert = Alert("AL-1", "0", {"alertname": name}, {}, service, "critical", "firing", NOW, None, NOW, "INC-1")
        found = choose(config, alert)
        return found.runbook if found else None

    assert chosen("Slow") == "collect-diagnostics"
    assert chosen("CheckFailing") == "restart-service"
    assert chosen("Else") == "last-resort"
    assert chosen("CheckFailing", service="stock") is None
