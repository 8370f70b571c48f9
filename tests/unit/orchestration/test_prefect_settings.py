"""The Prefect we run: nothing of the user's, everything of ours."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from prefect.settings import Settings

from forewatch.errors import StoreError
from forewatch.home import Home
from forewatch.orchestration.prefect_settings import CALM, environment, keys

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "state")
    home.create()
    return home


def settings(home: Home, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment(home, 4321).items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_prefect_understands_every_setting_we_set(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(home, monkeypatch)
    assert str(found.home) == str(home.prefect)
    assert found.api.url == "http://127.0.0.1:4321/api"
    assert found.server.analytics_enabled is False
    assert found.server.api.host == "127.0.0.1"
    assert found.server.api.csrf_protection_enabled is True
    assert "127.0.0.1:4321" in found.server.api.cors_allowed_origins
    assert found.server.events.retention_period.days == 7
    assert found.server.services.db_vacuum.retention_period.days == 7
    assert found.server.services.db_vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    services = found.server.services
    assert services.scheduler.recent_deployments_loop_seconds == CALM["SCHEDULER_RECENT_DEPLOYMENTS"]
    for name in set(CALM) - {"SCHEDULER_RECENT_DEPLOYMENTS"}:
        assert getattr(services, name.lower()).loop_seconds == CALM[name], name


def test_a_users_own_prefect_settings_are_not_passed_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "https://api.prefect.cloud/api/accounts/a/workspaces/b")
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_somebodys")
    made = environment(home, 4321)
    assert "PREFECT_API_KEY" not in made
    assert made["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"


def test_the_login_is_made_once_and_readable_by_its_owner_alone(home: Home) -> None:
    made = keys(home)
    assert stat.S_IMODE(home.keys.stat().st_mode) == 0o600
    assert keys(home) == made


def test_a_login_that_others_can_read_is_refused_with_the_remedy(home: Home) -> None:
    keys(home)
    home.keys.chmod(0o644)
    with pytest.raises(StoreError, match="run: chmod 600"):
        keys(home)


def test_a_broken_keys_file_is_said_plainly(home: Home) -> None:
    keys(home)
    home.keys.write_text("not json")
    with pytest.raises(StoreError, match="restore it from a backup"):
        keys(home)
