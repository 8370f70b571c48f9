"""How an alert stands, in a word and a clause."""

from dataclasses import replace

import pytest

from forewatch.alerting.alert import Alert
from forewatch.alerting.suppression import Suppression, Withheld
from forewatch.incidents.alert_state import AlertState, state_of

pytestmark = pytest.mark.unit

FIRING = Alert("AL-1", "f1", {"alertname": "Down"}, {}, "web", "critical", "firing", 1, None, 1, "INC-1")
SILENCED = Suppression("silence", "S1", "silenced by ana")
MUTE = Suppression("mute_time_interval", "nights", "routes[0] is mute in nights")


def test_of_one_that_nothing_speaks_against_people_are_told():
    assert state_of(FIRING, []) == AlertState("firing")


def test_one_that_is_over_is_over_whatever_held_it_back():
    over = replace(FIRING, status="resolved", ends_at=2)
    assert state_of(over, [Withheld("AL-1", "", 1, (SILENCED,))]) == AlertState("resolved")


def test_a_withheld_one_says_why():
    flaps = Suppression("flapping", "f1", "it flaps")
    assert state_of(FIRING, [Withheld("AL-1", "", 1, (SILENCED, flaps))]) == AlertState(
        "withheld", "silenced by ana; it flaps"
    )


def test_what_holds_for_all_routes_is_not_said_again_for_one():
    both = [Withheld("AL-1", "routes[0]", 1, (SILENCED, MUTE)), Withheld("AL-1", "", 1, (SILENCED,))]
    assert state_of(FIRING, both).why == "silenced by ana; routes[0] is mute in nights"
    assert state_of(FIRING, both[1:]).why == "silenced by ana"


def test_what_holds_for_one_route_alone_names_it():
    inhibited = Suppression("inhibition", "AL-2", "inhibited by AL-2")
    one = Withheld("AL-1", "routes[0]", 1, (inhibited, MUTE))
    assert state_of(FIRING, [one]).why == "routes[0] notifies nobody: inhibited by AL-2; routes[0] is mute in nights"
