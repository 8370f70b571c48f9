import logging
import re

import pytest

from forewatch.guard import logs
from forewatch.guard.redact import remember
from forewatch.home import Home

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.create()
    root = logging.getLogger()
    before, level, factory = root.handlers[:], root.level, logging.getLogRecordFactory()
    yield home
    root.handlers[:] = before
    root.setLevel(level)
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(False)


def written(home, process="worker"):
    return (home.logs / f"{process}.log").read_text()


def test_a_line_has_utc_time_process_level_logger_and_message(home, capsys):
    logs.setup_logging("worker", home)
    logging.getLogger("tasks.delivery").info("sent %s in %d ms", "NT-1", 12)
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z worker INFO tasks\.delivery: sent NT-1 in 12 ms\n"
    assert re.fullmatch(pattern, written(home))
    assert capsys.readouterr().err == written(home)


def test_secrets_are_masked_in_message_arguments_and_traceback(home):
    logs.setup_logging("worker", home)
    remember("tops3cret-value")
    try:
        raise ValueError("cannot use tops3cret-value")
    except ValueError:
        logging.getLogger("x").exception("it broke: %s", {"password": "hunter2"}, stack_info=True)
    text = written(home)
    assert "hunter2" not in text
    assert "tops3cret-value" not in text
    assert "ValueError: cannot use ***" in text


def test_a_handler_of_a_library_gets_masked_text_too(home):
    lines = []

    class Foreign(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))
            lines.extend(map(str, record.args))

    logs.setup_logging("worker", home)
    foreign = logging.getLogger("foreign")
    foreign.addHandler(handler := Foreign())
    foreign.warning("GET %s -> %d", "/x?token=abc", 200)
    foreign.removeHandler(handler)
    assert lines == ["GET /x?token=*** -> 200", "/x?token=***", "200"]


def test_a_message_with_line_breaks_cannot_pass_for_another_line(home):
    logs.setup_logging("worker", home)
    logging.getLogger("x").info("one\n2026-01-01T00:00:00.000Z worker INFO x: forged")
    assert written(home).splitlines()[1].startswith("    2026")


def test_setting_up_again_replaces_the_handlers(home, capsys):
    logs.setup_logging("worker", home)
    logs.setup_logging("page-people", home)
    logging.getLogger("x").info("once")
    assert capsys.readouterr().err.count("once") == 1
    assert "once" in written(home, "page-people")


def test_a_log_file_that_cannot_be_written_does_not_silence_the_terminal(home, capsys):
    (home.logs / "worker.log").mkdir()
    logs.setup_logging("worker", home)
    logging.getLogger("x").info("still here")
    err = capsys.readouterr().err
    assert "still here" in err
    assert "Traceback" not in err


def test_the_level_comes_from_the_environment_and_an_unknown_one_means_info(home, monkeypatch):
    monkeypatch.setenv(logs.LEVEL, "warning")
    logs.setup_logging("worker", None)
    assert logging.getLogger().level == logging.WARNING
    monkeypatch.setenv(logs.LEVEL, "loud")
    logs.setup_logging("worker", None)
    assert logging.getLogger().level == logging.INFO
