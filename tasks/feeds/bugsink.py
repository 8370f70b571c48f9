"""The issues API of Bugsink: the issues of each project with events since the last look, and those that fire.

Bugsink's issues have no level; an issue that is news is looked up in its last event.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from forewatch.clock import micros
from forewatch.config.secrets import reveal
from forewatch.config.sources import Bugsink
from forewatch.intake.issue_changes import Look, Seen, news
from forewatch.intake.issues import IGNORED, OPEN, RESOLVED, Issue, whole
from forewatch.intake.sources.making import id_of, instant, optional_text, within
from tasks.feeds.client import Client, FeedTrouble, Gone, connected, objects, whole_look

API = "/api/canonical/0"
MOST_PROJECTS = 200
MOST_PAGES = 10
"""Of one project at one look."""
OVERLAP = micros(60)
MOST_LOOKED_UP = 50
"""Issues that are asked for one by one at each look, and events likewise."""

log = logging.getLogger("forewatch.feeds")


async def read(feed: Bugsink, seen: Seen, now: int) -> Look:
    """The issues with events since the last look, now and then all, and those that fire.

    Raises FeedTrouble, SecretError.
    """
    async with connected(feed.url, reveal(feed.token)) as client:
        issues: list[Issue] = []
        complete = True
        for project_id, name in (await _projects(client, feed)).items():
            found, all_there = await _listed(client, feed, project_id, name, seen, now)
            issues += found
            complete &= all_there
        gone: set[str] = set()
        missing = sorted(set(seen.firing) - {issue.id for issue in issues}, key=lambda one: seen.issues[one].at)
        for issue_id in missing[:MOST_LOOKED_UP]:
            try:
                data, _ = await client.get(f"{API}/issues/{quote(issue_id, safe='')}/")
                issues.append(_issue(data, "", feed.url))
            except Gone:
                gone.add(issue_id)
        return Look(await _with_levels(client, seen, issues), gone, complete)


async def _projects(client: Client, feed: Bugsink) -> dict[int, str]:
    """Name by id of the projects that are looked at. Deleted or unknown ones are left out."""
    found: dict[int, str] = {}
    cursor: str | None = ""
    for _ in range(MOST_PAGES):
        data, _ = await client.get(f"{API}/projects/", [("cursor", cursor)] if cursor else [])
        page, cursor = _page(data)
        found |= {one["id"]: optional_text(one, "slug") for one in page if isinstance(one.get("id"), int)}
        if cursor is None:
            break
    if missing := sorted(set(feed.projects) - set(found)):
        raise FeedTrouble(f"there is no project {missing[0]} in Bugsink")
    return {number: found[number] for number in (feed.projects or list(found)[:MOST_PROJECTS])}


async def _listed(
    client: Client, feed: Bugsink, project: int, name: str, seen: Seen, now: int
) -> tuple[list[Issue], bool]:
    since = 0 if seen.read_at is None or whole_look(seen, now) else seen.read_at - OVERLAP
    query = [("project", str(project)), ("sort", "last_seen"), ("order", "desc")]
    cursor: str | None = ""
    issues: list[Issue] = []
    for _ in range(MOST_PAGES):
        data, _ = await client.get(f"{API}/issues/", [*query, ("cursor", cursor)] if cursor else query)
        page, cursor = _page(data)
        issues += [_issue(one, name, feed.url) for one in page]
        if cursor is None:
            return issues, True
        if issues and issues[-1].last_seen < since:
            return issues, False
    log.warning("project %s has more issues than are read at once; these are the %d seen last", name, len(issues))
    return issues, False


async def _with_levels(client: Client, seen: Seen, issues: list[Issue]) -> list[Issue]:
    """What the last event of each issue that is news says of level and environment."""
    left = MOST_LOOKED_UP
    found = []
    for issue in issues:
        if left and news(seen, issue) is not None:
            left -= 1
            issue = await _with_level(client, issue)
        found.append(issue)
    return found


async def _with_level(client: Client, issue: Issue) -> Issue:
    try:
        data, _ = await client.get(f"{API}/events/", [("issue", issue.id), ("order", "desc")])
        page, _ = _page(data)
        if not page:
            return issue
        event, _ = await client.get(f"{API}/events/{quote(optional_text(page[0], 'id'), safe='')}/")
    except Gone:
        return issue
    said = within(event if isinstance(event, dict) else {}, "data")
    return replace(issue, level=optional_text(said, "level"), environment=optional_text(said, "environment"))


def _page(data: object) -> tuple[list[Mapping[str, Any]], str | None]:
    """What is on a page, and where the next one begins."""
    if not isinstance(data, dict):
        raise FeedTrouble("a page should be an object with results, and is not")
    following = data.get("next")
    cursors = parse_qs(urlsplit(following).query).get("cursor", []) if isinstance(following, str) else []
    return objects(data.get("results"), "the results of a page"), next(iter(cursors), None)


def _issue(data: object, project: str, url: str) -> Issue:
    if not isinstance(data, dict):
        raise FeedTrouble("an issue should be an object, and is not")
    try:
        issue_id = id_of(data, "id", "issue.")
        first_seen, last_seen = instant(id_of(data, "first_seen", "")), instant(id_of(data, "last_seen", ""))
    except ValueError as error:
        raise FeedTrouble(f"an issue cannot be read: {error}") from error
    kind, value = optional_text(data, "calculated_type"), optional_text(data, "calculated_value")
    return Issue(
        id=issue_id,
        title=": ".join(filter(None, (kind, value.partition("\n")[0]))),
        first_seen=first_seen or 0,
        last_seen=last_seen or 0,
        key=optional_text(data, "friendly_id"),
        project=project,
        culprit=optional_text(data, "transaction"),
        url=f"{url.rstrip('/')}/issues/issue/{quote(issue_id, safe='')}/event/last/",
        state=RESOLVED if data.get("is_resolved") is True else IGNORED if data.get("is_muted") is True else OPEN,
        events=whole(data.get("digested_event_count")),
    )
