"""One direction of a network profile, and how it changes over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, model_serializer, model_validator

from probe.impairment.course import DELIVERY_OVERHEAD_BYTES, Delivery, Step, Timeline
from probe.impairment.profile import UDP_OVERHEAD_BYTES, Impairment
from probe.plan.fields import Count, Duration, Flag, Percent, Rate, Strict, Text
from probe.plan.link_parts import (
    CellSpec,
    ChanceSpec,
    DistributionSpec,
    LossSpec,
    OutageSpec,
    Overhead,
    ReorderSpec,
    SlotSpec,
    distribution,
    full_ratio,
    full_slot,
    read,
)
from probe.plan.traces import parse_csv, parse_gym, parse_mahimahi


class ConditionSpec(Strict):
    """What happens to packets; what is left out does not happen.

    `jitter` is the spread of `delay` in the shape of `distribution`; `jitter_correlation` lets it move slowly.
    `queue` is how long a packet may wait for its turn behind `rate`, `limit` how many packets may be inside.
    """

    delay: Duration = 0
    jitter: Duration = 0
    distribution: DistributionSpec = "normal"
    jitter_correlation: Percent = 0.0
    netem_correlation: Percent = 0.0
    loss: Annotated[LossSpec | None, BeforeValidator(full_ratio)] = None
    duplicate: Annotated[ChanceSpec | None, BeforeValidator(full_ratio)] = None
    corrupt: Annotated[ChanceSpec | None, BeforeValidator(full_ratio)] = None
    reorder: Annotated[ReorderSpec | None, BeforeValidator(full_ratio)] = None
    rate: Rate | None = None
    queue: Duration | None = None
    limit: Count | None = None

    def fields(self) -> dict[str, Any]:
        """Of the emulator's `Impairment`."""
        return {
            "delay_ns": self.delay,
            "jitter_ns": self.jitter,
            "distribution": distribution(self.distribution),
            "jitter_correlation": self.jitter_correlation,
            "delay_correlation": self.netem_correlation,
            "loss": self.loss.loss() if self.loss else None,
            "duplicate": self.duplicate.chance() if self.duplicate else None,
            "corrupt": self.corrupt.chance() if self.corrupt else None,
            "reorder": self.reorder.reorder() if self.reorder else None,
            "rate_bps": self.rate,
            "queue_ns": self.queue,
            "limit_packets": self.limit,
        }


class StepSpec(ConditionSpec):
    """A step of a time line: what changes for so long. What is left out is as the direction says."""

    for_: Annotated[Duration, Field(alias="for")]
    outage: Literal["drop", "hold"] | None = None

    def step(self, base: ConditionSpec, fixed: dict[str, Any]) -> Step:
        """On top of `base`; `fixed` are fields that no step changes."""
        given = {name: getattr(self, name) for name in self.model_fields_set - {"for_", "outage"}}
        kept = {name: getattr(base, name) for name in ConditionSpec.model_fields}
        if self.queue is not None:
            kept["limit"] = None
        if self.limit is not None:
            kept["queue"] = None
        condition = ConditionSpec.model_construct(**{**kept, **given})
        return Step(self.for_, Impairment(**condition.fields(), **fixed), self.outage)


class TimelineSpec(Strict):
    """Conditions one after the other, again and again unless `loop` is false. A list is short for its steps."""

    steps: Annotated[tuple[StepSpec, ...], Field(min_length=1)]
    loop: Flag = True


def _full_timeline(value: object) -> object:
    return {"steps": value} if isinstance(value, list) else value


class TraceSpec(Strict):
    """A recorded network, by `file` or written out: mahimahi's opportunities, or segments of a JSON or CSV."""

    file: Text | None = None
    format: Literal["mahimahi", "json", "csv"] | None = None
    part: Literal["uplink", "downlink"] | None = None
    loop: Flag = True
    name: Text = ""
    opportunities: tuple[int, ...] = ()
    segments: tuple[StepSpec, ...] = ()

    _delivery: Delivery | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"file": value}
        if not isinstance(value, dict) or not isinstance(value.get("file"), str) or "segments" in value:
            return value
        path, given = Path(value["file"]), value.get("format")
        kind = given or {".json": "json", ".csv": "csv"}.get(path.suffix, "mahimahi")
        text = read(path)
        if kind == "mahimahi":
            delivery = parse_mahimahi(text, str(path), loop=value.get("loop") is not False)
            return {**value, "name": path.name, "opportunities": delivery.opportunities_ms}
        segments = (
            parse_csv(text, str(path)) if kind == "csv" else parse_gym(text, str(path), value.get("part"))
        )
        return {**value, "name": path.name, "segments": segments}

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if bool(self.opportunities) == bool(self.segments):
            raise ValueError("a trace is a file: give `file`")
        if self.opportunities:
            self._delivery = Delivery(self.name, self.opportunities, self.loop)
        return self

    @property
    def delivery(self) -> Delivery | None:
        """Opportunities, if it is made of them."""
        return self._delivery

    @model_serializer
    def _written_out(self) -> dict[str, object]:
        held: dict[str, object] = {"name": self.name, "loop": self.loop}
        if self.opportunities:
            return {**held, "opportunities": list(self.opportunities)}
        steps = [step.model_dump(mode="json", by_alias=True, exclude_unset=True) for step in self.segments]
        return {**held, "segments": steps}


class DirectionSpec(ConditionSpec):
    """What happens to packets in one direction; what is left out does not happen.

    `ordered` packets never overtake each other, as on access links. `overhead` and `cell` are what `rate` counts
    besides a packet's Ethernet frame. `timeline` changes the condition step by step, `trace` replays a recorded
    link, `outages` interrupt it again and again.
    """

    ordered: Flag = True
    overhead: Overhead | None = None
    cell: CellSpec | None = None
    slot: Annotated[SlotSpec | None, BeforeValidator(full_slot)] = None
    outages: tuple[OutageSpec, ...] = ()
    timeline: Annotated[TimelineSpec | None, BeforeValidator(_full_timeline)] = None
    trace: TraceSpec | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> DirectionSpec:
        self.impairment()
        return self

    def impairment(self) -> Impairment:
        """As the emulator takes it; ValueError with the emulator's own sentence."""
        if self.overhead is not None and self.rate is None and not self._varies:
            raise ValueError(
                "an overhead without a rate takes no time: give a rate, or leave the overhead out"
            )
        if self.timeline is not None and self.trace is not None:
            raise ValueError("a trace and a time line both say what changes: give one of them")
        delivery = self.trace.delivery if self.trace else None
        usual = DELIVERY_OVERHEAD_BYTES if delivery else UDP_OVERHEAD_BYTES
        fixed: dict[str, Any] = {
            "ordered": self.ordered,
            "overhead_bytes": usual + (self.overhead or 0),
            "slot": self.slot.slot() if self.slot else None,
        }
        if self.cell is not None:
            fixed |= {"cell_bytes": self.cell.size, "cell_overhead_bytes": self.cell.overhead}
        return Impairment(
            **self.fields(),
            **fixed,
            outages=tuple(outage.outage() for outage in self.outages),
            delivery=delivery,
            timeline=self._timeline(fixed),
        )

    @property
    def _varies(self) -> bool:
        return self.timeline is not None or self.trace is not None

    def _timeline(self, fixed: dict[str, Any]) -> Timeline | None:
        if self.timeline is not None:
            steps, loop = self.timeline.steps, self.timeline.loop
        elif self.trace is not None and self.trace.segments:
            steps, loop = self.trace.segments, self.trace.loop
        else:
            return None
        return Timeline(tuple(step.step(self, fixed) for step in steps), loop)
