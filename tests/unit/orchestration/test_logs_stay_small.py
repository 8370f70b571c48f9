"""A log that has grown beyond its limit is emptied, also on a full disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from forewatch.orchestration import supervisor

pytestmark = pytest.mark.unit


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(supervisor, "LOG_LIMIT", 4)
    path = tmp_path / "service-shop.log"
    path.write_text("0123456789")
    return path


def test_its_last_part_stays(log: Path) -> None:
    with log.open("a") as writer:
        supervisor.empty_log(log)
        writer.write("next")
    assert log.read_text() == "next"
    assert (log.parent / "service-shop.log.1").read_text() == "6789"


def test_it_is_emptied_though_the_disk_has_no_room_for_a_copy(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    supervisor.empty_log(log)
    assert log.stat().st_size == 0
    assert not (log.parent / "service-shop.log.1").exists()
