"""`forewatch silences`."""

import re

import pytest

from forewatch.store import silences, withheld

pytestmark = pytest.mark.unit

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
DEPLOYING = ("--for", "2h", "--comment", "deploying")


def add(typed, *words):
    """Set a silence; returns its id."""
    said = typed.say("silences", "add", *words, *DEPLOYING)
    return said.partition(" ")[0]


def rows(said):
    """The lines of a table, split at its columns."""
    return [re.split(r"  +", line) for line in said.splitlines() if line.strip()]


def hidden_now(typed, silence_id):
    with typed.runtime.store.read() as conn:
        return withheld.by_subject(conn, silence_id)


def test_adding_one_says_its_id_and_what_it_hides(typed):
    alert = typed.fails("storefront")
    said = typed.say("silences", "add", "service=storefront", *DEPLOYING)
    first, sentence, head, row = [line for line in said.splitlines() if line]
    assert re.fullmatch(rf'{UUID} silences service="storefront" until 2026-01-01 02:00:00\.', first)
    assert sentence == "It hides 1 alert of INC-1:"
    assert head.split() == ["ALERT", "INCIDENT", "SEVERITY", "CLASSIFICATION", "SERVICE", "WHAT"]
    assert re.split(r"  +", row) == [
        alert.id, "INC-1", "critical", "availability", "storefront", "CheckFailing on storefront",
    ]  # fmt: skip
    assert hidden_now(typed, first.partition(" ")[0]) == [alert.id]


def test_one_that_hides_nothing_says_so(typed):
    typed.fails("catalogue")
    assert "It hides nothing that fires now." in typed.say("silences", "add", "service=storefront", *DEPLOYING)


def test_a_preview_says_the_same_and_sets_nothing(typed):
    typed.fails("storefront")
    typed.fails("catalogue", severity="warning")
    said = typed.say("silences", "preview", 'service=~"store.*|cat.*"', "severity!=critical")
    assert said.startswith("It would hide 1 alert of INC-1:\n")
    assert "AL-2" in said
    assert "AL-1" not in said
    assert typed.say("silences", "list", "--all") == "No silences.\n"


def test_what_a_preview_names_is_what_a_silence_hides(typed):
    for service in ("storefront", "catalogue", "mail"):
        typed.fails(service)
    matchers = ('service=~"store.*|mail"', "classification=availability")
    named = re.findall(r"AL-\d+", typed.say("silences", "preview", *matchers))
    assert hidden_now(typed, add(typed, *matchers)) == sorted(named) == ["AL-1", "AL-3"]


def test_one_to_come_hides_nothing_yet(typed):
    typed.fails("storefront")
    said = typed.say("silences", "add", "service=storefront", *DEPLOYING, "--from", "30m")
    assert "from 2026-01-01 00:30:00 until 2026-01-01 02:30:00." in said
    assert "Were it in force now, it would hide 1 alert of INC-1:" in said
    assert hidden_now(typed, said.partition(" ")[0]) == []
    typed.wait(1801)
    assert hidden_now(typed, said.partition(" ")[0]) == ["AL-1"]


def test_a_beginning_may_be_a_moment_with_or_without_a_zone(typed):
    for begin in ("2026-01-01T10:00", "2026-01-01 12:00+02:00"):
        assert "from 2026-01-01 10:00:00 until" in typed.say(
            "silences", "add", "service=storefront", *DEPLOYING, "--from", begin
        )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("service", *DEPLOYING), "expected one of = != =~ !~ after service"),
        (("service=~(", *DEPLOYING), "is not a regular expression|double quotes"),
        (('service=~".*"', *DEPLOYING), "at least one matcher must not match the empty string"),
        (("service=web", "--comment", "x"), r"a silence needs an end: say how long with --for 2h"),
        (("service=web", "--for", "2 hours", "--comment", "x"), r"--for 2 hours: .*\(try 2h\)"),
        (("service=web", "--for", "0s", "--comment", "x"), "more than nothing"),
        (("service=web", "--for", "99999999999d", "--comment", "x"), "at most 10 years"),
        (("service=web", "--for", "2h"), r"a silence needs a comment that says why \(--comment\)"),
        (("service=web", *DEPLOYING, "--author", " "), "a silence needs its author"),
        (("service=web", *DEPLOYING, "--from", "tomorrow"), "--from tomorrow: neither a while from now"),
        (("service=web", *DEPLOYING, "--from", "2025-12-31T22:00"), "that is in the past"),
        (("service=web", *DEPLOYING, "--from", "99999999999d"), "more than 10 years"),
        (("service=w\udcffb", *DEPLOYING), r"the matcher service=w\?b is not UTF-8"),
        (("service=web", "--for", "2h", "--comment", "\udcff"), r"--comment \? is not UTF-8"),
        (("service=web", *DEPLOYING, "--author", "\udcff"), r"--author \? is not UTF-8"),
    ],
)
def test_what_cannot_be_meant_so_gets_one_sentence_and_sets_nothing(typed, words, sentence):
    said = typed.complain("silences", "add", *words)
    assert re.search(sentence, said), said
    assert "\n" not in said
    assert typed.say("silences", "list", "--all") == "No silences.\n"


def test_a_list_shows_state_author_and_how_much_each_hides(typed):
    typed.fails("storefront")
    first = add(typed, "service=storefront", "--author", "ben")
    second = add(typed, "service=mail", "--from", "1h", "--maintenance")
    head, *found = rows(typed.say("silences", "list"))
    assert head == ["ID", "STATE", "FROM", "TO", "BY", "HIDES", "MATCHERS", "COMMENT"]
    assert found[0][:2] == [first, "active"]
    assert found[0][4:] == ["ben", "1", 'service="storefront"', "deploying"]
    assert found[1][:2] == [second, "pending, maintenance"]
    assert found[1][4:] == ["ana", 'service="mail"', "deploying"]


def test_one_that_is_over_is_listed_only_where_all_are(typed):
    silence_id = add(typed, "service=storefront")
    typed.wait(7201)
    assert typed.say("silences", "list") == "No active or pending silences.\n"
    assert rows(typed.say("silences", "list", "--all"))[1][:2] == [silence_id, "expired"]


def test_ending_one_lets_what_it_hid_be_told(typed):
    silence_id = add(typed, "service=storefront")
    typed.fails("storefront")
    typed.wait(60)
    said = typed.say("silences", "expire", silence_id)
    assert said == f"{silence_id} is over. 1 alert it hid is looked at again.\n"
    typed.wait(0)
    assert "NT-1, a page, goes to ops now" in typed.say("why", "AL-1")


def test_one_that_is_over_or_unknown_cannot_be_ended(typed):
    silence_id = add(typed, "service=storefront")
    assert typed.say("silences", "expire", silence_id) == f"{silence_id} is over.\n"
    assert typed.complain("silences", "expire", silence_id) == f"{silence_id} ended 2025-12-31 23:59:59"
    assert "there is no silence S9" in typed.complain("silences", "expire", "S9")


def test_a_report_names_those_that_hid_an_incident_matched_nothing_or_end_soon(typed):
    hid = add(typed, "service=storefront")
    unused = add(typed, "service=catalogue")
    typed.fails("storefront")
    typed.fails("storefront", name="HighLatency", severity="warning")
    typed.wait(3 * 3600)
    ending = add(typed, "service=mail")
    to_come = add(typed, "service=mail", "--from", "5d")
    said = typed.say("silences", "report")
    parts = re.split(r"^They .*:$", said, flags=re.MULTILINE)
    assert parts[0] == "Silences of the last 30d.\n\n"
    in_part = [re.findall(UUID.replace("(", "(?:"), part) for part in parts]
    assert in_part == [[], [hid], [unused, ending], [ending]]
    assert to_come not in said
    assert "2 alerts of INC-1  availability, latency" in parts[1]


def test_a_report_forgets_what_ended_more_than_30_days_ago(typed):
    add(typed, "service=storefront")
    typed.wait(31 * 86_400)
    assert typed.say("silences", "report") == (
        "Silences of the last 30d.\n\nNone hid an incident.\n\n"
        "Each of them matched something.\n\nNone ends within 1d.\n\n"
    )


def test_an_edit_that_tells_another_story_ends_the_old_silence(typed):
    from dataclasses import replace

    from forewatch.alerting.matchers import Matcher
    from forewatch.alerting.silence import state_of
    from forewatch.silence_edit import set_silence

    silence_id = add(typed, "service=storefront")
    typed.clock.advance(60)
    now = typed.clock.now()
    with typed.runtime.store.decide() as conn:
        old = silences.get(conn, silence_id)
        same, _ = set_silence(conn, replace(old, comment="still deploying"), config=typed.config, now=now)
        other = replace(old, matchers=(Matcher("service", "=", "mail"),))
        new, _ = set_silence(conn, other, config=typed.config, now=now)
        assert same == silence_id
        assert new != silence_id
        assert [state_of(silences.get(conn, one), now) for one in (silence_id, new)] == ["expired", "active"]
        assert silences.get(conn, silence_id).comment == "still deploying"
