"""The E-model's estimate of a stream in a line, or why there is none; and the loss model that fits."""

from __future__ import annotations

from collections.abc import Iterator

from probe.analysis.e_model import CODECS, satisfaction
from probe.report.numbers import percent
from probe.session.analyze import AnalysedStream

_OUTSIDE = {
    "delay": "a delay beyond 500 ms",
    "loss": "a loss beyond 20 %",
    "burst_ratio": "a burst ratio beyond 8",
}


def model_lines(stream: AnalysedStream) -> Iterator[str]:
    """At most two."""
    yield _e_model(stream)
    found = stream.metrics.gilbert
    if found is not None:
        yield (
            f"Gilbert model of the loss: p {percent(found.p)} %, r {percent(found.r)} %, that is {percent(found.loss_ratio)} % "
            f"in runs of {found.burst:.2f} packets (n {stream.metrics.sent})"
        )


def _e_model(stream: AnalysedStream) -> str:
    if stream.refused is not None:
        return (
            "No R or MOS: no Ie and Bpl are published for this codec. "
            f"--codec {next(iter(CODECS))} gives that codec's estimate for this path."
        )
    found = stream.metrics.e_model
    if found is None:
        return ""
    (low_r, high_r), (low_mos, high_mos) = found.r, found.mos
    low_ms, high_ms = found.delay_ms
    from_to = f"{low_ms:.0f} ms" if low_ms == high_ms else f"{low_ms:.0f} to {high_ms:.0f} ms"
    value = (
        f"R {high_r:.1f}, MOS {high_mos:.2f} ({satisfaction(high_r)})"
        if low_r == high_r
        else f"R {low_r:.1f} to {high_r:.1f}, MOS {low_mos:.2f} to {high_mos:.2f} "
        f"({' to '.join(dict.fromkeys((satisfaction(low_r), satisfaction(high_r))))})"
    )
    unknown = "" if stream.one_way_ms is not None else "; the one-way delay is not known (--one-way)"
    outside = [_OUTSIDE[name] for name in found.outside]
    beyond = f"; extrapolated: {' and '.join(outside)}" if outside else ""
    return (
        f"{found.label}: {value}, from {from_to} mouth to ear{unknown}, {found.loss_percent:.2f} % lost or late, "
        f"burst ratio {found.burst_ratio:.2f} (n {stream.metrics.sent}){beyond}"
    )
