"""`forewatch maintenance ...`: a service people work on tells nobody, and no remedy acts on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import typer
from sqlalchemy import Connection

from forewatch.alerting.matchers import Matcher
from forewatch.alerting.silence import Silence, state_of
from forewatch.alerting.times import next_change, within
from forewatch.commands.common import HomeOption, local, opened, out, person, ring_all, table
from forewatch.commands.silences import (
    AuthorOption,
    CommentOption,
    ForOption,
    FromOption,
    made,
    show_hidden,
    shown,
)
from forewatch.config.models import Config, Times
from forewatch.config.problems import near
from forewatch.deciding import decide_in
from forewatch.errors import NotFound
from forewatch.incidents.deciding.withheld_alerts import times_of
from forewatch.incidents.events import SilenceExpired
from forewatch.reports.silences import preview
from forewatch.silence_edit import set_silence
from forewatch.store import alerts, silences

ServiceArgument = Annotated[str, typer.Argument(help="The service people work on.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="Maintenance: nobody is notified of a service, and no remedy acts on it.", no_args_is_help=True
    )
    app.add_typer(group, name="maintenance")

    @group.command()
    def start(
        service: ServiceArgument,
        length: ForOption = "",
        begins: FromOption = "",
        comment: CommentOption = "",
        author: AuthorOption = None,
        home: HomeOption = None,
    ) -> None:
        """Start maintenance of a service, or change when it ends."""
        with opened(home) as runtime:
            now = runtime.clock.now()
            config = runtime.configuration.current()
            silence = made(_of(service), length, begins, comment, author, "maintenance", now)
            with runtime.store.decide() as conn:
                _known(conn, config[1], service)
                under_way = next((one for one in _by_hand(conn, service, now) if state_of(one, now) == "active"), None)
                if under_way is not None and not begins:
                    silence = replace(silence, id=under_way.id, starts_at=under_way.starts_at)
                hidden = preview(conn, silence.matchers)
                set_silence(conn, silence, config=config, now=runtime.clock.now())
            ring_all(runtime)
        begin = f" from {local(silence.starts_at)}" if silence.starts_at > now else ""
        was = f" (until {local(under_way.ends_at)} before)" if silence.id and under_way is not None else ""
        out.print(f"{service} is in maintenance{begin} until {local(silence.ends_at)}{was}.", markup=False)
        show_hidden(hidden, "Were it now, it would hide" if begin else "It hides")

    @group.command()
    def end(service: ServiceArgument, home: HomeOption = None) -> None:
        """End maintenance that was started by hand: people are notified of what still fires."""
        with opened(home) as runtime:
            config = runtime.configuration.current()
            planned = [times.name for name, times in _planned(config[1], runtime.clock.now()) if name == service]
            with runtime.store.decide() as conn:
                now = runtime.clock.now()
                found = _by_hand(conn, service, now)
                for one in found:
                    decide_in(conn, SilenceExpired(one.id, person(), now), config=config, now=now)
            ring_all(runtime)
        by_calendar = f"{', '.join(planned)} of the configuration" if planned else ""
        if not found and planned:
            raise NotFound(f"the maintenance of {service} is {by_calendar}: change it there")
        if not found:
            raise NotFound(f"no maintenance of {service} was begun by hand (forewatch maintenance list shows all)")
        stays = f" It stays in maintenance by {by_calendar}." if planned else ""
        out.print(f"The maintenance of {service} is over.{stays}", markup=False)

    @group.command("list")
    def listing(home: HomeOption = None) -> None:
        """Maintenance, active and pending: started by hand, and planned windows that are open now."""
        with opened(home) as runtime:
            now = runtime.clock.now()
            _, config = runtime.configuration.current()
            with runtime.store.read() as conn:
                by_hand = [one for one in silences.listing(conn, ended_after=now) if one.kind == "maintenance"]
        rows = [
            (_service(one), local(one.starts_at), local(one.ends_at), one.created_by, one.comment) for one in by_hand
        ]
        rows += [
            (service, "", local(next_change(times, now)) or "for good", "the configuration", times.name)
            for service, times in _planned(config, now)
        ]
        table(("SERVICE", "FROM", "UNTIL", "BY", "WHY"), rows, "No service is in maintenance.")


def _of(service: str) -> tuple[Matcher, ...]:
    return (Matcher("service", "=", service),)


def _service(silence: Silence) -> str:
    match silence.matchers:
        case (Matcher("service", "=", service),):
            return service
        case matchers:
            return shown(matchers)


def _by_hand(conn: Connection, service: str, now: int) -> list[Silence]:
    """Maintenance of exactly this service that is not over."""
    found = silences.listing(conn, ended_after=now)
    return [one for one in found if one.kind == "maintenance" and one.matchers == _of(service)]


def _planned(config: Config, now: int) -> Iterator[tuple[str, Times]]:
    """Each service with planned maintenance that holds now, and its times."""
    for service in config.services:
        for name in service.maintenance:
            if within(times := times_of(config)[name], now):
                yield service.name, times


def _known(conn: Connection, config: Config, service: str) -> None:
    """Raises NotFound for a service that neither the configuration nor any firing alert names: it is a slip."""
    if config.service(service) is None and not alerts.firing_of(conn, [service]):
        hint = near(service, [one.name for one in config.services])
        other = f"for one that others watch: forewatch silences add --maintenance service={service} ..."
        raise NotFound(f"there is no service {service} in the configuration{hint}; {other}")
