"""How long an outage was, and how soon after it a stream was good again.

An event ends at `ended_ns`, a time of sending: known where the outage was injected, else when the packet
after the last one lost was sent. Times are the sender's clock; arrivals are brought there by the smallest
delay, so that no clock offset enters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from probe.analysis.one_way import Mask
from probe.analysis.series import BEYOND, Series
from probe.metrics import NEVER

MS = 1_000_000
SUSTAINED_NS = 5_000 * MS
"""RFC 6412 3.4: how long it must stay good to count as recovered (Sustained Convergence Validation Time)."""
ROLLING_NS = 200 * MS
TOLERANCE_NS = 20 * MS


@dataclass(frozen=True, slots=True)
class Outage:
    """Rows `first` to `last` were lost in a row.

    `by_loss_ns` is packets over the offered rate (RFC 6412 3.6.3), `by_time_ns` from the last arrival
    before to the first after (RFC 6201 2), None at an end of the series. The second holds one packet
    interval more; a larger difference is other loss mixed in. `ended_ns`: see above.
    """

    first: int
    last: int
    started_ns: int
    ended_ns: int
    by_loss_ns: int
    by_time_ns: int | None


def outages(series: Series, least_ns: int) -> list[Outage]:
    """Runs of loss that took at least this long at the offered rate, in order."""
    edges = np.flatnonzero(np.diff(series.lost.astype(np.int8), prepend=0, append=0))
    first, after = edges[::2], edges[1::2]
    long = (after - first) * series.interval_ns >= least_ns
    return [_outage(series, int(i), int(k)) for i, k in zip(first[long], after[long], strict=True)]


def _outage(series: Series, first: int, after: int) -> Outage:
    n = len(series.sent_ns)
    inside = 0 < first and after < n
    arrived = series.received_ns
    return Outage(
        first=first,
        last=after - 1,
        started_ns=int(series.sent_ns[first]),
        ended_ns=int(series.sent_ns[after]) if after < n else series.end_ns,
        by_loss_ns=(after - first) * series.interval_ns,
        by_time_ns=int(arrived[after] - arrived[first - 1]) if inside else None,
    )


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was usual before the event: share not playable, and p95 of the delay above the smallest."""

    residual: float
    p95_ns: int


def baseline(series: Series, deadline_ns: int, until_ns: int) -> Baseline | None:
    """Of the packets sent before `until_ns`; None without any."""
    usual = series.playable_after()[: int(np.searchsorted(series.departed(), until_ns, "left"))]
    if len(usual) == 0:
        return None
    rank = -(-95 * len(usual) // 100) - 1
    residual = np.count_nonzero(usual > deadline_ns) / len(usual)
    return Baseline(residual, int(np.partition(usual, rank)[rank]))


@dataclass(frozen=True, slots=True)
class Recovery:
    """`time_to_recover_ns` is infinite if it did not last within the `observed_ns` after the event.

    `catch_up_ns` is from the event's end to the arrival of the last packet that the event had delayed
    or that was repaired; None if there was none.
    """

    time_to_recover_ns: float
    observed_ns: int
    catch_up_ns: int | None


def recover(
    series: Series,
    started_ns: int,
    ended_ns: int,
    *,
    deadline_ns: int,
    usual: Baseline,
    sustained_ns: int = SUSTAINED_NS,
    tolerance_ns: int = TOLERANCE_NS,
) -> Recovery:
    """Time to recover, by time of sending: what someone who talks after the event experiences.

    The first packet from which on for `sustained_ns` no larger share than usual is unplayable, and p95
    of the delay in no 200 ms is more than `tolerance_ns` above the usual p95.
    """
    departed = series.departed()
    begin = int(np.searchsorted(departed, ended_ns, "left"))
    departed, delay = departed[begin:], series.playable_after()[begin:]
    limit = min(usual.p95_ns, BEYOND - tolerance_ns) + tolerance_ns
    slow = delay > limit
    # p95 (inverted_cdf) exceeds the limit where more than 5 % of the window's packets do.
    slowed = 100 * _in_window(slow, departed, ROLLING_NS)
    heavy = slowed > 5 * _in_window(np.ones(len(slow), np.bool_), departed, ROLLING_NS)
    starts = int(np.searchsorted(departed, series.end_ns - sustained_ns, "right"))
    packets = _in_window(np.ones(len(slow), np.bool_), departed, sustained_ns)
    unplayable = _in_window(delay > deadline_ns, departed, sustained_ns)
    good = (unplayable <= usual.residual * packets) & (_in_window(heavy, departed, sustained_ns) == 0)
    found = np.flatnonzero(good[:starts])
    return Recovery(
        time_to_recover_ns=float(departed[found[0]] - ended_ns) if len(found) else math.inf,
        observed_ns=max(0, series.end_ns - ended_ns),
        catch_up_ns=_catch_up(series, started_ns, ended_ns, limit),
    )


def _in_window(chosen: Mask, departed: np.ndarray[tuple[int], np.dtype[np.int64]], length_ns: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How many are chosen among the packets sent within `length_ns` from each."""
    total = np.r_[0, np.cumsum(chosen)]
    return total[np.searchsorted(departed, departed + length_ns, "left")] - total[:-1]


def _catch_up(series: Series, started_ns: int, ended_ns: int, limit_ns: int) -> int | None:
    """The last arrival of what was sent from the event's start until it was over and came late."""
    delay = series.playable_after()
    departed = series.departed()
    late = (delay > limit_ns) & (delay != BEYOND) & (departed >= started_ns)
    if not late.any() or series.least_ns is None:
        return None
    return int((departed[late] + delay[late]).max()) - ended_ns
