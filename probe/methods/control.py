"""The control channel's rules that both ends share (frames: wire/control.py).

    client                                node
      hello protocol version    ---->
                                <----     challenge nonce protocol version
      auth proof                ---->     proof = HMAC-SHA256(key, nonce || certificate fingerprint)
                                <----     welcome limits          or refused reason detail
      open request              ---->
                                <----     opened grant            or refused
      log session after         ---->     any number of times
                                <----     log session after next rows, then one blob
      close session             ---->
                                <----     report session counters

The key never crosses the network, and a proof made for one certificate is worth nothing to another node.
Answers come in the order of the requests.
"""

from __future__ import annotations

import hashlib
import hmac

PROTOCOL = 1
STREAM_ID = 0
"""The client's first bidirectional stream carries everything (RFC 9000 2.1)."""
NONCE_BYTES = 32
LOG_ROWS = 16_384
"""Most rows of the receive log in one message: packing them holds up a node for a few milliseconds."""

MISUSE_CODE = 0x101
"""Application error code of a connection whose peer does not speak the protocol."""


def proof(key: bytes, nonce: bytes, fingerprint: str) -> bytes:
    """What only a holder of `key` can say; `fingerprint` is the certificate's SHA-256 in hexadecimal."""
    return hmac.digest(key, nonce + fingerprint.encode(), hashlib.sha256)


def fingerprint_hex(fingerprint: str) -> str:
    """The bare lower-case hexadecimal of `sha256:AB:cd...`; ValueError if it is none."""
    bare = fingerprint.lower().removeprefix("sha256:").replace(":", "")
    if len(bytes.fromhex(bare)) != hashlib.sha256().digest_size:
        raise ValueError(f"{fingerprint!r} is not a SHA-256 fingerprint")
    return bare
