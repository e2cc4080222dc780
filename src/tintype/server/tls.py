"""HTTPS on a local network: a certificate of one's own, and the address as a QR code."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tintype.errors import UsageError
from tintype.images.replacing import atomic

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

_DAYS = 397  # what browsers take at the most
_RENEW_DAYS = 30
_NOWHERE = ("192.0.2.1", 9)  # reserved for documentation (RFC 5737); nothing is sent there


class Certificate(NamedTuple):
    """The files of a certificate.

    Attributes:
        chain: PEM of the certificate, and of those that vouch for it.
        key: PEM of its private key.
    """

    chain: Path
    key: Path


def local_address() -> str:
    """This machine's address on its network; that of the loopback when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(_NOWHERE)  # chooses the address that would be sent from
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def given(chain: Path, key: Path) -> Certificate:
    """A certificate that the user has.

    Raises:
        UsageError: it cannot be used.
    """
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{chain} and {key} are no certificate and its key: {error}.") from error
    return Certificate(chain, key)


def own(folder: Path, names: tuple[str, ...]) -> Certificate:
    """A certificate signed by itself, made once and kept, so that browsers ask but once.

    Args:
        folder: where it lies; only its owner can read the key.
        names: host names and addresses that it is for.

    Raises:
        OSError: the folder cannot be written.
    """
    found = Certificate(folder / "certificate.pem", folder / "key.pem")
    if not _serves(found, names):
        _make(found, names)
    return found


def own_key(folder: Path) -> str:
    """An API key that cannot be guessed, made once and kept: what was sent with it stays reachable.

    Raises:
        OSError: the folder cannot be written.
    """
    file = folder / "api-key"
    with suppress(OSError):
        if key := file.read_text(encoding="ascii").strip():
            return key
    key = secrets.token_urlsafe(18)
    _keep_secret(file, key.encode())
    return key


def _keep_secret(path: Path, content: bytes) -> None:
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    with atomic(path) as file:
        with suppress(AttributeError, OSError):  # not on Windows
            os.fchmod(file.fileno(), 0o600)
        file.write(content)


def _serves(found: Certificate, names: tuple[str, ...]) -> bool:
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(found.chain.read_bytes())
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    has = set(held.get_values_for_type(x509.DNSName))
    has |= {str(address) for address in held.get_values_for_type(x509.IPAddress)}
    fresh = certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=_RENEW_DAYS)
    return fresh and set(names) <= has and found.key.is_file()


def _make(at: Certificate, names: tuple[str, ...]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Tintype")])
    now, held = datetime.now(UTC), x509.SubjectAlternativeName([_named(name) for name in names])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(held, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _keep_secret(at.key, pem)
    with atomic(at.chain) as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))


def _named(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def qr_code(text: str) -> str:
    """A QR code to be printed on a terminal."""
    import io

    import segno

    out = io.StringIO()
    segno.make(text, error="l").terminal(out, compact=True, border=2)
    return out.getvalue()
