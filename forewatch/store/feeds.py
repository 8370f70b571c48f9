"""What is remembered of the issues of error trackers: a source's place in them, and each issue as it was last seen."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from forewatch.intake.issue_changes import Seen, SeenIssue
from forewatch.store.schema import feed_issues, feeds
from forewatch.store.upsert import upsert


def get(conn: Connection, source: str) -> Seen | None:
    """None for a source that was never asked. Which alerts fire is not remembered here: the alerts know."""
    row = conn.execute(select(feeds.c.since, feeds.c.read_at).where(feeds.c.source == source)).first()
    if row is None:
        return None
    c = feed_issues.c
    issues = {
        found.issue: SeenIssue(found.state, found.events, found.at, found.last_seen)
        for found in conn.execute(select(feed_issues).where(c.source == source))
    }
    return Seen(row.since, row.read_at, issues)


def put(conn: Connection, source: str, seen: Seen, before: Seen | None) -> None:
    """Store what is remembered now; only what differs from `before`, which is what the store holds, is written."""
    upsert(conn, feeds, [{"source": source, "since": seen.since, "read_at": seen.read_at}])
    known = before.issues if before is not None else {}
    rows = [
        {
            "source": source,
            "issue": issue_id,
            "state": issue.state,
            "events": issue.events,
            "at": issue.at,
            "last_seen": issue.last_seen,
        }
        for issue_id, issue in seen.issues.items()
        if known.get(issue_id) != issue
    ]
    upsert(conn, feed_issues, rows)
    for issue_id in known.keys() - seen.issues.keys():
        conn.execute(delete(feed_issues).where(feed_issues.c.source == source, feed_issues.c.issue == issue_id))


def sources(conn: Connection) -> list[str]:
    """Every source that was ever asked and is not forgotten."""
    return list(conn.scalars(select(feeds.c.source).order_by(feeds.c.source)))


def last_read(conn: Connection) -> dict[str, int]:
    """When each source last answered; without those that never did."""
    return {row.source: row.read_at for row in conn.execute(select(feeds)) if row.read_at is not None}


def forget(conn: Connection, source: str) -> None:
    """The configuration has the source no longer."""
    for table in (feed_issues, feeds):
        conn.execute(delete(table).where(table.c.source == source))
