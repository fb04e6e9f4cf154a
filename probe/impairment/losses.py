"""Which losses can be asked for: as people state them, and as netem's two Markov chains.

Ratios are fractions of one. Each model knows its closed forms, so that what was set can be printed beside
what was measured. Every refusal is a `ValueError` of one sentence that says what to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Loss:
    """Loss as people state it: how much, and in how long runs.

    `ratio` is the mean loss ratio; `burst` the mean number of packets lost in a row. Without `burst`
    packets are lost independently of each other, which makes runs of 1 / (1 - ratio) on average.
    `correlation` is the second figure of netem's `loss 10% 25%`, kept for comparisons only: it makes
    losses rare instead of bursty (`Loss.effective`).
    """

    ratio: float
    burst: float | None = None
    correlation: float = 0.0

    def __post_init__(self) -> None:
        probability(self.ratio, "a loss")
        probability(self.correlation, "a correlation")
        if self.burst is None:
            return
        if self.correlation:
            raise ValueError("a burst and netem's correlation are two models: leave the correlation out")
        if self.ratio == 1.0:
            raise ValueError("a loss of 100 % is one endless burst: leave `burst` out")
        if not isfinite(self.burst) or self.burst < self.shortest_burst * (1 - 1e-9):
            raise ValueError(
                f"a mean burst of {self.burst:g} is shorter than a loss of {100 * self.ratio:g} % allows: "
                f"independent losses already come {self.shortest_burst:.3g} in a row, so give that or more, "
                "or leave `burst` out"
            )

    @property
    def shortest_burst(self) -> float:
        """Mean run of losses when each packet is lost independently: 1 / (1 - ratio)."""
        return inf if self.ratio == 1.0 else 1.0 / (1.0 - self.ratio)

    @property
    def mean_burst(self) -> float:
        """Mean run of losses (of independent ones where a correlation is set)."""
        return self.shortest_burst if self.burst is None else self.burst

    @property
    def gilbert(self) -> tuple[float, float]:
        """(p, r) of netem's `loss gemodel p r`: the chances per packet to turn bad, and good again.

        With all packets lost in the bad state and none in the good one the loss ratio is p / (p + r)
        and the mean burst 1 / r; hence r = 1 / burst and p = ratio / (burst (1 - ratio)).
        """
        if self.burst is None:
            return self.ratio, 1.0 - self.ratio
        return min(1.0, self.ratio / (self.burst * (1.0 - self.ratio))), min(1.0, 1.0 / self.burst)


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """netem's `loss gemodel p r 1-h 1-k`.

    `p` and `r` are the chances per packet to turn bad, and good again; `bad_loss` (1-h) and `good_loss` (1-k)
    the loss ratios in the two states. The state before the transition decides about a packet.
    """

    p: float
    r: float
    bad_loss: float = 1.0
    good_loss: float = 0.0

    def __post_init__(self) -> None:
        for value, name in (
            (self.p, "p"),
            (self.r, "r"),
            (self.bad_loss, "1-h"),
            (self.good_loss, "1-k"),
        ):
            probability(value, f"gemodel's {name}")
        if self.p + self.r == 0:
            raise ValueError("gemodel with p and r of 0 % never leaves the good state: give p above 0 %")

    @property
    def ratio(self) -> float:
        """Mean loss ratio: the stationary share of the bad state times its loss, and the same of the good."""
        bad = self.p / (self.p + self.r)
        return bad * self.bad_loss + (1 - bad) * self.good_loss

    @property
    def autocorrelation(self) -> float:
        """Of losses one packet apart; m packets apart it is this times (1 - p - r)^(m-1)."""
        spread = self.ratio * (1 - self.ratio)
        return self._covariance / spread if spread else 0.0

    @property
    def mean_burst(self) -> float:
        """Mean number of packets lost in a row."""
        alone = self.ratio - self.ratio**2 - self._covariance
        return self.ratio / alone if alone > 0 else inf

    @property
    def inflation(self) -> float:
        """How many times larger the variance of an observed loss ratio is than that of independent losses."""
        return 1 + 2 * self.autocorrelation / (self.p + self.r)

    @property
    def _covariance(self) -> float:
        bad = self.p / (self.p + self.r)
        return bad * (1 - bad) * (self.bad_loss - self.good_loss) ** 2 * (1 - self.p - self.r)


@dataclass(frozen=True, slots=True)
class FourState:
    """netem's `loss state p13 p31 p32 p23 p14`: bursts with gaps in them, and losses on their own.

    States: 1 received in a gap, 2 received within a burst, 3 lost within a burst, 4 lost on its own. The
    new state decides about a packet; the first one comes from state 1. `p31` None stands for 1 - p13.
    """

    p13: float
    p31: float | None = None
    p32: float = 0.0
    p23: float = 1.0
    p14: float = 0.0

    def __post_init__(self) -> None:
        if self.p31 is None:
            object.__setattr__(self, "p31", 1.0 - self.p13)
        for name in ("p13", "p31", "p32", "p23", "p14"):
            probability(getattr(self, name), f"the loss model's {name}")
        if self.p13 + self.p14 > 1:
            raise ValueError("p13 and p14 are two ways out of one state: together they are 100 % at most")
        if self.leave_burst + self.p32 > 1:
            raise ValueError("p31 and p32 are two ways out of one state: together they are 100 % at most")
        if self.p13 and not self.leave_burst:
            raise ValueError("a burst that is never left (p31 of 0 %) loses all but the beginning: raise p31")
        if self.p32 and not self.p23:
            raise ValueError(
                "a gap within a burst that is never left (p23 of 0 %) ends all losses: raise p23"
            )

    @property
    def leave_burst(self) -> float:
        """p31."""
        return 0.0 if self.p31 is None else self.p31

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Stationary shares of the four states."""
        burst = self.p13 / self.leave_burst if self.p13 else 0.0
        within = burst * self.p32 / self.p23 if self.p32 else 0.0
        first = 1 / (1 + self.p14 + burst + within)
        return first, first * within, first * burst, first * self.p14

    @property
    def ratio(self) -> float:
        """Mean loss ratio."""
        return self.shares[2] + self.shares[3]

    @property
    def mean_burst(self) -> float:
        """Mean number of packets lost in a row."""
        gap, within, *_ = self.shares
        begins = gap * (self.p13 + self.p14) + within * self.p23
        return self.ratio / begins if begins else inf


LossProcess: TypeAlias = "Loss | GilbertElliott | FourState"


def probability(value: float, what: str) -> None:
    """Refuse what is no probability."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{what} of {100 * value:g} % is impossible: give 0 % to 100 %")
