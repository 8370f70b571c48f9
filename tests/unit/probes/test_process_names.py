"""What a process may be called."""

from __future__ import annotations

import os

import pytest

from tasks.process_names import names

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("kept", "argv", "whole"),
    [
        ("very-long-daemo", ["/usr/bin/python3", "/opt/very-long-daemon-name-here"], "very-long-daemon-name-here"),
        ("very-long-daemo", ["/usr/bin/python3", "-u", "./very-long-daemon.py", "-v"], "very-long-daemon.py"),
        ("very-long-daemo", ["/opt/very-long-daemon", "--as", "/run/very-long-daemon.pid"], "very-long-daemon"),
        ("very-long-daemo", ["very-long-daemon: worker process"], "very-long-daemon"),
        ("very-long-daemo", ["very-long-daemon [idle]"], "very-long-daemon"),
        ("very-long-daemon: worker process", ["very-long-daemon: worker process"], "very-long-daemon"),
        ("Very Long Daemo", ["/usr/bin/perl", "/opt/Very Long Daemon"], "Very Long Daemon"),
        ("postgres-export", ["/bin/postgres-exporter"], "postgres-exporter"),
        ("exactly-fifteen", ["./exactly-fifteen"], "exactly-fifteen"),
        ("python3", ["python3", "/usr/local/bin/gunicorn", "app:app"], "gunicorn"),
        ("python3.11", ["/usr/bin/python3.11", "-u", "-X", "importtime", "-m", "shop"], "python3.11"),
        ("node", ["node", "--max-old-space-size=512", "/srv/server.js"], "server.js"),
        ("sh", ["/bin/sh", "./backup", "--all"], "backup"),
        ("nginx", ["nginx: master process /usr/sbin/nginx"], "nginx"),
    ],
)
def test_a_name_is_made_whole_from_the_command_line(kept, argv, whole):
    assert whole in names(kept, argv)
    assert kept in names(kept, argv)


def test_a_name_cut_within_a_letter_is_made_whole():
    whole = "überwachung-läuft"
    kept = os.fsdecode(os.fsencode("überwachung-läuft")[:15])
    assert kept.encode(errors="surrogateescape").endswith(b"\xc3")
    assert whole in names(kept, [f"/opt/{whole}"])


@pytest.mark.parametrize(
    ("kept", "argv"),
    [
        ("tail", ["tail", "-f", "/var/log/very-long-daemon-name-here"]),
        ("vim", ["vim", "/opt/very-long-daemon-name-here"]),
        ("bash", ["bash", "-c", "very-long-daemon-name-here"]),
        ("python3", ["python3", "-m", "very-long-daemon-name-here"]),
        ("very-long-daemo", ["/opt/very-long-daemon", "/etc/very-long-daemon-name-here"]),
        ("very-long-daemo", []),
    ],
)
def test_what_only_mentions_a_name_does_not_bear_it(kept, argv):
    assert "very-long-daemon-name-here" not in names(kept, argv)


def test_what_psutil_made_whole_is_still_known_by_what_the_kernel_keeps():
    assert names("postgres-exporter", ["/bin/postgres-exporter"]) == {"postgres-exporter", "postgres-export"}
