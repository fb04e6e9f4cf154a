"""What a real kernel did with the cases of `probe.impairment.conformance` (tests/data/netem)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.impairment.conformance import Case
from probe.impairment.observed import Observation

FOLDER = Path(__file__).parents[1] / "data" / "netem"
DELAY_SHIFT = 12


@cache
def _arrays() -> dict[str, NDArray[Any]]:
    with np.load(FOLDER / "kernel.npz") as kept:
        return dict(kept.items())


@cache
def recorded() -> dict[str, Any]:
    """Kernel, tools, and for each case `tc -s` and the recorder's commit."""
    document: dict[str, Any] = json.loads((FOLDER / "kernel.json").read_text())
    return document


def observed(case: Case) -> Observation:
    """The kernel's side of a case."""
    packets = case.traffic.packets
    bits = np.unpackbits(_arrays()[f"{case.name}/copies"])[: 2 * packets].reshape(-1, 2)
    sequence = delay = overtook = None
    if case.kind != "count":
        sequence = np.cumsum(_arrays()[f"{case.name}/sequence"]).astype(np.int64)
        delay = _arrays()[f"{case.name}/delay"].astype(np.int64)
        if case.kind != "exact":
            delay = (delay << DELAY_SHIFT) + (1 << DELAY_SHIFT) // 2
    if case.impairment.reorder is not None:
        if f"{case.name}/overtook" in _arrays():
            overtook = np.unpackbits(_arrays()[f"{case.name}/overtook"])[:packets].astype(np.bool_)
        else:
            assert sequence is not None
            assert delay is not None
            overtook = np.zeros(packets, np.bool_)
            overtook[sequence[delay < case.impairment.delay_ns // 2]] = True
    return Observation(packets, bits[:, 0] + 2 * bits[:, 1], sequence, delay, overtook)


def flips(case: Case) -> NDArray[np.int64]:
    """How many arrivals had no, one, two... flipped bits."""
    return _arrays()[f"{case.name}/flips"].astype(np.int64)
