"""Transmission rating R and estimated MOS by the whole E-model (ITU-T G.107), narrow band.

All that does not follow from the packets is at G.107's defaults (table 2): R is then 93.2. The value is a
reference estimate for a codec whose Ie and Bpl the ITU published (G.113 Appendix I), labelled as such;
there are none for Opus or EVS on this scale, so there is no "Opus MOS" to be had.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from probe.analysis.e_model_terms import RO, delay_impairment, simultaneous_impairment


@dataclass(frozen=True, slots=True)
class Codec:
    """Equipment impairment factor and packet-loss robustness factor (G.113 Appendix I)."""

    name: str
    label: str
    ie: float
    bpl: float


CODECS = {
    codec.name: codec
    for codec in (
        Codec("g711-plc", "G.711+PLC", 0, 25.1),
        Codec("g711", "G.711 without PLC", 0, 4.3),
        Codec("g729a-vad", "G.729A+VAD", 11, 19),
        Codec("g723.1-vad", "G.723.1 6.3 kbit/s+VAD", 15, 16.1),
        Codec("gsm-efr", "GSM-EFR", 5, 10),
    )
}
G711_PLC = CODECS["g711-plc"]

LEVELS = ((90, "very satisfied"), (80, "satisfied"), (70, "some dissatisfied"), (60, "many dissatisfied"))
"""Smallest R of each level of user satisfaction (G.107 Annex B); below 60 nearly all are dissatisfied."""


def find_codec(name: str) -> Codec:
    """A codec by name. ValueError for those without a published Ie and Bpl."""
    try:
        return CODECS[name]
    except KeyError:
        raise ValueError(
            f"no narrow-band Ie and Bpl are published for {name!r}: give one of {', '.join(CODECS)}; "
            "the result is then a reference estimate for that codec"
        ) from None


def equipment_impairment(codec: Codec, loss_percent: float, burst_ratio: float = 1.0) -> float:
    """Ie,eff (G.107 7-29). Ppl is in per cent, where many programs pass a fraction.

    BurstR starts at 1, random loss: more regular loss than random is taken for random.
    """
    if not 0 <= loss_percent <= 100:
        raise ValueError(f"a loss of {loss_percent:g} % is impossible: give 0 to 100")
    return codec.ie + (95 - codec.ie) * loss_percent / (loss_percent / max(1.0, burst_ratio) + codec.bpl)


def rating(
    delay_ms: float, loss_percent: float = 0.0, burst_ratio: float = 1.0, codec: Codec = G711_PLC
) -> float:
    """R (G.107 7-1) for a mouth-to-ear delay Ta = T = Tr / 2, with advantage factor A = 0."""
    impaired = delay_impairment(delay_ms) + equipment_impairment(codec, loss_percent, burst_ratio)
    return RO - simultaneous_impairment(delay_ms) - impaired


def mos(r: float) -> float:
    """Estimated conversational MOS (G.107 Annex B), never below 1: the cubic dips there for R < 6.5."""
    if r >= 100:
        return 4.5
    if r <= 0:
        return 1.0
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def satisfaction(r: float) -> str:
    """The level of user satisfaction of R (G.107 Annex B)."""
    return next((name for least, name in LEVELS if r >= least), "nearly all dissatisfied")


@dataclass(frozen=True, slots=True)
class Estimate:
    """R and MOS from the worst case to the best of what is known of the delay.

    `outside` names the inputs beyond what G.107 was checked for: there it extrapolates.
    """

    codec: Codec
    delay_ms: tuple[float, float]
    loss_percent: float
    burst_ratio: float
    r: tuple[float, float]
    mos: tuple[float, float]
    outside: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.codec.label} reference estimate"


def estimate(
    one_way_ms: tuple[float, float],
    *,
    buffer_ms: float,
    packet_ms: float,
    loss_percent: float,
    burst_ratio: float | None,
    codec: Codec = G711_PLC,
) -> Estimate:
    """What a call would be rated: Ta is one-way delay, packet and playout buffer together.

    `one_way_ms` is the least and most it can be: without a common clock 0 to the whole round trip.
    `loss_percent` is what was not playable with that buffer; `burst_ratio` None (no loss) counts as 1.
    """
    if not all(map(math.isfinite, one_way_ms)):
        raise ValueError("the one-way delay must be finite: give the least and most it can be, in ms")
    low, high = (delay + packet_ms + buffer_ms for delay in one_way_ms)
    bursty = 1.0 if burst_ratio is None else burst_ratio
    rated = rating(high, loss_percent, bursty, codec), rating(low, loss_percent, bursty, codec)
    # Table 2 of G.107: permitted ranges.
    limits = {"delay": high > 500, "loss": loss_percent > 20, "burst_ratio": bursty > 8}
    outside = tuple(name for name, exceeded in limits.items() if exceeded)
    return Estimate(codec, (low, high), loss_percent, bursty, rated, (mos(rated[0]), mos(rated[1])), outside)
