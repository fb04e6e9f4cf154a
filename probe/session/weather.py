"""How an emulated path changes: along the hours of a window and from day to day."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from probe.impairment.profile import Impairment, Loss, NetworkProfile
from probe.session.diary import Appointment

CURVE = 0.10
"""How much busier the middle of a window is than its mean, and its ends less."""
SPREAD = 0.10
"""Standard deviation of a day's level at one node, both windows together (logarithm)."""
WINDOW_SPREAD = 0.05
"""The same of one window on one day, on top."""


def level(appointment: Appointment, seed: int) -> float:
    """How busy the path is at the appointment, 1 on average over hours and days.

    The day's level moves both windows of a node: it is what the comparison by day takes out.
    """
    node = f"{seed}/{appointment.vendor}/{appointment.node}/{appointment.day}"
    day = Random(node).gauss(0.0, SPREAD)
    window = Random(f"{node}/{appointment.window}").gauss(0.0, WINDOW_SPREAD)
    whole = (appointment.closes - appointment.opens).total_seconds()
    share = (appointment.starts - appointment.opens).total_seconds() / whole if whole > 0 else 0.5
    curve = CURVE * -math.cos(2 * math.pi * share)
    return math.exp(day + window - (SPREAD**2 + WINDOW_SPREAD**2) / 2) * (1 + curve)


def at_level(network: NetworkProfile, factor: float) -> NetworkProfile:
    """The network with delay, jitter and loss (of the plain model) `factor` times as large; the rate stays."""
    return replace(network, up=_scaled(network.up, factor), down=_scaled(network.down, factor))


def _scaled(way: Impairment, factor: float) -> Impairment:
    loss = way.loss
    if isinstance(loss, Loss):  # the other models state no ratio to scale
        loss = replace(loss, ratio=min(0.9, loss.ratio * factor))
        if loss.burst is not None and loss.burst < loss.shortest_burst:
            loss = replace(loss, burst=loss.shortest_burst)
    return replace(
        way, delay_ns=round(way.delay_ns * factor), jitter_ns=round(way.jitter_ns * factor), loss=loss
    )
