"""The terms of R that loss and codec do not touch (ITU-T G.107 7.2 to 7.4), at its default values.

Symbols are G.107's. Delays are ms, levels dB; T is the mean one-way delay of the echo path, Tr = 2 T its
round trip, Ta the absolute delay; here all are one mouth-to-ear delay.
"""

from __future__ import annotations

from math import exp, log2, log10, sqrt

SLR, RLR, STMR, LSTR, DS = 8.0, 2.0, 15.0, 18.0, 3.0
TELR, WEPL, QDU = 65.0, 110.0, 1.0
NC, NFOR, PS, PR = -70.0, -64.0, 35.0, 35.0
OLR = SLR + RLR
MINIMUM_DELAY_MS = 100.0
"""mT: up to it delay alone is not noticed (default delay sensitivity, sT = 1)."""


def _circuit_noise() -> float:
    """No, the power of all noise at the 0 dBr point (7-3 to 7-7)."""
    nos = PS - SLR - DS - 100 + 0.004 * (PS - OLR - DS - 14) ** 2
    pre = PR + 10 * log10(1 + 10 ** ((10 - LSTR) / 10))
    nor = RLR - 121 + pre + 0.008 * (pre - 35) ** 2
    nfo = NFOR + RLR
    return 10 * log10(sum(10 ** (noise / 10) for noise in (NC, nos, nor, nfo)))


NO = _circuit_noise()
RO = 15 - 1.5 * (SLR + NO)
"""Basic signal-to-noise ratio (7-2)."""


def simultaneous_impairment(t: float) -> float:
    """Is = Iolr + Ist + Iq (7-8): too loud, sidetone, quantisation."""
    xolr = OLR + 0.2 * (64 + NO - RLR)
    iolr: float = 20 * ((1 + (xolr / 8) ** 8) ** (1 / 8) - xolr / 8)
    stmro = -10 * log10(10 ** (-STMR / 10) + exp(-t / 4) * 10 ** (-TELR / 10))
    ist: float = 12 * (1 + ((stmro - 13) / 6) ** 8) ** (1 / 8)
    ist -= 28 * (1 + ((stmro + 1) / 19.4) ** 35) ** (1 / 35)
    ist -= 13 * (1 + ((stmro - 3) / 33) ** 13) ** (1 / 13) - 29
    q = 37 - 15 * log10(QDU)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y = (RO - 100) / 15 + 46 / 8.4 - g / 9
    z = 46 / 30 - g / 40
    iq: float = 15 * log10(1 + 10**y + 10**z)
    return iolr + ist + iq


def delay_impairment(t: float) -> float:
    """Id = Idte + Idle + Idd (7-18): talker echo, listener echo, and delay itself."""
    if t < 0:
        raise ValueError(f"a delay of {t:g} ms is impossible: give 0 ms or more")
    return talker_echo(t) + listener_echo(2 * t) + absolute_delay(t)


def talker_echo(t: float) -> float:
    """Idte (7-19 to 7-23)."""
    terv: float = TELR - 40 * log10((1 + t / 10) / (1 + t / 150)) + 6 * exp(-0.3 * t**2)
    roe = -1.5 * (NO - RLR)
    re = 80 + 2.5 * (terv - 14)
    return ((roe - re) / 2 + sqrt((roe - re) ** 2 / 4 + 100) - 1) * (1 - exp(-t))


def listener_echo(tr: float) -> float:
    """Idle (7-25, 7-26)."""
    rle: float = 10.5 * (WEPL + 7) * (tr + 1) ** -0.25
    return (RO - rle) / 2 + sqrt((RO - rle) ** 2 / 4 + 169)


def absolute_delay(ta: float) -> float:
    """Idd (7-27, 7-28): none up to 100 ms."""
    if ta <= MINIMUM_DELAY_MS:
        return 0.0
    x = log2(ta / MINIMUM_DELAY_MS)
    idd: float = 25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    return idd
