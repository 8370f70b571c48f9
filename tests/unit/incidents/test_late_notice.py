"""What people read of an alert that was withheld and is no longer."""

import pytest
from memory_view import NINE_O_CLOCK, World, shop

from forewatch.alerting.suppression import Suppression
from forewatch.incidents.deciding.draft import Draft
from forewatch.incidents.deciding.late_notice import still_fires

pytestmark = pytest.mark.unit


@pytest.fixture
def told():
    """What is said of AL-1 once these reasons to withhold it are gone; AL-2 still fires, AL-3 is over."""
    world = World(shop(autonomy="shadow"))
    world.fails()
    world.fails(service="db", check="tcp")
    world.fails(service="cache", check="tcp")
    world.recovers(service="cache", check="tcp")

    def said(*reasons):
        draft = Draft(world.view, NINE_O_CLOCK)
        return still_fires(
            draft, world.view.alerts["AL-1"], [Suppression(kind, by, text) for kind, by, text in reasons]
        )

    return said


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (("dependency", "AL-3", "shop depends on cache, which fails"), "Still failing, although cache has recovered."),
        (
            ("dependency", "AL-2", "shop depends on db, which fails"),
            "Still failing now that db no longer explains it.",
        ),
        (("checking", "AL-1", "its check passes again"), "Still failing, although its check passed in between."),
        (("silence", "S1", "silenced by ana"), "Still failing now that its silence is over."),
        (("maintenance", "nights", "planned"), "Still failing now that its maintenance is over."),
        (
            ("inhibition", "AL-3", "inhibited by AL-3"),
            "Still failing now that it is no longer inhibited by another alert (tcp of cache fails: connection "
            "refused).",
        ),
        (("flapping", "f", "flapping"), "Still failing now that it is no longer withheld for flapping."),
        (("mute_time_interval", "nights", "mute"), "Still failing now that nights is over."),
        (("active_time_interval", "office-hours", "mute"), "Still failing now that office-hours has begun."),
        (
            ("aftermath", "shop", "aftermath"),
            "Still failing now that it is seen to be more than the aftermath of an outage.",
        ),
    ],
)
def test_it_says_that_it_still_fails_and_what_has_changed(told, reason, text):
    assert told(reason) == text


def test_several_reasons_are_told_once_each(told):
    mute = ("mute_time_interval", "nights", "routes[0] is mute in nights")
    assert told(mute, ("dependency", "AL-3", "x"), mute) == (
        "Still failing now that nights is over and cache has recovered."
    )
