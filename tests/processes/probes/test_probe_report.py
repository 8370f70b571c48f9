import asyncio

import pytest
from servers import saying, serving

from forewatch.checking.results import ProbeResult
from forewatch.config.models import Config
from forewatch.errors import NotFound
from tasks.probes import report
from tasks.probes.report import probe_now


def shop(port: int) -> Config:
    checks = [{"http": f"http://127.0.0.1:{port}/"}, {"name": "db", "tcp": "127.0.0.1:1"}]
    return Config.model_validate({"services": [{"name": "shop", "checks": checks}]})


async def test_a_service_or_one_of_its_checks_is_probed_now(tmp_path):
    async with serving(saying()) as port:
        rows = await probe_now(shop(port), "shop", tmp_path)
        one = await probe_now(shop(port), "shop/db", tmp_path)
    assert [(row.check, row.result.ok) for row in rows] == [("http", True), ("db", False)]
    assert [(row.target, row.result.reason) for row in one] == [("127.0.0.1:1", "refused by 127.0.0.1:1")]


@pytest.mark.parametrize(("target", "hint"), [("shpo", "did you mean shop?"), ("shop/htp", "did you mean http?")])
async def test_an_unknown_name_gets_the_nearest_one(target, hint):
    with pytest.raises(NotFound, match=hint.replace("?", r"\?")):
        await probe_now(shop(1), target)


async def test_without_a_name_everything_is_probed_and_not_all_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "AT_ONCE", 3)
    under_way, most = 0, 0

    async def counted(check, instance, context):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return ProbeResult(True, 0.001, "ok")

    monkeypatch.setattr(report, "probe", counted)
    services = [{"name": f"s{number}", "checks": [{"tcp": "127.0.0.1:1"}]} for number in range(10)]
    rows = await probe_now(Config.model_validate({"services": services}), folder=tmp_path)
    assert [row.service for row in rows] == [f"s{number}" for number in range(10)]
    assert most == 3
