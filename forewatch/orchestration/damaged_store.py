"""`forewatch up` on a damaged store: it cannot start, so it says so to every notifier, and how to restore the file.

Once a damage, however often a service manager starts us again: whom it has told is kept beside the store. A notifier
that did not take it is tried again at the next start.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from forewatch.alerting.notification import Notification
from forewatch.clock import SystemClock, seconds
from forewatch.config.defaults import effective
from forewatch.config.files import read_tree
from forewatch.config.loader import parse
from forewatch.config.models import Config
from forewatch.errors import ConfigError, ForewatchError, StoreUnavailable
from forewatch.home import Home
from forewatch.incidents import wording
from forewatch.registry import load
from forewatch.store import backup
from forewatch.store.engine import path_of
from forewatch.store.revisions import REVISIONS, File
from forewatch.units import format_duration

TRIES = 3
"""Attempts a notifier gets in one start, with a second, then two, between them."""


@dataclass
class _Told:
    """One damage: what is wrong, under which id people hear of it, and who has."""

    damage: str
    id: str
    told: list[str] = field(default_factory=list)


async def told(home: Home, config: Path, error: StoreUnavailable, say: Callable[[str], None]) -> StoreUnavailable:
    """The error to end with: with the remedy, and after people were told, where a file is damaged; else as it is."""
    file = damaged_file(home, error)
    if file is None:
        return error
    how = await asyncio.to_thread(remedy, home, file, SystemClock().now())
    try:
        settings = effective(parse((await asyncio.to_thread(read_tree, config)).config_files()))
    except ConfigError as wrong:
        say(f"Nobody could be notified, because the configuration is broken too: {wrong.problems[0]}")
    else:
        await _tell(home, settings, file, str(error), how, say)
    return StoreUnavailable(f"{error}\n{how}", permanent=True)


def mended(home: Home) -> None:
    """A start went well: what is damaged next is news."""
    home.damage_told.unlink(missing_ok=True)


def damaged_file(home: Home, error: StoreUnavailable) -> File | None:
    """Which file an error says is damaged; None where it says something else."""
    if not error.permanent:
        return None
    return next((file for file in REVISIONS if str(error).startswith(f"{path_of(home, file)}: ")), None)


def remedy(home: Home, file: File, now: int) -> str:
    """What to do by hand: the command that puts the newest good backup in the place of the damaged file."""
    path = path_of(home, file)
    name, keep = shlex.quote(str(path)), shlex.quote(f"{path}.damaged")
    away = f"mv {name} {keep}"
    beside = f"rm -f {shlex.quote(f'{path}-wal')} {shlex.quote(f'{path}-shm')}"
    found = backup.newest_good(home, file)
    if found is None:
        return (
            f"There is no good backup in {home.backups}. To begin with an empty {path.name}: {away} && {beside}, then "
            "start Forewatch again."
        )
    age = format_duration(max(0.0, seconds(now - backup.taken_at(found))))
    return (
        f"The newest good backup is {found.name}, {age} old. To restore it: {away} && {beside} && "
        f"cp {shlex.quote(str(found))} {name}, then start Forewatch again."
    )


async def _tell(home: Home, config: Config, file: File, wrong: str, how: str, say: Callable[[str], None]) -> None:
    record = _read(home)
    if record is None or record.damage != wrong:
        record = _Told(wrong, f"NT-damage-{file}-{SystemClock().now()}")
    names = [notifier.name for notifier in config.notifiers if notifier.name not in record.told]
    outcomes = await asyncio.gather(*(_send(home, config, name, record.id, file, wrong, how) for name in names))
    for name, trouble in zip(names, outcomes, strict=True):
        if trouble:
            say(f"{name} could not be notified: {trouble}")
        else:
            record.told.append(name)
            say(f"{name} was notified.")
    try:
        home.damage_told.write_text(json.dumps(asdict(record)), encoding="utf-8")
    except OSError as error:
        say(f"Who was notified cannot be recorded ({error.strerror}): the next start notifies them again.")


async def _send(home: Home, config: Config, name: str, id: str, file: File, wrong: str, how: str) -> str:
    """Tell one notifier; why it did not take it, empty where it did."""
    now = SystemClock().now()
    notification = Notification(
        id=id,
        incident_id=None,
        alert_id=None,
        run_id=None,
        kind="page",
        severity="critical",
        notifier=name,
        state="claimed",
        not_before=now,
        content=content_of(path_of(home, file).name, wrong, how),
        created_at=now,
    )
    trouble = ""
    for attempt in range(TRIES):
        if attempt:
            await asyncio.sleep(2.0 ** (attempt - 1))
        try:
            await load("send_alone")(notification, config, home)
        except ForewatchError as error:
            trouble = str(error)
            if error.permanent:
                break
        else:
            return ""
    return trouble


def content_of(name: str, wrong: str, how: str) -> dict[str, Any]:
    """What people are told of a damaged file: what that means, what is wrong with it, how to restore it."""
    title = f"Forewatch does not start: {name} is damaged"
    labels = {"alertname": "StoreDamaged", "service": "forewatch", "severity": "critical"}
    return {
        "title": title,
        "text": wording.joined("Nothing is watched and nobody is paged until it is restored", wrong, how),
        "severity": "critical",
        "service": "forewatch",
        "alert": {"labels": labels, "annotations": {"summary": title, "description": how}},
        "reason": wrong,
    }


def _read(home: Home) -> _Told | None:
    try:
        return _Told(**json.loads(home.damage_told.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
