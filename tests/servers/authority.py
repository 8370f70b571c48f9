"""A certificate authority of one's own, and TLS settings of servers with what it signed."""

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """`file` is its own certificate, for who trusts it."""

    def __init__(self, folder: Path, name: str = "Test Authority", *, days: float = 3650, above=None) -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.above = above
        signer = above or self
        basic = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = self._made(self.name, self.key, signer, -3000, days, basic, [])
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def cross_signed(self, by: "Authority", days: float) -> x509.Certificate:
        """Another certificate of this authority's name and key, signed by another one."""
        basic = x509.BasicConstraints(ca=True, path_length=None)
        return self._made(self.name, self.key, by, -3000, days, basic, [])

    def server(
        self,
        *names: str,
        begins: float = -1,
        days: float = 30,
        chain: bool = True,
        also: Sequence[x509.Certificate] = (),
        key_identifier: bool = True,
    ) -> ssl.SSLContext:
        """TLS of a server for host names and addresses; `chain`: with the certificates in between; `also`: and with
        others; `key_identifier`: its own says whose key signed it."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        basic = x509.BasicConstraints(ca=False, path_length=None)
        made = [self._made(subject, key, self, begins, days, basic, list(names), key_identifier)]
        if chain and self.above is not None:
            made.append(self.certificate)
        made += also
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = self.folder / "server.pem"
        file.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in made) + private)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    @staticmethod
    def _made(subject, key, signer, begins, ends, basic, names, key_identifier=True):
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signer.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=begins))
            .not_valid_after(now + datetime.timedelta(days=ends))
            .add_extension(basic, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if key_identifier:
            signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
            builder = builder.add_extension(signed_by, critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), False)
        return builder.sign(signer.key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
