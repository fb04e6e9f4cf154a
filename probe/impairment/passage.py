"""What comes out of a link for what went in: each packet never, once, or twice, and maybe damaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.impairment.line import DROPPED
from probe.methods.batch import Batch
from probe.metrics import Times

_LATEST = np.iinfo(np.int64).max


class Passage(NamedTuple):
    """m releases for the packets of one push."""

    row: NDArray[np.intp]
    """(m,) which of the pushed packets."""
    release_ns: Times
    """(m,) when it comes out."""
    bit: NDArray[np.int64] | None = None
    """(m,) which bit of its payload is flipped on the way, or -1; None: none is."""
    whole: bool = False
    """Whether `row` is just all packets and none is damaged."""

    def first(self, packets: int) -> Times:
        """(packets,) when each packet comes out first, or DROPPED."""
        if self.whole:
            return self.release_ns
        release = np.full(packets, _LATEST)
        np.minimum.at(release, self.row, self.release_ns)
        release[release == _LATEST] = DROPPED
        return release

    def carry(self, batch: Batch, headers: int = 0) -> Batch:
        """The datagrams that come out, each at its time; `batch` is what was pushed, each with so many bytes of
        `headers` before the payload that `bit` counts from."""
        if self.whole:
            return batch._replace(time_ns=self.release_ns)
        out = batch.take(self.row)
        if self.bit is not None:
            damaged = np.flatnonzero(self.bit >= 0)
            bit = self.bit[damaged]
            out.data[damaged, headers + (bit >> 3)] ^= np.uint8(1) << (bit & 7).astype(np.uint8)
        return out._replace(time_ns=self.release_ns)

    def in_time(self) -> Passage:
        """The same in the order of coming out."""
        order = np.argsort(self.release_ns, kind="stable")
        return Passage(self.row[order], self.release_ns[order], None if self.bit is None else self.bit[order])

    def then(self, following: Passage) -> Passage:
        """Both in a row: `following` is what another link made of these releases, in their order."""
        bit = following.bit
        if self.bit is not None:
            mine = self.bit[following.row]
            bit = mine if bit is None else np.where(bit >= 0, bit, mine)
        return Passage(self.row[following.row], following.release_ns, bit, self.whole and following.whole)


def joined(parts: Sequence[tuple[int, Passage]]) -> Passage:
    """Passages of consecutive packets as one; each with the number of its first packet."""
    if len(parts) == 1:
        return parts[0][1]
    damaged = any(part.bit is not None for _, part in parts)
    bits = [np.full(len(part.row), -1) if part.bit is None else part.bit for _, part in parts]
    return Passage(
        np.concatenate([part.row + start for start, part in parts]),
        np.concatenate([part.release_ns for _, part in parts]),
        np.concatenate(bits) if damaged else None,
        all(part.whole for _, part in parts),
    )
