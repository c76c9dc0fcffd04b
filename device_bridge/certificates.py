"""A certificate authority of this installation, and certificates for the address in use.

The authority is made once, kept with mode 0600 and constrained to private addresses and local
names, so that a phone that trusts it trusts it for nothing else.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from backend.core.files import write_atomic
from device_bridge.interfaces import PRIVATE

LEAF_DAYS = 397
"""Strict clients refuse more than 398 days."""
_CA_DAYS = 3650


@dataclass(frozen=True)
class Authority:
    """The certificate authority: certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate, for ``/ca.crt``."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as phones show it: pairs of capitals with colons."""
        digest = self.certificate.fingerprint(hashes.SHA256()).hex().upper()
        return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def authority(folder: Path) -> Authority:
    """Return the authority kept in ``folder``; it is made where there is none, or it has expired.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder / "ca.pem"
    try:
        content = path.read_bytes()
        key = serialization.load_pem_private_key(content, None)
        certificate = x509.load_pem_x509_certificate(content)
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=LEAF_DAYS)
        if isinstance(key, ec.EllipticCurvePrivateKey) and certificate.not_valid_after_utc > soon:
            return Authority(certificate, key)
    except (OSError, ValueError):
        pass  # none yet, or damaged: phones that trusted it are asked anew
    made = _make_authority()
    folder.mkdir(parents=True, exist_ok=True)
    private = made.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Made with its mode, so that no other user can read it even for a moment.
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with open(path, "wb") as file:
        file.write(private + made.pem)
    write_atomic(folder / "ca.crt", made.pem.decode())
    return made


def server_context(ca: Authority, host: str) -> ssl.SSLContext:
    """Return a TLS context for ``host`` (an address) and this computer's ``.local`` name."""
    certificate, key = _leaf(ca, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    content = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    # The ssl module reads files only; this one is gone before anybody connects.
    with tempfile.TemporaryDirectory(prefix="fretsaw-") as folder:
        path = Path(folder) / "leaf.pem"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        path.write_bytes(content + ca.pem)
        context.load_cert_chain(path)
    return context


def local_name() -> str:
    """Return this computer's name on the local network, such as ``bench.local``."""
    name = socket.gethostname().split(".")[0].lower()
    kept = "".join(c for c in name if c.isalnum() or c == "-").strip("-")
    return f"{kept or 'fretsaw'}.local"


def _make_authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"Fretsaw on {local_name()}"[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Fretsaw"),
        ]
    )
    allowed: list[x509.GeneralName] = [x509.IPAddress(network) for network in PRIVATE]
    allowed += [x509.DNSName("local"), x509.DNSName("localhost")]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(allowed, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def _leaf(ca: Authority, host: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(host)),
        x509.DNSName(local_name()),
    ]
    if ipaddress.ip_address(host).is_loopback:
        names.append(x509.DNSName("localhost"))
    now = dt.datetime.now(dt.UTC)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fretsaw studio")]))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=LEAF_DAYS) - dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    return certificate, key


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
