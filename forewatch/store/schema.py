"""The tables of the files, as SQLAlchemy Core.

`decisions` (synchronous=FULL) is the memory nothing may be lost from; `metrics` (synchronous=NORMAL) may lose its last
second in a power cut; `intake` (synchronous=FULL) holds what others sent until it is processed, apart from the
decisions so that no sender waits for one. Instants are integer microseconds UTC; JSON columns hold plain JSON.
Migrations under `migrations/` create the very same tables; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite gives a growing rowid only to "INTEGER PRIMARY KEY"; PostgreSQL wants the room of BIGINT.
BigId = BigInteger().with_variant(Integer, "sqlite")

decisions = MetaData(naming_convention=NAMING)

counters = Table(
    "counters",
    decisions,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

generations = Table(
    "generations",
    decisions,
    # ids of a prefix with a number above this one were given in this generation, up to the next row of the prefix
    Column("prefix", String, primary_key=True),  # AL | INC | NT | RUN
    Column("above", BigInteger, primary_key=True),
    Column("key", String, nullable=False),
)

stories_owed = Table(
    "stories_owed",
    decisions,
    # closed incidents whose story Prefect has not got yet
    Column("incident_id", String, primary_key=True),
    Column("closed_at", BigInteger, nullable=False),
)

config_versions = Table(
    "config_versions",
    decisions,
    Column("version", BigId, primary_key=True, autoincrement=True),
    Column("digest", String, nullable=False),
    Column("files", JSON, nullable=False),  # [[path, text], ...], the first is the main file; secrets as references
    Column("code_version", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("remedies_off", JSON, nullable=True),  # [{service, place, name, reason}]: wrong, and so not in force
    sqlite_autoincrement=True,  # an id of a deleted row is never given again
)

observations = Table(
    "observations",
    decisions,
    Column("seq", BigId, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("source", String, nullable=False),  # check | rule | forecast | self | person | run | timer
    Column("event", JSON, nullable=False),
    Column("config_version", BigInteger, nullable=False),
    Column("code_version", String, nullable=False),
    # what else the decision saw that no decision made: how deliveries and runs stood, whether automation may act
    Column("facts", JSON, nullable=False, server_default=text("'{}'")),
    Index("ix_observations_at", "at"),
    sqlite_autoincrement=True,  # an id of a deleted row is never given again
)

decision_records = Table(
    "decisions",
    decisions,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("seq", BigInteger, nullable=False),  # the observation processed
    Column("at", BigInteger, nullable=False),
    Column("config_version", BigInteger, nullable=False),
    Column("reasons", JSON, nullable=False),  # [{"code": ..., "text": "a plain sentence"}, ...]
    Column("changes", JSON, nullable=False),
    Column("effects", JSON, nullable=False),
    UniqueConstraint("seq"),
    sqlite_autoincrement=True,  # an id of a deleted row is never given again
)

decision_subjects = Table(
    "decision_subjects",
    decisions,
    Column("subject", String, primary_key=True),  # AL-1, INC-2, NT-3, RUN-4
    Column("decision_id", BigInteger, primary_key=True),
    Index("ix_decision_subjects_decision_id", "decision_id"),
)

alerts = Table(
    "alerts",
    decisions,
    Column("id", String, primary_key=True),  # AL-n, one a firing episode
    Column("fingerprint", String, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("service", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("status", String, nullable=False),  # firing | resolved
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("incident_id", String),
    Column("source", String, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("until", BigInteger),
    Column("timeout", Boolean, nullable=False),
    Column("classification", String, nullable=False),
    Column("ended", String, nullable=False, server_default=text("''")),  # why, where nobody saw that all is well
    Index("ix_alerts_incident_id", "incident_id"),
    Index("ix_alerts_starts_at", "starts_at"),
    Index("ix_alerts_fingerprint", "fingerprint", "starts_at"),
    Index(
        "ix_alerts_service",
        "service",
        "starts_at",
        sqlite_where=text("status = 'firing'"),
        postgresql_where=text("status = 'firing'"),
    ),
    Index(
        "ix_alerts_until",
        "until",
        sqlite_where=text("status = 'firing' AND until IS NOT NULL"),
        postgresql_where=text("status = 'firing' AND until IS NOT NULL"),
    ),
    Index(
        "uq_alerts_firing",
        "fingerprint",
        unique=True,
        sqlite_where=text("status = 'firing'"),
        postgresql_where=text("status = 'firing'"),
    ),
)

alert_labels = Table(
    "alert_labels",
    decisions,
    # of firing alerts only: the index by which inhibition, silences and the API find them
    Column("name", String, primary_key=True),
    Column("value", String, primary_key=True),
    Column("alert_id", String, primary_key=True),
    Index("ix_alert_labels_alert_id", "alert_id"),
    sqlite_with_rowid=False,
)

silences = Table(
    "silences",
    decisions,
    Column("id", String, primary_key=True),  # a UUID
    Column("kind", String, nullable=False),  # silence | maintenance
    Column("matchers", JSON, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("created_by", String, nullable=False),
    Column("comment", Text, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_silences_ends_at", "ends_at"),
)

silenced = Table(
    "silenced",
    decisions,
    # what a silence has hidden over its life
    Column("silence_id", String, primary_key=True),
    Column("alert_id", String, primary_key=True),
    Column("incident_id", String),
    Column("at", BigInteger, nullable=False),
)

withheld = Table(
    "withheld",
    decisions,
    # firing alerts somebody was not told of
    Column("alert_id", String, primary_key=True),
    Column("route", String, primary_key=True),  # "": all routes
    Column("since", BigInteger, nullable=False),
    Column("reasons", JSON, nullable=False),  # [{kind, by, text, until}]
)

withheld_by = Table(
    "withheld_by",
    decisions,
    Column("subject", String, primary_key=True),  # the silence, alert or times a reason rests on
    Column("alert_id", String, primary_key=True),
    Column("route", String, primary_key=True),
    Index("ix_withheld_by_alert_id", "alert_id"),
)

notification_groups = Table(
    "notification_groups",
    decisions,
    Column("key", Text, primary_key=True),
    Column("route", String, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("flushed_at", BigInteger),
)

group_members = Table(
    "group_members",
    decisions,
    Column("group", Text, primary_key=True),
    Column("alert_id", String, primary_key=True),
    Index("ix_group_members_alert_id", "alert_id"),
    sqlite_with_rowid=False,
)

notices = Table(
    "notices",
    decisions,
    # what each notifier was told of a group last
    Column("group", Text, primary_key=True),
    Column("notifier", String, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("firing", JSON, nullable=False),  # fingerprints
    Column("resolved", JSON, nullable=False),
)

flaps = Table(
    "flaps",
    decisions,
    Column("fingerprint", String, primary_key=True),
    Column("fired_at", JSON, nullable=False),
    Column("flapping_since", BigInteger),
    Column("kinds", JSON, nullable=False, server_default="[]"),  # of failure, told since it flaps
)

changes = Table(
    "changes",
    decisions,
    # deployments and the like, as they were reported
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("service", String),
    Column("sender", String, nullable=False),
    Column("summary", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Index("ix_changes_at", "at"),
)

incident_services = Table(
    "incident_services",
    decisions,
    # of open incidents only: the services they have alerts of
    Column("service", String, primary_key=True),
    Column("incident_id", String, primary_key=True),
    Column("last_at", BigInteger, nullable=False),  # when its last alert there began
    Column("ended_at", BigInteger),  # when the last one that is over ended, by our own clock
    Index("ix_incident_services_incident_id", "incident_id"),
)

incidents = Table(
    "incidents",
    decisions,
    Column("id", String, primary_key=True),  # INC-n
    Column("group_key", String, nullable=False),  # the service, for now
    Column("service", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", String, nullable=False),
    Column("status", String, nullable=False),  # triggered | acknowledged | mitigated | resolved
    Column("opened_at", BigInteger, nullable=False),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", String),
    Column("mitigated_at", BigInteger),
    Column("resolved_at", BigInteger),
    Column("resolution", Text),
    Column("revision", BigInteger, nullable=False),  # raised by every change: the compare of compare-and-set
    Column("follows", String),  # the incident of the same trouble that ended shortly before
    Index("ix_incidents_opened_at", "opened_at"),
    Index(
        "uq_incidents_open",
        "group_key",
        unique=True,
        sqlite_where=text("status <> 'resolved'"),
        postgresql_where=text("status <> 'resolved'"),
    ),
)

timeline = Table(
    "timeline",
    decisions,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("incident_id", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_timeline_incident_id", "incident_id"),
)

outbox = Table(
    "outbox",
    decisions,
    Column("id", String, primary_key=True),  # NT-n
    Column("incident_id", String),
    Column("alert_id", String),
    Column("run_id", String),
    Column("kind", String, nullable=False),  # page | update | report | resolved | failure | test
    Column("severity", String, nullable=False),
    Column("notifier", String, nullable=False),
    Column("state", String, nullable=False),  # held | due | claimed | sent | failed | dead | merged
    Column("not_before", BigInteger, nullable=False),
    Column("content", JSON, nullable=False),  # what the templates see
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("claimed_term", BigInteger),
    Column("claimed_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("last_error", Text),
    Column("receipt", JSON),
    Index("ix_outbox_state", "state", "not_before"),
    Index("ix_outbox_incident_id", "incident_id"),
)

named = Table(
    "named",
    decisions,
    # which receiver was told of which alert, by a notification that is neither held nor dead, or by a digest that waits
    Column("alert_id", String, primary_key=True),
    Column("notifier", String, primary_key=True),
    Column("notification_id", String),  # null while the digest waits
    Column("name", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("paged", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_named_notification_id", "notification_id"),
)

receivers = Table(
    "receivers",
    decisions,
    # when each notifier was sent something last, and when what waits for it leaves
    Column("notifier", String, primary_key=True),
    Column("told_at", BigInteger, nullable=False),
    Column("paged_at", BigInteger, nullable=False),
    Column("critical_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("storm", Boolean, nullable=False),
)

letters = Table(
    "letters",
    decisions,
    # what waits for its receiver's next digest
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("notifier", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("incident_id", String),
    Column("alert_id", String),
    Column("run_id", String),
    Column("content", JSON, nullable=False),
    Column("named", JSON, nullable=False),  # [[alert, alertname, severity], ...]
    Column("at", BigInteger, nullable=False),
    Index("ix_letters_notifier", "notifier", "id"),
    sqlite_autoincrement=True,  # an id of a deleted row is never given again
)

runs = Table(
    "runs",
    decisions,
    # RUN-n: one execution of a runbook and its dispatch row in one
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),  # respond (a remedy at work on an incident) | runbook (started by a person)
    Column("runbook", String, nullable=False),
    Column("service", String),
    Column("incident_id", String),
    Column("alert_id", String),
    Column("remedy", String),  # "<service>/<runbook>": what limits are counted by
    Column("inputs", JSON, nullable=False),
    Column("autonomy", String, nullable=False),
    Column("requested_by", String, nullable=False),
    Column(
        "state", String, nullable=False
    ),  # waiting | claimed | started | acted | done | failed | cancelled | refused
    Column("claimed_by", String),
    Column("claimed_at", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("flow_run_id", String),
    Column("beat", BigInteger, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("acted_at", BigInteger),  # first changing step; limits count these
    Column("finished_at", BigInteger),
    Column("outcome", Text),
    Column("verified", String),  # healed | not healed
    Index("ix_runs_state", "state"),
    Index("ix_runs_incident_id", "incident_id"),
    Index("ix_runs_remedy", "remedy", "started_at"),
    Index("ix_runs_acted_at", "remedy", "acted_at"),
)

receipts = Table(
    "receipts",
    decisions,
    Column("run_id", String, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),  # act | observe
    Column("input_hash", String, nullable=False),
    Column("state", String, nullable=False),  # intent | done | failed
    Column("intent_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Column("result", JSON),
    Column("error", Text),
)

attachments = Table(
    "attachments",
    decisions,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("incident_id", String),
    Column("run_id", String),
    Column("at", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_attachments_incident_id", "incident_id"),
    Index("ix_attachments_run_id", "run_id"),
)

timers = Table(
    "timers",
    decisions,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),  # verification | start | remedy | review | ...
    Column("subject", String, nullable=False),
    Column("set_at", BigInteger, nullable=False),  # in the future: the clock has been set back since
    Column("due_at", BigInteger, nullable=False),
    Column("state", String, nullable=False),  # waiting | done | cancelled
    Index("ix_timers_state", "state", "due_at"),
    Index("ix_timers_subject", "subject"),
    sqlite_autoincrement=True,  # an id of a deleted row is never given again
)

looks = Table(
    "looks",
    decisions,
    # checks that are to be probed at once, before something acts on what they said; check-health answers
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("subject", String, nullable=False),  # the run or alert it is for
    Column("purpose", String, nullable=False),  # act | review | recovery | shadow
    Column("asked_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("keys", JSON, nullable=False),  # [[service, check, instance], ...]
    Column("state", String, nullable=False),  # asked | answered
    Column("answered_at", BigInteger),
    Column("results", JSON),  # [{service, check, instance, ok, reason, at, status}, ...]
    Index("ix_looks_state", "state", "due_at"),
    Index("ix_looks_subject", "subject"),
    sqlite_autoincrement=True,
)

waits = Table(
    "waits",
    decisions,
    # remedies that were refused for now, by the alert they are for
    Column("alert_id", String, primary_key=True),
    Column("kind", String, primary_key=True),  # the code of the refusal
    Column("by", String, nullable=False),  # the run, alert or switch it ends with
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),  # held pages wait with it until then
    Column("active", Boolean, nullable=False),
    Index("ix_waits_by", "by"),
)

shifts = Table(
    "shifts",
    decisions,
    Column("shift", String, primary_key=True),
    Column("term", BigInteger, nullable=False),
    Column("holder", String, nullable=False),
    Column("scheduled_for", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("beat_at", BigInteger, nullable=False),  # for people and pages; leases go by the counter alone
    Column("successor", String),
    Column("successor_scheduled_for", BigInteger),
    Column("flow_run_id", String),
)

components = Table(
    "components",
    decisions,
    Column("name", String, primary_key=True),  # prefect | worker | configuration | ...
    Column("state", String, nullable=False),  # ok | down
    Column("reason", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data", JSON, nullable=False),
)

audit = Table(
    "audit",
    decisions,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", JSON, nullable=False),
)

heartbeats = Table(
    "heartbeats",
    decisions,
    # a job that must call in, by the SHA-256 of its token
    Column("key", String, primary_key=True),
    Column("counts_from", BigInteger, nullable=False),
    Column("status", String, nullable=False),  # new | up | down, by its last call
    Column("last_at", BigInteger),
    Column("started_at", BigInteger),
    Column("started_rid", String),
    Column("runs", JSON, nullable=False),  # {rid: when it began}
    Column("duration", Float),  # seconds
    Column("down_at", BigInteger),
    Column("why", Text, nullable=False),
    Column("words", Text, nullable=False),
)

pings = Table(
    "pings",
    decisions,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String, nullable=False),  # success | start | fail | log
    Column("code", Integer),
    Column("rid", String),
    Column("duration", Float),  # seconds
    Column("body", Text, nullable=False),
    Index("ix_pings_key", "key", "id"),
)

switches = Table(
    "switches",
    decisions,
    Column("name", String, primary_key=True),  # automation
    Column("state", String, nullable=False),  # on | off
    Column("actor", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

set_aside = Table(
    "set_aside",
    decisions,
    # events that could not be processed for a fault of our own, so that they hold up nothing behind them
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("event", JSON, nullable=False),
    Column("error", Text, nullable=False),
    Index("ix_set_aside_at", "at"),
)

intake = MetaData(naming_convention=NAMING)

inbox = Table(
    "inbox",
    intake,
    Column("seq", BigId, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("source", String, nullable=False),  # the name of a source in the configuration
    Column("kind", String, nullable=False),  # alertmanager | events
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,  # an id of a deleted row is never given again
)

critical_lane = Table(
    "critical_lane",
    intake,
    # rows of the inbox that are decided before all others, in the order of their places
    Column("place", BigId, primary_key=True, autoincrement=True),
    Column("seq", BigInteger, nullable=False),
    UniqueConstraint("seq"),
    sqlite_autoincrement=True,
)

inbox_identities = Table(
    "inbox_identities",
    intake,
    # which alerts a row is about, where a later row about the same one may be in another lane
    Column("identity", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Index("ix_inbox_identities_seq", "seq"),
    sqlite_with_rowid=False,
)

metrics = MetaData(naming_convention=NAMING)

series = Table(
    "series",
    metrics,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("metric", String, nullable=False),
    Column("labels", JSON, nullable=False),
    # the labels, service among them, as canonical JSON: what makes a series unique
    Column("labels_key", String, nullable=False),
    Column("service", String, nullable=False),
    # whether it counts up from zero, where that is not as its name says: by the configuration, or by its values
    Column("counter", Boolean),
    UniqueConstraint("metric", "labels_key"),
    Index("ix_series_service", "service"),
)

points = Table(
    "points",
    metrics,
    Column("series_id", BigInteger, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("value", Float, nullable=False),
    sqlite_with_rowid=False,
)

rollups = Table(
    "rollups",
    metrics,
    Column("series_id", BigInteger, primary_key=True),
    Column("resolution", Integer, primary_key=True),  # seconds: 300, 3600
    Column("at", BigInteger, primary_key=True),  # start of the bucket
    Column("count", BigInteger, nullable=False),
    Column("sum", Float, nullable=False),
    Column("min", Float, nullable=False),
    Column("max", Float, nullable=False),
    Column("last", Float, nullable=False),
    sqlite_with_rowid=False,
)

late_points = Table(
    "late_points",
    metrics,
    # hours that got points after they were rolled up: to be rolled up again
    Column("series_id", BigInteger, primary_key=True),
    Column("at", BigInteger, primary_key=True),  # start of the hour
    sqlite_with_rowid=False,
)

marks = Table(
    "marks",
    metrics,
    # rollup.300, rollup.3600: every bucket that ended by then is rolled up; series: raised when series are removed
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

feeds = Table(
    "feeds",
    metrics,
    # error trackers that are asked for their issues
    Column("source", String, primary_key=True),
    Column("since", BigInteger, nullable=False),  # issues first seen before are not new
    Column("read_at", BigInteger),  # when it last answered
    sqlite_with_rowid=False,
)

feed_issues = Table(
    "feed_issues",
    metrics,
    Column("source", String, primary_key=True),
    Column("issue", String, primary_key=True),
    Column("state", String, nullable=False),  # new | regressed | escalating | ongoing | open | resolved | ignored
    Column("events", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),  # when it was looked at
    Column("last_seen", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

check_states = Table(
    "check_states",
    metrics,
    Column("service", String, primary_key=True),
    Column("check", String, primary_key=True),
    Column("instance", String, primary_key=True),
    Column("status", String, nullable=False),  # up | down | unknown
    Column("failures", Integer, nullable=False),  # in a row
    Column("successes", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("duration", Float, nullable=False),  # seconds
    Column("reason", Text, nullable=False),
)

rule_states = Table(
    "rule_states",
    metrics,
    Column("key", String, primary_key=True),  # rule and labels
    Column("pending_since", BigInteger),
    Column("firing", Integer, nullable=False),
    Column("value", Float),
    Column("at", BigInteger, nullable=False),
)

forecasts = Table(
    "forecasts",
    metrics,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("series_id", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("start", BigInteger, nullable=False),  # of the first step
    Column("step", Float, nullable=False),  # seconds
    Column("until", BigInteger, nullable=False),  # of the last step: from then on it can be scored
    Column("horizon", String, nullable=False),  # hour | day | week | month
    Column("model", String, nullable=False),
    Column("mean", JSON, nullable=False),
    Column("lower", JSON, nullable=False),  # 95 % band
    Column("upper", JSON, nullable=False),
    Column("exhausted_at", BigInteger),
    Column("coverage", Float),  # share of what came that lay inside the band, once scored
    Column("error", Float),  # mean absolute error, in the metric's unit, once scored
    Column("scored_at", BigInteger),
    Index("ix_forecasts_series_id", "series_id", "horizon", "made_at"),
    Index("ix_forecasts_scored_at", "scored_at", "until"),
)

models = Table(
    "models",
    metrics,
    # what each series is forecast with: parameters and a few numbers, never pickles; or why there is none yet
    Column("series_id", BigInteger, primary_key=True),
    Column("horizon", String, primary_key=True),  # hour | day | week | month
    Column("tried_at", BigInteger, nullable=False),
    Column("made_at", BigInteger),  # when it was fitted
    Column("refit_at", BigInteger),  # from when it is to be fitted anew
    Column("state", LargeBinary),  # its first byte is the version of its form
    Column("reason", Text, nullable=False),  # why there is none; empty where there is one
    Column("unknown", Text, nullable=False),  # what it cannot tell yet
    Column("demoted_at", BigInteger),  # since when its bands count as failed: its alerts are tickets
    sqlite_with_rowid=False,
)

detectors = Table(
    "detectors",
    metrics,
    # what is usual of each series
    Column("series_id", BigInteger, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("step", Float, nullable=False),  # seconds that one value it is given stands for
    Column("at", BigInteger, nullable=False),  # start of the newest step it has been given
    Column("last_at", BigInteger, nullable=False),  # of the newest point
    Column("spacing", Float, nullable=False),  # seconds between two points, as is usual
    Column("heard", BigInteger, nullable=False),  # when the newest verdict it has taken in was given
    Column("ready_at", BigInteger, nullable=False),  # when it has learned enough to speak
    Column("state", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

anomalies = Table(
    "anomalies",
    metrics,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("series_id", BigInteger, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger),  # null: goes on
    Column("last", BigInteger, nullable=False),  # start of the newest step that was not as usual
    Column("kind", String, nullable=False),  # unusual | shift | silent | flat
    Column("level", String, nullable=False),  # high | medium: how rare, by the alarm budget
    Column("score", Float, nullable=False),  # the highest, 0-1
    Column("peak", BigInteger, nullable=False),  # when it was highest
    Column("value", Float),  # at the highest score
    Column("expected", Float),
    Column("lower", Float),
    Column("upper", Float),
    Column("told", String, nullable=False),  # note | alert
    Column("reason", Text, nullable=False),  # why it was or was not made an alert
    Column("verdict", String),  # noise | real
    Column("verdict_by", String),
    Column("verdict_at", BigInteger),
    Index("ix_anomalies_series_id", "series_id", "start"),
    Index("ix_anomalies_start", "start"),
)

benchmark_runs = Table(
    "benchmark_runs",
    metrics,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("service", String, nullable=False),
    Column("benchmark", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("result", JSON, nullable=False),
    Index("ix_benchmark_runs_service", "service", "benchmark", "at"),
)
