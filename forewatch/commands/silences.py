"""`forewatch silences ...`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from forewatch.alerting.alert import Alert
from forewatch.alerting.matchers import Matcher, parse_matchers, remark
from forewatch.alerting.silence import Silence, SilenceKind, state_of, validate
from forewatch.clock import from_datetime, micros
from forewatch.commands.common import HomeOption, carry_out, local, opened, out, person, ring_all, table
from forewatch.deciding import wake
from forewatch.errors import ForewatchError
from forewatch.incidents import wording
from forewatch.incidents.events import SilenceExpired
from forewatch.reports import silences as reported
from forewatch.reports.silences import Used
from forewatch.silence_edit import set_silence
from forewatch.store import silences, withheld
from forewatch.units import format_duration, parse_duration

LONGEST = 3650 * 86_400.0
"""Seconds a silence may last: whoever wants more wants another configuration."""

MatcherArguments = Annotated[
    list[str], typer.Argument(metavar="MATCHER...", help="""service=web, 'alertname=~"Disk.*"', severity!=critical""")
]
ForOption = Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d.")]
FromOption = Annotated[str, typer.Option("--from", help="When it begins: in 30m, or at 2026-11-03T22:00; default now.")]
CommentOption = Annotated[str, typer.Option(help="Why, for whoever wonders why it is quiet.")]
AuthorOption = Annotated[str | None, typer.Option(help="Who is warned before it ends; default you.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Silences: alerts that notify nobody for a while.", no_args_is_help=True)
    app.add_typer(group, name="silences")

    @group.command("list")
    def listing(
        every: Annotated[bool, typer.Option("--all", help="Include expired silences.")] = False,
        home: HomeOption = None,
    ) -> None:
        """Active and pending silences, the next to end first."""
        with opened(home) as runtime, runtime.store.read() as conn:
            now = runtime.clock.now()
            found = silences.listing(conn, ended_after=None if every else now)
            hides = {one.id: len(withheld.by_subject(conn, one.id)) for one in found}
        table(
            ("ID", "STATE", "FROM", "TO", "BY", "HIDES", "MATCHERS", "COMMENT"),
            (
                (
                    one.id,
                    _state(one, now),
                    local(one.starts_at),
                    local(one.ends_at),
                    one.created_by,
                    hides[one.id] or "",
                    shown(one.matchers),
                    one.comment,
                )
                for one in found
            ),
            "No silences." if every else "No active or pending silences.",
        )

    @group.command()
    def add(
        matcher: MatcherArguments,
        length: ForOption = "",
        begins: FromOption = "",
        comment: CommentOption = "",
        author: AuthorOption = None,
        maintenance: Annotated[bool, typer.Option("--maintenance", help="Remedies do not act either.")] = False,
        home: HomeOption = None,
    ) -> None:
        """Add a silence, and print what it hides now."""
        with opened(home) as runtime:
            now = runtime.clock.now()
            silence = made(
                matchers_of(matcher), length, begins, comment, author, "maintenance" if maintenance else "silence", now
            )
            with runtime.store.decide() as conn:
                hidden = reported.preview(conn, silence.matchers)
                config = runtime.configuration.current()
                silence_id, outcome = set_silence(conn, silence, config=config, now=runtime.clock.now())
            wake(runtime.home, outcome)
            ring_all(runtime)
        begin = f"from {local(silence.starts_at)} " if silence.starts_at > now else ""
        out.print(
            f"{silence_id} silences {shown(silence.matchers)} {begin}until {local(silence.ends_at)}.", markup=False
        )
        show_hidden(hidden, "Were it in force now, it would hide" if begin else "It hides")

    @group.command()
    def preview(matcher: MatcherArguments, home: HomeOption = None) -> None:
        """Print what a silence with these matchers would hide now, without adding it."""
        matchers = matchers_of(matcher)
        with opened(home) as runtime, runtime.store.read() as conn:
            hidden = reported.preview(conn, matchers)
        show_hidden(hidden, "It would hide")

    @group.command()
    def expire(
        silence: Annotated[str, typer.Argument(metavar="ID", help="Its id, from `forewatch silences list`.")],
        home: HomeOption = None,
    ) -> None:
        """End a silence now: people are notified of what still fires."""
        with opened(home) as runtime:
            now = runtime.clock.now()
            with runtime.store.read() as conn:
                known = silences.get(conn, silence)
                hides = len(withheld.by_subject(conn, silence))
            if known is not None and state_of(known, now) == "expired":
                raise ForewatchError(f"{silence} ended {local(known.ends_at)}")
            carry_out(runtime, lambda at: SilenceExpired(silence, person(), at))
        told = f" {_count(hides)} it hid {'is' if hides == 1 else 'are'} looked at again." if hides else ""
        out.print(f"{silence} is over.{told}", markup=False)

    @group.command()
    def report(home: HomeOption = None) -> None:
        """The silences of the last 30 days: which hid an incident, which matched nothing, which end soon."""
        with opened(home) as runtime, runtime.store.read() as conn:
            now = runtime.clock.now()
            kept = min(reported.REVIEWED, runtime.configuration.current()[1].retention.decisions)
            found = reported.review(conn, now - micros(kept), now)
        out.print(f"Silences of the last {format_duration(kept)}.\n", markup=False)
        _show_used("They hid incidents:", found.hid, now, "None hid an incident.")
        _show_used("They matched nothing:", found.unused, now, "Each of them matched something.")
        soon = format_duration(reported.ENDS_SOON)
        _show_used(f"They end within {soon}:", found.ending, now, f"None ends within {soon}.")


def matchers_of(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """Raises ForewatchError with a sentence that quotes what cannot be read."""
    for text in texts:
        _checked("the matcher", text)
    try:
        found = parse_matchers(list(texts))
    except ValueError as error:
        raise ForewatchError(f"{error} (a matcher is such as service=web or 'alertname=~\"Disk.*\"')") from None
    for said in filter(None, map(remark, texts)):
        typer.echo(f"Note: {said}.", err=True)
    return found


def made(
    matchers: tuple[Matcher, ...],
    length: str,
    begins: str,
    comment: str,
    author: str | None,
    kind: SilenceKind,
    now: int,
) -> Silence:
    """A silence as somebody asked for it; without an id. Raises ForewatchError with what cannot be meant so."""
    _checked("--comment", comment)
    _checked("--author", author or "")
    starts_at = _moment(begins, now)
    if not length:
        raise ForewatchError("a silence needs an end: say how long with --for 2h")
    lasts = _duration("--for", length)
    if not 0 < lasts <= LONGEST:
        raise ForewatchError(f"--for {length}: a silence lasts more than nothing and at most 10 years")
    silence = Silence(
        id="",
        matchers=matchers,
        starts_at=starts_at,
        ends_at=starts_at + micros(lasts),
        created_by=person() if author is None else author,
        comment=comment,
        updated_at=now,
        kind=kind,
    )
    try:
        validate(silence, now)
    except ValueError as error:
        hint = " (--comment)" if not comment.strip() else ""
        raise ForewatchError(f"{error}{hint}") from None
    return silence


def shown(matchers: Sequence[Matcher]) -> str:
    """Matchers as they may be typed again."""
    return ", ".join(map(str, matchers))


def show_hidden(hidden: Sequence[Alert], verb: str) -> None:
    """What a silence hides: a sentence, and the alerts."""
    if not hidden:
        out.print(f"{verb} nothing that fires now.", markup=False)
        return
    incidents = ", ".join(dict.fromkeys(alert.incident_id for alert in hidden if alert.incident_id is not None))
    of = f" of {incidents}" if incidents else ""
    out.print(f"{verb} {_count(len(hidden))}{of}:\n", markup=False)
    table(
        ("ALERT", "INCIDENT", "SEVERITY", "CLASSIFICATION", "SERVICE", "WHAT"),
        (
            (
                alert.id,
                alert.incident_id or "",
                alert.severity,
                alert.classification,
                alert.service,
                wording.summary(alert),
            )
            for alert in hidden
        ),
        "",
    )


def _state(silence: Silence, now: int) -> str:
    state = state_of(silence, now)
    return state if silence.kind == "silence" else f"{state}, maintenance"


def _count(alerts: int) -> str:
    return "1 alert" if alerts == 1 else f"{alerts} alerts"


def _checked(what: str, text: str) -> None:
    """Raises ForewatchError for bytes that are no text: nothing could store them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ForewatchError(f"{what} {text.encode(errors='replace').decode()} is not UTF-8") from None


def _duration(option: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ForewatchError(f"{option} {text}: {error}") from None


def _moment(text: str, now: int) -> int:
    """When a silence begins: now, after a while, or at a moment of this machine's own time zone unless it names one."""
    if not text:
        return now
    try:
        lasts = parse_duration(text)
    except ValueError:
        try:
            at = from_datetime(datetime.fromisoformat(text).astimezone())
        except (ValueError, OverflowError, OSError):
            raise ForewatchError(
                f"--from {text}: neither a while from now (30m) nor a moment (2026-11-03T22:00)"
            ) from None
        if at < now:
            raise ForewatchError(
                f"--from {text}: that is in the past, and what was sent cannot be taken back"
            ) from None
        return at
    if lasts > LONGEST:
        raise ForewatchError(f"--from {text}: that is more than 10 years from now")
    return now + micros(lasts)


def _show_used(title: str, found: Sequence[Used], now: int, none: str) -> None:
    if not found:
        out.print(f"{none}\n", markup=False)
        return
    out.print(title, markup=False)
    table(
        ("ID", "STATE", "TO", "BY", "HID", "CLASSIFICATION", "MATCHERS", "COMMENT"),
        (
            (
                used.silence.id,
                _state(used.silence, now),
                local(used.silence.ends_at),
                used.silence.created_by,
                f"{_count(used.alerts)} of {', '.join(used.incidents)}" if used.incidents else "",
                ", ".join(used.classifications),
                shown(used.silence.matchers),
                used.silence.comment,
            )
            for used in found
        ),
        "",
    )
    out.print()
