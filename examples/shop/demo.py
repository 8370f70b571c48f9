"""`make demo`: a shop, a Forewatch that watches it, a fault that is healed, and one that is healed before it hurts.

python -m examples.shop.demo [--fault die|hang|slow|errors|leak] [--service catalogue] [--once]
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from examples.shop.shop import LEAK_MB, MEMORY_MB, NAMES, Shop
from forewatch.clock import SystemClock, seconds
from forewatch.errors import HomeNotOurs
from forewatch.home import Home, make_private
from forewatch.runtime import open_runtime
from forewatch.store import incidents, timeline

READY_TIMEOUT = 120.0
HEAL_TIMEOUT = 90.0


def main() -> int:
    """Run the demo; returns the exit code."""
    # Whoever ends the demo otherwise than by Ctrl-C must not leave a shop and a Forewatch behind either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(description="Watch a shop, break it, see it healed.")
    parser.add_argument("--fault", choices=["die", "hang", "slow", "errors", "leak"], help="default die, then leak")
    parser.add_argument("--service", choices=NAMES, default="catalogue")
    parser.add_argument("--folder", type=Path, default=Path(".forewatch-demo"))
    parser.add_argument("--port", type=int, default=4280)
    parser.add_argument("--prefect-port", type=int, default=4200)
    parser.add_argument("--first-shop-port", type=int, default=8001)
    parser.add_argument("--once", action="store_true", help="end when all is healed")
    options = parser.parse_args()

    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        make_private(folder)
    except HomeNotOurs as error:
        raise SystemExit(f"demo | {error}; the demo's option is --folder") from error
    shop = Shop(folder, options.first_shop_port)
    say(f"Starting the shop in {folder}: " + " -> ".join(NAMES))
    shop.start()
    config = shop.write_configuration()
    forewatch = start_forewatch(config, folder / "state", options.port, options.prefect_port)
    try:
        wait_ready(forewatch, options.port)
        return show(shop, folder / "state", options, forewatch)
    finally:
        forewatch.send_signal(signal.SIGINT)
        try:
            forewatch.wait(timeout=20)
        except subprocess.TimeoutExpired:
            forewatch.kill()
        shop.stop()


def start_forewatch(config: Path, home: Path, port: int, prefect_port: int) -> subprocess.Popen[bytes]:
    """`forewatch up` beside us; what it says goes to this terminal."""
    program = Path(sys.executable).with_name("forewatch")
    return subprocess.Popen(
        [str(program if program.exists() else shutil.which("forewatch")), "up", "--config", str(config),
         "--home", str(home), "--port", str(port), "--prefect-port", str(prefect_port)],
        start_new_session=True,
    )  # fmt: skip


def wait_ready(forewatch: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        if forewatch.poll() is not None:
            raise SystemExit(forewatch.returncode)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.3)
    raise SystemExit(f"Forewatch was not ready within {READY_TIMEOUT:.0f} s; see the logs in its state folder")


def show(shop: Shop, home: Path, options: argparse.Namespace, forewatch: subprocess.Popen[bytes]) -> int:
    """Break a service and narrate until it is healed; then wait for Ctrl-C unless asked to end."""
    time.sleep(2)
    incident = None
    for fault in [options.fault] if options.fault else ["die", "leak"]:
        incident = (show_leak if fault == "leak" else show_fault)(shop, home, options.service, fault)
        if incident is None:
            return 1
    say("")
    say(f"See it: http://127.0.0.1:{options.port}/incidents/{incident}")
    say(f"        http://127.0.0.1:{options.prefect_port}/runs (login: forewatch login --home {home})")
    say(f"Ask it: forewatch why {incident} --home {home}")
    if options.once:
        return 0
    fault = f"http://127.0.0.1:{shop.port(options.service)}/fault/hang"
    say(f"Break more: curl {fault} (or slow, errors, leak, die). Ctrl-C ends the demo.")
    try:
        forewatch.wait()
    except KeyboardInterrupt:
        say("Ending the demo.")
    return 0


def show_fault(shop: Shop, home: Path, name: str, fault: str) -> str | None:
    """Something breaks, and is healed. Returns the incident; None where it was not healed."""
    say(f"Now {name} goes wrong: {fault}.")
    began = SystemClock().now()
    shop.fault(name, fault)
    incident = narrate(home, name, began)
    if incident is None:
        say(f"{name} was not healed within {HEAL_TIMEOUT:.0f} s.")
        return None
    while not shop.healthy(name):
        time.sleep(0.02)
    return incident


def show_leak(shop: Shop, home: Path, name: str, fault: str) -> str | None:
    """A process leaks; that its memory will run out is seen and healed before it does. Returns the incident."""
    before, used = shop.pid(name), shop.memory(name) / 1e6
    dies_in = (MEMORY_MB - used) / LEAK_MB
    say("")
    say(f"Now {name} leaks {LEAK_MB} MB a second. It uses {used:.0f} MB;")
    say(f"at {MEMORY_MB} MB it is killed, in {dies_in:.0f} s.")
    began = SystemClock().now()
    shop.fault(name, fault)
    incident = narrate(home, name, began)
    took = seconds(SystemClock().now() - began)
    if shop.killed_for_memory(name):
        say(f"{name} was killed for its memory before anything was done about it.")
        return None
    if incident is None:
        say(f"{name} was not healed within {HEAL_TIMEOUT:.0f} s.")
        return None
    say(f"{name} would have been killed after {dies_in:.0f} s. It was not: pid {before} was restarted in time,")
    say(f"and after {took:.0f} s pid {shop.pid(name)} uses {shop.memory(name) / 1e6:.0f} MB.")
    return incident


def narrate(home: Path, service: str, began: int) -> str | None:
    """Print each new line of the incident's timeline; returns its id once it is resolved, None if it never is."""
    runtime = open_runtime(Home(home))
    deadline = time.monotonic() + HEAL_TIMEOUT
    told = 0
    try:
        while time.monotonic() < deadline:
            with runtime.store.read() as conn:
                found = [
                    one
                    for one in incidents.listing(conn, open_only=False, limit=20)
                    if one.service == service and one.opened_at >= began
                ]
                entries = timeline.of_incident(conn, found[0].id) if found else []
            for entry in entries[told:]:
                say(f"  +{seconds(entry.at - began):5.2f} s  {entry.actor}: {entry.text}")
            told = len(entries)
            if found and found[0].status == "resolved":
                return found[0].id
            time.sleep(0.1)
        return None
    finally:
        runtime.store.close()


def say(line: str) -> None:
    print(f"demo | {line}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
