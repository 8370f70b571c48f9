"""`forewatch incidents`: alerts and why they are withheld; merging and splitting."""

import re

import pytest

pytestmark = pytest.mark.unit


def alerts_of(typed, incident):
    """The rows of the table of alerts."""
    shown = typed.say("incidents", "show", incident)
    return [re.split(r"  +", line) for line in shown.splitlines() if re.match(r"AL-\d", line)]


def test_an_incident_shows_its_alerts_with_their_states_and_its_services(typed):
    typed.say("silences", "add", "alertname=DiskFull", "--for", "1h", "--comment", "known")
    typed.fails("catalogue")
    typed.fails("catalogue", name="DiskFull", severity="warning")
    typed.fails("storefront")
    typed.clock.advance(5)
    typed.recovers("catalogue")
    assert "services catalogue, storefront, opened 2026-01-01 00:00:00" in typed.say("incidents", "show", "INC-1")
    assert alerts_of(typed, "INC-1") == [
        ["AL-1", "resolved", "critical", "availability", "catalogue", "2026-01-01 00:00:00",
         "CheckFailing on catalogue"],
        ["AL-2", "withheld", "warning", "saturation", "catalogue", "2026-01-01 00:00:00",
         "DiskFull on catalogue (silenced by ana until 2026-01-01T01:00:00.000Z (known))"],
        ["AL-3", "withheld", "critical", "availability", "storefront", "2026-01-01 00:00:00",
         "CheckFailing on storefront (storefront depends on catalogue, which fails: AL-1 (CheckFailing))"],
    ]  # fmt: skip


def test_two_incidents_that_are_one_are_merged(typed):
    typed.fails("storefront")
    typed.fails("elsewhere")
    assert typed.say("incidents", "merge", "INC-1", "INC-2") == "INC-2 is merged into INC-1.\n"
    assert [row[0] for row in alerts_of(typed, "INC-1")] == ["AL-1", "AL-2"]
    assert "merged into INC-1 by ana" in typed.say("incidents", "show", "INC-2")


def test_alerts_that_are_another_trouble_are_split_off(typed):
    typed.fails("storefront")
    typed.fails("storefront", name="DiskFull")
    assert typed.say("incidents", "split", "INC-1", "AL-2", "AL-2") == "AL-2 is INC-2 now.\n"
    assert [row[0] for row in alerts_of(typed, "INC-1")] == ["AL-1"]
    assert [row[0] for row in alerts_of(typed, "INC-2")] == ["AL-2"]


def test_what_cannot_be_merged_or_split_gets_one_sentence(typed):
    typed.fails("storefront")
    for words, sentence in (
        (("merge", "INC-1", "INC-1"), "INC-1 cannot be merged with itself"),
        (("merge", "INC-1", "INC-9"), "there is no incident INC-9"),
        (("split", "INC-1", "AL-1"), "must leave at least one firing alert on either side"),
        (("split", "INC-1", "AL-9"), "INC-1 has no alert AL-9"),
        (("show", "INC-9"), "there is no incident INC-9"),
    ):
        assert sentence in typed.complain("incidents", *words)
