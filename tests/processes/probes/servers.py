"""Real servers on 127.0.0.1 that misbehave on purpose."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Answer = Callable[[bytes, Writer], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer, *, tls: ssl.SSLContext | None = None, listens: bool = True) -> AsyncIterator[int]:
    """A server that reads one request head (if it `listens`) and lets `answer(head, writer)` do the rest; its port."""
    at_work: set[asyncio.Task] = set()

    async def talk(reader: Reader, writer: Writer) -> None:
        at_work.add(asyncio.current_task())
        try:
            await answer(await reader.readuntil(b"\r\n\r\n") if listens else b"", writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the probe gave up, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in at_work:
            task.cancel()


def saying(body: bytes = b"ok", status: str = "200 OK", headers: str = "") -> Answer:
    async def answer(_: bytes, writer: Writer) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)
        await writer.drain()

    return answer


def raw(answer: bytes) -> Answer:
    """The bytes as they are, and then the end of the connection."""

    async def say(_: bytes, writer: Writer) -> None:
        writer.write(answer)
        await writer.drain()

    return say


def certificate(folder: Path, *, valid_from_days: float, valid_to_days: float) -> tuple[ssl.SSLContext, Path]:
    """TLS for 127.0.0.1 with a certificate signed by itself, valid between two moments relative to now (days)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=valid_from_days))
        .not_valid_after(now + datetime.timedelta(days=valid_to_days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context, file
