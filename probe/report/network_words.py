"""One direction of a network in a few words: the cells of a table's row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from probe.impairment.course import Outage, Timeline
from probe.impairment.events import Distribution, Slot, Table
from probe.impairment.losses import Loss, LossProcess
from probe.impairment.profile import Impairment
from probe.report.numbers import NO_DATA, plural

VARIES = "varies"


class DirectionWords(NamedTuple):
    """Cells of a row; `more` is what else there is, as prose."""

    delay_ms: str
    loss_percent: str
    rate: str
    queue: str
    more: str


def direction_words(impairment: Impairment) -> DirectionWords:
    """What a direction does; a part that changes over time `varies`, and `more` says how."""
    return DirectionWords(
        _over_time(impairment, _delay),
        _over_time(impairment, lambda condition: loss_words(condition.loss)),
        _over_time(impairment, _rate),
        _over_time(impairment, _queue),
        ", ".join(_more(impairment)),
    )


def loss_words(loss: LossProcess | None) -> str:
    """`3`, or `3 (1.5)` where losses come in bursts of that mean; netem's chains by their two means."""
    if loss is None:
        return "0"
    if isinstance(loss, Loss) and loss.burst is None:
        return f"{100 * loss.ratio:g}"
    return f"{100 * loss.ratio:.3g} ({loss.mean_burst:.3g})"


def rate_words(rate_bps: float) -> str:
    """`330 kbit/s`, `14.8 Mbit/s`."""
    for unit, factor in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if rate_bps >= factor:
            return f"{rate_bps / factor:.4g} {unit}"
    return f"{rate_bps:g} bit/s"


def time_words(nanoseconds: float) -> str:
    """`80 ms`, `1.5 s`."""
    return f"{nanoseconds / 1e6:g} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:g} s"


def _over_time(impairment: Impairment, words: Callable[[Impairment], str]) -> str:
    if impairment.timeline is None:
        return words(impairment)
    steps = [step for step in impairment.timeline.steps if not step.outage]
    found = {words(step.impairment) for step in steps}
    return found.pop() if len(found) == 1 else VARIES


def _delay(impairment: Impairment) -> str:
    words = f"{impairment.delay_ns / 1e6:g}"
    if impairment.jitter_ns:
        words += f" ± {impairment.jitter_ns / 1e6:g}{_shape(impairment.distribution)}"
    return words


def _shape(distribution: Distribution) -> str:
    if distribution == "normal":
        return ""
    return f" {distribution.name if isinstance(distribution, Table) else distribution}"


def _rate(impairment: Impairment) -> str:
    if impairment.delivery is not None:
        return rate_words(impairment.delivery.rate_bps)
    return NO_DATA if impairment.rate_bps is None else rate_words(impairment.rate_bps)


def _queue(impairment: Impairment) -> str:
    if impairment.limit_packets is not None:
        return plural(impairment.limit_packets, "packet")
    return NO_DATA if impairment.queue_ns is None else time_words(impairment.queue_ns)


def _more(impairment: Impairment) -> Iterator[str]:
    if not impairment.ordered:
        yield "unordered"
    if impairment.jitter_correlation:
        yield f"slow jitter ({100 * impairment.jitter_correlation:g} %)"
    for name, chance in (("duplicate", impairment.duplicate), ("corrupt", impairment.corrupt)):
        if chance is not None:
            yield f"{name} {100 * chance.ratio:g} %"
    if impairment.reorder is not None:
        yield f"reorder {100 * impairment.reorder.share:.3g} %"
    if impairment.slot is not None:
        yield _slot(impairment.slot)
    yield from map(_outage, impairment.outages)
    if impairment.timeline is not None:
        yield _timeline(impairment.timeline)
    if impairment.delivery is not None:
        yield f"trace {impairment.delivery.name} of {time_words(impairment.delivery.period_ns)}"


def _slot(slot: Slot) -> str:
    if slot.distribution is not None:
        return f"slots each {time_words(slot.min_ns)} ± {slot.jitter_ns / 1e6:g}"
    return f"slots each {span_words((slot.min_ns, slot.max_ns))}"


def _outage(outage: Outage) -> str:
    what = "holds" if outage.kind == "hold" else "outages"
    return f"{what} of {span_words(outage.lasts_ns)} after {span_words(outage.every_ns)}"


def span_words(span: tuple[int, int]) -> str:
    """`80-300 ms`, `1.5 s`."""
    low, high = span
    if low == high:
        return time_words(low)
    factor, unit = (1e6, "ms") if high < 1e9 else (1e9, "s")
    return f"{low / factor:g}-{high / factor:g} {unit}"


def _timeline(timeline: Timeline) -> str:
    again = "again and again" if timeline.loop else "once"
    return f"{plural(len(timeline.steps), 'step')} in {time_words(timeline.period_ns)}, {again}"
