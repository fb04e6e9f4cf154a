"""The shared key of a node: from a file or the environment, never from a command line."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from probe.errors import ConfigError, NotMeasured
from probe.net.certificate import state_directory

VARIABLE = "PROBE_NODE_KEY"
CLIENT_VARIABLE = "PROBE_KEY"
MIN_BYTES = 8


def read_key(file: Path | None, state: Path | None) -> tuple[bytes, str]:
    """The key and where it came from. Without file and variable, one is made once and kept in `state`.

    Raises ConfigError for a key that cannot be read or is too short to be secret, NotMeasured when none can
    be kept.
    """
    if file is not None:
        return _checked(_read(file), str(file)), str(file)
    if value := os.environ.get(VARIABLE, ""):
        return _checked(value.encode(), f"${VARIABLE}"), f"${VARIABLE}"
    kept = (state or state_directory()) / "key"
    try:
        if not kept.exists():
            _make(kept)
    except OSError as error:
        raise NotMeasured(
            f"cannot keep the node's key in {kept.parent}: {error.strerror}",
            hint=f"give the key with --key-file or ${VARIABLE}, or choose a folder with --state",
        ) from None
    return _checked(_read(kept), str(kept)), str(kept)


def client_key(file: Path | None) -> bytes:
    """The key of somebody's node, from a file or $PROBE_KEY; ConfigError for one that is missing or too short."""
    if file is not None:
        return _checked(_read(file), str(file))
    value = os.environ.get(CLIENT_VARIABLE, "")
    if not value:
        raise ConfigError(
            "the node's shared key is missing", hint=f"give it with --key-file FILE, or in ${CLIENT_VARIABLE}"
        )
    return _checked(value.encode(), f"${CLIENT_VARIABLE}")


def _make(kept: Path) -> None:
    """Complete under its final name or not there: of two nodes that start at once, the first one's stays."""
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(24) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(temporary, kept)
    finally:
        temporary.unlink()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"cannot read the key file {path}: {error.strerror}") from None


def _checked(key: bytes, source: str) -> bytes:
    if len(key) < MIN_BYTES:
        raise ConfigError(f"the key in {source} has {len(key)} bytes: a shared key needs {MIN_BYTES} or more")
    return key
