import pytest

from forewatch.alerting.failures import failure_of
from forewatch.checking.certificates import authority_in, expires_first, whose

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["Between", "Let's Encrypt R11", "An authority that expires, Ltd."])
def test_whose_certificate_expires_first_is_read_from_what_is_said_of_it(name):
    assert authority_in(f"certificate is good for 2 days{expires_first(name)}") == name
    assert authority_in(f"{whose(name)} expires in 2 days, expected at least 14 days") == name
    assert authority_in(f"{whose(name)} expired 3 minutes ago, expected at least 14 days") == name


def test_the_servers_own_certificate_needs_no_name():
    assert expires_first("") == ""
    assert authority_in("certificate expires in 5 days, expected at least 14 days") == ""
    assert authority_in("200 after 3 ms") == ""


def test_a_chain_that_is_too_short_is_a_certificate_problem_whosever_it_is():
    assert failure_of(f"{whose('Between')} expires in 2 days, expected at least 14 days") == "certificate"
    assert failure_of(f"{whose('')} expires in 2 days, expected at least 14 days") == "certificate"
