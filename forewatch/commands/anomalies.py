"""`forewatch anomalies ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forewatch.commands.common import HomeOption, local, opened, out, person, table
from forewatch.detection.episode import Episode, Verdict
from forewatch.detection.series_anomaly import Anomaly, happened, shown
from forewatch.errors import ForewatchError, NotFound
from forewatch.notifying.content import Links
from forewatch.reports.anomalies import anomalies_of, learning
from forewatch.runtime import Runtime
from forewatch.series.anomaly_series import chosen
from forewatch.store import anomalies, audit, detectors, series

AnomalyArgument = Annotated[str, typer.Argument(metavar="ID", help="AN-n, as `forewatch anomalies list` shows it.")]

_SAID: dict[Verdict, str] = {
    "noise": "It does not count any more, and this series is reported less readily.",
    "real": "This series is reported a little more readily.",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="What was unusual, by each series' own history.", no_args_is_help=True)
    app.add_typer(group, name="anomalies")

    @group.command("list")
    def listing(
        service: Annotated[str | None, typer.Option(help="Only of this service.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
        home: HomeOption = None,
    ) -> None:
        """The newest anomalies, and how many series are still being learned."""
        with opened(home) as runtime, runtime.store.read_metrics() as conn:
            known = {one.id: one for one in series.all_series(conn)}
            episodes = anomalies.listing(conn, limit=limit if service is None else 10_000)
            found = [one for one in anomalies_of(episodes, known) if service in (None, one.service)][:limit]
            knows = _learning(runtime, known, detectors.readiness(conn))
        table(
            ("ID", "SERVICE", "SINCE", "UNTIL", "TOLD", "SAID", "SERIES", "WHAT"),
            (
                (
                    one.episode.name,
                    one.service,
                    local(one.episode.start),
                    local(one.episode.end) or "goes on",
                    one.episode.told,
                    one.episode.verdict or "",
                    one.series,
                    happened(one.metric, one.episode),
                )
                for one in found
            ),
            "No anomalies.",
        )
        out.print(f"\n{knows}.", markup=False)

    @group.command()
    def show(anomaly: AnomalyArgument, home: HomeOption = None) -> None:
        """One anomaly: what was expected, how rare it is, and why it did or did not raise an alert."""
        with opened(home) as runtime, runtime.store.read_metrics() as conn:
            found = _found(anomaly, anomalies.get(conn, _number(anomaly)), series.all_series(conn))
            address = Links.of(runtime.configuration.current()[1], runtime.home).forewatch
        for line in _lines(found):
            out.print(line, markup=False)
        out.print(f"picture: {address}/pictures/anomaly/{found.episode.id}.svg", markup=False)
        if found.episode.verdict is None:
            out.print(f"\nWas it noise? forewatch anomalies noise {found.episode.name} (or: real)", markup=False)

    @group.command()
    def noise(anomaly: AnomalyArgument, home: HomeOption = None) -> None:
        """Mark an anomaly as noise: the series is reported less readily."""
        _judge(home, anomaly, "noise")

    @group.command()
    def real(anomaly: AnomalyArgument, home: HomeOption = None) -> None:
        """Mark an anomaly as real: the series is reported a little more readily."""
        _judge(home, anomaly, "real")


def _judge(home: Path | None, anomaly: str, verdict: Verdict) -> None:
    number = _number(anomaly)
    with opened(home) as runtime:
        now = runtime.clock.now()
        with runtime.store.measure() as conn:
            before = anomalies.get(conn, number)
            anomalies.judge(conn, number, verdict, by=person(), now=now)
        detail = {"verdict": verdict, "before": before.verdict if before is not None else None}
        with runtime.store.decide() as conn:
            audit.add(conn, actor=person(), action="judge anomaly", subject=f"AN-{number}", now=now, detail=detail)
    out.print(f"AN-{number} is marked as {verdict}. {_SAID[verdict]}", markup=False)


def _number(text: str) -> int:
    digits = text.upper().removeprefix("AN-")
    # Longer numbers than the store's are none it has.
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise ForewatchError(f"{text} is no anomaly: they are called AN-n (forewatch anomalies list shows them)")
    return int(digits)


def _found(text: str, episode: Episode | None, known: list[series.Series]) -> Anomaly:
    found = anomalies_of([episode] if episode is not None else [], {one.id: one for one in known})
    if not found:
        raise NotFound(f"there is no anomaly {text} (forewatch anomalies list shows them)")
    return found[0]


def _learning(runtime: Runtime, known: dict[int, series.Series], ready: dict[int, int]) -> str:
    _, config = runtime.configuration.current()
    if not config.anomalies.enabled:
        return "Anomaly detection is off (anomalies.enabled: false)"
    return learning(chosen(config, known.values()), ready, runtime.clock.now())


def _lines(anomaly: Anomaly) -> list[str]:
    one = anomaly.episode
    lines = [f"{one.name} of {anomaly.service}: {anomaly.series} {happened(anomaly.metric, one)}"]
    lines.append(f"since {local(one.start)}, " + (f"until {local(one.end)}" if one.end is not None else "goes on"))
    if one.expected is not None:
        low, high = shown(anomaly.metric, one.lower), shown(anomaly.metric, one.upper)
        lines.append(f"expected: {shown(anomaly.metric, one.expected)}, between {low} and {high}")
    rare = "as rare as the alarm budget allows" if one.level == "high" else "ten times as often as the alarm budget"
    lines.append(f"score: {one.score:.2f}, {one.level}: {rare}")
    made = "part of an alert" if one.told == "alert" else "a note"
    lines.append(f"{made}: {one.reason}" if one.reason else made)
    if one.verdict is not None:
        lines.append(f"{one.verdict_by} called it {one.verdict}, {local(one.verdict_at)}")
    return lines
