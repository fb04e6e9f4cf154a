"""How sure the values of an analysed stream are, in a line."""

from __future__ import annotations

import math

from probe.analysis.dependence import RunInterval
from probe.analysis.intervals import CONFIDENCE
from probe.report.numbers import milliseconds, percent
from probe.session.analyze import AnalysedStream


def interval_line(stream: AnalysedStream) -> str:
    """Empty where the stream is too short for any."""
    found = stream.metrics.intervals
    if found is None:
        return ""
    parts = [f"loss {_shares(found.loss)}", f"lost or late {_shares(found.residual)}"]
    for name, interval in (found.pdv or {}).items():
        ends = [milliseconds(end / 1e6, infinite=math.isinf(end)) for end in (interval.low, interval.high)]
        parts.append(f"PDV {name} {' to '.join(dict.fromkeys(ends))} ms{_worth(interval)}")
    return (
        f"{100 * CONFIDENCE:g} % intervals, by how {found.blocks} blocks of {found.block} packets differ: "
        f"{', '.join(parts)} (n {stream.metrics.sent})"
    )


def _shares(interval: RunInterval) -> str:
    return f"{percent(interval.low)} to {percent(interval.high)} %{_worth(interval)}"


def _worth(interval: RunInterval) -> str:
    """So many packets, had each said something of its own."""
    return f" (n_eff {interval.n_eff:.0f})"
