"""`forewatch why` and the story of an incident, from stored rows."""

from __future__ import annotations

from sqlalchemy import Connection

from forewatch.errors import NotFound
from forewatch.incidents.outcome import Reason
from forewatch.incidents.story import Story
from forewatch.incidents.why import Decided, Subject, explain
from forewatch.store import alerts, decision_log, incidents, observations, outbox, receipts, runs, timeline


def why(conn: Connection, subject: str) -> list[str]:
    """The chain of decisions about an alert, incident, notification or run; a fingerprint means its latest episode.

    Raises NotFound for an id nothing is stored under.
    """
    found = _subject(conn, subject)
    return explain(found, [_decided(conn, record) for record in decision_log.of_subject(conn, found.id)])


def incident_story(conn: Connection, incident_id: str) -> Story | None:
    """All that is stored of an incident; None for an unknown one. `incidents.story.as_markdown` makes a page of it."""
    incident = incidents.get(conn, incident_id)
    if incident is None:
        return None
    its_runs = runs.of_incident(conn, incident_id)
    return Story(
        incident,
        timeline=timeline.of_incident(conn, incident_id),
        alerts=alerts.of_incident(conn, incident_id),
        runs=its_runs,
        steps={run.id: receipts.of_run(conn, run.id) for run in its_runs},
        notifications=outbox.of_incident(conn, incident_id),
    )


def _subject(conn: Connection, subject: str) -> Subject:
    found: Subject | None
    match subject.partition("-")[0]:
        case "AL":
            found = alerts.get(conn, subject)
        case "INC":
            found = incidents.get(conn, subject)
        case "NT":
            found = outbox.get(conn, subject)
        case "RUN":
            found = runs.get(conn, subject)
        case _:
            found = alerts.latest(conn, subject)
    if found is None:
        raise NotFound(f"nothing is stored under {subject} (try an AL-, INC-, NT- or RUN- id, or a fingerprint)")
    return found


def _decided(conn: Connection, record: decision_log.DecisionRecord) -> Decided:
    observation = observations.get(conn, record.seq)
    return Decided(
        at=record.at,
        seq=record.seq,
        config_version=record.config_version,
        # Retention may have taken the observation; its decision still says why.
        event=observation.event if observation is not None else {},
        reasons=[Reason(one["code"], one["text"], tuple(one["subjects"])) for one in record.reasons],
    )
