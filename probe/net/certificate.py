"""The node's own certificate: made at the first start, kept, and known to clients by its fingerprint."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from probe.errors import NotMeasured

CERTIFICATE_NAME, KEY_NAME = "certificate.pem", "certificate.key"
_YEARS = 20


@dataclass(frozen=True, slots=True)
class NodeCertificate:
    """What the node shows, and the key that only it has."""

    certificate: x509.Certificate
    private_key: PrivateKeyTypes
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER certificate in hexadecimal; clients pin it as `sha256:...`."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()


def state_directory() -> Path:
    """Where a node keeps its certificate: XDG_STATE_HOME/rtcprobe, by default ~/.local/state/rtcprobe."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "rtcprobe"


def load_or_create(state: Path | None = None) -> NodeCertificate:
    """The certificate kept in the folder `state`, made now if there is none.

    Raises NotMeasured when the folder cannot be used or holds something else.
    """
    state = state or state_directory()
    certificate, key = state / CERTIFICATE_NAME, state / KEY_NAME
    try:
        if not certificate.exists() or not key.exists():
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _alone(state):
                _make_both(certificate, key)
        return load(certificate, key)
    except OSError as error:
        raise NotMeasured(
            f"cannot keep the node's certificate in {state}: {error.strerror}",
            hint="choose a folder with --state",
        ) from None


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Of several nodes that start at once, one after the other."""
    descriptor = os.open(state, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_both(certificate: Path, key: Path) -> None:
    there = [path for path in (certificate, key) if path.exists()]
    if not there:
        _write(certificate, key)
    elif len(there) == 1:
        raise NotMeasured(
            f"{there[0]} is there without the other half of the node's identity",
            hint="bring it back, or remove both to have new ones made; clients must then pin the new fingerprint",
        )


def load(certificate: Path, key: Path) -> NodeCertificate:
    """A certificate (chain) and private key in PEM; raises OSError, or NotMeasured for other content."""
    try:
        first, *chain = x509.load_pem_x509_certificates(certificate.read_bytes())
        private_key = load_pem_private_key(key.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise NotMeasured(
            f"{certificate} or {key} holds no PEM certificate and key: {error}",
            hint="remove both to have new ones made; clients must then pin the new fingerprint",
        ) from None
    if first.public_key() != private_key.public_key():
        raise NotMeasured(f"{key} is not the key of {certificate}")
    return NodeCertificate(first, private_key, tuple(chain))


def authorities(cafile: str | None) -> str | None:
    """The certificate authorities to trust: `cafile`, else the system's, else None for certifi's.

    Raises NotMeasured when `cafile` cannot be used.
    """
    if cafile is None:
        return ssl.get_default_verify_paths().cafile
    try:
        ssl.create_default_context(cafile=cafile)
    except OSError as error:
        raise NotMeasured(f"cannot use the certificate authorities in {cafile}: {error.strerror}") from None
    return cafile


def self_signed() -> NodeCertificate:
    """A new P-256 certificate. Clients pin it, so its name says nothing and its end is far."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "probe node")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        # A client whose clock is behind is no reason to refuse.
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + dt.timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private_key, hashes.SHA256())
    )
    return NodeCertificate(certificate, private_key)


def _write(certificate: Path, key: Path) -> None:
    made = self_signed()
    pem = made.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # The key first, by a temporary name: a node killed in between makes both anew.
    temporary = key.with_name(key.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    certificate_temporary = certificate.with_name(certificate.name + ".new")
    certificate_temporary.write_bytes(made.certificate.public_bytes(Encoding.PEM))
    temporary.replace(key)
    certificate_temporary.replace(certificate)
