import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.matchers import Matcher, matches, parse_matchers

pytestmark = pytest.mark.unit


def holds(spec, **labels):
    return matches(parse_matchers(spec), labels)


@pytest.mark.parametrize(
    ("spec", "labels", "expected"),
    [
        ("team=web", {"team": "web"}, True),
        ("team=web", {"team": "webs"}, False),
        ("team!=web", {"team": "db"}, True),
        ("team!=web", {"team": "web"}, False),
        ("team=~web|db", {"team": "db"}, True),
        ("team!~web|db", {"team": "db"}, False),
        ("team!~web|db", {"team": "cache"}, True),
    ],
)
def test_the_four_operators(spec, labels, expected):
    assert holds(spec, **labels) is expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ('team=""', True),
        ('team!="web"', True),
        ("team=web", False),
        ('team!=""', False),
        ("team=~.*", True),
        ("team=~.+", False),
        ("team!~.+", True),
    ],
)
def test_an_absent_label_equals_the_empty_string(spec, expected):
    assert holds(spec) is expected


def test_an_empty_value_matches_only_alerts_without_the_label():
    assert not holds('team=""', team="web")


def test_a_pattern_must_fit_the_whole_value():
    assert not holds("service=~front", service="storefront")
    assert not holds("service=~a|b", service="ab")
    assert holds("service=~store.*", service="storefront")


def test_a_mapping_is_equality_and_takes_its_values_literally():
    assert holds({"service": "a=~b"}, service="a=~b")
    assert not holds({"service": ".*"}, service="storefront")


def test_all_matchers_of_a_list_must_hold():
    spec = ["team=web", 'severity=~"critical|warning"']
    assert holds(spec, team="web", severity="warning")
    assert not holds(spec, team="web", severity="info")


@pytest.mark.parametrize("spec", [{}, [], "", "{}", " { } "])
def test_no_matcher_at_all_matches_everything(spec):
    assert holds(spec, anything="goes")


@pytest.mark.parametrize("spec", ["a=b,c=d", "{a=b,c=d}", '{ a = "b" , c = "d" , }', 'a="b", "c"=d,'])
def test_braces_blanks_quotes_and_a_trailing_comma_are_optional(spec):
    assert parse_matchers(spec) == (Matcher("a", "=", "b"), Matcher("c", "=", "d"))


def test_a_quoted_value_may_hold_anything_and_escapes_are_undone():
    assert parse_matchers(r'path="a, {b}=~ \"c\" \\ \n"') == (Matcher("path", "=", 'a, {b}=~ "c" \\ \n'),)


def test_a_label_name_may_be_any_text_when_quoted():
    assert holds('"größe, breit"=12', **{"größe, breit": "12"})


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("team web", "team web: expected one of = != =~ !~ after team"),
        ("team", "team: expected one of = != =~ !~ after team"),
        ("team=", 'team=: expected a value after team= (the empty one is team="")'),
        ("=web", "=web: expected a label name before ="),
        ('""=web', '""=web: expected a label name before the operator'),
        ("{team=web", "{team=web: a brace has no partner (both or neither)"),
        ("team=web}", "team=web}: a brace has no partner (both or neither)"),
        ("a=b c=d", "a=b c=d: expected a comma before c (quote a value that has blanks)"),
        ("a=b,,c=d", "a=b,,c=d: expected a label name before ,"),
        ('a="b', 'a="b: a quote is not closed'),
        ("a='b'", "a='b': ' needs double quotes around the value"),
        (r'a="\d"', r'a="\d": \d is not an escape (try \\d)'),
        ('a=~"("', 'a=~"(": ( is not a regular expression RE2 takes: missing ): ('),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(spec, sentence):
    with pytest.raises(ValueError) as caught:
        parse_matchers(spec)
    assert str(caught.value) == sentence


def test_a_bad_pattern_is_not_printed_to_standard_error(capfd):
    with pytest.raises(ValueError):
        parse_matchers('a=~"*"')
    assert capfd.readouterr().err == ""


def test_no_pattern_can_run_for_ever():
    evil = parse_matchers('a=~"(x+x+)+y"')
    began = time.process_time()
    assert not matches(evil, {"a": "x" * 5_000})
    assert time.process_time() - began < 1


@given(st.text(min_size=1, max_size=20), st.sampled_from(["=", "!="]), st.text(max_size=20))
def test_what_is_printed_can_be_read_back(name, operator, value):
    matcher = Matcher(name, operator, value)
    assert parse_matchers(f"{{{matcher}}}") == (matcher,)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_with_a_value_error(text):
    try:
        found = parse_matchers(text)
    except ValueError:
        return
    assert all(matcher.name for matcher in found)


@given(st.text(max_size=12), st.dictionaries(st.sampled_from("ab"), st.text(max_size=12)))
def test_a_negated_matcher_is_the_opposite_of_the_plain_one(value, labels):
    assert Matcher("a", "!=", value).matches(labels) is not Matcher("a", "=", value).matches(labels)


@pytest.mark.parametrize(
    ("text", "regex", "equal"),
    [("a=b", False, True), ("a!=b", False, False), ("a=~b", True, True), ("a!~b", True, False)],
)
def test_a_matcher_is_written_and_read_as_alertmanagers_api_has_it(text, regex, equal):
    [matcher] = parse_matchers(text)
    assert matcher.as_json() == {"name": "a", "value": "b", "isRegex": regex, "isEqual": equal}
    assert Matcher.from_json(matcher.as_json()) == matcher


def test_a_matcher_without_flags_is_equality():
    assert Matcher.from_json({"name": "a", "value": ""}) == Matcher("a", "=", "")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("a=b", "a matcher is an object with name, value, isRegex and isEqual"),
        ({"value": "b"}, "a matcher needs a name: the label it looks at"),
        ({"name": "", "value": "b"}, "a matcher needs a name: the label it looks at"),
        ({"name": "a", "value": 1}, "the matcher of a needs a value, as text"),
        ({"name": "a", "value": "b", "isRegex": "no"}, "isRegex and isEqual of the matcher of a must be true or false"),
        ({"name": "a", "value": "(", "isRegex": True}, "( is not a regular expression RE2 takes: missing ): ("),
    ],
)
def test_a_matcher_that_is_none_is_refused_with_a_sentence(data, sentence):
    with pytest.raises(ValueError) as caught:
        Matcher.from_json(data)
    assert str(caught.value) == sentence


def test_a_value_of_any_length_is_compared():
    for length in (255, 256, 257, 100_000):
        assert holds("a=~x+", a="x" * length)
        assert not holds("a=~x+", a="x" * length + "y")
        assert holds("a!~x+", a="x" * length + "y")
