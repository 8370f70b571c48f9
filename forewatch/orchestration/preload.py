"""What the forkserver imports before it forks. Nothing here may start a thread or open a file for long.

A test forks from it and counts one thread.
"""

from __future__ import annotations

import gc
from importlib import import_module

from pydantic import BaseModel

from forewatch import registry
from forewatch.orchestration.prefect_private import look_up_no_result_storage

# Without numpy and statsmodels: they would add 120 MB for all, to spare the one flow that forecasts a second every five
# minutes. It imports them itself.
MODULES = (
    "anyio._backends._asyncio",
    "anyio.streams.tls",
    "encodings.idna",
    # Prefect imports it lazily, to serialize the parameters of the first subflow: 0.2 s in the middle of a remedy.
    "fastapi.encoders",
    "httpx",
    "prefect.artifacts",
    "prefect.client.orchestration",
    "prefect.deployments.runner",
    "prefect.engine",
    "prefect.events.clients",
    "prefect.flow_engine",
    "prefect.task_engine",
    "psutil",
    "pycurl",
    "forewatch.orchestration.child",
    "flows",
    "runbooks",
    "notifiers",
    "tasks.collect",
    "tasks.delivery",
    "tasks.probes",
)

for _module in MODULES:
    import_module(_module)
registry.load("runbooks")()
look_up_no_result_storage()


def _complete(model: type[BaseModel]) -> None:
    """Build the validators of a model of Prefect's and of those below it, which it leaves to their first use.

    Built here all children share them: 11 MB less in each, and 50 ms of CPU.
    """
    for below in model.__subclasses__():
        if below.__module__.startswith("prefect.") and not below.__pydantic_complete__:
            below.model_rebuild(raise_errors=False)
        _complete(below)


_complete(BaseModel)

# What is there now stays for ever; keeping the collector off it keeps its pages shared between all children.
gc.collect()
gc.freeze()
