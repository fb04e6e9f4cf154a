"""What can go wrong, whose fault it is, and how the process ends.

    ProbeError
    ├── ConfigError            the author of a command line or plan (2)
    ├── NotMeasured            our side could not measure (3)
    │   ├── AuthenticationFailed   the node refused our key
    │   ├── FingerprintMismatch    the node is not the one the plan pins
    │   └── StoreError             results cannot be written (disk full, read-only folder)
    ├── Unreachable            the far side did not answer; becomes data (`reachable`)
    └── ProtocolError          bytes that are no message of the protocol; becomes a count

Every error is one sentence; `hint` says what to do about it.
"""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit codes of every command (docs/contract.md)."""

    PASS = 0
    CRASH = 1
    CONFIG = 2
    NOT_MEASURED = 3
    INCONCLUSIVE = 4
    FAIL = 99
    SIGINT = 130
    SIGTERM = 143


class ProbeError(Exception):
    """An expected failure, told in one sentence."""

    exit_status = ExitStatus.CRASH

    def __init__(self, sentence: str, *, hint: str = "") -> None:
        super().__init__(sentence)
        self.hint = hint


class ConfigError(ProbeError):
    """A plan, flag or environment variable that cannot be used; found before a packet is sent."""

    exit_status = ExitStatus.CONFIG


class NotMeasured(ProbeError):
    """Our own side could not measure; this never counts against a vendor."""

    exit_status = ExitStatus.NOT_MEASURED


class AuthenticationFailed(NotMeasured):
    """The node does not accept our shared key."""


class FingerprintMismatch(NotMeasured):
    """The node's certificate is not the pinned one."""


class StoreError(NotMeasured):
    """Results cannot be written; what was written before is kept."""


class Unreachable(ProbeError):
    """A node that does not answer, or stopped answering."""

    exit_status = ExitStatus.FAIL


class ProtocolError(ProbeError):
    """Received bytes that no sender of this protocol produces."""
