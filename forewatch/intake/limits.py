"""What an alert may carry, the same at every door. Pure.

No alert is lost over one of its fields: what is null is left out, what is no text is written as one, and what is too
long is cut, with a hash of the whole behind it, so that two alerts that differ only beyond the cut stay two.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

MOST_LABELS = 256
"""Labels, and annotations, of one alert; of more, those that tell most are kept, and a hash of the rest."""
LONGEST_NAME = 1_024
LONGEST_VALUE = 64 << 10
"""Characters of one label's value, or of one annotation."""
LONGEST_ALL = 256 << 10
"""Characters of all labels of one alert; beyond, each value is held to `SHORT`."""
SHORT = 512
REST = "labels_cut"
"""The label that stands for those beyond `MOST_LABELS`."""

_FIRST = ("alertname", "severity", "service", "job", "instance", "env", "cluster", "namespace", "team")


def labels_within(given: Mapping[str, Any]) -> dict[str, str]:
    """Labels as they are stored: texts without NUL, empty ones and those without a name left out."""
    # Nearly all are good as they are, and every alert comes this way.
    size = 0
    for name, value in given.items():
        if type(value) is not str or not value or not 0 < len(name) <= LONGEST_NAME or "\x00" in name + value:
            break
        size += len(value)
    else:
        if size <= LONGEST_VALUE and len(given) <= MOST_LABELS:
            return dict(given)
    texts = {name: text_within(value) for name, value in given.items()}
    found = {cut(clean(name), LONGEST_NAME): text for name, text in texts.items() if name and text}
    if len(found) > MOST_LABELS:
        found = _fewer(found)
    if sum(len(name) + len(value) for name, value in found.items()) > LONGEST_ALL:
        found = {name: cut(value, SHORT) for name, value in found.items()}
    return found


def annotations_within(given: object) -> dict[str, str]:
    """Annotations as they are stored: texts without NUL, cut to size, empty ones left out; of no object, none."""
    if not isinstance(given, Mapping):
        return {}
    texts = {name: ellipsis(_text(value), LONGEST_VALUE) for name, value in list(given.items())[:MOST_LABELS]}
    found = {cut(clean(name), LONGEST_NAME): text for name, text in texts.items() if name and text}
    if sum(map(len, found.values())) > LONGEST_ALL:
        found = {name: ellipsis(text, LONGEST_ALL // MOST_LABELS) for name, text in found.items()}
    return found


def text_within(value: object) -> str:
    """A field as text of at most `LONGEST_VALUE` characters; empty for null."""
    return cut(_text(value), LONGEST_VALUE)


def cut(text: str, longest: int) -> str:
    """`text`, or its beginning and a hash of all of it where it is longer."""
    if len(text) <= longest:
        return text
    mark = f"…#{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"
    return text[: longest - len(mark)] + mark


def ellipsis(text: str, longest: int) -> str:
    """`text` with an ellipsis where it is too long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def clean(text: str) -> str:
    """Without NUL, which no store takes everywhere."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _text(value: object) -> str:
    if value is None:
        return ""
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))


def _fewer(labels: Mapping[str, str]) -> dict[str, str]:
    order = [*(name for name in _FIRST if name in labels), *sorted(labels.keys() - set(_FIRST))]
    rest = json.dumps([(name, labels[name]) for name in order[MOST_LABELS - 1 :]])
    kept = {name: labels[name] for name in order[: MOST_LABELS - 1]}
    return {**kept, REST: hashlib.sha256(rest.encode()).hexdigest()[:16]}
