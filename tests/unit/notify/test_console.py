import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from forewatch.errors import DeliveryFailed
from forewatch.home import Home
from forewatch.notifying.sender import Rendered
from forewatch.notifying.terminal import coloured, has_colours, laid_out, logged, shown
from notifiers.console.sender import TIMEOUT, ConsoleSender
from tasks.delivery import PATIENCE_OTHERS

pytestmark = pytest.mark.unit

NOW = 1_767_225_600_000_000


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.create()
    return home


async def test_a_line_goes_to_the_terminal_and_to_the_log(home, capsys, a_notification):
    receipt = await ConsoleSender("terminal", home).send(a_notification(), {}, Rendered("t", "PAGE: one\ntwo"))
    out = capsys.readouterr().out
    assert out[8:] == " PAGE: one\n         two\n"
    first, second = (home.logs / "notifications.log").read_text().splitlines()
    assert first[24:] == " NT-1 PAGE: one"
    assert second[24:] == " NT-1   two"
    assert receipt.detail == "shown"


async def test_a_terminal_that_is_gone_leaves_the_log(home, monkeypatch, a_notification):
    class Gone:
        def write(self, text):
            raise BrokenPipeError("the terminal is gone")

    monkeypatch.setattr(sys, "stdout", Gone())
    receipt = await ConsoleSender("terminal", home).send(a_notification(), {}, Rendered("t", "x"))
    assert receipt.detail == "shown; the terminal is gone"
    assert "NT-1 x" in (home.logs / "notifications.log").read_text()


async def test_look_ups_that_hold_all_threads_of_the_loop_do_not_silence_it(home, a_notification):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    resolver = threading.Event()
    hanging = asyncio.create_task(asyncio.to_thread(resolver.wait))
    await asyncio.sleep(0)
    try:
        receipt = await ConsoleSender("terminal", home).send(a_notification(), {}, Rendered("t", "x"))
    finally:
        resolver.set()
    assert receipt.detail == "shown"
    assert "NT-1 x" in (home.logs / "notifications.log").read_text()
    await hanging


def test_it_gives_up_on_a_terminal_before_a_stand_in_is_given_up():
    assert TIMEOUT < PATIENCE_OTHERS


async def test_a_log_that_cannot_be_written_leaves_the_terminal_and_neither_is_a_failure(
    tmp_path, capsys, monkeypatch, a_notification
):
    sender = ConsoleSender("terminal", Home(tmp_path / "missing"))
    assert "No such file" in (await sender.send(a_notification(), {}, Rendered("t", "x"))).detail
    assert capsys.readouterr().out.endswith(" x\n")
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr("notifiers.console.sender._print", lambda line: 1 / 0)
    with pytest.raises(DeliveryFailed, match="neither terminal nor log") as failed:
        await sender.send(a_notification(), {}, Rendered("t", "x"))
    assert not failed.value.permanent


def test_a_line_cannot_steer_the_terminal():
    assert [line[9:] for line in laid_out(NOW, {}, "a\x1b[2Jb\r\n\n c\x07")] == ["a?[2Jb", "c?"]


def test_the_log_gives_back_what_stood_on_the_terminal():
    content = {
        "word": "CRITICAL",
        "incident_id": "INC-3",
        "links": {"incident": "http://127.0.0.1:4280/incidents/INC-3"},
    }
    lines = laid_out(NOW, content, "CRITICAL db is down: refused\nNo remedy of db is bound to this alert.")
    assert lines[0].endswith(" INC-3")
    assert lines[1].endswith("127.0.0.1:4280/incidents/INC-3")
    assert [shown(line) for line in logged(NOW, "NT-7", lines)] == lines


def test_what_is_no_message_is_shown_as_it_is():
    assert shown("Traceback (most recent call last):") == "Traceback (most recent call last):"


def test_the_first_word_is_coloured_and_nothing_else():
    assert coloured("16:49:01 RESOLVED db is back") == "16:49:01 \x1b[32mRESOLVED\x1b[0m db is back"
    assert coloured("16:49:01 INFO     CRITICAL is a word") == "16:49:01 INFO     CRITICAL is a word"
    assert not has_colours(None)
