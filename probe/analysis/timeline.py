"""Delay, loss and goodput of one direction over the time of sending, in equal bins: what a picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.analysis.fates import fates_of
from probe.analysis.interruptions import whole_series
from probe.analysis.one_way import directions
from probe.analysis.series import BEYOND
from probe.metrics import Rows, Unsent
from probe.records import SessionRecord


@dataclass(frozen=True, slots=True)
class Timeline:
    """A value a bin of `bin_ms`. `delay_ms`: the worst above the smallest of the packets that came, None where
    none did; `missing`: the share of those sent that never came; `unsent`: how many the sender gave up;
    `arrived_bps`: what first arrived in the bin, with repairs."""

    way: str
    bin_ms: float
    delay_ms: tuple[float | None, ...]
    missing: tuple[float, ...]
    unsent: tuple[int, ...]
    arrived_bps: tuple[float, ...]


def timelines(record: SessionRecord, rows: Rows, bins: int) -> list[Timeline]:
    """Of each direction that anything arrived in."""
    rows = rows[np.lexsort((rows["seq"], rows["stream"]))]
    up, down, _ = directions(rows)
    fates = fates_of(record, rows, up, down)
    found = []
    for name, way, outcome in (("up", up, fates.up), ("down", down, fates.down)):
        series = None if outcome is None else whole_series(record, rows, way, outcome)
        if series is None:
            continue
        bin_ns = max(1, -(-record.duration_ns // bins))
        began = int(series.sent_ns[0])
        at = np.minimum((series.departed() - began) // bin_ns, bins - 1)
        after = series.playable_after()
        came = after != BEYOND
        worst = np.full(bins, -1, np.int64)
        np.maximum.at(worst, at[came], after[came])
        sent = np.bincount(at, minlength=bins)
        gone = np.bincount(at[~came], minlength=bins)
        size = np.ones(len(at), np.int64) if series.size is None else series.size
        reached = (series.departed()[came] + after[came] - began) // bin_ns
        bits = np.bincount(np.clip(reached, 0, bins), 8 * size[came], minlength=bins + 1)[:bins]
        limited = rows["scheduled_ns"][rows["unsent"] == Unsent.CC_LIMITED] if name == "up" else at[:0]
        given_up = np.bincount(np.clip((limited - began) // bin_ns, 0, bins - 1), minlength=bins)
        found.append(
            Timeline(
                name,
                bin_ns / 1e6,
                tuple(None if value < 0 else value / 1e6 for value in worst.tolist()),
                tuple((gone / np.maximum(sent, 1)).tolist()),
                tuple(given_up.tolist()),
                tuple((bits * (1e9 / bin_ns)).tolist()),
            )
        )
    return found
