"""`decisions.db` is damaged while Forewatch runs: what is critical in the inbox is paged all the same, once."""

from types import SimpleNamespace

import pytest

from forewatch.errors import StoreUnavailable
from forewatch.intake import pending
from forewatch.store import inbox
from forewatch.store.engine import Store
from tasks.shifts.inbox import Inbox

pytestmark = pytest.mark.unit


def alert(name, severity="critical"):
    return {"labels": {"alertname": name, "service": "web", "severity": severity}}


class Decider:
    """Remembers whom it was to page directly, and pages nobody."""

    def __init__(self):
        self.paged = []
        self.followed = []

    async def page_directly(self, event, because):
        self.paged.append(event.labels["alertname"])

    def follow_up(self, outcomes):
        self.followed += outcomes

    def forget_direct_pages(self):
        pass

    def as_told(self, event):
        return event


def damage(path):
    """Overwrite the whole file with what is no database, as a failing disk might."""
    size = path.stat().st_size
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with path.open("r+b") as file:
        file.write(b"\xde\xad\xbe\xef" * (size // 4))


@pytest.fixture
def damaged(world):
    """A watch that has begun, and then its file is damaged."""
    world.post(alert("Before"))
    world.drain()
    world.configuration.current()
    world.store.close()
    world.store = Store(world.store.home)  # as another process has it: nothing of the file in memory
    world.runtime = SimpleNamespace(
        store=world.store, clock=world.clock, configuration=world.configuration, home=world.store.home
    )
    damage(world.store.home.decisions_db)
    world.decider = Decider()
    world.duty = Inbox(world.runtime, world.fence, world.decider)
    yield world
    world.store.close()


def take(world, *alerts):
    """Write alerts down with a writer that began before the damage."""
    writer = world.writer
    writer._store = world.store
    world.post(*alerts)


async def test_the_file_is_truly_damaged(damaged):
    with pytest.raises(StoreUnavailable, match=r"decisions\.db"), damaged.store.read():
        pass


async def test_critical_alerts_that_wait_are_paged_directly(damaged):
    take(damaged, alert("A"), alert("W", "warning"), alert("B"))
    assert await damaged.duty.once() is False
    assert set(damaged.decider.paged) >= {"A", "B"}
    assert "W" not in damaged.decider.paged


async def test_so_are_those_that_come_later_however_many_wait_already(damaged, monkeypatch):
    monkeypatch.setattr(pending, "ROWS", 3)
    for number in range(7):
        take(damaged, alert(f"A{number}"))
    for _ in range(4):
        await damaged.duty.once()
    take(damaged, alert("Late"))
    await damaged.duty.once()
    assert [name for name in damaged.decider.paged if name != "Before"] == [*(f"A{n}" for n in range(7)), "Late"]


async def test_what_was_looked_at_once_is_not_paged_again(damaged):
    take(damaged, alert("A"))
    for _ in range(3):
        await damaged.duty.once()
    assert damaged.decider.paged.count("A") == 1


async def test_what_is_over_already_needs_no_page(damaged):
    take(damaged, alert("A"), alert("A") | {"endsAt": "2020-01-01T00:00:00Z"})
    await damaged.duty.once()
    assert "A" not in damaged.decider.paged


async def test_by_the_marks_last_known_what_was_decided_before_is_not_paged(world):
    world.post(alert("Before"))
    world.drain()
    drain = world.drainer
    world.post(alert("A"))
    world.store.read = lambda: _refusing()
    assert [event.labels["alertname"] for event in drain.firing_unknown()] == ["A"]


async def test_a_restored_store_decides_what_was_paged(world, monkeypatch):
    world.post(alert("A"))
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "read", _refusing)
        assert len(world.drainer.firing_unknown()) == 1
    world.drain()
    assert world.decided() == ["A"]


async def test_serve_writes_down_what_comes_while_it_cannot_see_the_marks(damaged):
    damaged.writer._store = damaged.store
    damaged.writer._looked_at = float("-inf")
    damaged.writer._look()
    damaged.post(alert("A"))
    with damaged.store.read_intake() as conn:
        rows = inbox.read(conn, pending.START, rows=10, size=1 << 20, lane="critical")
    assert b'"A"' in rows[-1].body


def _refusing():
    raise StoreUnavailable("decisions.db: the file is damaged; restore it from the backups folder")
