"""The issues API of Sentry: what happened since the last look, newest first, and how the issues that fire are now."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from forewatch.clock import micros
from forewatch.config.secrets import reveal
from forewatch.config.sources import SentryApi
from forewatch.intake.issue_changes import Look, Seen
from forewatch.intake.issues import Issue, sentry_issue
from forewatch.intake.sources.making import instant
from tasks.feeds.client import Client, FeedTrouble, Gone, Query, connected, objects, whole_look

PAGE = "100"
"""The most Sentry gives."""
MOST_PAGES = 10
PERIOD = "14d"
"""How far back a first look reads."""
OVERLAP = micros(300)
"""An event shows up in the list of issues a little after it was seen: look that much further back."""
MOST_LOOKED_UP = 50
"""Issues that fire and are not in the list, asked for one by one at each look."""

log = logging.getLogger("forewatch.feeds")


async def read(api: SentryApi, seen: Seen, now: int) -> Look:
    """The issues with events since the last look, now and then all, and those that fire.

    Raises FeedTrouble, SecretError.
    """
    async with connected(api.url, reveal(api.token)) as client:
        issues, complete = await _listed(client, api, seen, now)
        gone: set[str] = set()
        missing = sorted(set(seen.firing) - {issue.id for issue in issues}, key=lambda one: seen.issues[one].at)
        for issue_id in missing[:MOST_LOOKED_UP]:
            # A resolved issue is not in a list of unresolved ones.
            try:
                data, _ = await client.get(f"{_organization(api)}/issues/{quote(issue_id, safe='')}/")
                issues.append(_issue(data, now))
            except Gone:
                gone.add(issue_id)
        return Look(issues, gone, complete)


async def _listed(client: Client, api: SentryApi, seen: Seen, now: int) -> tuple[list[Issue], bool]:
    since = 0 if seen.read_at is None or whole_look(seen, now) else seen.read_at - OVERLAP
    query = _query(api)
    cursor: str | None = ""
    issues: list[Issue] = []
    for _ in range(MOST_PAGES):
        data, answer = await client.get(
            f"{_organization(api)}/issues/", [*query, ("cursor", cursor)] if cursor else query
        )
        page = [_issue(one, now) for one in objects(data, "the issues")]
        issues += page
        cursor = next_cursor(answer)
        if cursor is None:
            return issues, True
        if page and page[-1].last_seen < since:
            return issues, False
    log.warning("%s has more issues than are read at once; these are the %d seen last", api.url, len(issues))
    return issues, False


def _query(api: SentryApi) -> Query:
    numbers = [project for project in api.projects if project.isdecimal()]
    slugs = [project for project in api.projects if not project.isdecimal()]
    text = f"{api.query} project:[{','.join(slugs)}]" if slugs else api.query
    # Without a project Sentry takes those the token's owner is a member of; -1 is all that the token may see.
    projects = numbers or ["-1"]
    return [
        ("query", text.strip()),
        ("sort", "date"),
        ("limit", PAGE),
        ("statsPeriod", PERIOD),
        *(("project", project) for project in projects),
    ]


def next_cursor(answer: httpx.Response) -> str | None:
    """Where the next page begins; None where Sentry says that it has no results."""
    link = answer.links.get("next", {})
    if link.get("results") != "true":
        return None
    return link.get("cursor") or next(iter(parse_qs(urlsplit(link.get("url", "")).query).get("cursor", [])), None)


def _organization(api: SentryApi) -> str:
    return f"/api/0/organizations/{quote(api.organization, safe='')}"


def _issue(data: object, now: int) -> Issue:
    if not isinstance(data, dict):
        raise FeedTrouble("an issue should be an object, and is not")
    try:
        return sentry_issue(data, now, instant)
    except ValueError as error:
        raise FeedTrouble(f"an issue cannot be read: {error}") from error
