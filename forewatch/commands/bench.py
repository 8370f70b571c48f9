"""`forewatch bench URL`: put a load on a service of one's own and see how it copes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from forewatch.clock import SystemClock
from forewatch.commands.common import out
from forewatch.errors import ForewatchError
from forewatch.units import format_bytes, format_duration, parse_duration

if TYPE_CHECKING:
    from forewatch.load_tests.load import Load
    from forewatch.load_tests.result import Measured


def register(app: typer.Typer) -> None:
    """Add the command of this module."""

    @app.command()
    def bench(
        url: Annotated[str, typer.Argument(help="http://HOST[:PORT]/PATH")],
        rate: Annotated[float, typer.Option(help="Requests a second.")] = 10.0,
        duration: Annotated[str, typer.Option(help="How long: 30s, 5m.")] = "30s",
        timeout: Annotated[str, typer.Option(help="Of a request, from the moment it is due.")] = "10s",
        arrivals: Annotated[
            Literal["constant", "poisson"], typer.Option(help="Evenly spaced, or at random as people come.")
        ] = "constant",
        seed: Annotated[int | None, typer.Option(help="Repeats the same poisson arrivals.")] = None,
        method: Annotated[str, typer.Option(help="Of the requests.")] = "GET",
        header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'NAME: VALUE'; any number.")] = None,
        body: Annotated[str | None, typer.Option(help="Sent with each request.")] = None,
        max_in_flight: Annotated[int, typer.Option(help="Requests under way at once, and connections.")] = 256,
        verify_tls: Annotated[bool, typer.Option(help="Whether certificates must be valid.")] = True,
        mine: Annotated[bool, typer.Option("--mine", help="A service on a public address is your own.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="All figures, as JSON.")] = False,
    ) -> None:
        """Put a load on a service and measure it: requests are sent on time whether or not it answers."""
        from forewatch.load_tests.load import Load, check, check_owner

        load = Load(
            url=url,
            rate=rate,
            duration=seconds("--duration", duration),
            timeout=seconds("--timeout", timeout),
            method=method,
            headers=_headers(header or ()),
            body=body,
            arrivals=arrivals,
            seed=seed,
            max_in_flight=max_in_flight,
            verify_tls=verify_tls,
        )
        check(load)
        check_owner(load, mine)
        measured = put(load)
        if as_json:
            print(json.dumps(measured.as_json(), indent=2))
        else:
            how = "evenly spaced" if arrivals == "constant" else "at random times"
            what = f"{rate:g} requests a second for {format_duration(load.duration)}, {how}"
            out.print(f"{load.method.upper()} {url}: {what}.\n", markup=False)
            show(measured.as_json())
        if not measured.good:
            sys.exit(1)


def put(load: Load) -> Measured:
    """Put a load on, with a progress bar; Ctrl-C ends it with what there is so far. Raises LoadRefused."""
    return asyncio.run(_put(load))


async def _put(load: Load) -> Measured:
    from forewatch.load_tests.runner import run

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("load", total=load.duration)

            def told(measured: Measured) -> None:
                median = measured.times.quantile(0.5)
                took = "" if median is None else f", median {_time(median)}"
                text = f"{measured.due} sent, {measured.failed} failed{took}"
                progress.update(bar, completed=min(measured.elapsed, load.duration), description=text)

            return await run(load, SystemClock(), stop=stop, told=told)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def show(measured: Mapping[str, Any]) -> None:
    """What came of a load, as `Measured.as_json` has it, for a person."""
    due, good, failed = measured["due"], measured["good"], sum(measured["errors"].values())
    if measured["stopped"]:
        out.print(
            f"Stopped after {measured['elapsed']:.1f} s of {measured['duration']:g} s; "
            f"{measured['unfinished']} requests under way are not counted.\n",
            markup=False,
        )
    out.print(
        f"requests   {due} due, {good} good ({measured['throughput']:.1f} a second), {failed} failed", markup=False
    )
    quantiles = {**measured["quantiles"], "max": measured["max"]} if measured["quantiles"] else {}
    times = "  ".join(f"{name} {_time(value)}" for name, value in quantiles.items())
    out.print(f"times      {times or 'none: no good answer came'}", markup=False)
    if failed:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(measured["errors"].items()))
        out.print(f"errors     {kinds} ({measured['error_ratio']:.1%})", markup=False)
    elapsed = measured["elapsed"] or 1.0
    size = f"{format_bytes(measured['bytes'])} ({format_bytes(measured['bytes'] / elapsed)} a second)"
    out.print(f"bodies     {size}", markup=False)
    late = measured["generator"]
    out.print(f"generator  late by {_time(late['p99'])} (p99), {_time(late['max'])} at most", markup=False)
    for line in _remarks(measured):
        out.print(f"\n{line}", markup=False)


def _remarks(measured: Mapping[str, Any]) -> list[str]:
    """What a reader must know lest the figures mislead."""
    from forewatch.load_tests.result import TIMEOUT, UNSENT

    found, errors = [], measured["errors"]
    generator = measured["generator"]
    if generator["late"]:
        found.append(
            f"The load generator itself was late by p99 {_time(generator['p99'])}: part of these times is its own. "
            "Lower --rate, or give it a core of its own."
        )
    if measured["delayed"] or errors.get(UNSENT):
        never = f", {errors[UNSENT]} of them until their time-out" if errors.get(UNSENT) else ""
        found.append(
            f"{measured['delayed'] + errors.get(UNSENT, 0)} requests could not be sent on time, because as many as "
            f"allowed were in flight{never}; their wait is in the times."
        )
    if errors.get(TIMEOUT) or errors.get(UNSENT):
        found.append("Requests that were not answered in time are in the times with the time-out.")
    return found


def seconds(option: str, text: str) -> float:
    """A duration as typed. Raises ForewatchError naming the option."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ForewatchError(f"{option} {text}: {error}") from None


def _headers(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not name.strip().isascii():
            raise ForewatchError(f"--header {text}: write it as 'NAME: VALUE'")
        found[name.strip()] = value.strip()
    return found


def _time(value: float) -> str:
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
