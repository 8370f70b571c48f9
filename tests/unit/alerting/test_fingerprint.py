import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewatch.alerting.fingerprint import fingerprint

pytestmark = pytest.mark.unit


def test_no_labels_give_the_offset_basis():
    assert fingerprint({}) == "cbf29ce484222325"


def test_it_agrees_with_prometheus_common_model():
    labels = {"name": "garland, briggs", "fear": "love is not enough"}
    assert int(fingerprint(labels), 16) == 5799056148416392346
    assert fingerprint({"alertname": "DiskFull", "instance": "db1", "severity": "critical"}) == "e94c744ae3d44df8"


def test_it_is_sixteen_digits_even_when_the_first_are_zero():
    found = next(mark for number in range(100_000) if (mark := fingerprint({"a": str(number)})).startswith("00"))
    assert len(found) == 16


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5), st.randoms())
def test_the_order_of_labels_does_not_matter(labels, random):
    shuffled = list(labels.items())
    random.shuffle(shuffled)
    assert fingerprint(dict(shuffled)) == fingerprint(labels)


def test_a_letter_that_moves_from_name_to_value_makes_another_alert():
    assert fingerprint({"ab": "c"}) != fingerprint({"a": "bc"})


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=8), st.just("x" * 300)), max_size=4))
def test_every_byte_is_taken_one_after_the_other(labels):
    state = 0xCBF29CE484222325
    for name, value in sorted(labels.items()):
        for byte in name.encode() + b"\xff" + value.encode() + b"\xff":
            state = (state ^ byte) * 0x100000001B3 % 2**64
    assert fingerprint(labels) == fingerprint(labels) == f"{state:016x}"
