"""Any JSON, by templates."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_samples import MAPPING, MINUTE, NOW, encoded, source

from forewatch.incidents.events import AlertCleared
from forewatch.intake.sources import json_mapping
from forewatch.intake.sources.json_mapping import parse
from forewatch.intake.sources.making import Parsed

pytestmark = pytest.mark.unit

SOURCE = source("json")


def problem(**fields):
    return {
        "type": "DiskFull", "host": {"name": "db1"}, "level": "warn", "text": "1 % free", "state": "bad",
        "since": "2025-12-31T23:59:00Z", **fields,
    }  # fmt: skip


def parsed(*problems, wanted=SOURCE, headers=None):
    return parse(encoded({"sender": "zabbix", "problems": list(problems)}), headers or {}, wanted, NOW)


def mapped(**settings):
    return source("json", {"labels": {"alertname": "x"}, **settings})


def test_templates_say_what_is_what():
    [event] = parsed(problem()).events
    assert event.labels == {"alertname": "DiskFull", "service": "db1", "severity": "warning"}
    assert event.annotations == {"summary": "1 % free (zabbix)"}
    assert (event.service, event.at) == ("db1", NOW - MINUTE)


def test_an_empty_label_is_left_out_also_where_the_body_lacks_what_it_looks_into():
    [event] = parsed(problem(host=None)).events
    assert "service" not in event.labels
    assert event.service == "host"


def test_it_is_over_where_the_template_says_so():
    firing, over = parsed(problem(), problem(state="ok")).events
    assert isinstance(over, AlertCleared)
    assert over.identity == firing.identity


def test_who_can_say_that_it_is_over_needs_no_patience():
    [event] = parsed(problem()).events
    assert (event.until, event.timeout) == (None, False)


def test_who_cannot_is_waited_for():
    [event] = parse(b"{}", {}, mapped().model_copy(update={"resolve_after": 60.0}), NOW).events
    assert (event.until, event.timeout) == (NOW + MINUTE, True)


def test_without_items_the_body_is_the_alert_and_need_not_be_an_object():
    wanted = mapped(annotations={"summary": "{{ item[1] }} {{ body | length }}"})
    [event] = parse(b'["a", "b"]', {}, wanted, NOW).events
    assert event.annotations == {"summary": "b 2"}


def test_headers_are_seen_but_not_those_that_prove_who_sends():
    wanted = mapped(annotations={"a": "{{ headers['x-env'] }}", "b": "{{ headers.authorization }}{{ headers.cookie }}"})
    headers = {"X-Env": "prod", "Authorization": "Bearer t0ken-t0ken", "Cookie": "a=b"}
    [event] = parse(b"{}", headers, wanted, NOW).events
    assert event.annotations == {"a": "prod"}


def test_of_a_batch_the_good_alerts_are_taken_and_the_bad_ones_named():
    wanted = mapped(items="all", labels={"alertname": "{{ item.name + '' }}"})
    found = parse(encoded({"all": [{"name": "A"}, {"name": 3}, {"name": "B"}]}), {}, wanted, NOW)
    assert [event.labels["alertname"] for event in found.events] == ["A", "B"]
    assert [sentence.partition(": ")[0] for sentence in found.refused] == ["all[1]"]
    assert "labels.alertname" in found.refused[0]


def test_no_alert_is_lost_over_a_time_or_a_long_value():
    found = parsed(problem(since="then"), problem(type="x" * 3_000))
    assert found.refused == []
    assert found.events[0].at == NOW
    assert found.events[1].labels["alertname"] == "x" * 3_000


def test_long_values_that_differ_late_are_of_different_alerts():
    wanted = mapped(labels={"alertname": "{{ body }}"})
    one, other = (parse(encoded("x" * 70_000 + end), {}, wanted, NOW).events[0].labels for end in "ab")
    assert one != other
    assert len(one["alertname"]) == 65_536


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 / 0 }}",
        "{{ item.a + 1 }}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ item.n * item.n }}",
        "{{ [0] * 10 ** 9 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ 'x'.ljust(10 ** 9) }}",
        "{{ 'x'.replace('', item.text) }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ range(10 ** 8) }}",
        "{{ item.text | first | length | batch }}",
        "{{ nothing() }}",
        "{{ raise }}{{ item() }}",
    ],
)
def test_a_template_that_fails_or_asks_for_too_much_is_named_and_of_an_annotation_costs_no_alert(template):
    body = encoded({"a": "b", "n": 10**9, "text": "x"})
    [event] = parse(body, {}, mapped(annotations={"bad": template}), NOW).events
    assert event.annotations["bad"].startswith("the template annotations.bad cannot be filled in: ")
    [sentence] = parse(body, {}, mapped(labels={"bad": template}), NOW).refused
    assert sentence.startswith("the template labels.bad cannot be filled in: ")


def test_what_a_template_gives_is_bounded():
    endless = "{% for a in body %}{% for b in body %}{{ a }}{% endfor %}{% endfor %}"
    [event] = parse(encoded(["x" * 100] * 2_000), {}, mapped(annotations={"long": endless}), NOW).events
    assert len(event.annotations["long"]) == 65_536


def test_a_template_is_compiled_once():
    parsed(problem())
    before = json_mapping.compiled.cache_info().misses
    parsed(*[problem()] * 50)
    assert json_mapping.compiled.cache_info().misses == before


@pytest.mark.parametrize("template", ["{{ item", "{% for %}", "{{ item | no_such_filter }}"])
def test_what_is_no_template_is_refused(template):
    with pytest.raises(ValueError, match="not a template"):
        json_mapping.compiled(template)


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"{}", "problems must be the list of alerts, not null"), (b'{"problems": {}}', "not an object"), (b"3", "null"),
     (encoded({"problems": [1] * 5_001}), "5001 alerts")],
)  # fmt: skip
def test_a_body_without_the_list_is_refused(body, said):
    with pytest.raises(ValueError, match=said):
        parse(body, {}, SOURCE, NOW)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*MAPPING, "type", "host", "name"]), inner)
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.lists(_JSON, max_size=4))
def test_any_items_make_events_or_sentences(problems):
    found = parsed(*problems)
    assert isinstance(found, Parsed)
    assert len(found.events) + len(found.refused) == len(problems)
