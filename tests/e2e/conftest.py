"""One Forewatch a module, started with the module's `configuration`, telling a real webhook receiver."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Forewatch, free_port
from receiver import Receiver
from scene import HOOK_SECRET, configuration_of
from victim import Victim


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the configuration and the state lie."""
    return tmp_path_factory.mktemp("forewatch")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def victim(folder: Path) -> Iterator[Victim]:
    """A service that nobody heals: whatever happens to it is paged at once."""
    with_pid = Victim("victim", folder, free_port())
    with_pid.start()
    yield with_pid
    with_pid.stop()


@pytest.fixture(scope="module")
def healable(folder: Path) -> Iterator[Victim]:
    """A service with a remedy that restarts it."""
    with_pid = Victim("healable", folder, free_port())
    with_pid.start()
    yield with_pid
    with_pid.stop()


@pytest.fixture(scope="module")
def configuration(victim: Victim, healable: Victim, receiver: Receiver) -> str:
    """What the module's Forewatch is started with; a module overrides it as it needs."""
    return configuration_of(victim.watched() + healable.restarted(), receiver)


@pytest.fixture(scope="module")
def forewatch(folder: Path, configuration: str) -> Iterator[Forewatch]:
    """A Forewatch that stands. Its logs are printed where a test of the module fails (pytest keeps the folder)."""
    started = Forewatch(folder, environment={"HOOK_SECRET": HOOK_SECRET})
    started.write_config(configuration)
    try:
        started.up()
        yield started
    finally:
        started.sweep()
        shutil.rmtree(started.home.prefect, ignore_errors=True)
