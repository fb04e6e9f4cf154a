"""The shared key of a node: from a file or the environment, never from a command line."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from probe.errors import ConfigError
from probe.net.certificate import state_directory

VARIABLE = "PROBE_NODE_KEY"
MIN_BYTES = 8


def read_key(file: Path | None, state: Path | None) -> tuple[bytes, str]:
    """The key and where it came from. Without file and variable, one is made once and kept in `state`.

    Raises ConfigError for a key that cannot be read or is too short to be secret.
    """
    if file is not None:
        return _checked(_read(file), str(file)), str(file)
    if value := os.environ.get(VARIABLE, ""):
        return _checked(value.encode(), f"${VARIABLE}"), f"${VARIABLE}"
    kept = (state or state_directory()) / "key"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(24) + "\n")
    return _checked(_read(kept), str(kept)), str(kept)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"cannot read the key file {path}: {error.strerror}") from None


def _checked(key: bytes, source: str) -> bytes:
    if len(key) < MIN_BYTES:
        raise ConfigError(f"the key in {source} has {len(key)} bytes: a shared key needs {MIN_BYTES} or more")
    return key
