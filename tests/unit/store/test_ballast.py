"""The ballast takes up real room, gives it back once, and comes again when there is room."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple

import pytest

from forewatch.home import Home
from forewatch.store import ballast

pytestmark = pytest.mark.unit

Usage = namedtuple("Usage", "total used free")


def test_it_takes_up_real_blocks_and_is_made_once(home: Home) -> None:
    assert ballast.ensure(home)
    stat = home.ballast.stat()
    assert stat.st_blocks * 512 >= ballast.SIZE
    assert ballast.ensure(home)
    assert home.ballast.stat().st_ino == stat.st_ino


def test_freeing_gives_room_back_once(home: Home) -> None:
    ballast.ensure(home)
    assert ballast.free(home)
    assert not home.ballast.exists()
    assert not ballast.free(home)


def test_it_comes_back_only_when_there_is_room_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - ballast.SIZE, ballast.SIZE))
    assert not ballast.ensure(home)
    assert not home.ballast.exists()
    monkeypatch.setattr(shutil, "disk_usage", real)
    assert ballast.ensure(home)


def test_a_file_with_holes_is_no_ballast(home: Home) -> None:
    with home.ballast.open("wb") as file:
        file.truncate(ballast.SIZE)
    assert not ballast.held(home)
    assert ballast.ensure(home)
    assert ballast.held(home)


def test_a_disk_that_fills_meanwhile_leaves_nothing_behind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert not ballast.ensure(home)
    assert not list(home.root.glob("ballast*"))
