"""`forewatch sources ...`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from forewatch.clock import iso
from forewatch.commands.common import HomeOption, home_of, local, opened, out, table
from forewatch.config.loader import load_files, parse
from forewatch.config.models import Config
from forewatch.config.sources import Source
from forewatch.errors import ForewatchError, NotFound
from forewatch.incidents.events import Event
from forewatch.intake.decoding import events_of
from forewatch.intake.parsers import PARSERS
from forewatch.intake.posted_alerts import check
from forewatch.intake.sources.making import Parsed
from forewatch.orchestration.settings import Settings
from forewatch.store import alerts, feeds
from forewatch.store.inbox import Row


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Where alerts come from.", no_args_is_help=True)
    app.add_typer(group, name="sources")

    @group.command("list")
    def listing(home: HomeOption = None) -> None:
        """Every source: what to set in its sender, how it is authenticated, and when it last sent something."""
        with opened(home) as runtime:
            _, config = runtime.configuration.current()
            here = Settings.read(runtime.home) or Settings(config="")
            base = (config.public_url or here.url).rstrip("/")
            with runtime.store.read() as conn:
                newest = alerts.newest_by_source(conn)
            with runtime.store.read_metrics() as conn:
                answered = feeds.last_read(conn)
        table(
            ("NAME", "KIND", "LAST ALERT", "LAST ANSWER", "PROOF", "ADDRESS"),
            (
                (one.name, one.kind, local(newest.get(one.name)), local(answered.get(one.name)), _proof(one),
                 address(one, base))
                for one in config.sources
            ),
            "No sources are configured; docs/operations/sources.md has one for each tool.",
        )  # fmt: skip

    @group.command()
    def test(
        name: Annotated[str, typer.Argument(help="The name of a source.")],
        body: Annotated[Path, typer.Option(help="The request body, in a file; - is standard input.")],
        header: Annotated[list[str] | None, typer.Option(help="NAME: VALUE, a header of the request.")] = None,
        config: Annotated[Path | None, typer.Option(help="The configuration; default: the one in force.")] = None,
        home: HomeOption = None,
    ) -> None:
        """Print the alerts a request body would become, and store nothing; exit 1 if any would be refused."""
        settings = Settings.read(home_of(home))
        path = config or (Path(settings.config) if settings is not None else Path("forewatch.yaml"))
        parsed = read(parse(load_files(path)), name, _content(body), dict(_headers(header or [])))
        for event in parsed.events:
            out.print(json.dumps(shown(event), indent=2, ensure_ascii=False), markup=False)
        if not parsed.events and not parsed.refused:
            out.print("Nothing: the body would be accepted, but makes no alert.")
        for sentence in parsed.refused:
            print(f"refused: {sentence}", file=sys.stderr)
        if parsed.refused:
            sys.exit(1)


def read(config: Config, name: str, body: bytes, headers: dict[str, str]) -> Parsed:
    """What a body sent to a source would come to. Raises NotFound, and ForewatchError where nothing of it is good."""
    source = next((one for one in config.sources if one.name == name), None)
    if source is None:
        raise NotFound(f"there is no source {name} in the configuration")
    now = time.time_ns() // 1000
    try:
        if source.kind == "alertmanager":
            checked = check(body, now)
            rows = [Row(1, now, name, "alertmanager", part.body) for part in checked.parts]
            return Parsed([event for row in rows for event in events_of(row, source)], checked.problems)
        if source.kind not in PARSERS:
            raise ForewatchError(f"{name} is asked by us and sends nothing: there is no body to test")
        return PARSERS[source.kind](body, headers, source, now)
    except ValueError as error:
        raise ForewatchError(f"{name} would be refused: {error}") from error


def shown(event: Event) -> dict[str, Any]:
    """An event for people: without what is empty, and instants as times."""
    found = {key: value for key, value in event.as_json().items() if value not in (None, "", {}, False)}
    return found | {key: iso(found[key]) for key in ("at", "until") if isinstance(found.get(key), int)}


def address(source: Source, base: str) -> str:
    """What to set in the sender; for a tracker that is asked, whom we ask."""
    match source.kind:
        case "alertmanager":
            return f"{base}/api/v2/alerts"
        case "pagerduty":
            return f"{base}/v2/enqueue"
        case "kuma":
            return f"{base}/api/push/TOKEN?status=up&msg=OK&ping="
        case "bugsink" if source.bugsink is not None:
            return f"asks {source.bugsink.url}"
        case "sentry" if source.sentry is not None:
            asks = f"asks {source.sentry.api.url}" if source.sentry.api is not None else ""
            sent = f"{base}/intake/{source.name}" if source.sentry.client_secret is not None else ""
            return ", ".join(filter(None, (sent, asks)))
        case _:
            return f"{base}/intake/{source.name}"


def _proof(source: Source) -> str:
    """How a sender proves who it is."""
    if source.kind == "bugsink" or (source.sentry is not None and source.sentry.client_secret is None):
        return "none needed"
    if source.kind == "sentry":
        return "signature"
    return "token" if source.token is not None else "this machine"


def _headers(given: list[str]) -> Iterator[tuple[str, str]]:
    for one in given:
        name, found, value = one.partition(":")
        if not found:
            raise ForewatchError(f"{one} is no header; write it NAME: VALUE")
        yield name.strip().lower(), value.strip()


def _content(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error
