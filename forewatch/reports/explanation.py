"""`forewatch why` and the story of an incident, from stored rows."""

from __future__ import annotations

from sqlalchemy import Connection

from forewatch.alerting.alert import Alert
from forewatch.alerting.silence import Silence
from forewatch.errors import NotFound
from forewatch.incidents.outcome import Reason
from forewatch.incidents.story import Story
from forewatch.incidents.why import Decided, Gone, Subject, explain, hiding, id_of, standing
from forewatch.store import (
    alerts,
    decision_log,
    groups,
    incidents,
    observations,
    outbox,
    receipts,
    runs,
    silences,
    timeline,
    withheld,
)


def why(conn: Connection, subject: str) -> list[str]:
    """The chain of decisions about an alert, incident, notification, run, silence or group of notifications.

    A fingerprint means its latest episode, a group is named by its key. Raises NotFound for an id nothing is stored
    under.
    """
    found = _subject(conn, subject)
    decisions = [_decided(conn, record) for record in decision_log.of_subject(conn, id_of(found))]
    return explain(found, decisions, _present(conn, found))


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
        withheld=withheld.of_incident(conn, incident_id),
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
            found = alerts.latest(conn, subject) or silences.get(conn, subject) or groups.get(conn, subject)
    if found is None and decision_log.of_subject(conn, subject):
        return Gone(subject)
    if found is None:
        raise NotFound(
            f"nothing is stored under {subject} (try an AL-, INC-, NT- or RUN- id, a fingerprint, "
            "the id of a silence or the key of a group)"
        )
    return found


def _present(conn: Connection, found: Subject) -> list[str]:
    """How it stands with telling people of it."""
    match found:
        case Alert() if found.status == "firing":
            return standing(found, withheld.of_alert(conn, found.id), groups.of_alert(conn, found.id))
        case Silence():
            hidden = [alerts.get(conn, alert_id) for alert_id in withheld.by_subject(conn, found.id)]
            there = [alert for alert in hidden if alert is not None]
            return hiding(found, there, silences.hidden_incidents(conn, found.id))
        case _:
            return []


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
