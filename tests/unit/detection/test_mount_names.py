"""What a file system with several mounts is called, and what means it."""

from __future__ import annotations

import pytest

from forewatch.alerting.matchers import parse_matchers
from forewatch.detection.mount_names import fits, named

pytestmark = pytest.mark.unit

GROUP = {"device": "/dev/sda2", "mountpoint": "/", "mounts": "/, /home, /var/log", "service": "host"}


@pytest.mark.parametrize(
    ("match", "meant"),
    [
        ({"mountpoint": "/"}, True), ({"mountpoint": "/home"}, True), ({"mountpoint": "/srv"}, False),
        (['mountpoint=~"/var.*"'], True), (['mountpoint=~"/var.*"', "device=/dev/sdb"], False),
        (['mountpoint!="/"'], False), (["device=/dev/sda2"], True), ({}, True),
    ],
)  # fmt: skip
def test_any_of_its_mounts_means_a_file_system(match, meant):
    assert fits(parse_matchers(match), GROUP) is meant


def test_a_file_system_with_one_mount_is_meant_by_that():
    one = {"mountpoint": "/data", "device": "/dev/b"}
    assert fits(parse_matchers({"mountpoint": "/data"}), one)
    assert not fits(parse_matchers({"mountpoint": "/home"}), one)
    assert named(one) == one


def test_its_other_mounts_are_named_beside_the_first():
    assert named(GROUP)["mountpoint"] == "/ (with /home, /var/log)"
