import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.inhibition import InhibitionRule, equalities, inhibition_rules, inhibits
from forewatch.alerting.matchers import Matcher
from forewatch.config.models import Config

pytestmark = pytest.mark.unit


def rule(source, target, *equal):
    config = Config.model_validate({"inhibitions": [{"source": source, "target": target, "equal": equal}]})
    [found] = inhibition_rules(config)
    return found


CRITICAL_OVER_WARNING = rule({"severity": "critical"}, {"severity": "warning"}, "cluster", "alertname")


def labels(severity, **more):
    return {"severity": severity, "alertname": "A", **more}


def test_the_worse_alert_hushes_the_lesser_one_of_the_same_cluster():
    assert inhibits(CRITICAL_OVER_WARNING, labels("critical", cluster="a"), labels("warning", cluster="a"))
    assert not inhibits(CRITICAL_OVER_WARNING, labels("critical", cluster="a"), labels("warning", cluster="b"))


def test_both_sides_must_match():
    assert not inhibits(CRITICAL_OVER_WARNING, labels("info"), labels("warning"))
    assert not inhibits(CRITICAL_OVER_WARNING, labels("critical"), labels("info"))


def test_alerts_that_both_lack_a_label_agree_in_it():
    assert inhibits(CRITICAL_OVER_WARNING, labels("critical"), labels("warning"))
    assert inhibits(CRITICAL_OVER_WARNING, labels("critical", cluster=""), labels("warning"))
    assert not inhibits(CRITICAL_OVER_WARNING, labels("critical", cluster="a"), labels("warning"))


def test_without_equal_any_source_hushes_every_target():
    assert inhibits(rule(["alertname=NetDown"], {}), {"alertname": "NetDown"}, {"alertname": "B", "x": "y"})


def test_an_alert_that_matches_both_sides_is_hushed_only_by_one_that_does_not():
    both = rule(["a=1"], ["b=1"])
    assert inhibits(both, {"a": "1"}, {"a": "1", "b": "1"})
    assert inhibits(both, {"a": "1", "b": "1"}, {"b": "1"})
    assert not inhibits(both, {"a": "1", "b": "1"}, {"a": "1", "b": "1", "c": "2"})


def test_sources_are_looked_up_by_what_they_must_have():
    found = equalities(CRITICAL_OVER_WARNING, labels("warning", team="web"))
    assert found == {"severity": "critical", "cluster": "", "alertname": "A"}
    assert equalities(rule(["a=~x.*", "b!=y"], {}), {"a": "1"}) == {}


def test_rules_are_worked_out_once_and_named_by_their_place():
    config = Config.model_validate({"inhibitions": [{"source": {"a": "1"}, "target": {"b": "1"}}] * 2})
    assert [each.name for each in inhibition_rules(config)] == ["inhibitions[0]", "inhibitions[1]"]
    assert inhibition_rules(config) is inhibition_rules(config)


matchers = st.lists(
    st.builds(Matcher, st.sampled_from("abc"), st.sampled_from(["=", "!=", "=~"]), st.sampled_from(["", "x", "y"])),
    max_size=2,
).map(tuple)
rules = st.builds(InhibitionRule, st.just("r"), matchers, matchers, st.lists(st.sampled_from("abc")).map(tuple))
some = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", "y"]))


@given(rules, some)
def test_no_alert_hushes_itself(any_rule, one):
    assert not inhibits(any_rule, one, one)


@given(rules, some, some)
def test_two_alerts_never_hush_each_other_by_one_rule(any_rule, one, other):
    assert not (inhibits(any_rule, one, other) and inhibits(any_rule, other, one))


@given(rules, some, some)
def test_every_source_has_the_labels_it_is_looked_up_by(any_rule, source, target):
    if inhibits(any_rule, source, target):
        assert all(source.get(name, "") == value for name, value in equalities(any_rule, target).items())
