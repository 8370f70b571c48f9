"""A real Bugsink on loopback, where one is installed: in FOREWATCH_BUGSINK (the folder of its programs) or on PATH."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

PROGRAMS = ("bugsink-create-conf", "bugsink-manage", "bugsink-runsnappea", "gunicorn")


def programs() -> Path | None:
    """Where Bugsink's programs are; None where they are not."""
    given = os.environ.get("FOREWATCH_BUGSINK")
    found = shutil.which(PROGRAMS[0], path=given)
    if found is None:
        return None
    folder = Path(found).parent
    return folder if all((folder / name).exists() for name in PROGRAMS) else None


class BugsinkServer:
    """Its web server, its worker, one project, and a token for its API."""

    def __init__(self, folder: Path, bin: Path) -> None:
        self._folder, self._bin = folder, bin
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = {**os.environ, "PYTHONPATH": str(folder), "NO_PROXY": "127.0.0.1"}
        self._environment.pop("DJANGO_SETTINGS_MODULE", None)

    def start(self) -> None:
        self._run("bugsink-create-conf", "--template", "singleserver", "--port", str(self._port), "--host", "127.0.0.1",
                  "--base-dir", str(self._folder), "-o", "bugsink_conf.py")  # fmt: skip
        conf = self._folder / "bugsink_conf.py"
        text = conf.read_text(encoding="utf-8")
        text = re.sub(r'"BASE_URL": "[^"]*"', f'"BASE_URL": "{self.url}", "PHONEHOME": False', text)
        text = re.sub(r"^SECURE_PROXY_SSL_HEADER.*$", "", text, flags=re.M)
        text = re.sub(
            r"^(SESSION_COOKIE_SECURE|CSRF_COOKIE_SECURE|USE_X_REAL_IP) = True", r"\1 = False", text, flags=re.M
        )
        conf.write_text(text, encoding="utf-8")
        for name in ("ingestion", "snappea", "snappea/wakeup"):
            (self._folder / name).mkdir(mode=0o700)
        self._folder.chmod(0o700)
        self._run("bugsink-manage", "migrate")
        self._run("bugsink-manage", "migrate", "snappea", "--database=snappea")
        self._run("bugsink-manage", "prestart")
        self.token = self._run("bugsink-manage", "create_auth_token").strip().splitlines()[-1]
        for command in (
            ["gunicorn", f"--bind=127.0.0.1:{self._port}", "--workers=1", "bugsink.wsgi"],
            ["bugsink-runsnappea"],
        ):
            self._processes.append(self._spawn(command))
        self.http = httpx.Client(
            base_url=f"{self.url}/api/canonical/0", headers={"Authorization": f"Bearer {self.token}"}, trust_env=False,
            timeout=20,
        )  # fmt: skip
        self.wait_for(self._answers, 60)
        team = self.http.post("/teams/", json={"name": "shop"}).raise_for_status().json()
        self.http.post("/projects/", json={"name": "shop", "team": team["id"]}).raise_for_status()
        [self.project] = self.http.get("/projects/").raise_for_status().json()["results"]

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

    def send(self, kind: str, level: str = "error") -> None:
        """One event, as an SDK sends it, and taken in by the time this returns."""
        before = self._digested()
        key = self.project["dsn"].partition("://")[2].partition("@")[0]
        event = {
            "event_id": uuid.uuid4().hex,
            "timestamp": time.time(),
            "platform": "python",
            "level": level,
            "environment": "prod",
            "exception": {"values": [{"type": kind, "value": "the cart is empty"}]},
        }
        answer = httpx.post(
            f"{self.url}/api/{self.project['id']}/store/", json=event, trust_env=False, timeout=20,
            headers={"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={key}, sentry_client=test/1"},
        )  # fmt: skip
        answer.raise_for_status()
        self.wait_for(lambda: self._digested() > before, 30)

    def issue(self, kind: str) -> dict[str, Any]:
        """The issue of a type of error."""
        [found] = [one for one in self._issues() if one["calculated_type"] == kind]
        return found

    def act(self, kind: str, action: str) -> None:
        """`resolve`, `mute` or `unmute` an issue, as a person would."""
        self.http.post(f"/issues/{self.issue(kind)['id']}/{action}/").raise_for_status()

    @staticmethod
    def wait_for(look: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not look():
            assert time.monotonic() < deadline, "Bugsink did not get there"
            time.sleep(0.1)

    def _issues(self) -> list[dict[str, Any]]:
        found = self.http.get("/issues/", params={"project": self.project["id"]}).raise_for_status().json()["results"]
        return list(found)

    def _digested(self) -> int:
        return sum(one["digested_event_count"] for one in self._issues())

    def _answers(self) -> bool:
        try:
            return self.http.get("/projects/").status_code == 200
        except httpx.HTTPError:
            return False

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            [str(self._bin / command[0]), *command[1:]],
            cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._folder / f"{command[0]}.log").open("wb") as log:
            return subprocess.Popen(
                [str(self._bin / command[0]), *command[1:]],
                cwd=self._folder, env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
