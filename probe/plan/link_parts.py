"""The parts of one direction of a network profile: text with units -> the emulator's own values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from probe.impairment.course import Outage
from probe.impairment.events import Chance, Distribution, Reorder, Slot, Table
from probe.impairment.losses import FourState, GilbertElliott, Loss, LossProcess
from probe.plan import scalars
from probe.plan.fields import Count, Duration, Percent, Strict, Text
from probe.plan.traces import parse_table

_RANGE = re.compile(r"\s*(\S+?)\s*\.\.\s*(\S+)\s*")


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a mean burst is a number of packets, such as 3")  # noqa: TRY004
    return float(value)


def _span(value: object) -> tuple[int, int]:
    """`17s..28s`, or `17s` for both ends."""
    if isinstance(value, tuple):
        return value
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        both = scalars.parse_duration(value)
        return both, both
    return scalars.parse_duration(match[1]), scalars.parse_duration(match[2])


def _show_span(span: tuple[int, int]) -> str:
    low, high = (scalars.format_duration(end) for end in span)
    return low if low == high else f"{low}..{high}"


def _overhead(value: object) -> int:
    if isinstance(value, str) and value.lstrip().startswith("-"):
        return -scalars.parse_size(value.lstrip()[1:])
    return scalars.parse_size(value)


def _show_overhead(size: int) -> str:
    return f"-{scalars.format_size(-size)}" if size < 0 else scalars.format_size(size)


Burst = Annotated[float, BeforeValidator(_number), WithJsonSchema({"type": "number", "minimum": 1})]
_DURATION = scalars.DURATION_PATTERN[1:-1]
Span = Annotated[
    tuple[int, int],
    BeforeValidator(_span),
    PlainSerializer(_show_span),
    WithJsonSchema({"type": "string", "pattern": rf"^{_DURATION}( ?\.\. ?{_DURATION})?$"}),
]
"""A duration, or two that it lies between."""
Size = Annotated[
    int,
    BeforeValidator(scalars.parse_size),
    PlainSerializer(scalars.format_size),
    WithJsonSchema({"type": "string", "pattern": scalars.SIZE_PATTERN}),
]
Overhead = Annotated[
    int,
    BeforeValidator(_overhead),
    PlainSerializer(_show_overhead),
    WithJsonSchema({"type": "string", "pattern": "^-?" + scalars.SIZE_PATTERN[1:]}),
]
"""Bytes more, or fewer, than a packet has on Ethernet."""


class LossSpec(Strict):
    """Loss as mean ratio and mean number of packets lost in a row; without `burst` independent losses.

    Or one of netem's chains: `gemodel` [p, r, 1-h, 1-k], `state` [p13, p31, p32, p23, p14]. `netem_correlation` is
    the second figure of netem's `loss 10% 25%`, for comparisons.
    """

    ratio: Percent | None = None
    burst: Burst | None = None
    netem_correlation: Percent = 0.0
    gemodel: Annotated[tuple[Percent, ...], Field(min_length=1, max_length=4)] | None = None
    state: Annotated[tuple[Percent, ...], Field(min_length=1, max_length=5)] | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> LossSpec:
        given = [name for name in ("ratio", "gemodel", "state") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("a loss is one of `ratio`, `gemodel` and `state`: give one of them")
        if self.ratio is None and (self.burst is not None or self.netem_correlation):
            raise ValueError(
                f"`burst` and `netem_correlation` belong to a ratio: leave them out of `{given[0]}`"
            )
        self.loss()
        return self

    def loss(self) -> LossProcess:
        """As the emulator takes it; ValueError when no such process exists."""
        if self.gemodel is not None:
            p, *rest = self.gemodel
            return GilbertElliott(p, *(rest or [1 - p]))
        if self.state is not None:
            return FourState(*self.state)
        assert self.ratio is not None
        return Loss(self.ratio, self.burst, self.netem_correlation)

    @classmethod
    def of(cls, loss: LossProcess) -> LossSpec:
        """What reads back as `loss`."""
        if isinstance(loss, GilbertElliott):
            return cls.model_construct(gemodel=(loss.p, loss.r, loss.bad_loss, loss.good_loss))
        if isinstance(loss, FourState):
            return cls.model_construct(state=(loss.p13, loss.leave_burst, loss.p32, loss.p23, loss.p14))
        return cls.model_construct(ratio=loss.ratio, burst=loss.burst, netem_correlation=loss.correlation)


def full_ratio(value: object) -> object:
    """`3%` for `{ratio: 3%}`; a number goes the same way, to be told that it has no % sign."""
    bare = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return {"ratio": value} if bare else value


class ChanceSpec(Strict):
    """Something that happens to a share of packets."""

    ratio: Percent
    netem_correlation: Percent = 0.0

    def chance(self) -> Chance:
        return Chance(self.ratio, self.netem_correlation)

    @classmethod
    def of(cls, chance: Chance) -> ChanceSpec:
        """What reads back as `chance`."""
        return cls.model_construct(ratio=chance.ratio, netem_correlation=chance.correlation)


class ReorderSpec(ChanceSpec):
    """Packets that overtake; after each one `gap` - 1 packets do not."""

    gap: Count = 1

    def reorder(self) -> Reorder:
        return Reorder(self.ratio, self.gap, self.netem_correlation)

    @classmethod
    def of(cls, chance: Chance | Reorder) -> ReorderSpec:
        """What reads back as `chance`."""
        gap = chance.gap if isinstance(chance, Reorder) else 1
        return cls.model_construct(ratio=chance.ratio, netem_correlation=chance.correlation, gap=gap)


class TableSpec(Strict):
    """A delay distribution of one's own, from a file as `tc` reads them or written out."""

    file: Text | None = None
    name: Text = ""
    values: tuple[int, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("file"), str) or "values" in value:
            return value
        path = Path(value["file"])
        return {**value, "name": path.stem, "values": parse_table(read(path), str(path))}

    @model_validator(mode="after")
    def _is_possible(self) -> TableSpec:
        self.table()
        return self

    def table(self) -> Table:
        return Table(self.name, self.values)

    @model_serializer
    def _written_out(self) -> dict[str, object]:
        return {"name": self.name, "values": list(self.values)}


DistributionSpec = Annotated[
    Annotated[Literal["uniform", "normal", "pareto", "paretonormal"], Tag("name")]
    | Annotated[TableSpec, Tag("table")],
    Discriminator(lambda value: "table" if isinstance(value, (dict, TableSpec)) else "name"),
]


def distribution(spec: str | TableSpec) -> Distribution:
    """As the emulator takes it."""
    return spec.table() if isinstance(spec, TableSpec) else spec  # type: ignore[return-value]


def distribution_spec(given: Distribution) -> str | TableSpec:
    """What reads back as `given`."""
    if isinstance(given, Table):
        return TableSpec.model_construct(name=given.name, values=given.values)
    return given


class SlotSpec(Strict):
    """Packets leave in groups. `every` is from one slot to the next, or a mean with jitter in a distribution."""

    every: Span
    packets: Count | None = None
    bytes: Size | None = None
    jitter: Duration = 0
    distribution: DistributionSpec | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> SlotSpec:
        self.slot()
        return self

    def slot(self) -> Slot:
        shape = None if self.distribution is None else distribution(self.distribution)
        return Slot(*self.every, self.packets or 0, self.bytes or 0, self.jitter, shape)

    @classmethod
    def of(cls, slot: Slot) -> SlotSpec:
        """What reads back as `slot`."""
        return cls.model_construct(
            every=(slot.min_ns, slot.max_ns),
            packets=slot.packets or None,
            bytes=slot.bytes or None,
            jitter=slot.jitter_ns,
            distribution=None if slot.distribution is None else distribution_spec(slot.distribution),
        )


def full_slot(value: object) -> object:
    """`20ms..40ms` for `{every: 20ms..40ms}`."""
    return {"every": value} if isinstance(value, str) else value


class OutageSpec(Strict):
    """Interruptions that come again and again: `every` from the end of one to the next, each `lasts` so long."""

    kind: Literal["drop", "hold"]
    every: Span
    lasts: Span

    @model_validator(mode="after")
    def _is_possible(self) -> OutageSpec:
        self.outage()
        return self

    def outage(self) -> Outage:
        return Outage(self.kind, self.every, self.lasts)

    @classmethod
    def of(cls, outages: Iterable[Outage]) -> tuple[OutageSpec, ...]:
        """What reads back as `outages`."""
        return tuple(
            cls.model_construct(kind=outage.kind, every=outage.every_ns, lasts=outage.lasts_ns)
            for outage in outages
        )


class CellSpec(Strict):
    """Packets travel in cells: each is filled up to `size` and costs `overhead` more."""

    size: Size
    overhead: Overhead = 0


def read(path: Path) -> str:
    """The text of a file named in a profile; ValueError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read: {error.strerror}") from None
