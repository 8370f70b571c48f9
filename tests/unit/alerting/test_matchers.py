import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.matchers import Matcher, matches, parse_matcher, parse_matchers, remark

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
        ("=web", "=web: expected a label name before ="),
        ('""=web', '""=web: expected a label name before the operator'),
        ("größe=b c", "größe=b c: expected a comma before c (quote a value that has blanks)"),
        ('{"größe"=b', '{"größe"=b: a brace has no partner (both or neither)'),
        (r'"größe"="\d"', r'"größe"="\d": \d is not an escape (try \\d)'),
        ('"größe"="a\nb"', '"größe"="a\nb": a line break inside quotes is written \\n'),
        ("größe='b'", "größe='b': ' needs double quotes around the value"),
        ("a=b,,c=d", "a=b,,c=d: expected a label name before ,"),
        ('a="b', 'a="b: a quote is not closed'),
        ('a=~"("', 'a=~"(": ( is not a regular expression RE2 takes: missing ): ('),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(spec, sentence):
    with pytest.raises(ValueError) as caught:
        parse_matchers(spec)
    assert str(caught.value) == sentence


CLASSIC = [
    (r'instance=~"10\.0\.0\.\d+"', [("instance", "=~", r"10\.0\.0\.\d+")]),
    ("alertname=bar baz", [("alertname", "=", "bar baz")]),
    (r"path=C:\temp", [("path", "=", r"C:\temp")]),
    ("summary=it's down", [("summary", "=", "it's down")]),
    ("url=~https?://shop/(a|b){2}/c", [("url", "=~", "https?://shop/(a|b){2}/c")]),
    ("a=b c=d", [("a", "=", "b c=d")]),
    ("a='b'", [("a", "=", "'b'")]),
    ("team=", [("team", "=", "")]),
    ("{team=web", [("team", "=", "web")]),
    ("team=web}", [("team", "=", "web")]),
    ("a==b", [("a", "=", "=b")]),
    ("a=~a!b, c=d", [("a", "=~", "a!b"), ("c", "=", "d")]),
    ('a="tab\\tstop"', [("a", "=", r"tab\tstop")]),
    ('a="two\nlines"', [("a", "=", "two\nlines")]),
    (r'a="quote \" and comma, \\"', None),
]
"""What Alertmanager's classic parser makes of texts; None where both parsers say the same."""


@pytest.mark.parametrize(("text", "meant"), CLASSIC)
def test_what_only_the_classic_parser_takes_is_read_by_it_and_remarked_on(text, meant):
    found = parse_matchers(text)
    if meant is None:
        assert remark(text) is None
        return
    assert found == tuple(Matcher(*one) for one in meant)
    said = remark(text)
    assert said is not None
    better = said.partition("; write ")[2].partition(", which its UTF-8")[0]
    assert parse_matchers(better) == found
    assert remark(better) is None


@pytest.mark.parametrize(
    "text", ["a=b", '{a="b", c!~"d|e"}', "größe=12", '"a b"="c"', "", "{}", "a=10.0.0.1:80", "no matcher"]
)
def test_what_both_parsers_read_alike_or_only_the_new_one_takes_is_not_remarked_on(text):
    assert remark(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [(r'"a b"="\x41\u00e9\U0001f600\101\t"', "Aé😀A\t"), (r'"a b"="\xc3\xa9"', "é")],
)
def test_the_new_parser_undoes_the_escapes_of_go(text, value):
    assert parse_matchers(text) == (Matcher("a b", "=", value),)


@pytest.mark.parametrize("escape", [r"\xff", r"\400", r"\ud800", r"\U00110000", r"\'", r"\q"])
def test_an_escape_go_does_not_know_is_refused(escape):
    with pytest.raises(ValueError):
        parse_matchers(f'"a b"="{escape}"')


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ('team="db"', Matcher("team", "=", "db")),
        ("a=b,c=d", Matcher("a", "=", "b,c=d")),
        ("alertname=bar baz", Matcher("alertname", "=", "bar baz")),
        ('"größe"=12', Matcher("größe", "=", "12")),
    ],
)
def test_a_filter_is_one_matcher(text, matcher):
    assert parse_matcher(text) == matcher


@pytest.mark.parametrize("text", ["", "{a=b}", "a=b}", "größe=1,breite=2", "a", "=b", "a=~("])
def test_a_filter_that_is_none_or_several_is_refused(text):
    with pytest.raises(ValueError):
        parse_matcher(text)


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
