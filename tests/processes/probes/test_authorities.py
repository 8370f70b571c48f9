"""This machine's authorities are found where Python's ssl module finds them."""

import shutil
import ssl
import subprocess

import pytest
from authority import Authority
from servers import saying, serving

from tasks.probes import authorities


@pytest.fixture(autouse=True)
def looked_for_anew():
    authorities.this_machines.cache_clear()
    yield
    authorities.this_machines.cache_clear()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """`elsewhere(file=..., folder=...)`: where this machine's authorities are."""

    def put(file=None, folder=None):
        monkeypatch.setenv("SSL_CERT_FILE", str(file or tmp_path / "none.pem"))
        monkeypatch.setenv("SSL_CERT_DIR", str(folder or tmp_path / "none"))

    return put


def hashed(folder, authority):
    """The authority in a folder, under the name OpenSSL looks it up by."""
    folder.mkdir(exist_ok=True)
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl here to name the file")
    command = [program, "x509", "-hash", "-noout", "-in", str(authority.file)]
    name = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    shutil.copy(authority.file, folder / f"{name}.0")
    return folder


async def both_pass(ask, authority):
    async with serving(saying(), tls=authority.server("127.0.0.1", days=20.5)) as port:
        by_tls = await ask(tls=f"127.0.0.1:{port}")
        by_http = await ask(http=f"https://127.0.0.1:{port}/")
    assert by_tls.ok == by_http.ok
    if by_tls.ok:
        assert by_tls.details["certificate_days"] == by_http.details["certificate_days"] == 20
    return by_tls.ok


async def test_those_of_a_file(ask, tmp_path, elsewhere):
    ours, theirs = Authority(tmp_path, "Ours"), Authority(tmp_path, "Theirs")
    elsewhere(file=ours.file)
    assert await both_pass(ask, ours)
    assert not await both_pass(ask, theirs)


async def test_those_of_a_folder(ask, tmp_path, elsewhere):
    ours, theirs = Authority(tmp_path, "Ours"), Authority(tmp_path, "Theirs")
    elsewhere(folder=hashed(tmp_path / "folder", ours))
    assert await both_pass(ask, ours)
    assert not await both_pass(ask, theirs)


async def test_those_of_a_folder_beside_those_of_a_file(ask, tmp_path, elsewhere):
    ours, theirs = Authority(tmp_path, "Ours"), Authority(tmp_path, "Theirs")
    elsewhere(file=ours.file, folder=hashed(tmp_path / "folder", theirs))
    assert await both_pass(ask, ours)
    assert await both_pass(ask, theirs)


async def test_a_folder_that_says_no_more_than_the_file_is_left_out(tmp_path, elsewhere):
    ours = Authority(tmp_path, "Ours")
    elsewhere(file=ours.file, folder=hashed(tmp_path / "folder", ours))
    assert authorities.this_machines().folder is None
    assert authorities.this_machines().file == str(ours.file)


async def test_where_there_are_none_nobody_is_trusted(ask, tmp_path, elsewhere):
    elsewhere()
    assert not await both_pass(ask, Authority(tmp_path, "Ours"))


def test_they_are_those_that_python_knows():
    known = ssl.create_default_context().get_ca_certs(binary_form=True)
    assert set(known) <= set(authorities.this_machines().certificates)
