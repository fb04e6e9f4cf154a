"""What a run tells while it measures: plain values, for whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from probe.records import SessionRecord


@dataclass(frozen=True, slots=True)
class RunStarted:
    """`sessions` to come, and how long they are expected to take."""

    run_id: str
    title: str
    sessions: int
    expected_s: float
    emulated: bool


@dataclass(frozen=True, slots=True)
class SessionProgress:
    """A session's state, some times a second. `phase`: connecting, sending, waiting (for the tail)."""

    record: SessionRecord
    phase: str
    scheduled: int
    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class SessionFinished:
    record: SessionRecord


Event: TypeAlias = RunStarted | SessionProgress | SessionFinished
Listener: TypeAlias = Callable[[Event], None]
