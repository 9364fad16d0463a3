"""Certificates for tests: authorities, and what they vouch for."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
NOW = datetime.now(UTC)
"""Of the process: certificates are judged by the machine's clock, as are those of others."""


SIGNS = x509.KeyUsage(
    key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False,
    key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
    decipher_only=False,
)  # fmt: skip


def _identifier(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


class Pair:
    """A certificate and its key, as PEM."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.serial = certificate.serial_number
        self.cert = certificate.public_bytes(serialization.Encoding.PEM)
        self.key = _pem(key)
        self.locked_key = _pem(key, b"a password")

    def write(self, folder: Path, name: str) -> tuple[str, str]:
        """Put both into files, each replaced at once; return their paths."""
        paths = (folder / f"{name}.crt", folder / f"{name}.key")
        for path, content in zip(paths, (self.cert, self.key), strict=True):
            beside = path.with_suffix(".new")
            beside.write_bytes(content)
            beside.replace(path)
        return str(paths[0]), str(paths[1])


class Authority:
    """Vouches for certificates; one above may vouch for it."""

    def __init__(self, name: str, under: "Authority | None" = None) -> None:
        self.name = _name(name)
        self.key = ec.generate_private_key(ec.SECP256R1())
        above = under or self
        made = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(above.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=30))
            .not_valid_after(NOW + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_identifier(self.key), critical=False)
            .add_extension(SIGNS, critical=True)
            .sign(above.key, hashes.SHA256())
        )
        self.cert = made.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str, *sans: x509.GeneralName, days: int = 10) -> Pair:
        """A certificate that ends so many days from now; negative ones have ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=20))
            .not_valid_after(NOW + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName(sans or (LOOPBACK,)), critical=False)
            .add_extension(x509.ExtendedKeyUsage(BOTH), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return Pair(made, key)

    def context(self, folder: Path | None = None, shown: Pair | None = None) -> ssl.SSLContext:
        """What a client that trusts this authority connects with, showing a certificate or none."""
        made = ssl.create_default_context(cadata=self.cert.decode())
        if shown is not None:
            assert folder is not None
            made.load_cert_chain(*shown.write(folder, f"shown-{shown.serial}"))
        return made
