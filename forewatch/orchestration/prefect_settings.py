"""The Prefect we run: its settings, its login, its environment. Prefect itself is not imported here.

Everything is set explicitly. A user's Prefect profile, `PREFECT_*` variables, `.env`, `prefect.toml` and
`pyproject.toml` are ignored (own PREFECT_HOME, own profiles file, working directory inside it), so that nothing lands
on somebody's Prefect Cloud by accident.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass

from cryptography.fernet import Fernet

from forewatch.errors import StoreError
from forewatch.guard.redact import remember
from forewatch.home import VARIABLE, Home

WORK_POOL = "forewatch"
KEPT_DAYS = 7
"""Days that Prefect keeps flow runs, logs and events; our own records stay longer (see `retention`)."""
CALM = {
    "SCHEDULER_RECENT_DEPLOYMENTS": 30,
    "LATE_RUNS": 30,
    "PAUSE_EXPIRATIONS": 30,
    "CANCELLATION_CLEANUP": 60,
    "FOREMAN": 30,
    "REPOSSESSOR": 60,
    "CLEANUP_RECONCILER": 60,
}
"""Seconds between two rounds of the server's own services, most of which would look every 5 s for what we do not use
(concurrency leases, pauses). Each round takes SQLite's write lock just when a remedy's flow run may be waiting."""


@dataclass(frozen=True)
class Keys:
    """Made on first start and kept in `keys.json`, mode 0600."""

    login: str
    """`user:password`, what the Prefect UI asks for and every client sends."""
    encryption: str
    """Fernet key of Prefect's secret blocks; without it Prefect would keep one in its own database."""


def keys(home: Home) -> Keys:
    """Read the keys, or make them. Raises StoreError where the file is readable by others or broken."""
    path = home.keys
    if not path.exists():
        made = Keys(f"forewatch:{secrets.token_urlsafe(18)}", Fernet.generate_key().decode())
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"login": made.login, "encryption": made.encryption}, file)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise StoreError(f"{path} can be read by others; run: chmod 600 {path}")
    try:
        found = Keys(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path} is not a keys file any more; restore it from a backup or delete it") from error
    remember(found.login.partition(":")[2])
    remember(found.encryption)
    return found


def environment(home: Home, prefect_port: int) -> dict[str, str]:
    """The environment of the Prefect server and of every process that talks to it."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("PREFECT_")}
    made = keys(home)
    url = f"http://127.0.0.1:{prefect_port}"
    return inherited | {
        VARIABLE: str(home.root),
        "DO_NOT_TRACK": "1",
        # Forecasts run beside the watch, not instead of it; and what is forked must have no threads.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # glibc would give every thread a heap of its own: 15 MB more over all processes (measured), for no gain here.
        "MALLOC_ARENA_MAX": "1",
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_PROFILES_PATH": str(home.prefect / "profiles.toml"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_UI_URL": url,
        "PREFECT_API_AUTH_STRING": made.login,
        "PREFECT_SERVER_API_AUTH_STRING": made.login,
        "PREFECT_SERVER_ENCRYPTION_KEY": made.encryption,
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(prefect_port),
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"{url},http://localhost:{prefect_port}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # The newer UI asks an analytics company for its settings on every page, analytics off or not (3.8.8).
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{KEPT_DAYS}D",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs,orphans",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": f"P{KEPT_DAYS}D",
        # Twenty rows ahead instead of a hundred: a shift needs the next run, not the next eight hours.
        "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "20",
        **{f"PREFECT_SERVER_SERVICES_{name}_LOOP_SECONDS": str(seconds) for name, seconds in CALM.items()},
        # Events reach those who listen all the same. Kept, they were four fifths of what Prefect wrote (2.3 MB against
        # 0.4 MB for 18 shifts), for a page that repeats what the runs' own pages say.
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_WORKER_ENABLE_CANCELLATION": "false",
        "PREFECT_CLIENT_METRICS_ENABLED": "false",
        # A client gives up within seconds, so that a shift never hangs on a server that is away.
        "PREFECT_API_REQUEST_TIMEOUT": "10",
    }
