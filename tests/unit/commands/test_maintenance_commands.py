"""`forewatch maintenance`."""

import re

import pytest

from forewatch.store import silences

pytestmark = pytest.mark.unit

FOR_AN_HOUR = ("--for", "1h", "--comment", "new disks")
NIGHT = ["mail", "2026-01-01 06:00:00", "the configuration", "nights"]


def listed(typed):
    _, *found = typed.say("maintenance", "list").splitlines()
    return [re.split(r"  +", line) for line in found]


def test_a_service_in_maintenance_tells_nobody_and_is_listed(typed):
    said = typed.say("maintenance", "start", "storefront", *FOR_AN_HOUR)
    assert said == "storefront is in maintenance until 2026-01-01 01:00:00.\nIt hides nothing that fires now.\n"
    typed.fails("storefront")
    assert "under maintenance by ana" in typed.say("why", "AL-1")
    assert listed(typed) == [
        ["storefront", "2026-01-01 00:00:00", "2026-01-01 01:00:00", "ana", "new disks"],
        NIGHT,
    ]


def test_begun_again_it_ends_when_was_said_last(typed):
    typed.say("maintenance", "start", "storefront", *FOR_AN_HOUR)
    typed.clock.advance(1800)
    said = typed.say("maintenance", "start", "storefront", "--for", "2h", "--comment", "it takes longer")
    assert said.startswith(
        "storefront is in maintenance until 2026-01-01 02:30:00 (until 2026-01-01 01:00:00 before).\n"
    )
    with typed.runtime.store.read() as conn:
        [silence] = silences.listing(conn)
    assert silence.comment == "it takes longer"


def test_ended_it_tells_again(typed):
    typed.say("maintenance", "start", "storefront", *FOR_AN_HOUR)
    typed.fails("storefront")
    typed.wait(60)
    assert typed.say("maintenance", "end", "storefront") == "The maintenance of storefront is over.\n"
    typed.wait(0)
    assert "NT-1, a page, goes to ops now" in typed.say("why", "AL-1")
    assert listed(typed) == [NIGHT]


def test_planned_times_are_listed_while_they_hold(typed):
    assert listed(typed) == [NIGHT]
    typed.clock.advance(7 * 3600)
    assert typed.say("maintenance", "list") == "No service is in maintenance.\n"


def test_planned_times_cannot_be_ended_by_hand(typed):
    assert typed.complain("maintenance", "end", "mail") == (
        "the maintenance of mail is nights of the configuration: change it there"
    )
    typed.say("maintenance", "start", "mail", *FOR_AN_HOUR)
    assert typed.say("maintenance", "end", "mail") == (
        "The maintenance of mail is over. It stays in maintenance by nights of the configuration.\n"
    )


def test_a_service_nobody_knows_is_a_slip(typed):
    assert "there is no service storefrnt in the configuration (did you mean storefront?)" in typed.complain(
        "maintenance", "start", "storefrnt", *FOR_AN_HOUR
    )
    assert "no maintenance of catalogue was begun by hand" in typed.complain("maintenance", "end", "catalogue")


def test_a_service_that_others_watch_may_be_in_maintenance_while_it_fires(typed):
    typed.fails("elsewhere")
    assert "It hides 1 alert of INC-1:" in typed.say("maintenance", "start", "elsewhere", *FOR_AN_HOUR)


def test_maintenance_of_other_matchers_is_shown_as_it_was_written(typed):
    typed.say("silences", "add", 'service=~"store.*"', *FOR_AN_HOUR, "--maintenance")
    assert listed(typed)[0][0] == 'service=~"store.*"'
