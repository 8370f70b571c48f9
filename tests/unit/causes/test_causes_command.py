"""`forewatch causes` on stored incidents and on recorded ones."""

import json
import re

import pytest
from shop_with_past import SHOP
from typer.testing import CliRunner

from forewatch.cli import app
from forewatch.errors import ForewatchError
from forewatch.store import config_versions

pytestmark = pytest.mark.unit

START = 1_700_000_100
HEADS = "s,web,web,web,db,db,db\nm,latency,requests,availability,latency,requests,availability\n"
HEADS += "x,Average,Sum,Average,Average,Sum,Average\nt,,,,,,\n"


def run(*arguments):
    return CliRunner().invoke(app, ["causes", *map(str, arguments)])


def said(*arguments):
    result = run(*arguments)
    assert isinstance(result.exception, ForewatchError), result.output
    return str(result.exception)


@pytest.fixture
def root(tmp_path):
    def rows(*seconds):
        return HEADS + "".join(
            f"{START + 300 * number},{value + 0.2},100,100,{value},100,100\n" for number, value in enumerate(seconds)
        )

    root = tmp_path / "cases"
    for scenario in ("quiet", "odd"):
        case = root / scenario / "one"
        case.mkdir(parents=True)
        (root / scenario / "graph.csv").write_text(",web,db\nweb,0,1\ndb,0,0\n")
        (case / "metrics.csv").write_text(rows(0.1, 0.9, 0.9))
        (case / "alarm.json").write_text(json.dumps({"node": "web", "metric": "latency", "timestamp": START + 400}))
    (root / "quiet" / "noissue").mkdir()
    (root / "quiet" / "noissue" / "metrics.csv").write_text(rows(*[0.1] * 20))
    return root


def test_a_stored_incident_is_ranked(shop):
    with shop.runtime.store.decide() as conn:
        config_versions.add(conn, [("forewatch.yaml", json.dumps(SHOP))], shop.runtime.clock.now())
    for service in ("web", "db", "api"):
        shop.alert(service)
    result = run("INC-1", "--home", shop.runtime.home.root)
    assert result.exit_code == 0, result.exception
    assert result.output.splitlines()[1].split()[:2] == ["0.50", "db"]
    assert "Ranked by alerts alone, for want of measurements." in result.output


def test_a_recorded_case_is_ranked_as_json(root):
    result = run("--case", root / "quiet/one", "--json")
    assert result.exit_code == 0
    ranking = json.loads(result.output)
    assert list(ranking) == ["ranking"]
    assert [one["service"] for one in ranking["ranking"]] == ["db", "web"]
    assert all(set(one) == {"service", "score", "evidence"} for one in ranking["ranking"])


def test_a_recorded_case_is_ranked_as_a_table(root):
    lines = run("--case", root / "quiet/one", "--limit", 1).output.splitlines()
    assert lines[0].split() == ["SCORE", "SERVICE", "EVIDENCE"]
    assert lines[1].startswith("0.98   db       db: latency 100ms -> 900ms")


def test_all_cases_are_written_under_their_paths(root, tmp_path):
    to = tmp_path / "predictions.json"
    result = run("--cases", root, "--out", to, "--baseline", "quiet")
    assert result.exit_code == 0
    predictions = json.loads(to.read_text())
    assert sorted(predictions) == ["odd/one", "quiet/one"]
    assert all(ranked[0]["service"] == "db" for ranked in predictions.values())


def test_a_case_that_cannot_be_ranked_is_named_and_the_others_are_written(root, tmp_path):
    to = tmp_path / "predictions.json"
    assert "1 could not be ranked: " in said("--cases", root, "--out", to)
    assert "odd has no noissue/metrics.csv" in said("--cases", root, "--out", to)
    assert list(json.loads(to.read_text())) == ["quiet/one"]


def test_where_no_case_can_be_ranked_nothing_is_written(root, tmp_path):
    to = tmp_path / "predictions.json"
    assert "odd has no noissue/metrics.csv" in said("--cases", root / "odd", "--out", to)
    assert not to.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "name one of: an incident"),
        (("INC-1", "--case", "x"), "name one of: an incident"),
        (("--cases", "x"), "--cases ROOT and --out FILE go together"),
        (("INC-1", "--out", "x"), "--cases ROOT and --out FILE go together"),
        (("INC-1", "--baseline", "x"), "--baseline is for --case and --cases"),
        (("--case", "nowhere"), "nowhere is not a folder"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(arguments, sentence):
    assert sentence in said(*arguments)


def test_a_file_that_cannot_be_written_is_told_in_one_sentence(root, tmp_path):
    for to in (tmp_path / "missing" / "p.json", tmp_path):
        assert re.fullmatch(rf"{to} cannot be written: [A-Z][a-z ]+", said("--cases", root / "quiet", "--out", to))


def test_a_planted_link_leads_to_no_other_file(root, tmp_path):
    victim, to = tmp_path / "victim", tmp_path / "predictions.json"
    victim.write_text("theirs\n")
    to.symlink_to(victim)
    assert run("--cases", root / "quiet", "--out", to).exit_code == 0
    assert victim.read_text() == "theirs\n"
    assert not to.is_symlink()
    assert list(json.loads(to.read_text())) == ["one"]
