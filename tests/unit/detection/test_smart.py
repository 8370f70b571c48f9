"""Reports of smartctl as disks give them, and what is made of those that give none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.detection.smart import Disk, devices, read

pytestmark = pytest.mark.unit

SATA = {
    "json_format_version": [1, 0],
    "smartctl": {"version": [7, 3], "exit_status": 0},
    "device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"},
    "smart_status": {"passed": True},
    "ata_smart_attributes": {
        "table": [
            {"id": 5, "name": "Reallocated_Sector_Ct", "value": 100, "raw": {"value": 8, "string": "8"}},
            {"id": 194, "name": "Temperature_Celsius", "value": 64, "raw": {"value": 36, "string": "36"}},
            {"id": 197, "name": "Current_Pending_Sector", "value": 100, "raw": {"value": 2, "string": "2"}},
            {"id": 231, "name": "SSD_Life_Left", "value": 91, "raw": {"value": 91, "string": "91"}},
        ]
    },
    "power_on_time": {"hours": 20_000},
    "temperature": {"current": 36},
}
NVME = {
    "smartctl": {"version": [7, 3], "exit_status": 8},
    "device": {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"},
    "smart_status": {"passed": False, "nvme": {"value": 4}},
    "nvme_smart_health_information_log": {
        "critical_warning": 4, "temperature": 44, "available_spare": 97, "percentage_used": 112,
        "power_on_hours": 31_000, "media_errors": 3,
    },
    "temperature": {"current": 44},
    "power_on_time": {"hours": 31_000},
}  # fmt: skip
DENIED = {
    "smartctl": {
        "version": [7, 3],
        "messages": [{"string": "Smartctl open device: /dev/sda failed: Permission denied", "severity": "error"}],
        "exit_status": 2,
    }
}


def test_a_sata_disk_tells_its_health_wear_and_broken_sectors():
    assert read(SATA) == Disk(True, pytest.approx(0.09), 10.0, 36.0, 20_000 * 3600.0)


def test_an_nvme_disk_may_be_worn_out_by_more_than_all():
    assert read(NVME) == Disk(False, pytest.approx(1.12), 3.0, 44.0, 31_000 * 3600.0)


def test_what_is_not_permitted_names_the_remedy():
    assert read(DENIED) == "not permitted (it takes root, or sudo for smartctl)"


def test_a_disk_that_tells_nothing_is_said_to():
    assert read({"smartctl": {"messages": [{"string": "Device is in STANDBY mode, exit(2)."}]}}) == (
        "Device is in STANDBY mode, exit(2)"
    )
    assert read({}) == "it tells nothing"


def test_disks_are_found_by_name_and_type():
    scan = {"devices": [{"name": "/dev/sda", "type": "sat"}, {"name": "/dev/nvme0"}, {"name": "--bad"}, 7, {}]}
    assert devices(scan) == [("/dev/sda", "sat"), ("/dev/nvme0", "auto")]
    assert devices({}) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SATA, *NVME, "table", "id"]), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([*SATA, *NVME, "devices"]), anything))
def test_any_json_is_read_or_refused_in_words(report):
    found = read(report)
    assert isinstance(found, Disk) or found
    assert isinstance(devices(report), list)
