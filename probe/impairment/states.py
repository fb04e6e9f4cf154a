"""Small state machines over arrays: where each of many packets finds a machine of up to four states.

What a packet does to the machine is a map of states to states, and a map of four states fits a byte. Maps
are composed by table, and a prefix of n maps in log2(n) rounds, without a loop over packets.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.uint8]
"""(n,) maps; bits 2s and 2s + 1 hold the state that follows on s."""

STATES = 4


def maps_of(following: NDArray[np.uint8]) -> Maps:
    """(n,) maps from (n, s) following states; states beyond s stay where they are."""
    maps = np.zeros(len(following), np.uint8)
    for state in range(STATES):
        known = state < following.shape[1]
        maps |= (following[:, state] if known else np.uint8(state)) << np.uint8(2 * state)
    return maps


@cache
def _compositions() -> NDArray[np.uint8]:
    """(65536,) the map of first `a`, then `b`, at 256 a + b."""
    first, then = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8), indexing="ij")
    both = np.zeros((256, 256), np.uint8)
    for state in range(STATES):
        middle = (first >> np.uint8(2 * state)) & np.uint8(3)
        both |= ((then >> (middle << np.uint8(1))) & np.uint8(3)) << np.uint8(2 * state)
    return both.ravel()


def walk(maps: Maps, state: int) -> tuple[NDArray[np.uint8], int]:
    """The state before each of n packets when the first finds `state`, and the one after the last."""
    if not len(maps):
        return maps, state
    table, prefix, step = _compositions(), maps.astype(np.uint16), 1
    while step < len(prefix):
        prefix[step:] = table[(prefix[:-step] << np.uint16(8)) | prefix[step:]]
        step *= 2
    after = (prefix >> np.uint16(2 * state)).astype(np.uint8) & np.uint8(3)
    return np.concatenate([np.array([state], np.uint8), after[:-1]]), int(after[-1])
