"""What the test's children do: say they are ready, answer, and notice when the worker is gone."""

from __future__ import annotations

import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path


def main(pipe: Connection) -> None:
    pipe.send(("ready",))
    while True:
        try:
            command = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)
        if command[0] == "threads of the forkserver":
            pipe.send(("threads", len(os.listdir(f"/proc/{os.getppid()}/task"))))
        elif command[0] == "imported":
            pipe.send(("imported", [name for name in command[1] if name in sys.modules]))
        elif command[0] == "touch when let go":
            try:
                pipe.recv()
            except (EOFError, OSError):
                Path(command[1]).touch()
                os._exit(0)
        elif command[0] == "sleep":
            time.sleep(60)
