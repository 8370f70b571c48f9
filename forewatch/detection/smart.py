"""What a disk says of itself, out of a report of `smartctl --json --all`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BROKEN_SECTORS = (5, 197, 198)
"""ATA attributes: reallocated, waiting to be, and not correctable."""
_WEAR = (231, 233, 202, 177)
"""ATA attributes of solid-state disks whose value falls from 100 as they wear out."""


@dataclass(frozen=True)
class Disk:
    """None where the disk does not tell."""

    passed: bool | None
    wear: float | None
    """Share of its life that is used up; may be above 1."""
    sectors: float | None
    """Sectors, or blocks, that are broken."""
    temperature: float | None
    """Degrees Celsius."""
    powered: float | None
    """Seconds it has been on."""


def read(report: Mapping[str, Any]) -> Disk | str:
    """What the report says, or why the disk could not be read: one clause without a full stop."""
    passed = _at(report, "smart_status", "passed")
    nvme = report.get("nvme_smart_health_information_log")
    nvme = nvme if isinstance(nvme, Mapping) else {}
    attributes = _attributes(report)
    disk = Disk(
        passed if isinstance(passed, bool) else None,
        _wear(report, nvme, attributes),
        _sectors(nvme, attributes),
        _number(_at(report, "temperature", "current")),
        None if (hours := _number(_at(report, "power_on_time", "hours"))) is None else hours * 3600.0,
    )
    return disk if disk != Disk(None, None, None, None, None) else _why(report)


def devices(scan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and type of each disk in a report of `smartctl --json --scan`."""
    found = scan.get("devices")
    named = found if isinstance(found, list) else []
    return [
        (one["name"], one.get("type") or "auto")
        for one in named
        if isinstance(one, Mapping) and isinstance(one.get("name"), str) and one["name"].startswith("/")
    ]


def _wear(
    report: Mapping[str, Any], nvme: Mapping[str, Any], attributes: Mapping[int, Mapping[str, Any]]
) -> float | None:
    for percent in (_number(nvme.get("percentage_used")), _number(_at(report, "endurance_used", "current_percent"))):
        if percent is not None:
            return percent / 100
    for number in _WEAR:
        left = _number(attributes.get(number, {}).get("value"))
        if left is not None and 0 < left <= 100:
            return 1 - left / 100
    return None


def _sectors(nvme: Mapping[str, Any], attributes: Mapping[int, Mapping[str, Any]]) -> float | None:
    counts = [_number(_at(attributes.get(number, {}), "raw", "value")) for number in _BROKEN_SECTORS]
    counts.append(_number(nvme.get("media_errors")))
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _attributes(report: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    table = _at(report, "ata_smart_attributes", "table")
    rows = table if isinstance(table, list) else []
    return {row["id"]: row for row in rows if isinstance(row, Mapping) and isinstance(row.get("id"), int)}


def _why(report: Mapping[str, Any]) -> str:
    messages = _at(report, "smartctl", "messages")
    texts = [
        str(one.get("string")) for one in (messages if isinstance(messages, list) else []) if isinstance(one, Mapping)
    ]
    said = next((text for text in texts if text), "it tells nothing")
    return "not permitted (it takes root, or sudo for smartctl)" if "ermission denied" in said else said.rstrip(". ")


def _at(report: Mapping[str, Any], *path: str) -> Any:
    found: Any = report
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _number(value: object) -> float | None:
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 else None
    )
