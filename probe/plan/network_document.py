"""An emulator's direction -> the mapping that a profile file has for it."""

from __future__ import annotations

from typing import Any

from probe.impairment.course import DELIVERY_OVERHEAD_BYTES, Step
from probe.impairment.profile import UDP_OVERHEAD_BYTES, Impairment
from probe.plan.direction import ConditionSpec, DirectionSpec, StepSpec, TimelineSpec, TraceSpec
from probe.plan.link_parts import (
    CellSpec,
    ChanceSpec,
    LossSpec,
    OutageSpec,
    ReorderSpec,
    SlotSpec,
    distribution_spec,
)


def direction_document(impairment: Impairment) -> dict[str, Any]:
    """What reads back as `impairment`."""
    usual = DELIVERY_OVERHEAD_BYTES if impairment.delivery else UDP_OVERHEAD_BYTES
    delivery, timeline = impairment.delivery, impairment.timeline
    spec = DirectionSpec.model_construct(
        **_condition(impairment),
        ordered=impairment.ordered,
        overhead=impairment.overhead_bytes - usual or None,
        cell=(
            CellSpec.model_construct(size=impairment.cell_bytes, overhead=impairment.cell_overhead_bytes)
            if impairment.cell_bytes
            else None
        ),
        slot=SlotSpec.of(impairment.slot) if impairment.slot else None,
        outages=OutageSpec.of(impairment.outages),
        trace=(
            TraceSpec.model_construct(
                name=delivery.name, opportunities=delivery.opportunities_ms, segments=(), loop=delivery.loop
            )
            if delivery
            else None
        ),
    )
    document = spec.model_dump(mode="json", exclude_defaults=True)
    if timeline is not None:
        steps = tuple(_step(step, impairment) for step in timeline.steps)
        line = TimelineSpec.model_construct(steps=steps, loop=timeline.loop)
        document["timeline"] = line.model_dump(
            mode="json", by_alias=True, exclude_unset=True, exclude_none=True
        )
    return document


def _step(step: Step, base: Impairment) -> StepSpec:
    """What differs from the direction itself; a step cannot take a part away, only change it."""
    usual = _condition(base)
    given = {
        name: value
        for name, value in _condition(step.impairment).items()
        if value is not None and value != usual[name]
    }
    if step.outage:
        given["outage"] = step.outage
    return StepSpec.model_construct({"for_", *given}, for_=step.duration_ns, **given)


def _condition(impairment: Impairment) -> dict[str, Any]:
    """The fields of a `ConditionSpec`."""
    spec: dict[str, Any] = {
        "delay": impairment.delay_ns,
        "jitter": impairment.jitter_ns,
        "distribution": distribution_spec(impairment.distribution),
        "jitter_correlation": impairment.jitter_correlation,
        "netem_correlation": impairment.delay_correlation,
        "loss": LossSpec.of(impairment.loss) if impairment.loss else None,
        "duplicate": ChanceSpec.of(impairment.duplicate) if impairment.duplicate else None,
        "corrupt": ChanceSpec.of(impairment.corrupt) if impairment.corrupt else None,
        "reorder": ReorderSpec.of(impairment.reorder) if impairment.reorder else None,
        "rate": impairment.rate_bps,
        "queue": impairment.queue_ns,
        "limit": impairment.limit_packets,
    }
    assert set(spec) == set(ConditionSpec.model_fields)
    return spec
