"""The process that all children are forked from: one thread, with Prefect and our packages imported.

multiprocessing would start it as a fresh interpreter. Here it is forked off the worker before anything else happens in
that: the two share the pages of what both have imported, some 60 MB, and the imports are made once, which puts the
shifts on watch 1.4 s of CPU earlier. Should it die, multiprocessing starts a fresh one, as it always would.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from multiprocessing import forkserver, resource_tracker, util
from typing import Any

PRELOAD = "forewatch.orchestration.preload"
_started_anew = util.spawnv_passfds


def fork_forkserver() -> None:
    """Import what children need and fork the forkserver off this process.

    It must be called first of all: with one thread, no event loop and nothing open but the standard streams.
    """
    import_module(PRELOAD)
    forkserver.set_forkserver_preload([PRELOAD])
    resource_tracker.ensure_running()
    util.spawnv_passfds = _forked
    try:
        forkserver.ensure_running()
    finally:
        util.spawnv_passfds = _started_anew


def _forked(path: bytes, args: Sequence[Any], passfds: Sequence[int]) -> int:
    """In place of `spawnv_passfds`: `passfds` are the socket to listen at and the pipe whose end is the worker's."""
    if len(passfds) != 2:
        # Python 3.14 passes a key besides, for a forkserver that it starts itself.
        return _started_anew(path, args, passfds)
    pid = os.fork()
    if pid:
        return pid
    try:
        _close_all_but({0, 1, 2, *passfds})
        listener, alive = passfds
        forkserver.main(listener, alive, [])
    except Exception:  # noqa: BLE001 - nobody is above us who could tell it
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    """Above all the worker's end of the pipe: with a copy of it here, its death would go unnoticed."""
    for name in os.listdir("/dev/fd"):
        if int(name) not in kept:
            # The listing's own is closed already.
            with contextlib.suppress(OSError):
                os.close(int(name))
