"""Our own port with a certificate: HTTPS for clients that take nothing else, and renewed without a restart."""

from __future__ import annotations

import os
import ssl

import httpx
import pytest
from authority import Authority
from serving import CONFIGURATION, Serving

from forewatch.config.models import Config
from forewatch.console import serve

KEY = "R" * 32
TLS = "tls: {certificate: server.pem}\n"
PAGERDUTY = f"  - name: nagios\n    pagerduty: {{}}\n    token: {KEY}\n"
EVENT = {
    "routing_key": KEY, "event_action": "trigger", "dedup_key": "a",
    "payload": {"summary": "full", "source": "db1", "severity": "critical"},
}  # fmt: skip


class SecureServing(Serving):
    def __init__(self, folder, trust):
        super().__init__(folder, CONFIGURATION + PAGERDUTY + TLS)
        self.url = f"https://127.0.0.1:{self.port}"
        self.client = httpx.Client(verify=trust, trust_env=False, timeout=5)

    def _answers(self):
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            return self.client.get(f"{self.url}/-/ready").status_code == 200
        except httpx.HTTPError:
            return False


def test_a_client_that_takes_https_alone_is_served(tmp_path):
    authority = Authority(tmp_path)
    authority.server("127.0.0.1")
    serving = SecureServing(tmp_path, ssl.create_default_context(cafile=str(authority.file)))
    serving.start()
    try:
        answer = serving.client.post(f"{serving.url}/v2/enqueue", json=EVENT)
        assert (answer.status_code, answer.json()["dedup_key"]) == (202, "a")
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{serving.port}/-/ready", trust_env=False, timeout=5)
    finally:
        serving.client.close()
        serving.stop()


def test_a_certificate_that_cannot_be_used_is_told_at_the_start(tmp_path):
    (tmp_path / "server.pem").write_text("no certificate")
    serving = SecureServing(tmp_path, False)
    with pytest.raises(AssertionError, match=r"tls: .*server\.pem and its key cannot be used"):
        serving.start()
    serving.client.close()
    serving.stop()


def test_a_renewed_certificate_is_taken_and_a_broken_one_is_not(tmp_path, caplog):
    Authority(tmp_path).server("127.0.0.1")
    config = Config.model_validate({"folder": str(tmp_path), "tls": {"certificate": "server.pem"}})
    files = serve.certificate_files(config)
    assert files == (tmp_path / "server.pem", tmp_path / "server.pem")

    async def app(scope, receive, send):
        raise AssertionError("nobody asks")

    options = serve.uvicorn.Config(app, ssl_certfile=files[0], ssl_keyfile=files[1], log_config=None)
    options.load()
    server = serve.Renewing(options, files)
    server.renew()
    assert caplog.text == ""
    caplog.set_level("INFO")
    Authority(tmp_path).server("127.0.0.1")
    os.utime(files[0], (1, 1))
    server.renew()
    assert "the renewed certificate of our port is shown" in caplog.text
    files[0].write_text("broken")
    server.renew()
    assert "cannot be used, the old one goes on" in caplog.text


def test_without_tls_the_port_speaks_plain_http():
    assert serve.certificate_files(Config()) is None
