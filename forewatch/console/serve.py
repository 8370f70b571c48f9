"""The `serve` process: one HTTP port for health, metrics, pictures and an incident's page.

Pages and notifications do not depend on it; it only reads. Run as `python -m forewatch.console.serve`.
"""

from __future__ import annotations

import logging
import ssl
import sys
from pathlib import Path

import uvicorn

from forewatch.config.models import Config
from forewatch.console.app import make_app, with_fast_path
from forewatch.errors import ForewatchError
from forewatch.guard.logs import setup_logging
from forewatch.guard.sentry import start_sentry
from forewatch.home import Home
from forewatch.orchestration.settings import Settings
from forewatch.runtime import runtime

STOP_GRACE = 1
RENEWED_EVERY = 600
"""Ticks of uvicorn's, a tenth of a second each, between two looks at whether the certificate was renewed."""

log = logging.getLogger(__name__)


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
    files = certificate_files(config)
    options = uvicorn.Config(
        with_fast_path(make_app(context)),
        host=config.listen,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_GRACE,
        server_header=False,
        ssl_certfile=files[0] if files else None,
        ssl_keyfile=files[1] if files else None,
    )
    try:
        options.load()
    except (OSError, ssl.SSLError) as error:
        print(f"tls: {files and files[0]} and its key cannot be used: {error}", file=sys.stderr)
        return 1
    server = Renewing(options, files)
    server.run()
    return 0 if server.started else 1


def certificate_files(config: Config) -> tuple[Path, Path] | None:
    """Certificate and key of our port; None where it speaks plain HTTP."""
    if config.tls is None:
        return None
    folder = Path(config.folder)
    return folder / config.tls.certificate, folder / (config.tls.key or config.tls.certificate)


class Renewing(uvicorn.Server):
    """A server that takes a renewed certificate for the connections to come, and goes on with the old one if that is
    no good."""

    def __init__(self, config: uvicorn.Config, files: tuple[Path, Path] | None) -> None:
        super().__init__(config)
        self._files = files
        self._taken = self._changed()

    async def on_tick(self, counter: int) -> bool:
        if counter % RENEWED_EVERY == 0:
            self.renew()
        return await super().on_tick(counter)

    def renew(self) -> None:
        """Look once."""
        changed = self._changed()
        if self._files is None or self.config.ssl is None or changed == self._taken:
            return
        self._taken = changed
        try:
            self.config.ssl.load_cert_chain(*self._files)
            log.info("the renewed certificate of our port is shown from now on")
        except (OSError, ssl.SSLError) as error:
            log.error("tls: the certificate of our port has changed and cannot be used, the old one goes on: %s", error)

    def _changed(self) -> tuple[int, ...]:
        try:
            return tuple(file.stat().st_mtime_ns for file in self._files or ())
        except OSError:
            return ()


if __name__ == "__main__":
    sys.exit(main())
