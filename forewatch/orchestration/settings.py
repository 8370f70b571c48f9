"""Where a running Forewatch is: its ports and its configuration, for its own processes and for the CLI."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from forewatch.home import Home

DEFAULT_PORT = 4280
DEFAULT_PREFECT_PORT = 4200


@dataclass(frozen=True)
class Settings:
    """Written to `run/settings.json` by the supervisor."""

    config: str
    port: int = DEFAULT_PORT
    prefect_port: int = DEFAULT_PREFECT_PORT
    pid: int = 0
    scheme: str = "http"
    """Of our own port; `https` with `tls`."""
    generation: str = ""
    """Of ids (`store.generations`), for who must tell people while the store cannot be read."""

    def write(self, home: Home) -> None:
        home.settings.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, home: Home) -> Settings | None:
        """Of the Forewatch that runs, or ran last, on this folder; None where none ever did."""
        try:
            return cls(**json.loads(home.settings.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def prefect_url(self) -> str:
        return f"http://127.0.0.1:{self.prefect_port}"
