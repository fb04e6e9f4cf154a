"""Network profiles: `profiles/networks/NAME.yaml`, a file, or a mapping in the plan -> NetworkProfile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from probe.impairment.profile import CLEAN, Impairment, Loss, NetworkProfile
from probe.plan.fields import Duration, Flag, Name, Percent, Rate, Strict, Text


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a mean burst is a number of packets, such as 3")  # noqa: TRY004
    return float(value)


Burst = Annotated[float, BeforeValidator(_number), WithJsonSchema({"type": "number", "minimum": 1})]


class LossSpec(Strict):
    """Loss as mean ratio and mean number of packets lost in a row; without `burst` independent losses."""

    ratio: Percent
    burst: Burst | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> LossSpec:
        self.loss()
        return self

    def loss(self) -> Loss:
        """As the emulator takes it; ValueError when no such process exists."""
        return Loss(self.ratio, self.burst)


def _full_loss(value: object) -> object:
    return {"ratio": value} if isinstance(value, str) else value


class DirectionSpec(Strict):
    """What happens to packets in one direction; what is left out does not happen.

    `jitter` is the spread of `delay` in the shape of `distribution`; `ordered` packets never overtake each other.
    `queue` is how long a packet may wait for its turn behind `rate`.
    """

    delay: Duration = 0
    jitter: Duration = 0
    distribution: Literal["uniform", "normal", "pareto", "paretonormal"] = "normal"
    ordered: Flag = True
    loss: Annotated[LossSpec | None, BeforeValidator(_full_loss)] = None
    rate: Rate | None = None
    queue: Duration | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> DirectionSpec:
        self.impairment()
        return self

    def impairment(self) -> Impairment:
        """As the emulator takes it; ValueError with the emulator's own sentence."""
        return Impairment(
            delay_ns=self.delay,
            jitter_ns=self.jitter,
            distribution=self.distribution,
            ordered=self.ordered,
            loss=self.loss.loss() if self.loss else None,
            rate_bps=self.rate,
            queue_ns=self.queue,
        )


class NetworkSpec(Strict):
    """A profile as it stands in a file. `source` says where the numbers are from."""

    name: Name
    title: Text = ""
    source: Text = "the plan"
    up: DirectionSpec = DirectionSpec()
    down: DirectionSpec = DirectionSpec()

    def profile(self) -> NetworkProfile:
        return NetworkProfile(
            self.name, self.title or self.name, self.up.impairment(), self.down.impairment(), self.source
        )


def to_document(profile: NetworkProfile) -> dict[str, object]:
    """The mapping that reads back as `profile`; for the manifest of a run."""
    return {
        "name": profile.name,
        "title": profile.title,
        "source": profile.source,
        "up": _direction(profile.up),
        "down": _direction(profile.down),
    }


def from_document(document: Mapping[str, object]) -> NetworkProfile:
    """Read what `to_document` wrote, or a whole profile file; pydantic.ValidationError when it is neither."""
    return NetworkSpec.model_validate(document).profile()


def _direction(impairment: Impairment) -> dict[str, object]:
    loss = impairment.loss
    spec = DirectionSpec.model_construct(
        delay=impairment.delay_ns,
        jitter=impairment.jitter_ns,
        distribution=impairment.distribution,
        ordered=impairment.ordered,
        loss=None if loss is None else LossSpec.model_construct(ratio=loss.ratio, burst=loss.burst),
        rate=impairment.rate_bps,
        queue=impairment.queue_ns,
    )
    return spec.model_dump(mode="json", exclude_defaults=True)


BUILT_IN = {CLEAN.name: CLEAN}
"""Networks that need no file."""
