import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from forewatch.errors import DeliveryFailed
from forewatch.home import Home
from forewatch.notifying.sender import Rendered
from notifiers.console.sender import TIMEOUT, ConsoleSender, one_line
from tasks.delivery import PATIENCE_OTHERS

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.create()
    return home


async def test_a_line_goes_to_the_terminal_and_to_the_log(home, capsys, a_notification):
    receipt = await ConsoleSender("terminal", home).send(a_notification(), {}, Rendered("t", "PAGE: one\ntwo"))
    out = capsys.readouterr().out
    assert out[8:] == " PAGE: one\n         two\n"
    assert (home.logs / "notifications.log").read_text().endswith(" NT-1 PAGE: one | two\n")
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
    assert one_line("a\x1b[2Jb\r\n\n c\x07") == "a?[2Jb | c?"
