"""The story of each closed incident as an artifact in Prefect's UI, whenever Prefect answers.

What is owed lies in the store, so neither an outage of Prefect nor the end of a watch loses one. At most one a second
leaves, behind pages and everything else; when very many incidents closed together, one artifact tells of all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import httpx
from prefect.artifacts import acreate_markdown_artifact

from forewatch.clock import iso, micros, seconds
from forewatch.errors import NotFound, StoreUnavailable
from forewatch.incidents.incident import Incident
from forewatch.incidents.story import as_markdown
from forewatch.notifying.content import Links
from forewatch.orchestration.flow_jobs import AWAY, server_listens
from forewatch.reports.explanation import incident_story
from forewatch.runtime import Runtime
from forewatch.store import incidents, runs, stories
from forewatch.units import format_duration

log = logging.getLogger("forewatch.stories")

EVERY = 1.0
"""Seconds between two artifacts."""
AWAY_PAUSE = 5.0
"""Seconds until the next try where Prefect did not take one."""
LATER = 10.0
"""Seconds an incident has been closed: at the moment itself the server has flow runs to make, and the remedy's own run
publishes the story."""
STORM = 60
"""Incidents whose stories are owed together beyond which one artifact tells of all: a minute's work."""
MOST_AT_ONCE = 5_000
MOST_LISTED = 500
LONGEST = 200_000
"""Characters of a story; a storm's alerts would fill megabytes."""
PATIENCE = 10.0
"""Seconds Prefect gets for one."""


class Stories:
    """Publishes what is owed, for one watch."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.published = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. Nothing that goes wrong here may reach the pages."""
        while not stop.is_set():
            pause = EVERY
            try:
                await self.once()
            except StoreUnavailable as error:
                log.warning("which stories are owed cannot be read or written: %s", error)
                pause = AWAY_PAUSE
            except AWAY as error:
                log.info("a story is published later: %s", error or type(error).__name__)
                pause = AWAY_PAUSE
            except Exception:
                log.exception("an unexpected error while publishing a story")
                pause = AWAY_PAUSE
            try:
                async with asyncio.timeout(pause):
                    await stop.wait()
            except TimeoutError:
                continue

    async def once(self) -> bool:
        """Publish one artifact, if any is owed and Prefect listens; whether one was. Raises what Prefect's client and
        the store raise: what is owed stays owed then."""
        here = self._runtime
        owed = await here.store.run(_owed, here)
        if not owed or not await server_listens():
            return False
        try:
            if len(owed) > STORM:
                await _publish_many(here, owed)
            else:
                await publish_story(here, owed[0])
        except NotFound:
            await here.store.run(_settle, here, owed[:1])
        except httpx.HTTPStatusError as error:
            if not error.response.is_client_error or error.response.status_code in (401, 403, 408, 429):
                raise
            # It will never take this one, and those behind it wait.
            log.warning("Prefect refuses the story of %s: %s", owed[0], error)
            await here.store.run(_settle, here, owed if len(owed) > STORM else owed[:1])
        else:
            self.published += 1
        return True


async def publish_story(here: Runtime, incident_id: str) -> None:
    """The incident's story as an artifact, of the present flow run where there is one.

    Raises NotFound for an unknown incident, and what Prefect's client raises where it is not taken.
    """
    text, link, closed = await here.store.run(_story, here, incident_id)
    await _publish(f"incident-{incident_id.lower()}", text, f"[{incident_id}]({link}): what happened and why")
    if closed:
        await here.store.run(_settle, here, [incident_id])


async def _publish_many(here: Runtime, incident_ids: Sequence[str]) -> None:
    text = await here.store.run(_list, here, incident_ids)
    await _publish("incidents-closed", text, f"{len(incident_ids)} incidents that closed together.")
    await here.store.run(_settle, here, incident_ids)


async def _publish(key: str, text: str, description: str) -> None:
    if len(text) > LONGEST:
        text = text[: text.rfind("\n", 0, LONGEST)] + "\n\n... and more, on its page in Forewatch.\n"
    async with asyncio.timeout(PATIENCE):
        await acreate_markdown_artifact(key=key, markdown=text, description=description)


def _owed(here: Runtime) -> list[str]:
    now = here.clock.now()
    with here.store.read() as conn:
        return stories.owed(conn, before=now - micros(LATER), now=now, most=MOST_AT_ONCE)


def _settle(here: Runtime, incident_ids: Sequence[str]) -> None:
    with here.store.decide() as conn:
        stories.settle(conn, incident_ids)


def _story(here: Runtime, incident_id: str) -> tuple[str, str, bool]:
    """The story as markdown, where the incident's page is, and whether the incident is closed."""
    _, config = here.configuration.current()
    links = Links.of(config, here.home)
    with here.store.read() as conn:
        addresses = {incident_id: links.incident(incident_id), "Forewatch": links.forewatch, "Prefect": links.prefect}
        for run in runs.of_incident(conn, incident_id):
            if run.flow_run is not None:
                addresses[run.id] = links.flow_run(run.flow_run)
        found = incident_story(conn, incident_id)
    if found is None:
        raise NotFound(f"{incident_id} is not in the store any more")
    return as_markdown(found, addresses), links.incident(incident_id), not found.incident.open


def _list(here: Runtime, incident_ids: Sequence[str]) -> str:
    """One line an incident, oldest first."""
    _, config = here.configuration.current()
    links = Links.of(config, here.home)
    with here.store.read() as conn:
        found = [incidents.get(conn, incident_id) for incident_id in incident_ids[:MOST_LISTED]]
    lines = [_line(incident, links) for incident in found if incident is not None]
    more = len(incident_ids) - MOST_LISTED
    if more > 0:
        lines.append(f"- ... and {more:,} more, on the pages of [Forewatch]({links.forewatch}/incidents)")
    return f"# {len(incident_ids):,} incidents closed\n\n" + "\n".join(lines) + "\n"


def _line(incident: Incident, links: Links) -> str:
    lasted = format_duration(max(0.0, seconds((incident.resolved_at or incident.opened_at) - incident.opened_at)))
    title = " ".join(incident.title.split())
    return (
        f"- [{incident.id}]({links.incident(incident.id)}), {incident.severity}: {title} "
        f"({iso(incident.opened_at)}, {lasted}; {incident.resolution})"
    )
