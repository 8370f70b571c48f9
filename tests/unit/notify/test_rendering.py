import time

import pytest

from forewatch.notifying.content import Links, complete
from forewatch.notifying.rendering import LONGEST, render
from notifiers.console.sender import ConsoleSender
from notifiers.webhook.sender import WebhookSender

pytestmark = pytest.mark.unit

LINKS = Links("https://fw.example", "https://prefect.example")
KINDS = ["page", "update", "report", "resolved", "failure", "test"]


@pytest.fixture
def content(a_notification):
    return complete(a_notification(), LINKS, flow_run_id="0192")


@pytest.mark.parametrize("sender", [ConsoleSender, WebhookSender])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_channel_has_a_text_for_every_kind(content, sender, kind):
    rendered = await render({**content, "kind": kind}, sender.templates)
    assert "Storefront does not answer." in rendered.text
    assert "template failed" not in rendered.text


@pytest.mark.parametrize(
    ("kind", "more", "word"),
    [
        ("page", {}, "CRITICAL"),
        ("page", {"update": True}, "UPDATE"),
        ("update", {}, "UPDATE"),
        ("report", {}, "INFO"),
        ("report", {"fixed": True}, "FIXED"),
        ("resolved", {"ended": "resolved"}, "RESOLVED"),
        ("resolved", {"ended": "closed by ana, still failing"}, "ENDED"),
        ("failure", {}, "FAILED"),
        ("test", {}, "TEST"),
    ],
)
def test_the_first_word_says_what_kind_of_message_it_is(a_notification, kind, more, word):
    notice = a_notification(kind=kind)
    notice.content.update(more)
    assert complete(notice, LINKS)["word"] == word


async def test_a_terminal_has_the_title_of_a_message_once(content):
    rendered = await render(content, ConsoleSender.templates)
    assert list(filter(None, rendered.text.splitlines())) == [
        "CRITICAL storefront does not answer",
        "Storefront does not answer. AL-1 fires.",
    ]


async def test_a_template_of_the_user_sees_labels_and_links(content):
    template = "{{ alert.labels.alertname }} {{ links.incident }} {{ severity | upper }}"
    rendered = await render(content, WebhookSender.templates, template)
    assert rendered.text == "CheckFailing https://fw.example/incidents/INC-7 CRITICAL"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ alert.labels.nothing }}", "has no attribute 'nothing'"),
        ("{% if %}", "Expected an expression"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ alert.labels.update({'a': 1}) }}", "unsafe"),
        ("{{ 'a' * 1000000000 }}", "moderate numbers"),
        ("{{ 10 ** 10 ** 8 }}", "large numbers"),
        ("{{ '%0999999999d' % 1 }}", "width"),
        ("{{ '{:>999999999}'.format(1) }}", "unsafe"),
        ("{{ 'a' | center(1000000000) }}", "center"),
        ("{{ 1 / 0 }}", "division"),
        ("{% include 'page.txt' %}", "no loader"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "recursion"),
    ],
)
async def test_a_template_that_fails_falls_back_to_plain_text_and_says_so(content, template, why):
    rendered = await render(content, WebhookSender.templates, template)
    first, *_, last = rendered.text.splitlines()
    assert first == "CRITICAL storefront does not answer"
    assert last.startswith("(template failed: ")
    assert why in last
    assert "https://fw.example/incidents/INC-7" in rendered.text


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x=0) %}{% for a in range(100000) %}{% for b in range(99999) %}{% set n.x = n.x + 1 %}"
        "{% endfor %}{% endfor %}{{ n.x }}",
    ],
)
async def test_a_template_that_is_too_slow_is_stopped(content, template):
    began = time.monotonic()
    rendered = await render(content, WebhookSender.templates, template)
    assert "(template failed: it took longer than 1s)" in rendered.text
    assert time.monotonic() - began < 5


async def test_a_huge_range_is_refused_and_a_long_text_is_cut(content):
    refused = await render(content, WebhookSender.templates, "{% for a in range(10000000) %}{% endfor %}")
    assert "Range too big" in refused.text
    long = await render(content, WebhookSender.templates, "{% for a in range(99999) %}abcdefghij{% endfor %}")
    assert len(long.text) < LONGEST + 50
    assert long.text.endswith("(cut at 8000 characters)")


async def test_what_a_template_puts_together_is_masked(content):
    rendered = await render(content, WebhookSender.templates, "{{ 'pass' }}{{ 'word=hunter2' }}")
    assert rendered.text == "password=***"


async def test_a_note_stands_last_whatever_the_template(content):
    rendered = await render(content, WebhookSender.templates, "x", "meant for hook: it is away")
    assert rendered.text == "x\n(meant for hook: it is away)"
