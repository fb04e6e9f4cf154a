"""A direction of a network as `tc` commands: what the kernel backend runs, and people can paste.

netem's own queue counts packets, covers the delay line too, and its slots are drawn anew while a packet is
still in the delay line. Where a profile means more than that the work is shared by netems in a row: the first
loses and delays, the next is the line with its queue, the last opens slots.
"""

from __future__ import annotations

from dataclasses import dataclass

from probe.impairment.course import Step
from probe.impairment.events import Chance, Distribution, Slot, Table
from probe.impairment.losses import FourState, GilbertElliott, Loss
from probe.impairment.profile import UDP_OVERHEAD_BYTES, Impairment

AMPLE_LIMIT = 1_000_000
"""Packets; netem's own limit of 1000 drops silently where delay times packet rate is more."""

ORDERING_RATE = "100gbit"
"""With any rate netem keeps packets in order; this one takes 0.1 us for a large packet."""

USUAL_PAYLOAD = 1200


@dataclass(frozen=True, slots=True)
class TcPlan:
    """`stages`: the arguments of netems in a row; `notes`: where the kernel can only come near, in sentences."""

    stages: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def commands(self, device: str, verb: str = "add") -> list[list[str]]:
        """What to run, in this order."""
        found = []
        for place, words in enumerate(self.stages, 1):
            where = ["root"] if place == 1 else ["parent", f"{place - 1}:1"]
            found.append(["tc", "qdisc", verb, "dev", device, *where, "handle", f"{place}:", "netem", *words])
        return found

    @property
    def tables(self) -> bool:
        """Whether a delay table of one's own has to be given to tc as a file."""
        return any("distribution" in stage for stage in self.stages)


def tc_plan(impairment: Impairment, payload_bytes: int = USUAL_PAYLOAD, *, complete: bool = False) -> TcPlan:
    """How the kernel does it; ValueError, naming what it cannot, where it does not.

    `payload_bytes` is the size of a typical packet: a queue in milliseconds becomes so many packets. `complete`
    also writes out what is switched off, as a change of a running netem needs.
    """
    _refuse(impairment)
    notes: list[str] = []
    rate, limit, apart = _rate(impairment), impairment.limit_packets, False
    if impairment.queue_ns is not None and impairment.rate_bps:
        length = payload_bytes + impairment.overhead_bytes
        service_ns = length * 8e9 / impairment.rate_bps
        limit = int(impairment.queue_ns / service_ns) + 1
        notes.append(
            f"the queue of {impairment.queue_ns / 1e6:g} ms is {limit} packets of {length} bytes in the kernel"
        )
        apart = impairment.duplicate is None and impairment.reorder is None
        if not apart:
            notes.append("the queue counts the packets in the delay line too, as netem's does")
    first = _fates(impairment, complete=complete)
    stages = []
    if apart:
        order = ["rate", ORDERING_RATE] if impairment.jitter_ns or complete else []
        stages.append(["limit", str(AMPLE_LIMIT), *first, *order])
        stages.append(["limit", str(limit), *rate])
    else:
        if not rate and impairment.ordered and (impairment.jitter_ns or complete):
            rate = ["rate", ORDERING_RATE]
        stages.append(["limit", str(limit or AMPLE_LIMIT), *first, *rate])
    if impairment.slot is not None:
        if impairment.delay_ns or impairment.jitter_ns or impairment.rate_bps:
            if impairment.duplicate is not None or impairment.reorder is not None:
                raise ValueError("the kernel cannot put slots behind duplicates or reordering: use the relay")
            stages.append(["limit", str(AMPLE_LIMIT), *_slot(impairment.slot)])
        else:
            stages[-1] += _slot(impairment.slot)
    return TcPlan(tuple(tuple(stage) for stage in stages), tuple(notes))


def step_plan(step: Step, payload_bytes: int = USUAL_PAYLOAD) -> TcPlan:
    """A step of a time line, complete enough to replace any other one."""
    plan = tc_plan(step.impairment, payload_bytes, complete=True)
    if step.outage == "hold":
        raise ValueError("the kernel's netem cannot hold packets and release them later: use the relay")
    if step.outage == "drop":
        first = list(plan.stages[0])
        at = first.index("loss")
        first[at + 1 : _end(first, at)] = ["100%"]
        return TcPlan((tuple(first), *plan.stages[1:]), plan.notes)
    return plan


def _end(words: list[str], at: int) -> int:
    """Where the arguments of `loss` end."""
    end = at + 1
    while end < len(words) and (words[end] in ("gemodel", "state") or words[end].endswith("%")):
        end += 1
    return end


def _refuse(impairment: Impairment) -> None:
    what = None
    if impairment.jitter_correlation:
        what = "correlate the delays of successive packets"
    elif impairment.delivery is not None:
        what = "replay recorded delivery opportunities"
    elif impairment.outages:
        what = "interrupt the link at random"
    if what:
        raise ValueError(f"the kernel's netem cannot {what}: use the relay")


def _fates(impairment: Impairment, *, complete: bool) -> list[str]:
    words = []
    if impairment.delay_ns or impairment.jitter_ns or complete:
        words += ["delay", _time(impairment.delay_ns), _time(impairment.jitter_ns)]
        if impairment.delay_correlation:
            words.append(_percent(impairment.delay_correlation))
        if impairment.jitter_ns and impairment.distribution != "uniform":
            words += ["distribution", _table_name(impairment.distribution)]
    words += _loss(impairment) or (["loss", "0%"] if complete else [])
    for name, chance in (("duplicate", impairment.duplicate), ("corrupt", impairment.corrupt)):
        if chance is not None or complete:
            words += [name, *_chance(chance or Chance(0.0))]
    if impairment.reorder is not None:
        words += ["reorder", *_chance(Chance(impairment.reorder.ratio, impairment.reorder.correlation))]
        words += ["gap", str(impairment.reorder.gap)]
    return words


def _loss(impairment: Impairment) -> list[str]:
    loss = impairment.loss
    if loss is None:
        return []
    if isinstance(loss, GilbertElliott):
        chances = (loss.p, loss.r, loss.bad_loss, loss.good_loss)
        return ["loss", "gemodel", *map(_percent, chances)]
    if isinstance(loss, FourState):
        return ["loss", "state", *map(_percent, (loss.p13, loss.leave_burst, loss.p32, loss.p23, loss.p14))]
    if isinstance(loss, Loss) and loss.burst is not None:
        return ["loss", "gemodel", *map(_percent, loss.gilbert)]
    return ["loss", *_chance(Chance(loss.ratio, loss.correlation))]


def _chance(chance: Chance) -> list[str]:
    words = [_percent(chance.ratio)]
    return [*words, _percent(chance.correlation)] if chance.correlation else words


def _rate(impairment: Impairment) -> list[str]:
    if impairment.rate_bps is None:
        return []
    words = ["rate", f"{impairment.rate_bps}bit"]
    overhead = impairment.overhead_bytes - UDP_OVERHEAD_BYTES
    if overhead or impairment.cell_bytes:
        words.append(str(overhead))
    if impairment.cell_bytes:
        words += [str(impairment.cell_bytes), str(impairment.cell_overhead_bytes)]
    return words


def _slot(slot: Slot) -> list[str]:
    if slot.distribution is None:
        words = ["slot", _time(slot.min_ns), _time(slot.max_ns)]
    elif slot.distribution == "uniform":
        raise ValueError("the kernel has no table of the uniform distribution for slots: give min and max")
    else:
        words = [
            "slot",
            "distribution",
            _table_name(slot.distribution),
            f"{slot.min_ns}ns",
            f"{slot.jitter_ns}ns",
        ]
    if slot.packets:
        words += ["packets", str(slot.packets)]
    if slot.bytes:
        words += ["bytes", str(slot.bytes)]
    return words


def _table_name(distribution: Distribution) -> str:
    return distribution.name if isinstance(distribution, Table) else distribution


def _time(nanoseconds: int) -> str:
    # tc knows nanoseconds only as a fraction.
    return f"{nanoseconds / 1000:.3f}us"


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.9g}%"
