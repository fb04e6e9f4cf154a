"""The remedies against loss that leave with the media: RED in its packets, XOR parity beside them.

Requests for retransmission (nack.py) answer a loss; these are sent whether anything is lost or not. Parity
protects the packets as they leave, redundancy included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import Batch, empty_batch, join
from probe.methods.parity import Layout, ParityReceiver, ParitySender
from probe.methods.redundancy import RedSender, unwrap
from probe.metrics import Repair
from probe.wire import flexfec, media, red, rtp


@dataclass(frozen=True, slots=True)
class Protection:
    """What a session sends, in both directions. `red` is how many earlier packets each packet repeats, `fec_k`
    how many packets share a repair packet, `fec_interleave` how far apart those are; 0 is none."""

    red: int = 0
    fec_k: int = 0
    fec_interleave: int = 1

    def __bool__(self) -> bool:
        """Whether anything leaves with the media."""
        return self.red > 0 or self.fec_k > 0

    @property
    def layout(self) -> Layout:
        return Layout(self.fec_k, self.fec_interleave)

    def packets_ratio(self) -> float:
        """Packets that leave for each of the media's; retransmissions are not foreseen."""
        return 1 + (1 / self.fec_k if self.fec_k else 0)

    def sizes(self, size: NDArray[np.uint16]) -> NDArray[np.int64]:
        """Bytes of a stream's packets with their redundancy."""
        sizes = size.astype(np.int64)
        if not self.red:
            return sizes
        with_red = sizes + red.LAST_HEADER_BYTES
        for back in range(1, self.red + 1):
            block = np.zeros_like(sizes)
            block[back:] = sizes[:-back] - rtp.HEADER_BYTES + red.BLOCK_HEADER_BYTES
            fits = (block - red.BLOCK_HEADER_BYTES <= red.MAX_BLOCK_BYTES) & (
                with_red + block <= media.MAX_PACKET_BYTES
            )
            with_red += np.where(fits, block, 0)
        return with_red

    def bytes_beside(self, size: NDArray[np.uint16]) -> int:
        """What leaves beside the media of a stream of these packets; retransmissions are not foreseen."""
        sizes = self.sizes(size)
        return int(sizes.sum()) - int(size.sum(dtype=np.int64)) + self.repair_bytes(sizes)

    def repair_bytes(self, sizes: NDArray[np.int64]) -> int:
        """Bytes of the repair packets of one stream of such packets."""
        if not self.fec_k:
            return 0
        whole = sizes[: len(sizes) // self.layout.block * self.layout.block]
        longest = whole.reshape(-1, self.fec_k, self.fec_interleave).max(axis=1)
        head = flexfec.header_bytes(self.layout.span) - rtp.HEADER_BYTES
        return int(longest.sum()) + head * int(longest.size)


UNPROTECTED = Protection()


@dataclass(slots=True)
class RepairCounts:
    """What one end has sent beside the media's own bytes, and heard of the other's parity."""

    retransmissions_sent: int = 0
    retransmission_bytes: int = 0
    red_bytes: int = 0
    """Added to media packets by RED."""
    fec_packets: int = 0
    fec_bytes: int = 0
    fec_received: int = 0


class Protector:
    """Sends the remedies of streams `media_ssrc ..`, and counts them."""

    def __init__(self, protection: Protection, streams: int, media_ssrc: int, counts: RepairCounts) -> None:
        self._counts = counts
        self._red = RedSender(streams, protection.red) if protection.red else None
        self._parity = ParitySender(streams, protection.layout, media_ssrc) if protection.fec_k else None

    def protect(self, batch: Batch, stream: NDArray[np.int64], sequence: NDArray[np.int64]) -> Batch:
        """Media packets in the order of leaving, ready to leave; the same with their remedies, in order of leaving."""
        if not len(batch.size):
            return batch
        counts = self._counts
        if self._red:
            before = int(batch.size.sum())
            batch = self._red.encode(batch, stream)
            counts.red_bytes += int(batch.size.sum()) - before
        if not self._parity:
            return batch
        repairs = self._parity.repairs(batch, stream, sequence)
        counts.fec_packets += len(repairs.size)
        counts.fec_bytes += int(repairs.size.sum())
        return join([batch, repairs])


class Restored(NamedTuple):
    """What arrived, without remedies: `plain` as if there were none, and packets that these brought or rebuilt, in
    the order of arrival; the tag of a copy is its `Repair`.

    `broken` packets claimed to be RED and were not.
    """

    plain: list[Batch]
    copies: Batch
    broken: int


class Restorer:
    """Takes the remedies of streams `media_ssrc ..` out of what arrives."""

    def __init__(self, protection: Protection, streams: int, media_ssrc: int, counts: RepairCounts) -> None:
        self._counts = counts
        self._streams, self._media_ssrc = streams, np.uint32(media_ssrc)
        self._red = protection.red > 0
        self._parity = ParityReceiver(streams, protection.layout, media_ssrc) if protection.fec_k else None

    def restore(self, batch: Batch) -> Restored:
        """Take datagrams of any kind, in the order of arrival."""
        start, stream = _word(batch.data, 0), _word(batch.data, 8) - self._media_ssrc
        ours = rtp.is_media(start) & (stream < self._streams)
        others = ~ours
        rebuilt = arrived = empty_batch()
        if self._parity:
            protected = _word(batch.data, 12) - self._media_ssrc
            repair = flexfec.is_repair(start, media.PT_FEC) & (protected < self._streams)
            others &= ~repair
            stream[repair] = protected[repair]
            self._counts.fec_received += int(np.count_nonzero(repair))
            heard = ours | repair
            if heard.any():
                heard_of = stream[heard].astype(np.int64)
                rebuilt = self._parity.take(batch.take(heard), heard_of, repair[heard])
        if ours.any():
            arrived = batch if ours.all() else batch.take(ours)
        copies = empty_batch()
        broken = 0
        if self._red:
            arrived, copies, broken = unwrap(arrived)
            rebuilt = join([*unwrap(rebuilt)[:2]])
        rest = batch.take(others) if others.any() else empty_batch()
        brought = join([_tagged(copies, Repair.RED), _tagged(rebuilt, Repair.FEC)])
        return Restored(
            [part for part in (rest, arrived) if len(part.size)],
            brought._replace(kernel_stamped=batch.kernel_stamped),
            broken,
        )


def _tagged(batch: Batch, remedy: Repair) -> Batch:
    return batch._replace(tag=np.full(len(batch.size), int(remedy)))


def _word(data: NDArray[np.uint8], at: int) -> NDArray[np.uint32]:
    """The 32-bit word at byte `at` of every row; zeros where rows are too short."""
    if data.shape[1] < at + 4:
        return np.zeros(len(data), np.uint32)
    return np.ascontiguousarray(data[:, at : at + 4]).view(">u4")[:, 0].astype(np.uint32)
