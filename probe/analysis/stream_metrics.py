"""Every media metric of one series of packets, whatever it came from.

Times of a capture with one point of capture are the sender's by its media clock: delay is then relative, counted
from the smallest, as are PDV and lateness of any source.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from probe.analysis.burst_gap import BurstGap, burst_gap
from probe.analysis.clock import MAX_SKEW
from probe.analysis.e_model import G711_PLC, Codec, Estimate, estimate
from probe.analysis.freeze import AUDIO_FREEZE_NS, VIDEO_FREEZE_NS, Freeze, media_freezes, w3c_freezes
from probe.analysis.gilbert import Gilbert, fit_elliott, fit_gilbert
from probe.analysis.loss_pattern import LossPattern, loss_pattern
from probe.analysis.one_way import Mask
from probe.analysis.over_time import Slice, over_time
from probe.analysis.playout import (
    BUFFERS_NS,
    ConcealedSeconds,
    concealed_seconds,
    media_units,
    required_buffer,
    residual_curve,
)
from probe.analysis.population import JitterSummary, Share
from probe.analysis.reorder_density import Density, densities
from probe.analysis.reorder_metrics import Reordering, reordering_of
from probe.analysis.results import Distribution
from probe.analysis.rtp_jitter import jitter_levels, jitter_summary, reported_jitter
from probe.analysis.series import Series, delay_line
from probe.analysis.series_delay import delay_and_pdv, ipdv_population
from probe.analysis.stream_intervals import StreamIntervals, stream_intervals
from probe.analysis.worst_windows import LOSS_WINDOWS_NS, LossWindow, worst_jitter, worst_loss

DEADLINE_NS = 200_000_000
MODEL_LIMIT_MS = 500.0
"""The longest mouth-to-ear delay that G.107 was checked for (table 2)."""
REQUIRED_RESIDUAL = 0.01
LEAST_FOR_SKEW_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """`one_way_ms`: the least and most that the one-way delay can be, None = nothing is known.

    `codec` None: there is no published Ie and Bpl, and so no estimate.
    """

    deadline_ns: int = DEADLINE_NS
    clock_hz: int = 8000
    one_way_ms: tuple[float, float] | None = None
    codec: Codec | None = G711_PLC


@dataclass(frozen=True, slots=True)
class ReportedJitter:
    """What a receiver's reports would say (RFC 3550 A.8), in units of `clock_hz`."""

    clock_hz: int
    last: int
    maximum: int


@dataclass(frozen=True, slots=True)
class StreamMetrics:
    """`bad` is lost, or later than the deadline above the smallest delay; `residual` is by buffer in ns.

    `skew` is the slope of the line under all delays, None of fewer than two: how much faster the receiver's
    clock runs, if it is a clock's at all; it is in the values.
    """

    sent: int
    received: int
    duplicates: int
    deadline_ns: int
    interval_ns: int
    duration_ns: int
    delay: Distribution
    pdv: Distribution
    ipdv: Distribution
    jitter: JitterSummary
    reported_jitter: ReportedJitter | None
    loss: LossPattern
    bad: BurstGap
    reordering: Reordering
    density: tuple[Density, Density]
    worst_loss: tuple[LossWindow, ...]
    worst_jitter_ns: float | None
    concealed: ConcealedSeconds
    freeze: dict[str, Freeze]
    residual: dict[int, Share]
    required_buffer_ns: float | None
    e_model: Estimate | None
    gilbert: Gilbert | None
    elliott: Gilbert | None
    skew: float | None
    over_time: tuple[Slice, ...]
    intervals: StreamIntervals | None

    @property
    def lost(self) -> int:
        return self.sent - self.received


def stream_metrics(series: Series, settings: Settings) -> StreamMetrics:
    """All of them, two at a time: the arrays' own loops need no interpreter, the integer jitter nothing else.

    What needs most memory goes first, beside the integer jitter, which needs none.
    """
    lost, bad = series.lost, series.bad(settings.deadline_ns)
    with ThreadPoolExecutor(2) as pool:
        reported = pool.submit(_reported, series, settings.clock_hz)
        order = pool.submit(_order, series)
        delays = pool.submit(_delays, series, bad)
        ipdv = pool.submit(lambda: ipdv_population(series).distribution())
        jitter = pool.submit(_jitter, series)
        skew = pool.submit(slope, series)
        playable = pool.submit(_playable, series, settings.deadline_ns)
        windows = [pool.submit(worst_loss, series, lost, window) for window in LOSS_WINDOWS_NS]
        freeze = pool.submit(_freezes, series, bad)
        concealed = pool.submit(concealed_seconds, series, bad)
        slices = pool.submit(over_time, series, bad)
        return StreamMetrics(
            sent=len(series.seq),
            received=len(series.order),
            duplicates=series.duplicates,
            deadline_ns=settings.deadline_ns,
            interval_ns=series.interval_ns,
            duration_ns=series.end_ns - int(series.sent_ns[0]),
            delay=delays.result()[0],
            pdv=delays.result()[1],
            intervals=delays.result()[2],
            ipdv=ipdv.result(),
            jitter=jitter.result()[0],
            worst_jitter_ns=jitter.result()[1],
            reported_jitter=reported.result(),
            loss=loss_pattern(lost),
            bad=burst_gap(bad),
            reordering=order.result()[0],
            density=order.result()[1],
            worst_loss=tuple(window.result() for window in windows),
            concealed=concealed.result(),
            freeze=freeze.result(),
            residual=playable.result()[0],
            required_buffer_ns=playable.result()[1],
            e_model=_estimate(series, bad, settings),
            gilbert=fit_gilbert(lost),
            elliott=fit_elliott(lost),
            skew=skew.result(),
            over_time=slices.result(),
        )


def _order(series: Series) -> tuple[Reordering, tuple[Density, Density]]:
    """One after the other, for memory."""
    return reordering_of(series), densities(series)


def _delays(series: Series, bad: Mask) -> tuple[Distribution, Distribution, StreamIntervals | None]:
    """Delay, PDV, and the intervals that rest on the same sorted values."""
    delay, pdv, ordered = delay_and_pdv(series)
    return delay, pdv, stream_intervals(series, bad, ordered)


def _jitter(series: Series) -> tuple[JitterSummary, float | None]:
    """Over the series, and in the worst window."""
    levels = jitter_levels(series)
    return jitter_summary(levels), worst_jitter(series.received_ns[series.order], levels)


def _playable(series: Series, deadline_ns: int) -> tuple[dict[int, Share], float | None]:
    """Residual by buffer, and the buffer that is enough."""
    after = series.playable_after()
    buffers = sorted({*BUFFERS_NS, deadline_ns})
    return residual_curve(after, buffers), required_buffer(after, REQUIRED_RESIDUAL)


def slope(series: Series) -> float | None:
    """Of the line under all delays, in ns a ns."""
    line = delay_line(series)
    return None if line is None else line.slope


def is_a_clocks(metrics: StreamMetrics) -> bool:
    """Whether the slope can be that of two clocks against each other: a short stream's is its jitter's, and a
    large one the path's."""
    known = metrics.skew is not None and abs(metrics.skew) <= MAX_SKEW
    return known and metrics.duration_ns >= LEAST_FOR_SKEW_NS


def _reported(series: Series, clock_hz: int) -> ReportedJitter | None:
    reported = reported_jitter(series, clock_hz)
    return None if reported is None else ReportedJitter(clock_hz, *reported)


def _freezes(series: Series, bad: Mask) -> dict[str, Freeze]:
    """By the names of quality.md 1.8: the threshold is part of each."""
    starts, unit_bad = media_units(series, bad)
    return {
        "audio_200ms": media_freezes(unit_bad, series.unit_ns, AUDIO_FREEZE_NS),
        "video_600ms": media_freezes(unit_bad, series.unit_ns, VIDEO_FREEZE_NS),
        "video_w3c": w3c_freezes(starts[~unit_bad]),
    }


def _estimate(series: Series, bad: Mask, settings: Settings) -> Estimate | None:
    if settings.codec is None:
        return None
    buffer_ms, packet_ms = settings.deadline_ns / 1e6, series.interval_ns / 1e6
    unknown = (0.0, max(0.0, MODEL_LIMIT_MS - packet_ms - buffer_ms))
    return estimate(
        settings.one_way_ms or unknown,
        buffer_ms=buffer_ms,
        packet_ms=packet_ms,
        loss_percent=100 * float(np.count_nonzero(bad)) / len(bad),
        burst_ratio=loss_pattern(bad).burst_ratio,
        codec=settings.codec,
    )
