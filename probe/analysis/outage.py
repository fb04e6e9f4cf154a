"""How long an outage was: by the packets it cost, and by the times of arrival around it.

An event ends at `ended_ns`, a time of sending: known where the outage was injected, else when the packet
after the last one lost was sent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.analysis.series import Series


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
    inside = first > 0 and after < n
    arrived = series.received_ns
    return Outage(
        first=first,
        last=after - 1,
        started_ns=int(series.sent_ns[first]),
        ended_ns=int(series.sent_ns[after]) if after < n else series.end_ns,
        by_loss_ns=(after - first) * series.interval_ns,
        by_time_ns=int(arrived[after] - arrived[first - 1]) if inside else None,
    )
