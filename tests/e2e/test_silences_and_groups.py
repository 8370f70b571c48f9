"""A service fails under a silence and nobody is told; the silence ends and somebody is. Two that fail together are one
notice of their group."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Forewatch, free_port, wait_for
from receiver import Receiver
from victim import Victim

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

CONFIGURATION = """\
services:
{services}
metrics: {{every: 5s, starter_rules: false}}
notifiers:
  - name: hook
    webhook: {{url: "{url}", secret: !secret env:HOOK_SECRET, timeout: 3s}}
  - name: bridge
    webhook: {{url: "{bridge}", format: alertmanager, timeout: 3s}}
routes:
  - match: {{service: victim}}
    notify: [hook]
  - match: ['service=~"first|second"']
    notify: [hook, bridge]
    group_by: [alertname]
    group_wait: 4s
    group_interval: 6s
"""


@pytest.fixture(scope="module")
def pair(folder: Path) -> Iterator[list[Victim]]:
    """Two services that are told of together."""
    victims = [Victim(name, folder, free_port()) for name in ("first", "second")]
    for one in victims:
        one.start()
    yield victims
    for one in victims:
        one.stop()


@pytest.fixture(scope="module")
def bridge() -> Iterator[Receiver]:
    """What was made for Alertmanager's webhooks."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def configuration(victim: Victim, pair: list[Victim], receiver: Receiver, bridge: Receiver) -> str:
    services = "".join(one.watched() for one in (victim, *pair)).rstrip("\n")
    return CONFIGURATION.format(services=services, url=receiver.url, bridge=bridge.url)


def said(forewatch: Forewatch, *arguments: str) -> str:
    ended = forewatch.cli(*arguments)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout


def test_what_fails_under_a_silence_is_told_when_the_silence_ends(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    silence = said(forewatch, "silences", "add", "service=victim", "--for", "1h", "--comment", "a drill").split()[0]
    hurt = time.monotonic()
    victim.fault("errors")
    incident = wait_for("an incident", lambda: forewatch.incidents("victim"))[0]
    alert = re.findall(r"AL-\d+", said(forewatch, "incidents", "show", incident.id))[0]
    why = said(forewatch, "why", alert)
    assert "Nobody has been notified of it since" in why
    assert "(a drill)" in why
    assert re.search(rf"^{alert} +withheld ", said(forewatch, "incidents", "show", incident.id), re.MULTILINE)
    assert f"It would hide 1 alert of {incident.id}:" in said(forewatch, "silences", "preview", "service=victim")
    time.sleep(3)
    assert receiver.of("victim", since=hurt) == []
    ended = time.monotonic()
    assert said(forewatch, "silences", "expire", silence) == f"{silence} is over. 1 alert it hid is looked at again.\n"
    page = receiver.wait_for("victim", "page", since=ended, timeout=10)
    assert page.incident == incident.id
    assert "now that the silence by" in page.body["text"]
    assert page.body["alert"]["classification"] == "availability"
    assert incident.id in said(forewatch, "silences", "report")
    victim.fault("none")
    receiver.wait_for("victim", "resolved", since=ended, timeout=15)


def test_two_that_fail_together_are_one_notice(
    forewatch: Forewatch, pair: list[Victim], receiver: Receiver, bridge: Receiver
) -> None:
    hurt = time.monotonic()
    for one in pair:
        one.fault("errors")

    def of_group(kind: str) -> list[dict[str, Any]]:
        return [one.body for one in receiver.received if one.at >= hurt and one.kind == kind and one.body["group"]]

    [notice] = wait_for("the notice of the group", lambda: of_group("page"), timeout=20)
    assert time.monotonic() - hurt >= 4
    assert notice["title"] == "2 alerts fire: CheckFailing"
    assert sorted(alert["service"] for alert in notice["group"]["alerts"]) == ["first", "second"]
    assert notice["reason"] == "first notification"
    bridged = wait_for("Alertmanager's form of it", lambda: bridge.received)[0].body
    assert (bridged["version"], bridged["groupKey"]) == ("4", notice["group"]["key"])
    assert [alert["status"] for alert in bridged["alerts"]] == ["firing", "firing"]
    for one in pair:
        one.fault("none")
    [over] = wait_for("word of its end", lambda: of_group("resolved"), timeout=30)
    assert over["reason"] == "all alerts resolved"
    assert len(of_group("page")) == 1


def test_a_service_in_maintenance_tells_nobody_until_it_ends(
    forewatch: Forewatch, victim: Victim, receiver: Receiver
) -> None:
    said(forewatch, "maintenance", "start", "victim", "--for", "1h", "--comment", "new disks")
    hurt = time.monotonic()
    victim.fault("errors")
    wait_for("an open incident", lambda: [one for one in forewatch.incidents("victim") if one.status != "resolved"])
    assert "victim" in said(forewatch, "maintenance", "list")
    time.sleep(3)
    assert receiver.of("victim", since=hurt) == []
    victim.fault("none")
    wait_for("its end", lambda: forewatch.incidents("victim")[0].status == "resolved")
    assert said(forewatch, "maintenance", "end", "victim") == "The maintenance of victim is over.\n"
    assert receiver.of("victim", since=hurt) == []
