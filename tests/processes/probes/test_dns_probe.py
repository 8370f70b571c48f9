import asyncio

import pytest
from dns_server import name_server

ZONE = {
    ("shop.example", "A"): ["192.0.2.10", "192.0.2.9"],
    ("shop.example", "AAAA"): ["2001:db8::1"],
    ("shop.example", "MX"): ["10 Mail.Shop.example.", "20 backup.shop.example."],
    ("shop.example", "TXT"): ['"v=spf1 -all"', '"one " "and two"'],
    ("shop.example", "NS"): ["ns1.shop.example."],
    ("shop.example", "CAA"): ['0 issue "ca.example"'],
    ("shop.example", "SOA"): ["ns1.shop.example. root.shop.example. 7 3600 600 86400 60"],
    ("_ldap._tcp.shop.example", "SRV"): ["0 5 389 ldap.shop.example."],
    ("www.shop.example", "CNAME"): ["shop.example."],
    ("10.2.0.192.in-addr.arpa", "PTR"): ["shop.example."],
}


@pytest.mark.parametrize(
    ("kind", "name", "answers"),
    [
        ("A", "shop.example", ["192.0.2.9", "192.0.2.10"]),
        ("A", "www.shop.example.", ["192.0.2.10", "192.0.2.9"]),
        ("AAAA", "shop.example", ["2001:DB8:0::1"]),
        ("CNAME", "www.shop.example", ["Shop.Example."]),
        ("MX", "shop.example", ["20 backup.shop.example", "10 mail.shop.example"]),
        ("TXT", "shop.example", ["v=spf1 -all", "one and two"]),
        ("NS", "shop.example", ["ns1.shop.example"]),
        ("SRV", "_ldap._tcp.shop.example", ["0 5 389 ldap.shop.example"]),
        ("PTR", "192.0.2.10", ["shop.example"]),
        ("SOA", "shop.example", ["ns1.shop.example root.shop.example 7 3600 600 86400 60"]),
        ("CAA", "shop.example", ["0 issue ca.example"]),
    ],
)
async def test_answers_of_every_type_are_compared_as_sets_in_one_spelling(ask, kind, name, answers):
    async with name_server(ZONE) as server:
        target = {"name": name, "type": kind, "server": server}
        found = await ask(dns=target)
        assert found.ok
        assert found.details["rcode"] == "NOERROR"
        assert (await ask(dns=target, expect={"answers": answers})).reason == found.reason
        assert not (await ask(dns=target, expect={"answers": [*answers, answers[0] + "0"]})).ok


AS_BYTES = [
    (r'"say \"hi\""', ['say "hi"', r'"say \"hi\""', r"say \"hi\""], "say hi"),
    (r'"gr\195\188\195\159e"', ["grüße", '"grüße"', r"gr\195\188\195\159e"], "gruesse"),
    (r'"C:\\dir"', [r"C:\dir", r'"C:\\dir"'], "C:dir"),
    ('"v=DKIM1; p=AB" "CD"', ["v=DKIM1; p=ABCD", '"v=DKIM1; p=AB" "CD"', '"v=DKIM1; p=ABCD"'], "v=DKIM1; p=AB"),
    (r'"\"quoted\""', ['"quoted"'], "unquoted"),
    ('"Two  blanks "', ["Two  blanks "], "Two blanks"),
    (r'"bad \255 byte"', [r"bad \255 byte"], "bad byte"),
    ('""', ["", '""'], " "),
]


@pytest.mark.parametrize(("record", "written", "other"), AS_BYTES)
async def test_a_text_is_compared_by_its_bytes_however_people_write_it(ask, record, written, other):
    async with name_server({("shop.example", "TXT"): [record]}) as server:
        target = {"name": "shop.example", "type": "TXT", "server": server}
        for text in written:
            result = await ask(dns=target, expect={"answers": [text]})
            assert result.ok, result.reason
        assert not (await ask(dns=target, expect={"answers": [other]})).ok


async def test_a_text_is_shown_as_people_read_it(ask):
    async with name_server({("shop.example", "TXT"): [r'"gr\195\188\195\159e \"hi\" \255\010"']}) as server:
        result = await ask(dns={"name": "shop.example", "type": "TXT", "server": server})
        assert result.reason == r'shop.example is grüße "hi" \255\010'


async def test_each_text_wanted_needs_one_of_its_own(ask):
    async with name_server({("shop.example", "TXT"): ['"a"', '"b"']}) as server:
        target = {"name": "shop.example", "type": "TXT", "server": server}
        assert not (await ask(dns=target, expect={"answers": ["a", "a"]})).ok
        assert not (await ask(dns=target, expect={"answers": ["a", "b", "b"]})).ok
        assert (await ask(dns=target, expect={"answers": ["b", '"a"']})).ok


async def test_names_are_the_same_in_their_own_script_and_in_punycode(ask):
    zone = {
        ("shop.example", "MX"): ["10 mail.xn--mnchen-3ya.example."],
        ("shop.example", "CAA"): ['0 iodef "mailto:a@shop.example?subject=\\"x\\""'],
    }
    async with name_server(zone) as server:
        mail = {"name": "shop.example", "type": "MX", "server": server}
        for text in ("10 mail.MÜNCHEN.example.", "10  mail.xn--mnchen-3ya.example"):
            assert (await ask(dns=mail, expect={"answers": [text]})).ok
        caa = {"name": "shop.example", "type": "CAA", "server": server}
        for text in ('0 IODEF mailto:a@shop.example?subject="x"', r'0 iodef "mailto:a@shop.example?subject=\"x\""'):
            assert (await ask(dns=caa, expect={"answers": [text]})).ok


async def test_an_answer_too_many_or_too_few_is_told_with_what_was_found(ask):
    async with name_server(ZONE) as server:
        target = {"name": "shop.example", "server": server}
        result = await ask(dns=target, expect={"answers": ["192.0.2.10"]})
        assert result.reason == "shop.example is 192.0.2.10, 192.0.2.9, expected 192.0.2.10"
        assert result.details["answers"] == ["192.0.2.10", "192.0.2.9"]


async def test_a_name_that_does_not_exist_is_told_with_the_server(ask):
    async with name_server(ZONE) as server:
        result = await ask(dns={"name": "nowhere.example", "server": server})
        assert result.reason == f"NXDOMAIN from {server}: there is no nowhere.example"
        assert result.details["rcode"] == "NXDOMAIN"
        wanted = await ask(dns={"name": "nowhere.example", "server": server}, expect={"answers": []})
        assert wanted.ok


async def test_a_name_without_a_record_of_the_type_is_told(ask):
    async with name_server(ZONE) as server:
        target = {"name": "www.shop.example", "type": "TXT", "server": server}
        zone = {**ZONE, ("only.example", "A"): ["192.0.2.1"]}
        assert not (await ask(dns=target, expect={"answers": []})).ok  # the alias leads to records of the type
    async with name_server(zone) as server:
        target = {"name": "only.example", "type": "AAAA", "server": server}
        assert (await ask(dns=target)).reason == f"only.example has no AAAA record (NOERROR from {server})"
        assert (await ask(dns=target, expect={"answers": []})).ok


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED"])
async def test_a_server_that_refuses_is_told_by_its_rcode(ask, rcode):
    async with name_server(ZONE, rcode=rcode) as server:
        target = {"name": "shop.example", "server": server}
        assert (await ask(dns=target)).reason == f"{rcode} from {server} for shop.example"
        assert not (await ask(dns=target, expect={"answers": []})).ok


async def test_a_silent_server_ends_at_the_timeout(ask):
    async with name_server(ZONE, silent=True) as server:
        result = await ask(dns={"name": "shop.example", "server": server}, timeout="300ms")
    assert result.reason == f"no answer from {server} within 300 ms"
    assert result.duration < 1


async def test_an_answer_too_large_for_a_datagram_comes_over_tcp(ask):
    many = {("many.example", "A"): [f"192.0.2.{n}" for n in range(1, 250)]}
    async with name_server(many, small=True) as server:
        result = await ask(dns={"name": "many.example", "server": server})
    assert result.ok
    assert len(result.details["answers"]) == 249
    assert result.reason.endswith("and 241 more")


async def test_the_next_name_server_of_this_machine_is_asked_where_the_first_is_silent(ask, monkeypatch):
    from tasks.probes import dns as probe

    async with name_server(ZONE, silent=True) as silent, name_server(ZONE) as server:
        both = [(one.partition(":")[0], int(one.partition(":")[2])) for one in (silent, server)]
        monkeypatch.setattr(probe, "_servers", lambda _: both)
        result = await ask(dns={"name": "shop.example"}, timeout="1s")
    assert result.ok
    assert result.details["server"] == server


async def test_forged_answers_are_waited_past(ask):
    class Forger(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, addr):
            self.transport.sendto(b"\0\0" + data[2:], addr)  # another query's id
            self.transport.sendto(b"garbage", addr)

    udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(Forger, ("127.0.0.1", 0))
    port = udp.get_extra_info("sockname")[1]
    result = await ask(dns={"name": "shop.example", "server": f"127.0.0.1:{port}"}, timeout="300ms")
    udp.close()
    assert result.reason == f"no answer from 127.0.0.1:{port} within 300 ms"


async def test_what_is_no_name_is_told(ask):
    result = await ask(dns={"name": "a..b", "server": "127.0.0.1"})
    assert result.reason == "a..b is not a name: A DNS label is empty."
