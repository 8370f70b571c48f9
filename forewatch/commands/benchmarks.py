"""`forewatch benchmarks ...`: the load tests of the configuration, what they measured and what that says."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from forewatch.clock import iso
from forewatch.commands.common import HomeOption, carry_out, local, opened, out, person, table
from forewatch.errors import ActionRefused
from forewatch.runtime import Runtime
from forewatch.store import benchmark_runs
from forewatch.store.benchmark_runs import BenchmarkRun
from forewatch.units import format_duration

ServiceArgument = Annotated[str, typer.Argument(help="The service it is a benchmark of.")]
NameArgument = Annotated[
    str | None, typer.Argument(help="Its name, where the service has several.", show_default=False)
]
SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Load tests of services, and what their results say.", no_args_is_help=True)
    app.add_typer(group, name="benchmarks")

    @group.command("list")
    def listing(home: HomeOption = None) -> None:
        """Every benchmark, its last result, and when it runs next."""
        with opened(home) as runtime:
            rows = _rows(runtime)
        table(
            ("SERVICE", "BENCHMARK", "RATE", "EVERY", "LAST", "P50", "P95", "ERRORS", "STATE"),
            rows,
            "There are no benchmarks (add some under services[].benchmarks).",
        )

    @group.command("show")
    def detail(
        service: ServiceArgument,
        name: NameArgument = None,
        limit: Annotated[int, typer.Option(min=1, help="How many runs to print.")] = SHOWN,
        as_json: Annotated[bool, typer.Option("--json", help="Everything that is kept, as JSON.")] = False,
        home: HomeOption = None,
    ) -> None:
        """The last runs of a benchmark, newest first, with the verdict on each."""
        from forewatch.load_tests.benchmarks import find

        with opened(home) as runtime:
            benchmark = find(runtime.configuration.current()[1], service, name)
            with runtime.store.read_metrics() as conn:
                runs = benchmark_runs.newest(conn, service, benchmark.name, limit)[::-1]
        if as_json:
            print(json.dumps([_as_json(run) for run in runs], indent=2))
            return
        table(
            ("AT", "P50", "P95", "P99", "MAX", "GOOD/S", "ERRORS", "STATE", "WHAT IT SAYS"),
            (
                (
                    local(run.at),
                    *(_time(run.measured["quantiles"].get(one)) for one in ("p50", "p95", "p99")),
                    _time(run.measured["max"]),
                    f"{run.measured['throughput']:.1f}",
                    f"{run.measured['error_ratio']:.1%}",
                    run.judgement.get("state", ""),
                    run.judgement.get("reason", ""),
                )
                for run in runs
            ),
            f"{service}/{benchmark.name} has not run yet.",
        )

    @group.command()
    def run(
        service: ServiceArgument,
        name: NameArgument = None,
        anyway: Annotated[bool, typer.Option("--anyway", help="Run it even if there is a reason not to.")] = False,
        home: HomeOption = None,
    ) -> None:
        """Run a benchmark now, in this terminal, and compare it with the runs before."""
        from forewatch.commands import bench
        from forewatch.load_tests import benchmarks

        with opened(home) as runtime, benchmarks.one_at_a_time(runtime.home) as free:
            store, config = runtime.store, runtime.configuration.current()[1]
            benchmark = benchmarks.find(config, service, name)
            if not free:
                raise ActionRefused("another load is under way on this machine; both would measure each other")
            reason = benchmarks.why_not(store, config, service, runtime.clock.now())
            if reason is not None and not anyway:
                raise ActionRefused(
                    f"{service}/{benchmark.name} is not run now: {reason} (--anyway runs it all the same)"
                )
            measured = bench.put(benchmarks.load_of(benchmark))
            now = runtime.clock.now()
            ran = benchmarks.record(store, config, service, benchmark, measured, now)
            event = ran.event
            if event is not None:
                carry_out(runtime, lambda _: event)
        bench.show(measured.as_json())
        out.print(f"\n{ran.judgement.state}: {ran.text}", markup=False)

    @group.command()
    def accept(service: ServiceArgument, name: NameArgument = None, home: HomeOption = None) -> None:
        """Accept a service's present speed: later runs are compared with it."""
        from forewatch.load_tests import benchmarks

        with opened(home) as runtime:
            benchmark = benchmarks.find(runtime.configuration.current()[1], service, name)
            end = benchmarks.accept(runtime.store, service, benchmark.name, person(), runtime.clock.now())
            if end is not None:
                carry_out(runtime, lambda _: end)
        out.print(f"From now on {service}/{benchmark.name} is compared with its present speed.", markup=False)


def _rows(runtime: Runtime) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    _, config = runtime.configuration.current()
    with runtime.store.read_metrics() as conn:
        for service in config.services:
            for one in service.benchmarks:
                runs = benchmark_runs.newest(conn, service.name, one.name, 1)
                plan = (service.name, one.name, f"{one.rate:g}/s for {format_duration(one.duration)}")
                rows.append((*plan, format_duration(one.every), *_last(runs)))
    return rows


def _last(runs: list[BenchmarkRun]) -> tuple[object, ...]:
    if not runs:
        return ("never", "", "", "", "has not run yet")
    measured, judgement = runs[-1].measured, runs[-1].judgement
    quantiles = measured["quantiles"]
    said = f"{judgement.get('state', '')}: {judgement.get('reason', '')}"
    errors = f"{measured['error_ratio']:.1%}"
    return (local(runs[-1].at), _time(quantiles.get("p50")), _time(quantiles.get("p95")), errors, said)


def _as_json(run: BenchmarkRun) -> dict[str, Any]:
    return {"at": iso(run.at), "load": run.load, "measured": run.measured, "judgement": run.judgement}


def _time(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.3g}ms" if value < 1 else f"{value:.3g}s"
