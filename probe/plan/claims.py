"""Claims such as "resists 70 % loss": what is said, and the networks that it is put to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator, model_validator

from probe.impairment.course import Step, Timeline
from probe.impairment.profile import Impairment, Loss, NetworkProfile
from probe.metrics import T_MAX_NS
from probe.objectives import CLAIM_METRICS, CLAIM_SETTLE_NS, Claim, parse_expression
from probe.plan.fields import Count, Duration, Name, Percent, Rate, Strict, Text, wrong
from probe.plan.link_parts import Burst

STEPS = tuple(step / 10 for step in range(9))
"""0 % to 80 %."""
FOREVER_NS = 86_400_000_000_000
QUEUE_NS = 200_000_000
"""In front of a rate that a claim's budget gives."""
LONGEST_NAME = 48

_TIMES = re.compile(r"(\d+(?:\.\d+)?)x")


def _times(value: object) -> float:
    found = _TIMES.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("an overhead is bytes sent by bytes of media: write 1.5x")
    if float(found[1]) < 1:
        raise ValueError(f"nothing less than the media is sent: an overhead is 1x or more (got {value})")
    return float(found[1])


Times = Annotated[
    float,
    BeforeValidator(_times),
    PlainSerializer(lambda value: f"{value:.10g}x"),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIMES.pattern}$"}),
]


class Budget(Strict):
    """What a claim may cost: bytes sent by bytes of media, and the capacity of the link (with 200 ms of queue)."""

    overhead: Times | None = None
    rate: Rate | None = None


class ClaimRule(Strict):
    """One claim, run as a sweep of loss by `probe run` (probe.objectives.Claim).

    Losses are independent, or `burst` in a row on average; `deadline` is the scenario's unless given.
    """

    name: Name
    scenario: Text
    transport: Literal["udp", "quic-datagram", "quic-stream"] = "udp"
    direction: Literal["up", "down", "both"] = "both"
    criterion: Text
    resists: Percent
    burst: Burst | None = None
    steps: Annotated[tuple[Percent, ...], Field(min_length=1)] = STEPS
    deadline: Duration | None = None
    budget: Budget = Budget()
    repeat: Count = 1
    severity: Literal["gate", "warn", "info"] = "gate"

    @field_validator("name")
    @classmethod
    def _is_short(cls, name: str) -> str:
        if len(name) > LONGEST_NAME:
            raise ValueError(f"the name of a claim has at most {LONGEST_NAME} letters")
        return name

    @field_validator("criterion")
    @classmethod
    def _is_of_a_direction(cls, text: str) -> str:
        metric = text.split(maxsplit=1)[0] if text.split() else ""
        if metric not in CLAIM_METRICS:
            raise ValueError(
                f"a criterion is about what recovery leaves or repairs, without a direction: "
                f'write "residual < 5%" or "recovered > 90%" (got "{text}")'
            )
        return parse_expression(f"up.{text}").text.removeprefix("up.")

    @field_validator("deadline")
    @classmethod
    def _is_in_time(cls, value: int | None) -> int | None:
        if value is not None and not 0 < value < T_MAX_NS:
            raise ValueError("a deadline lies between 0s and 2s, after which a packet is lost")
        return value

    @model_validator(mode="after")
    def _is_possible(self) -> ClaimRule:
        for ratio in self.all_steps:
            if ratio == 1:
                raise wrong("steps", "of a loss of 100% nothing can be said: give less")
            try:
                Loss(ratio, self.burst if ratio else None)
            except ValueError as error:
                raise wrong("burst", str(error)) from None
        return self

    @property
    def all_steps(self) -> tuple[float, ...]:
        """In order, with what is claimed among them."""
        return tuple(sorted({*self.steps, self.resists}))

    def claim(self, deadline_ns: int, file: str | None = None, line: int | None = None) -> Claim:
        """`deadline_ns` is the scenario's."""
        return Claim(
            name=self.name,
            scenario=self.scenario,
            transport=self.transport,
            direction=self.direction,
            criterion=self.criterion,
            resists=self.resists,
            steps=self.all_steps,
            deadline_ns=self.deadline or deadline_ns,
            burst=self.burst,
            overhead=self.budget.overhead,
            rate_bps=self.budget.rate,
            severity=self.severity,
            file=file,
            line=line,
        )


def networks_of(claim: Claim) -> Iterator[NetworkProfile]:
    """One a step of the sweep: clean while calls are set up, then with the step's loss to the end."""
    for ratio in claim.steps:
        lossy = _way(claim, ratio)
        clean = _way(claim, 0.0)
        up, down = (lossy if way in claim.ways else clean for way in ("up", "down"))
        title = f"{100 * ratio:g} % loss, for the claim {claim.name}"
        yield NetworkProfile(claim.network(ratio), title, up, down, "the claim in the plan")


def _way(claim: Claim, ratio: float) -> Impairment:
    rate, queue = claim.rate_bps, QUEUE_NS if claim.rate_bps else None
    calm = Impairment(rate_bps=rate, queue_ns=queue)
    if not ratio:
        return calm
    loss = Impairment(loss=Loss(ratio, claim.burst), rate_bps=rate, queue_ns=queue)
    steps = (Step(CLAIM_SETTLE_NS, calm), Step(FOREVER_NS, loss))
    return Impairment(rate_bps=rate, queue_ns=queue, timeline=Timeline(steps, loop=False))
