"""The metrics of one stream as JSON, by the names of docs/contract.md. Times are ms, no data is null."""

from __future__ import annotations

import math
from typing import Any

from probe.analysis.burst_gap import BurstGap
from probe.analysis.e_model import Estimate, satisfaction
from probe.analysis.freeze import Freeze
from probe.analysis.gilbert import Gilbert
from probe.analysis.loss_pattern import LossPattern
from probe.analysis.reorder_metrics import Reordering
from probe.analysis.stream_metrics import StreamMetrics, is_a_clocks
from probe.analysis.worst_windows import LossWindow
from probe.records import Json

DEGREES = (1, 2, 3)
"""n-reordering: of 3 and more TCP takes the packet for lost."""


def stream_document(metrics: StreamMetrics) -> Json:
    """Lists that say something of each packet are whole."""
    required = metrics.required_buffer_ns
    return {
        "packets": {
            "sent": metrics.sent,
            "received": metrics.received,
            "lost": metrics.lost,
            "duplicates": metrics.duplicates,
            "reordered": len(metrics.reordering.arrivals),
        },
        "interval_ms": metrics.interval_ns / 1e6,
        "duration_ms": metrics.duration_ns / 1e6,
        "deadline_ms": metrics.deadline_ns / 1e6,
        "loss_ratio": metrics.lost / metrics.sent,
        "jitter_ms": metrics.jitter.to_json() | {"n": metrics.jitter.n},
        "jitter_reported": _reported(metrics),
        "ipdv_ms": metrics.ipdv.to_json(),
        "pdv_ms": metrics.pdv.to_json(),
        "delay_ms": metrics.delay.to_json(),
        "skew_ppm": None if metrics.skew is None else 1e6 * metrics.skew,
        "skew_is_a_clocks": is_a_clocks(metrics),
        "loss_periods": _loss_periods(metrics.loss),
        "burst_ratio": metrics.loss.burst_ratio,
        "burst_gap": _burst_gap(metrics.bad, metrics.interval_ns),
        "reordering": _reordering(metrics.reordering) | _densities(metrics),
        "worst_windows": _worst(metrics),
        "concealed_seconds": {
            "seconds": metrics.concealed.seconds,
            "concealed": metrics.concealed.concealed,
            "severely": metrics.concealed.severely,
        },
        "freeze": {name: _freeze(freeze) for name, freeze in metrics.freeze.items()},
        "residual_ratio": {_ms(buffer): share.ratio for buffer, share in metrics.residual.items()},
        "required_buffer_ms": None if required is None or math.isinf(required) else required / 1e6,
        "e_model": None if metrics.e_model is None else _e_model(metrics.e_model),
        "intervals": None if metrics.intervals is None else metrics.intervals.to_json(),
        "loss_model": {"gilbert": _model(metrics.gilbert), "elliott": _model(metrics.elliott)},
        "over_time": [
            {
                "start_ms": piece.start_ns / 1e6,
                "packets": piece.packets,
                "lost": piece.lost,
                "bad": piece.bad,
                "pdv_p50_ms": None if piece.median_ns is None else piece.median_ns / 1e6,
            }
            for piece in metrics.over_time
        ],
    }


def _ms(ns: int) -> str:
    """A deadline as a key: `200`, `62.5`."""
    return f"{ns / 1e6:.10g}"


def _reported(metrics: StreamMetrics) -> Json | None:
    jitter = metrics.reported_jitter
    if jitter is None:
        return None
    return {"clock_hz": jitter.clock_hz, "last": jitter.last, "max": jitter.maximum}


def _loss_periods(loss: LossPattern) -> Json:
    return {
        "count": loss.count,
        "lengths": loss.lengths.tolist(),
        "distances": loss.distances.tolist(),
        "between": loss.between.tolist(),
        "noticeable_99": loss.noticeable(99).ratio,
    }


def _burst_gap(bad: BurstGap, interval_ns: int) -> Json:
    def mean_ms(packets: float | None) -> float | None:
        return None if packets is None else packets * interval_ns / 1e6

    return {
        "bad": bad.bad,
        "burst_density": bad.burst_density,
        "gap_density": bad.gap_density,
        "burst_ms": mean_ms(bad.mean_burst),
        "gap_ms": mean_ms(bad.mean_gap),
        "bursts": bad.bursts,
        "isolated": bad.isolated,
    }


def _reordering(found: Reordering) -> Json:
    offsets = found.byte_offset
    return {
        "ratio": found.ratio.ratio,
        "extent": found.extent.tolist(),
        "late_ms": (found.late_ns / 1e6).tolist(),
        "n_reordering": found.n_reordering.tolist(),
        "byte_offset": None if offsets is None else offsets.tolist(),
        "degree": {str(n): found.degree(n).ratio for n in DEGREES},
        "gaps": found.gaps.tolist(),
        "free_runs": found.free_runs.tolist(),
    }


def _densities(metrics: StreamMetrics) -> Json:
    displacement, occupancy = metrics.density
    return {
        "density": {str(key): share for key, share in sorted(displacement.items())},
        "buffer_density": {str(key): share for key, share in sorted(occupancy.items())},
    }


def _worst(metrics: StreamMetrics) -> Json:
    jitter = metrics.worst_jitter_ns
    found: Json = {f"loss_{_length(window.window_ns)}": _window(window) for window in metrics.worst_loss}
    return found | {"jitter_15s_ms": None if jitter is None else jitter / 1e6}


def _length(ns: int) -> str:
    return f"{ns // 1_000_000_000}s" if ns % 1_000_000_000 == 0 else f"{ns // 1_000_000}ms"


def _window(window: LossWindow) -> Json:
    return {
        "ratio": window.ratio,
        "lost": window.lost,
        "packets": window.packets,
        "coarse": window.coarse,
    }


def _freeze(freeze: Freeze) -> Json:
    return {
        "count": freeze.count,
        "frozen_ms": freeze.frozen_ns / 1e6,
        "played_ms": freeze.played_ns / 1e6,
        "ratio": freeze.ratio,
    }


def _e_model(found: Estimate) -> Json:
    def ends(pair: tuple[float, float]) -> Json:
        return {"low": pair[0], "high": pair[1]}

    return {
        "label": found.label,
        "r": ends(found.r),
        "mos": ends(found.mos),
        "satisfaction": {"low": satisfaction(found.r[0]), "high": satisfaction(found.r[1])},
        "mouth_to_ear_ms": ends(found.delay_ms),
        "loss_percent": found.loss_percent,
        "burst_ratio": found.burst_ratio,
        "outside": list(found.outside),
    }


def _model(found: Gilbert | None) -> Json | None:
    if found is None:
        return None
    values: dict[str, Any] = {"p": found.p, "r": found.r, "bad_loss": found.bad_loss}
    return values | {"loss_ratio": found.loss_ratio, "burst": found.burst, "burst_ratio": found.burst_ratio}
