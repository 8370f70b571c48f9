"""The state folder is its owner's alone, and links in other folders lead us nowhere."""

import os
import re
import stat

import pytest

from forewatch import home as homes
from forewatch.errors import HomeNotOurs, StepFailed, StoreUnavailable
from forewatch.guard.safe_files import append, create, only_ours
from forewatch.home import Home
from forewatch.orchestration.supervisor import write_starter
from forewatch.store.engine import Store
from forewatch.trials.files.series_csv import write_csv
from tasks.act import pidfiles
from tasks.act.records import write_whole
from tasks.act.start import start_detached

pytestmark = pytest.mark.unit


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def readable_by_others(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if mode(path) & 0o077)


@pytest.fixture
def secret(tmp_path):
    """A file of ours that an attacker wants changed."""
    path = tmp_path / "secret"
    path.write_text("ours\n")
    return path


@pytest.fixture
def shared(tmp_path):
    """A folder that everybody may write to, such as /tmp."""
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o1777)
    return path


def test_an_existing_state_folder_that_others_can_read_is_closed_to_them(tmp_path):
    root = tmp_path / "state"
    (root / "logs").mkdir(parents=True)
    (root / "prefect").mkdir()
    for path in (root / "decisions.db", root / "logs" / "serve.log", root / "prefect" / "start.sh"):
        path.write_text("x")
        path.chmod(0o755 if path.suffix == ".sh" else 0o644)
    for folder in (root, root / "logs", root / "prefect"):
        folder.chmod(0o755)
    Home(root).create()
    assert mode(root) == 0o700
    assert readable_by_others(root) == []
    assert mode(root / "decisions.db") == 0o600
    assert mode(root / "prefect" / "start.sh") == 0o700


def test_what_a_link_in_the_state_folder_leads_to_keeps_its_mode(tmp_path, secret):
    secret.chmod(0o644)
    root = tmp_path / "state"
    root.mkdir()
    (root / "link").symlink_to(secret)
    (root / "dangling").symlink_to(tmp_path / "nowhere")
    Home(root).create()
    assert mode(secret) == 0o644


def test_a_state_folder_of_another_user_is_refused_in_a_sentence(tmp_path, monkeypatch):
    root = tmp_path / "state"
    root.mkdir()
    monkeypatch.setattr(homes.os, "geteuid", lambda: 4_000_000)
    with pytest.raises(
        HomeNotOurs, match=r"state belongs to the user \w+, .* runs as 4000000; run it as \w+, or choose"
    ):
        Home(root).create()
    assert list(root.iterdir()) == []


def test_new_stores_are_for_their_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        store = Store.open(Home(tmp_path / "state"), migrate=True)
        with store.decide(), store.intake(), store.measure():
            found = {path.name: mode(path) for path in (tmp_path / "state").iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert {"decisions.db", "decisions.db-wal", "metrics.db", "intake.db"} <= found.keys()
    assert set(found.values()) == {0o600}


def test_a_pid_file_is_not_written_through_a_link(shared, secret):
    path = shared / "app.pid"
    # The name that used to be written to, which everybody could foresee.
    (shared / f".app.pid.{os.getpid()}").symlink_to(secret)
    pidfiles.write_if_missing(path, 41)
    assert (pidfiles.read(path), mode(path)) == (41, 0o644)
    path.unlink()
    path.symlink_to(shared / "elsewhere")
    pidfiles.write_if_missing(path, 42)
    assert not (shared / "elsewhere").exists()
    assert secret.read_text() == "ours\n"


def test_a_record_and_a_table_are_not_written_through_a_link(shared, secret):
    for planted in (f".r.json.{os.getpid()}", f".t.csv.{os.getpid()}.part"):
        (shared / planted).symlink_to(secret)
    write_whole(shared / "r.json", "{}")
    write_csv(shared / "t.csv", ["a"], [[1]])
    assert ((shared / "r.json").read_text(), (shared / "t.csv").read_text()) == ("{}", "a\n1\n")
    assert secret.read_text() == "ours\n"


def test_a_new_file_takes_no_place_that_is_taken(shared, secret):
    (shared / "link").symlink_to(secret)
    (shared / "dangling").symlink_to(shared / "elsewhere")
    for name in ("link", "dangling"):
        with pytest.raises(FileExistsError):
            create(shared / name)
    assert not (shared / "elsewhere").exists()


def test_output_goes_through_a_link_only_where_nobody_else_can_put_one(tmp_path, shared, secret):
    (shared / "out.log").symlink_to(secret)
    assert not only_ours(shared)
    with pytest.raises(StepFailed, match=re.escape(f"{shared}/out.log is a link in a folder that others can write to")):
        start_detached(["true"], folder=tmp_path, directory=tmp_path, output=shared / "out.log", env={})
    assert secret.read_text() == "ours\n"
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o700)
    (ours / "out.log").symlink_to(secret)
    with os.fdopen(append(ours / "out.log"), "w") as file:
        file.write("more\n")
    assert secret.read_text() == "ours\nmore\n"


def test_the_first_configuration_is_not_written_through_a_link(shared):
    config = shared / "forewatch.yaml"
    config.symlink_to(shared / "elsewhere")
    with pytest.raises(StoreUnavailable, match=r"forewatch\.yaml is a link to a file that is not there"):
        write_starter(config)
    assert not (shared / "elsewhere").exists()
    config.unlink()
    write_starter(config)
    assert "services:" in config.read_text()
