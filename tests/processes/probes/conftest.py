import pytest

from forewatch.config.models import Check, Instance
from tasks.probes import ProbeContext, probe


@pytest.fixture
async def ask(tmp_path):
    """`await ask(http=..., expect={...}, timeout="500ms")` -> ProbeResult, relative to `tmp_path`."""
    async with ProbeContext(tmp_path) as context:

        async def once(*, instance: Instance | None = None, **fields):
            check = Check.model_validate({"timeout": "2s", **fields})
            return await probe(check, instance, context)

        yield once
