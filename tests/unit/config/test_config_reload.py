"""A changed configuration comes into force; a broken one does not, and that is said once."""

import asyncio
import threading

import pytest

from forewatch.clock import FakeClock
from forewatch.config import reload
from forewatch.config.reload import Changed, Configuration, ConfigWatcher, Refused
from forewatch.errors import ConfigError, NotFound, StoreUnavailable
from forewatch.store import components, config_versions

pytestmark = pytest.mark.unit

GOOD = "services: [{name: web}]\n"
OTHER = "services: [{name: shop}]\n"
BROKEN = "services: [{name: web, colour: blue}]\n"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def watcher(write, store, clock):
    return ConfigWatcher(write(GOOD), store, clock)


@pytest.fixture
def state(store):
    def state():
        with store.read() as conn:
            found = components.get(conn, "configuration")
        return found.state, found.reason

    return state


def settled(watcher):
    """What comes of a change: seen by one poll, handled by the next."""
    assert watcher.poll() is None
    return watcher.poll()


def names(configuration):
    return [service.name for service in configuration.current()[1].services]


def test_the_first_load_stores_a_version(watcher, store, state):
    assert watcher.load_first() == 1
    assert state() == ("ok", "version 1 is in force")
    version, config = Configuration(store).current()
    assert (version, [service.name for service in config.services]) == (1, ["web", "host", "forewatch"])


def test_starting_again_with_the_same_files_is_the_same_version(watcher):
    assert (watcher.load_first(), watcher.load_first()) == (1, 1)


def test_a_broken_file_is_not_loaded_first(write, store, clock):
    with pytest.raises(ConfigError, match="unknown key"):
        ConfigWatcher(write(BROKEN), store, clock).load_first()
    with pytest.raises(NotFound):
        Configuration(store).current()


def test_a_change_is_in_force_once_it_stands_still(watcher, write, store, clock):
    watcher.load_first()
    following = Configuration(store, clock)
    assert names(following)[0] == "web"
    assert watcher.poll() is None
    write(OTHER)
    assert watcher.poll() is None
    write(OTHER + "# still typing\n")
    assert watcher.poll() is None
    assert watcher.poll() == Changed(2)
    assert watcher.poll() is None
    assert names(following)[0] == "web"  # it looks once a second
    clock.advance(1.0)
    assert names(following)[0] == "shop"


def test_a_broken_text_is_refused_once_and_the_last_good_one_stays(watcher, write, store, state):
    watcher.load_first()
    write(BROKEN)
    refused = settled(watcher)
    assert isinstance(refused, Refused)
    assert refused.problems[0].startswith('forewatch.yaml:1:24: services[0]: unknown key "colour"')
    assert state() == ("down", f"refused: {refused.problems[0]}")
    assert [watcher.poll() for _ in range(3)] == [None] * 3
    assert names(Configuration(store))[0] == "web"
    write(BROKEN + "more: 1\n")
    assert len(settled(watcher).problems) == 2
    assert state()[1].endswith("(and 1 more)")


def test_undoing_a_broken_change_is_said_too(watcher, write, state):
    watcher.load_first()
    write(BROKEN)
    settled(watcher)
    write(GOOD)
    assert settled(watcher) == Changed(1)
    assert state() == ("ok", "version 1 is in force")


def test_going_back_to_an_earlier_text_is_a_new_version(watcher, write):
    watcher.load_first()
    write(OTHER)
    assert settled(watcher) == Changed(2)
    write(GOOD)
    assert settled(watcher) == Changed(3)


def test_included_files_are_watched_also_ones_that_come_and_go(write, store, clock):
    watcher = ConfigWatcher(write("include: [conf.d/*.yaml]\n"), store, clock)
    watcher.load_first()
    added = write(OTHER, "conf.d/shop.yaml")
    assert settled(watcher) == Changed(2)
    added.unlink()
    assert settled(watcher) == Changed(3)


def test_a_file_that_is_gone_is_refused(watcher, write):
    watcher.load_first()
    write(GOOD).unlink()
    assert settled(watcher) == Refused(["forewatch.yaml:1:1: there is no such file"])


def test_a_touched_file_is_no_change(watcher, write):
    watcher.load_first()
    write(GOOD)
    assert [watcher.poll(), watcher.poll()] == [None, None]


def test_a_change_that_cannot_be_stored_is_tried_again(watcher, write, store, monkeypatch):
    watcher.load_first()
    write(OTHER)
    watcher.poll()
    with monkeypatch.context() as broken:

        def no_room(*args, **kwargs):
            raise StoreUnavailable("the disk is full")

        broken.setattr(config_versions, "add", no_room)
        with pytest.raises(StoreUnavailable):
            watcher.poll()
    assert watcher.poll() == Changed(2)


def put(store, text):
    with store.decide() as conn:
        return config_versions.add(conn, [("/x/forewatch.yaml", text)], 0)


def test_a_version_this_process_cannot_parse_leaves_the_last_good_one(store, clock):
    put(store, GOOD)
    following = Configuration(store, clock)
    following.current()
    put(store, BROKEN)
    clock.advance(1.0)
    assert names(following)[0] == "web"
    assert following.trouble.startswith("configuration version 2 cannot be used here, 1 is in force: ")
    put(store, OTHER)
    clock.advance(1.0)
    assert names(following)[0] == "shop"
    assert following.trouble is None


def test_a_new_process_goes_back_to_a_version_it_can_parse(store, clock):
    put(store, GOOD)
    put(store, BROKEN)
    following = Configuration(store, clock)
    assert following.current()[0] == 1
    assert following.trouble is not None


def test_without_any_good_version_the_problems_are_raised(store):
    put(store, BROKEN)
    with pytest.raises(ConfigError, match="unknown key"):
        Configuration(store).current()


def test_a_store_that_does_not_answer_leaves_the_last_good_one(store, clock, monkeypatch):
    put(store, GOOD)
    following = Configuration(store, clock)
    following.current()
    clock.advance(1.0)
    with monkeypatch.context() as broken:

        def locked():
            raise StoreUnavailable("locked")

        broken.setattr(store, "read", locked)
        assert names(following)[0] == "web"
        assert "locked" in following.trouble
    clock.advance(1.0)
    assert names(following)[0] == "web"
    assert following.trouble is None


async def test_who_asks_on_an_event_loop_goes_on_with_the_last_version_while_a_new_one_is_parsed(
    watcher, write, store, clock, monkeypatch
):
    watcher.load_first()
    following = Configuration(store, clock)
    assert (await asyncio.to_thread(following.current))[0] == 1
    write(OTHER)
    settled(watcher)
    clock.advance(1.0)
    parsing, go_on = threading.Event(), threading.Event()
    parsed = reload.parsed

    def slowly(home, files, off=()):
        parsing.set()
        assert go_on.wait(10)
        return parsed(home, files, off)

    monkeypatch.setattr(reload, "parsed", slowly)
    assert following.current()[0] == 1
    assert await asyncio.to_thread(parsing.wait, 10)
    clock.advance(1.0)
    assert following.current()[0] == 1
    go_on.set()
    for _ in range(500):
        if following.current()[0] == 2:
            break
        await asyncio.sleep(0.01)
    assert following.current()[0] == 2
