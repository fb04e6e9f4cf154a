"""What each remedy would have done for a recorded session, direction by direction, by cost.

A prediction rests on one trace: its interval is that of the trace's seconds (clustered, see `clustered`),
averaged over the draws. Definitions of residual and recovery time are those of a measurement.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from probe.analysis.clustered import shares_of
from probe.analysis.delay import Floats
from probe.analysis.fates import Outcome, fates_of
from probe.analysis.one_way import Mask, directions
from probe.analysis.playout import required_buffer
from probe.analysis.population import Population
from probe.analysis.recorded import recorded, seconds_of
from probe.analysis.recovery import recovery
from probe.analysis.remedies import ATTEMPTS, NONE, REMEDIES, Remedy
from probe.analysis.repair_sweep import sent_ratio
from probe.analysis.replay import Recorded, replay
from probe.analysis.results import Distribution
from probe.analysis.series import BEYOND
from probe.metrics import NEVER, T_MAX_NS, Rows
from probe.records import Json, SessionRecord

MEETS, MISSES, UNDECIDED = "meets", "misses", "undecided"
DRAWN_PACKETS = 1_000_000
MOST_DRAWS = 50
LEAST_SECONDS = 5
"""Seconds without which a share has no interval."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """`residual_ratio` from `low` to `high` (None: too short for an interval); `overhead_ratio` is bytes sent by
    bytes of media; `buffer_ms` the smallest playout buffer that meets the target, infinite if none does.

    `verdict` is whether the interval lies within the target, outside, or on both sides.
    """

    remedy: Remedy
    residual_ratio: float
    low: float | None
    high: float | None
    verdict: str
    recovery_ms: Distribution
    buffer_ms: float | None
    overhead_ratio: float

    def to_json(self) -> Json:
        remedy, infinite = self.remedy, self.buffer_ms is not None and math.isinf(self.buffer_ms)
        return {
            "remedy": remedy.name,
            "nack_retries": remedy.retries,
            "red_depth": remedy.red,
            "fec_media": remedy.media,
            "fec_repair": remedy.repair,
            "fec_interleave": remedy.interleave,
            "residual_ratio": self.residual_ratio,
            "low": self.low,
            "high": self.high,
            "verdict": self.verdict,
            "recovery_ms": self.recovery_ms.to_json(),
            "buffer_ms": None if infinite else self.buffer_ms,
            "infinite": ["buffer_ms"] if infinite else [],
            "overhead_ratio": self.overhead_ratio,
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """What the run's own remedy did, in the same terms."""

    remedy: Remedy
    residual_ratio: float
    recovery_ms: Distribution
    overhead_ratio: float | None

    def to_json(self) -> Json:
        return {
            "remedy": self.remedy.name,
            "residual_ratio": self.residual_ratio,
            "recovery_ms": self.recovery_ms.to_json(),
            "overhead_ratio": self.overhead_ratio,
        }


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One direction of a session: predictions by cost, and `cheapest`, the place of the first that meets the
    target (else of the first whose value does, else None).

    `burst` is the mean of losses in a row where they come in bursts. `left_out` are remedies that these packets
    cannot have, with the reason's code.
    """

    way: str
    n: int
    lost: int
    burst: float | None
    round_trip_ms: float | None
    draws: int
    predictions: tuple[Prediction, ...]
    cheapest: int | None
    measured: Measured | None
    left_out: tuple[tuple[str, str], ...]

    def to_json(self) -> Json:
        return {
            "way": self.way,
            "n": self.n,
            "lost": self.lost,
            "loss_ratio": self.lost / self.n,
            "burst": self.burst,
            "rtt_ms": self.round_trip_ms,
            "draws": self.draws,
            "remedies": [prediction.to_json() for prediction in self.predictions],
            "cheapest": None if self.cheapest is None else self.predictions[self.cheapest].remedy.name,
            "measured": None if self.measured is None else self.measured.to_json(),
            "left_out": [{"remedy": name, "code": code} for name, code in self.left_out],
        }


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a session: the residual to stay within at the deadline."""

    deadline_ns: int
    target: float
    confidence: float = 0.95
    seed: int = 0


def objection(record: SessionRecord, rows: Rows) -> str | None:
    """Why nothing can be predicted from a session, as a code: `no_packets`, `quic`, or `no_loss`."""
    if "quic" in record.transport:
        return "quic"
    if not len(rows) or not (rows["sent_ns"] != NEVER).any():
        return "no_packets"
    up, down, _ = directions(rows)
    fates = fates_of(record, rows, up, down)
    outcomes = [outcome for outcome in (fates.up, fates.down) if outcome is not None]
    return None if any(outcome.lost.any() for outcome in outcomes) else "no_loss"


def own_remedy(record: SessionRecord) -> Remedy | None:
    """The remedy that the session itself used."""
    fec = {"media": record.fec_k, "repair": 1, "interleave": record.fec_interleave} if record.fec_k else {}
    own = Remedy(retries=ATTEMPTS if record.nack else 0, red=record.red, **fec)
    return own if own != NONE else None


def what_if(
    record: SessionRecord, rows: Rows, question: Question, remedies: Iterable[Remedy] = REMEDIES
) -> list[WhatIf]:
    """Of each direction that lost packets. Ask `objection` first."""
    rows = rows[np.lexsort((rows["seq"], rows["stream"]))]
    up, down, _ = directions(rows)
    fates = fates_of(record, rows, up, down)
    found = []
    for name, trace in recorded(rows, up, down, fates).items():
        way, outcome = (up, fates.up) if name == "up" else (down, fates.down)
        assert outcome is not None
        lost = int(np.count_nonzero(outcome.lost))
        if trace is None or not lost:
            continue
        own = own_remedy(record)
        chosen = list(dict.fromkeys([*remedies, *([own] if own else [])]))
        ratio = sent_ratio(record, rows, way, name)
        residual = int(np.count_nonzero(outcome.residual)) / int(np.count_nonzero(outcome.population))
        times = recovery(way, outcome).distribution()
        measured = None if own is None else Measured(own, residual, times, ratio)
        found.append(_direction(name, trace, outcome, chosen, question, measured))
    return found


def _direction(
    name: str,
    trace: Recorded,
    outcome: Outcome,
    remedies: Sequence[Remedy],
    question: Question,
    measured: Measured | None,
) -> WhatIf:
    n = int(np.count_nonzero(trace.there))
    draws = max(1, min(MOST_DRAWS, DRAWN_PACKETS // n))
    left_out = []
    predictions = []
    for remedy in remedies:
        if remedy.retries and trace.back is None:
            left_out.append((remedy.name, "no_way_back"))
        else:
            predictions.append(predict(trace, remedy, question, draws))
    predictions.sort(key=lambda one: (round(one.overhead_ratio, 4), one.residual_ratio))
    return WhatIf(
        way=name,
        n=n,
        lost=int(np.count_nonzero(outcome.lost)),
        burst=trace.way.loss.burst,
        round_trip_ms=trace.round_trip_ns / 1e6 or None,
        draws=draws,
        predictions=tuple(predictions),
        cheapest=_cheapest(predictions, question.target),
        measured=measured,
        left_out=tuple(left_out),
    )


def _cheapest(predictions: Sequence[Prediction], target: float) -> int | None:
    sure = [at for at, one in enumerate(predictions) if one.verdict == MEETS]
    near = [at for at, one in enumerate(predictions) if one.residual_ratio <= target]
    return next(iter(sure or near), None)


def predict(trace: Recorded, remedy: Remedy, question: Question, draws: int) -> Prediction:
    """One remedy on one direction."""
    drawn = remedy.retries or remedy.repair
    found = replay(trace, remedy, draws if drawn else 1, question.seed)
    after = found.available - trace.departed
    missed = after > question.deadline_ns
    low, high = _interval(seconds_of(trace, missed), seconds_of(trace, trace.there), question.confidence)
    there = trace.there
    share = float(missed[:, there].mean())
    return Prediction(
        remedy=remedy,
        residual_ratio=share,
        low=low,
        high=high,
        verdict=_verdict(low, high, question.target),
        recovery_ms=_recovery(trace, after, question.deadline_ns).distribution(),
        buffer_ms=_buffer(after[:, there], question.target),
        overhead_ratio=1 + found.extra_bytes / float(np.nansum(trace.size)),
    )


def _interval(hits: Floats, n: Floats, confidence: float) -> tuple[float | None, float | None]:
    kept = n > 0
    hits, n = hits[kept], n[kept]
    if len(n) < LEAST_SECONDS:
        return None, None
    low, high = shares_of(hits[:, None], n, np.arange(len(n) - 1)).interval((1 - confidence) / 2)
    return float(low[0]), float(high[0])


def _verdict(low: float | None, high: float | None, target: float) -> str:
    if low is None or high is None:
        return UNDECIDED
    return MEETS if high <= target else MISSES if low > target else UNDECIDED


def _recovery(trace: Recorded, after: Floats, deadline_ns: int) -> Population:
    """How much later than usual the repairs came: of the lost, and of the late that came sooner so."""
    original = trace.arrived - trace.departed
    usual = float(np.median(original[np.isfinite(original)]))
    lost = trace.there & np.isinf(trace.arrived)
    late = trace.there & ~lost & (original > deadline_ns)
    wanted: Mask = lost | (late & (after < original))
    times = after[np.broadcast_to(wanted, after.shape)] - usual
    repaired = times <= T_MAX_NS
    return Population.of_ns(times[repaired], int(np.count_nonzero(~repaired)))


def _buffer(after: Floats, target: float) -> float | None:
    finite = np.where(np.isfinite(after), after, 0.0).astype(np.int64)
    needed = required_buffer(np.where(np.isfinite(after), finite, BEYOND).ravel(), target)
    return None if needed is None else needed / 1e6
