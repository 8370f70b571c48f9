"""The `serve` process: one HTTP port for health, metrics, pictures and an incident's page.

Pages and notifications do not depend on it; it only reads. Run as `python -m forewatch.console.serve`.
"""

from __future__ import annotations

import sys

import uvicorn

from forewatch.console.app import make_app, with_fast_path
from forewatch.errors import ForewatchError
from forewatch.guard.logs import setup_logging
from forewatch.guard.sentry import start_sentry
from forewatch.home import Home
from forewatch.orchestration.settings import Settings
from forewatch.runtime import runtime

STOP_GRACE = 1


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    home = Home.from_env()
    setup_logging("serve", None)
    start_sentry("serve")
    settings = Settings.read(home)
    if settings is None:
        print(f"nothing has been started on {home.root} yet; run: forewatch up", file=sys.stderr)
        return 1
    try:
        context = runtime()
        _, config = context.configuration.current()
    except ForewatchError as error:
        print(error, file=sys.stderr)
        return 1
    uvicorn.run(
        with_fast_path(make_app(context)),
        host=config.listen,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_GRACE,
        server_header=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
