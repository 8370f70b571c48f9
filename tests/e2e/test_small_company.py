"""An evening at a small company: everything that can break breaks, alone, in a row and together.

For each: who was told what, when and in which words; what was restarted and what was not; the incident open and closed
when it should be. `make evening` lives it with real nginx and PostgreSQL at the pace the docs show, and prints it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from company_service import KILLED
from harness import Forewatch, wait_for
from postgres import binaries
from receiver import Received, Receiver
from small_company import HEARTBEAT, SmallCompany

REAL = os.environ.get("FOREWATCH_EVENING") == "real"
PACE = 3.0 if REAL else 1.0

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900 if REAL else 240)]


class Evening:
    """The company, its Forewatch, and who heard what since the last fault."""

    def __init__(self, company: SmallCompany, forewatch: Forewatch, receiver: Receiver) -> None:
        self.company, self.forewatch, self.receiver = company, forewatch, receiver
        self.began = time.monotonic()
        self.pids: dict[str, int] = {}
        self.rings = threading.Event()
        self.rings.set()
        self.over = threading.Event()

    @property
    def hooks(self) -> str:
        return self.receiver.url.rsplit("/", 1)[0]

    def something_breaks(self) -> None:
        """From here on is listened and looked. What happened before has come to rest."""
        time.sleep(4 * PACE - 2.5)
        self.pids = {part.name: part.pid for part in self.company.parts if part.alive}
        self.began = time.monotonic()

    def restarted(self) -> set[str]:
        """The parts of the company whose process is another."""
        return {part.name for part in self.company.parts if part.alive and self.pids.get(part.name) != part.pid}

    def heard(self, team: str | None = None, kind: str | None = None) -> list[Received]:
        """What a team, or anybody, was told."""
        return [
            one
            for one in self.receiver.received
            if one.at >= self.began and team in (None, one.path[1:]) and kind in (None, one.kind)
        ]

    def hears(self, team: str, kind: str, words: str, within: float) -> Received:
        """Wait until a team is told of this kind in words like these."""

        def look() -> Received | None:
            return next(
                (one for one in self.heard(team, kind) if any(re.match(words, line) for line in said(one))), None
            )

        try:
            return wait_for(f"{kind} for {team}: {words}", look, within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.transcript()}\n{self.forewatch.output}") from error

    def told(self) -> set[tuple[str, str]]:
        """(team, kind) of everything that was told."""
        return {(one.path[1:], one.kind) for one in self.heard()}

    def transcript(self) -> str:
        lines = [f"{one.at - self.began:6.1f} s {one.path[1:]}: {one.body['text']}" for one in self.heard()]
        return "\n".join(lines) or "nobody heard anything"

    def all_over(self, within: float) -> None:
        def look() -> bool:
            return not [one for one in self.forewatch.incidents() if one.status != "resolved"]

        wait_for("every incident to be over", look, within)

    def keep_ringing(self) -> None:
        """The nightly job calls in, as long as it does; while nobody answers it tries again."""
        while not self.over.wait(3):
            if self.rings.is_set():
                with contextlib.suppress(httpx.HTTPError):
                    self.job_calls()

    def job_calls(self, how: str = "") -> None:
        """`/fail` as `how`: that it failed."""
        url = f"http://127.0.0.1:{self.forewatch.port}/ping/{HEARTBEAT}{how}"
        httpx.get(url, timeout=3, trust_env=False).raise_for_status()


def said(message: Received) -> list[str]:
    """The title of a message and the lines of its text, without the words they begin with."""
    return [re.sub(r"^[A-Z]+ ", "", line) for line in (message.body["title"], *message.body["text"].splitlines())]


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    if REAL and (shutil.which("nginx") is None or binaries() is None):
        pytest.fail("make evening needs nginx and PostgreSQL: apt-get install nginx-light postgresql")
    folder: Path = tmp_path_factory.mktemp("company")
    with Receiver() as receiver:
        company = SmallCompany(folder, real=REAL)
        company.start()
        forewatch = Forewatch(folder, environment=company.environment)
        evening = Evening(company, forewatch, receiver)
        forewatch.write_config(company.configuration(evening.hooks))
        ringing = threading.Thread(target=evening.keep_ringing, daemon=True)
        try:
            checked = forewatch.cli("check", "--config", str(forewatch.config), "--strict")
            assert checked.returncode == 0, checked.stdout + checked.stderr
            ringing.start()
            forewatch.up()
            wait_for("every check to have passed", lambda: "down" not in forewatch.cli("status").stdout, 20)
            yield evening
        finally:
            evening.over.set()
            if forewatch.process is not None:
                print(f"\n{forewatch.output}")
            forewatch.sweep()
            company.stop()


def test_a_killed_web_server_is_restarted_before_anybody_is_woken(evening: Evening) -> None:
    evening.something_breaks()
    # A worker of nginx outlives its master that is killed, and serves on.
    evening.company.front.kill(signal.SIGTERM if REAL else signal.SIGKILL)
    fixed = evening.hears("web", "report", r"website was down for .*: fixed by RUN-\d+ \(restart-service\)", 12 * PACE)
    assert fixed.body["text"].startswith("FIXED website was down for ")
    assert evening.restarted() == {"front"}
    evening.all_over(5 * PACE)
    assert evening.told() == {("web", "report")}, evening.transcript()


def test_a_killed_app_is_restarted_and_the_web_server_in_front_of_it_is_not(evening: Evening) -> None:
    evening.something_breaks()
    evening.company.app.kill()
    evening.hears("backend", "report", r"app (was down|was not running) for .*: fixed by RUN-\d+", 12 * PACE)
    evening.all_over(5 * PACE)
    assert evening.restarted() == {"app"}
    assert {kind for _, kind in evening.told()} == {"report"}, evening.transcript()


@pytest.mark.parametrize("fault", ["errors", "slow", "hang"])
def test_an_app_that_misbehaves_is_restarted_and_nobody_is_woken(evening: Evening, fault: str) -> None:
    evening.something_breaks()
    evening.company.break_app(fault)
    evening.hears("backend", "report", r"app (answered with errors|did not answer|was slow) for .*: fixed", 20 * PACE)
    evening.all_over(5 * PACE)
    assert evening.restarted() == {"app"}
    assert {kind for _, kind in evening.told()} == {"report"}, evening.transcript()


def test_a_leak_is_ended_before_the_app_dies_of_it(evening: Evening) -> None:
    evening.something_breaks()
    evening.company.break_app("leak")
    evening.hears("backend", "report", r"app.* memory .*fixed by RUN-\d+ \(restart-service\)", 30 * PACE)
    evening.all_over(10 * PACE)
    assert KILLED not in (evening.company.folder / "run" / "app.out").read_text()
    assert evening.restarted() == {"app"}
    assert {kind for _, kind in evening.told()} == {"report"}, evening.transcript()


@pytest.mark.parametrize(("how", "words"), [("stopped", r"db "), ("locked", r"db .*(password|is not a database)")])
def test_of_a_database_its_team_alone_is_told_and_nothing_that_stands_on_it_is_touched(
    evening: Evening, how: str, words: str
) -> None:
    database = evening.company.database
    breaks, mends = (database.stop, database.start) if how == "stopped" else (database.refuse, database.accept)
    evening.something_breaks()
    breaks()
    page = evening.hears("data", "page", words, 6 * PACE)
    assert page.at - evening.began < 4.5 * PACE
    time.sleep(4 * PACE)
    [incident] = [one for one in evening.forewatch.incidents() if one.status != "resolved"]
    assert incident.service == "db"
    assert evening.told() == {("data", "page")}, evening.transcript()
    mends()
    back = evening.hears("data", "resolved", r"db is back", 8 * PACE)
    assert how != "stopped" or "and so are app and website" in back.body["title"]
    evening.all_over(2)
    time.sleep(PACE)
    assert evening.restarted() == set()
    assert evening.told() == {("data", "page"), ("data", "resolved")}, evening.transcript()


def test_of_a_dead_cache_its_team_alone_is_told_and_the_app_above_it_is_not_restarted(evening: Evening) -> None:
    evening.something_breaks()
    evening.company.cache.kill()
    evening.hears("data", "page", r"cache is down: refused by ", 6 * PACE)
    time.sleep(4 * PACE)
    assert evening.told() == {("data", "page")}, evening.transcript()
    evening.company.cache.start()
    back = evening.hears("data", "resolved", r"cache is back", 8 * PACE)
    assert "and so are app and website" in back.body["title"]
    evening.all_over(2)
    assert evening.restarted() == {"cache"}  # by us
    assert evening.told() == {("data", "page"), ("data", "resolved")}, evening.transcript()


def test_an_expired_certificate_pages_the_web_team_alone_and_its_renewal_is_told(evening: Evening) -> None:
    evening.something_breaks()
    evening.company.certify(days=-0.01)
    evening.company.take_certificate()
    evening.hears("web", "page", r"website has a certificate problem: \w+ certificate expired", 30 + 5 * PACE)
    time.sleep(3 * PACE)
    evening.company.certify(days=300)
    evening.company.take_certificate()
    evening.hears("web", "resolved", r"website", 20 * PACE)
    evening.all_over(5 * PACE)
    assert {team for team, _ in evening.told()} == {"web"}, evening.transcript()
    assert evening.restarted() == {"front"}


def test_a_database_and_a_cache_that_fail_together_are_one_incident_whose_messages_name_both(
    evening: Evening,
) -> None:
    evening.something_breaks()
    evening.company.database.stop()
    evening.company.cache.kill()
    evening.hears("data", "page", r"db ", 12 * PACE)
    evening.hears("data", "page", r"cache is down", 12 * PACE)
    assert len([one for one in evening.forewatch.incidents() if one.status != "resolved"]) == 1
    evening.company.database.start()
    evening.company.cache.start()
    evening.hears("data", "resolved", r"(db|cache) is back", 12 * PACE)
    evening.all_over(2)
    assert {team for team, _ in evening.told()} == {"data"}, evening.transcript()
    assert len(evening.heard("data", "resolved")) == 1
    assert evening.restarted() == {"cache"}  # by us


def test_what_fails_while_another_trouble_is_open_is_named(evening: Evening) -> None:
    """A certificate that expires soon stays as it is; meanwhile the database stops, and a label of it changes."""
    company, forewatch = evening.company, evening.forewatch
    evening.something_breaks()
    company.certify(days=3)
    company.take_certificate()
    wait_for("the incident of the certificate", lambda: forewatch.incidents("website")[0].open, 15 * PACE)
    company.database.stop()
    evening.hears("data", "page", r"db ", 6 * PACE)
    forewatch.write_config(company.configuration(evening.hooks, db_labels="team: data, tier: gold"))
    time.sleep(6 * PACE)
    assert not evening.heard("data", "resolved"), evening.transcript()
    assert len(evening.heard("data", "page")) == 1, evening.transcript()
    company.database.start()


def test_beside_it_a_full_disk_is_emptied_and_nobody_is_woken(evening: Evening) -> None:
    if not evening.company.small_disk:
        pytest.skip("the full disk is left out of the evening: this user may not mount a tmpfs")
    evening.company.fill_uploads()
    evening.hears("web", "report", r".*fixed by RUN-\d+ \(clean-uploads\)", 20 * PACE)
    assert not list((evening.company.folder / "uploads").iterdir())


def test_beside_it_a_job_that_does_not_call_in_is_told_and_so_is_its_next_call(evening: Evening) -> None:
    evening.rings.clear()
    evening.hears("data", "page", r"nightly is overdue", 110 if REAL else 30)
    evening.rings.set()
    evening.hears("data", "resolved", r"nightly is back", 30)


def test_the_end_of_each_trouble_is_told_though_another_goes_on(evening: Evening) -> None:
    company, forewatch = evening.company, evening.forewatch
    evening.hears("web", "page", r"website has a certificate problem", 30)
    evening.hears("data", "resolved", r"db is back", 45 + 5 * PACE)
    [incident] = [one for one in forewatch.incidents() if one.status != "resolved"]
    assert "certificate" in incident.title
    company.certify(days=300)
    company.take_certificate()
    evening.hears("web", "resolved", r"website", 30 * PACE)
    evening.all_over(5)
    ends = [one for one in evening.heard("data", "resolved") if "db is back" in one.body["text"]]
    assert len(ends) == 1, evening.transcript()
    assert not evening.heard("backend", "page"), evening.transcript()
    assert evening.restarted() == {"front"}


def test_a_web_server_that_dies_while_an_unrelated_incident_is_open_is_restarted_all_the_same(
    evening: Evening,
) -> None:
    evening.something_breaks()
    evening.rings.clear()
    evening.job_calls("/fail")
    evening.hears("data", "page", r"nightly ", 20 * PACE)
    evening.company.front.kill(signal.SIGTERM if REAL else signal.SIGKILL)
    evening.hears("web", "report", r"website was down for .*: fixed by RUN-\d+ \(restart-service\)", 12 * PACE)
    [open_still] = [one for one in evening.forewatch.incidents() if one.status != "resolved"]
    assert open_still.service == "nightly"
    assert evening.restarted() == {"front"}
    assert evening.told() == {("data", "page"), ("web", "report")}, evening.transcript()
    evening.rings.set()
    evening.hears("data", "resolved", r"nightly is back", 30)
    evening.all_over(5)


def test_in_the_end_nobody_was_left_with_a_page_whose_end_they_did_not_hear(evening: Evening) -> None:
    pages: dict[str, set[str]] = {}
    ends: dict[str, set[str]] = {}
    # What was merged into another ends with that.
    now = {one.id: (one.resolution or "").removeprefix("merged into ") for one in evening.forewatch.incidents()}
    for one in evening.receiver.received:
        where = {"page": pages, "update": pages, "resolved": ends}.get(one.kind, {})
        told = {now[incident] if now[incident] in now else incident for incident in one.body["incidents"]}
        where.setdefault(one.path, set()).update(told)
    assert all(incidents <= ends.get(team, set()) for team, incidents in pages.items()), (pages, ends)
