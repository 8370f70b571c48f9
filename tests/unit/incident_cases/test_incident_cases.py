"""Reading recorded incidents: what is read, what is left alone, and what is said of files that are not in the form."""

import json

import pytest

from forewatch.errors import ForewatchError
from forewatch.trials.files.incident_cases import Case, Reader, cases_below, read_alarm, read_graph, read_metrics

pytestmark = pytest.mark.unit

START = 1_700_000_100
GRAPH = ",web,api,db\nweb,0,1,0\napi,0,0,1\ndb,0,0,0\n"


def metrics(rows):
    """`rows` of {service: (latency, requests, availability)}; the first begins at START."""
    heads = [["microservice"], ["metric"], ["statistic"], ["unix_timestamp"]]
    for service in rows[0]:
        for metric, statistic in (("latency", "Average"), ("requests", "Sum"), ("availability", "Average")):
            for head, cell in zip(heads, (service, metric, statistic, ""), strict=True):
                head.append(cell)
    lines = [",".join(head) for head in heads]
    for number, row in enumerate(rows):
        cells = [str(cell) for service in row for cell in row[service]]
        lines.append(",".join([str(START + 300 * number), *cells]))
    return "\n".join(lines) + "\n"


USUAL = {"web": (0.3, 100, 100), "api": (0.2, 100, 100), "db": (0.1, 100, 100)}
SLOW = {"web": (0.9, 100, 100), "api": (0.8, 100, 100), "db": (0.7, 100, 100)}


@pytest.fixture
def root(tmp_path):
    scenario = tmp_path / "cases" / "quiet"
    case = scenario / "train" / "one"
    for folder in (case, scenario / "noissue"):
        folder.mkdir(parents=True)
    (scenario / "graph.csv").write_text(GRAPH)
    (scenario / "noissue" / "metrics.csv").write_text(metrics([USUAL] * 20))
    (case / "metrics.csv").write_text(metrics([USUAL, SLOW, SLOW]))
    (case / "alarm.json").write_text(json.dumps({"node": "web", "metric": "latency", "timestamp": START + 400}))
    return tmp_path / "cases"


def test_a_case_is_ranked(root):
    ranking = Reader().rank(Case.at(root / "quiet/train/one"))
    assert [cause.service for cause in ranking.causes] == ["db", "api", "web"]
    assert ranking.confident


def test_cases_are_found_at_any_depth_and_the_normal_period_is_none(root):
    assert [name for name, _ in cases_below(root)] == ["quiet/train/one"]
    assert [name for name, _ in cases_below(root / "quiet/train")] == ["one"]


def test_what_says_the_truth_is_never_opened(root, monkeypatch):
    case = root / "quiet/train/one"
    for name in ("truth.json", "target.json"):
        (case / name).mkdir()
    assert Reader().rank(Case.at(case)).causes[0].service == "db"


def test_a_scenario_without_a_normal_period_uses_the_one_named(root):
    other = root / "loud"
    (other / "two").mkdir(parents=True)
    (other / "graph.csv").write_text(GRAPH)
    for name in ("metrics.csv", "alarm.json"):
        (other / "two" / name).write_bytes((root / "quiet/train/one" / name).read_bytes())
    case = Case.at(other / "two")
    with pytest.raises(ForewatchError, match=r"loud has no noissue/metrics\.csv.*--baseline"):
        Reader().rank(case)
    with pytest.raises(ForewatchError, match="--baseline nothing: no scenario of that name"):
        Reader("nothing", root).rank(case)
    assert Reader("quiet", root).rank(case).causes[0].service == "db"
    assert Reader("quiet").rank(case).causes[0].service == "db"


def test_empty_cells_are_no_data_and_percent_become_ratios(tmp_path):
    (tmp_path / "m.csv").write_text(metrics([{"web": ("", 10, 50)}, {"web": (0.5, "", "NaN")}]))
    read = read_metrics(tmp_path / "m.csv")
    assert read.services == ("web",)
    assert read.width == 300
    assert read.success[0, 0] == 0.5
    assert [bool(cell == cell) for cell in (*read.latency[0], *read.requests[0], *read.success[0])] == [
        False, True, True, False, True, False,
    ]  # fmt: skip


def test_percentiles_stand_in_for_a_mean_that_is_not_there(tmp_path):
    text = metrics([USUAL]).replace("Average,Sum,Average", "p95,Sum,Average")
    (tmp_path / "m.csv").write_text(text)
    read = read_metrics(tmp_path / "m.csv")
    assert not read.additive
    assert read.latency[0, 0] == 0.3


def test_a_row_calls_the_columns_set_in_it(tmp_path):
    (tmp_path / "graph.csv").write_text(GRAPH)
    graph = read_graph(tmp_path / "graph.csv")
    assert {(graph.services[caller], graph.services[callee]) for caller, callee in graph.edges} == {
        ("web", "api"),
        ("api", "db"),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (",web\n", "there is no row of web"),
        ("x\n", "row 1 names no services"),
        (",web,api\nweb,0,1\napi,0\n", "row 3 has 2 cells, row 1 has 3"),
        (",web,api\nweb,0,yes\napi,0,0\n", "row 2 has 'yes'"),
        (",web,api\nweb,0,2\napi,0,0\n", "row 2 has '2' under api; it should be 0 or 1"),
        (",web\nmail,0\n", "row 2 is of 'mail', which row 1 does not name"),
        (",web,web\nweb,0,0\nweb,0,0\n", "row 1 names web twice"),
    ],
)
def test_a_graph_that_is_not_one_is_told_with_file_and_row(tmp_path, text, said):
    (tmp_path / "graph.csv").write_text(text)
    with pytest.raises(ForewatchError) as raised:
        read_graph(tmp_path / "graph.csv")
    assert said in str(raised.value)
    assert "graph.csv" in str(raised.value)


GOOD = metrics([USUAL, SLOW])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n".join(GOOD.splitlines()[:4]), "ends at row 4"),
        (GOOD.replace("0.3", "fast", 1), "row 5 has 'fast'"),
        (GOOD.replace("0.3", "inf", 1), "row 5 has 'inf'"),
        (GOOD.replace(",0.9", "", 1), "row 6 has 9 cells, row 1 has 10"),
        (GOOD.replace("0.3", "-1", 1), "row 5 has '-1'"),
        (GOOD.replace(f"{START + 300}", f"\n{START + 300}"), "row 6 has 0 cells"),
        (GOOD.replace(str(START), "0"), "row 5 begins with '0'"),
        (GOOD.replace(str(START), ""), "row 5 begins with ''"),
        (GOOD.replace(str(START + 300), str(START)), f"has two rows for {START}"),
        (GOOD.replace("api", "web"), "row 1 has two columns of web latency Average"),
    ],
)
def test_metrics_that_are_none_are_told_with_file_and_row(tmp_path, text, said):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(ForewatchError) as raised:
        read_metrics(tmp_path / "metrics.csv")
    assert said in str(raised.value)
    assert "metrics.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / "metrics.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ForewatchError, match=r"metrics\.csv cannot be read"):
        read_metrics(tmp_path / "metrics.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "needs node, metric and timestamp"),
        ('{"node": "web", "metric": "latency"}', "needs node, metric and timestamp"),
        ('{"node": "web", "metric": "cpu", "timestamp": 1}', "metric is 'cpu'"),
        ('{"node": 7, "metric": "latency", "timestamp": 1}', "node should be a name"),
        ('{"node": "web", "metric": "latency", "timestamp": "soon"}', "cannot be read"),
        ('{"node": "web", "metric": "latency", "timestamp": 1e99}', "timestamp Unix seconds"),
        ('{"node": "web", "metric": ["latency"], "timestamp": 1}', "metric is ['latency']"),
    ],
)
def test_an_alarm_that_is_none_is_told_with_its_file(tmp_path, text, said):
    (tmp_path / "alarm.json").write_text(text)
    with pytest.raises(ForewatchError) as raised:
        read_alarm(tmp_path / "alarm.json")
    assert said in str(raised.value)
    assert "alarm.json" in str(raised.value)


def test_a_missing_file_is_named_with_its_folder(root):
    case = root / "quiet/train/one"
    (case / "alarm.json").unlink()
    with pytest.raises(ForewatchError, match=r"one has no alarm\.json"):
        Case.at(case)
    assert [name for name, _ in cases_below(root)] == ["quiet/train/one"], "it is named as one that cannot be ranked"


def test_a_folder_without_cases_and_one_that_is_not_there_are_told(tmp_path):
    with pytest.raises(ForewatchError, match="there is no case below"):
        list(cases_below(tmp_path))
    with pytest.raises(ForewatchError, match="is not a folder"):
        list(cases_below(tmp_path / "missing"))
    with pytest.raises(ForewatchError, match="is not a folder"):
        Case.at(tmp_path / "missing")


def test_an_alarm_of_a_service_that_is_not_in_the_graph_is_told(root):
    case = root / "quiet/train/one"
    (case / "alarm.json").write_text(json.dumps({"node": "mail", "metric": "latency", "timestamp": START + 400}))
    with pytest.raises(ForewatchError, match=r"node mail is not in .*graph\.csv"):
        Reader().rank(Case.at(case))
