"""What a session reflector sends back: reflections with its own sequence numbers and times, and repairs."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.methods.arrays import LastTimes, occurrences, take_numbers
from probe.methods.batch import Batch, empty_batch
from probe.methods.protection import UNPROTECTED, Protection, Protector, RepairCounts
from probe.metrics import NEVER, Times
from probe.wire import log, media, rtp

MAX_RETRANSMISSIONS = 10
HISTORY_NS = 1_000_000_000
"""libwebrtc's history of sent packets reaches back so far, or three round trips."""
LOG_ROW_BITS = 40
LOG_ROW_MASK = (1 << LOG_ROW_BITS) - 1
"""A reflection's tag: the session's first SSRC slot, then the row of its log in so many bits."""
_NEVER_BEFORE = 1 << 62


@dataclass(slots=True)
class NodeCounts(RepairCounts):
    """What a node tells about a session at its end."""

    received: int = 0
    duplicates: int = 0
    repairs: int = 0
    corrupt: int = 0
    policed: int = 0
    logged: int = 0
    log_overflow: int = 0
    nacks_received: int = 0
    socket_dropped: int = 0
    strays: int = 0  # of the node, whoever they came from
    stall_ns: int = 0  # the longest time for which the node did not look after its packets
    clock_step_ns: int = 0  # the largest step of the node's wall clock


LogRows = NDArray[np.int64] | slice
"""Which rows of the log; a slice of those that lie together."""


class _Ready(NamedTuple):
    """Reflections that lack only when they leave; a batch of one has plain numbers for words."""

    batch: Batch
    words: NDArray[np.uint32] | list[int]
    sums: NDArray[np.uint32] | int
    """The check without t3."""
    log_row: LogRows


def _numbers(rows: LogRows, base: int) -> NDArray[np.int64]:
    """Each row's number, counted from `base`."""
    return np.arange(base + rows.start, base + rows.stop) if isinstance(rows, slice) else rows + base


class Downstream:
    """The streams `ssrc_base | DOWN_SSRC ..` of a session, `packets` each; `log_rows` is its receive log."""

    def __init__(
        self,
        *,
        ssrc_base: int,
        streams: int,
        packets: int,
        token: int,
        log_rows: NDArray[np.void],
        counts: NodeCounts,
        protection: Protection = UNPROTECTED,
    ) -> None:
        self._ssrc_base, self._streams, self._token = ssrc_base, streams, token
        self._tag = (ssrc_base & media.SLOT_MASK) << LOG_ROW_BITS
        self._log, self._log_t3, self._log_down_seq = log_rows, log_rows["t3"], log_rows["down_seq"]
        self._log_flags, self._log_stream = log_rows["flags"], log_rows["stream"]
        self._counts = counts
        down_ssrc = ssrc_base | media.DOWN_SSRC
        self._protector = Protector(protection, streams, down_ssrc, counts) if protection else None
        self._next = np.zeros(streams, np.int64)
        # Where each sequence number of ours is in the log, of the rows that have been looked at: see `_look_up`.
        self._log_row = np.full(streams * packets, -1, np.int32)
        self._looked_at = 0
        self._payload_type = media.PT_AUDIO
        self._ready: list[_Ready] = []
        self._rtx_tries = np.zeros(streams * packets, np.uint8)
        self._rtx_last = LastTimes()
        self._rtx_sequence = np.zeros(streams, np.int64)
        # When each stream's latest stamped reflection really left, for a later one to tell.
        self._told_sequence = np.zeros(streams, np.uint32)
        self._told_delta = np.zeros(streams, np.uint32)
        self._tells = np.zeros(streams, np.uint32)  # TELLS_T3 of those that have something to tell
        self._any_told = False

    def next_time_ns(self, otherwise: int) -> int:
        """When the first that is ready may leave."""
        return int(self._ready[0].batch.time_ns[0]) if self._ready else otherwise

    def turn_round(
        self,
        batch: Batch,
        words: NDArray[np.uint32],
        stream: NDArray[np.int64],
        before: NDArray[np.int64] | None,
        log_row: LogRows,
    ) -> None:
        """Make received packets' words those of their reflections, as far as known before they leave.
        `before` is `occurrences(stream)`."""
        down_seq = take_numbers(self._next, stream, before)
        self._log_down_seq[log_row] = down_seq
        self._payload_type = int(words[-1, media.W_START]) >> 16 & 127
        start, reflected = words[:, media.W_START], words[:, media.W_REFLECTED]
        reflected[:] = down_seq
        start &= 0x00FF_0000
        start |= reflected & 0xFFFF | rtp.VERSION << 24
        words[:, media.W_SSRC] |= media.DOWN_SSRC
        words[:, media.W_KIND] = self._kind(batch)
        media.write_time(words, media.W_T2, batch.time_ns)
        words[:, media.W_T3 : media.W_T3 + 2] = 0
        np.add(reflected, 1, out=words[:, media.W_RECEIVED])
        words[:, media.W_COUNTERS] = self._counters()
        if self._any_told:
            words[:, media.W_KIND] |= self._tells[stream]
            words[:, media.W_STAMPED] = self._told_sequence[stream]
            words[:, media.W_DELTA] = self._told_delta[stream]
        self._ready.append(_Ready(batch, words, media.word_sums(words), log_row))

    def turn_one_round(self, batch: Batch, words: list[int], stream: int, log_row: int) -> None:
        """`turn_round` of a batch of one."""
        down_seq, time_ns = int(self._next[stream]), int(batch.time_ns[0])
        self._next[stream] = down_seq + 1
        self._log_down_seq[log_row] = down_seq
        start = words[media.W_START]
        self._payload_type = start >> 16 & 127
        words[media.W_START] = rtp.VERSION << 24 | start & 0x00FF_0000 | down_seq & 0xFFFF
        words[media.W_SSRC] |= media.DOWN_SSRC
        words[media.W_KIND] = self._kind(batch)
        words[media.W_REFLECTED] = down_seq
        words[media.W_T2 : media.W_T3 + 2] = time_ns >> 32, time_ns & 0xFFFFFFFF, 0, 0
        words[media.W_RECEIVED], words[media.W_COUNTERS] = down_seq + 1, self._counters()
        if self._tells[stream]:
            words[media.W_KIND] |= media.TELLS_T3
            words[media.W_STAMPED] = int(self._told_sequence[stream])
            words[media.W_DELTA] = int(self._told_delta[stream])
        sums = sum(words[media.W_KIND : media.W_CHECK])
        self._ready.append(_Ready(batch, words, sums, np.array([log_row])))

    def packets_to_send(self, now_ns: int) -> list[Batch]:
        """Everything that is ready; the last thing that is written is when it leaves."""
        if not self._ready:
            return []
        ready, self._ready = self._ready, []
        leaving = [self._leave(item, now_ns) for item in ready]
        return [self._protected(batch) for batch in leaving] if self._protector else leaving

    def _protected(self, batch: Batch) -> Batch:
        assert self._protector is not None
        assert batch.tag is not None
        log_row = batch.tag & LOG_ROW_MASK
        stream, sequence = self._log["stream"][log_row], self._log_down_seq[log_row]
        return self._protector.protect(batch, stream.astype(np.int64), sequence.astype(np.int64))

    def _leave(self, item: _Ready, now_ns: int) -> Batch:
        batch, words, sums, log_row = item
        if isinstance(words, list):
            assert isinstance(sums, int)
            time_ns = max(int(batch.time_ns[0]), now_ns)
            upper, lower = time_ns >> 32, time_ns & 0xFFFFFFFF
            words[media.W_T3], words[media.W_T3 + 1] = upper, lower
            words[media.W_CHECK] = sums + upper + lower & 0xFFFFFFFF
            media.write_one(batch.data, words)
            leave = np.array([time_ns])
        elif np.maximum.reduce(batch.time_ns) <= now_ns:  # all leave now
            leave = np.empty(len(words), np.int64)
            leave.fill(now_ns)
            words[:, media.W_T3], words[:, media.W_T3 + 1] = now_ns >> 32, now_ns & 0xFFFFFFFF
            np.add(sums, np.uint32((now_ns >> 32) + now_ns & 0xFFFFFFFF), out=words[:, media.W_CHECK])
            media.word_view(batch.data)[:] = words
        else:
            leave = np.maximum(batch.time_ns, now_ns)
            media.write_time(words, media.W_T3, leave)
            words[:, media.W_CHECK] = sums + ((leave >> 32) + leave & 0xFFFFFFFF).astype(np.uint32)
            media.word_view(batch.data)[:] = words
        self._log_t3[log_row] = leave
        tag = _numbers(log_row, self._tag)
        return Batch(batch.data, batch.size, leave, batch.address, batch.kernel_stamped, tag)

    def on_transmitted(self, log_row: NDArray[np.int64], time_ns: Times) -> None:
        """The kernel's word for when reflections left: into the log, and into later reflections."""
        delta = time_ns - self._log_t3[log_row]
        self._log_t3[log_row] = time_ns
        self._log_flags[log_row] |= np.uint8(log.KERNEL_T3)
        # Of several reflections of a stream the last one stays: assignment is in order.
        stream = self._log_stream[log_row].astype(np.int64)
        self._told_sequence[stream], self._told_delta[stream] = self._log_down_seq[log_row], delta
        self._tells[stream] = media.TELLS_T3
        self._any_told = True

    def _kind(self, batch: Batch) -> int:
        return media.REFLECTION_KIND | (media.KERNEL_T2 if batch.kernel_stamped else 0)

    def _counters(self) -> int:
        return (self._counts.policed & 0xFFFF) << 16 | self._counts.socket_dropped & 0xFFFF

    # repairs

    def retransmit(
        self,
        stream: NDArray[np.int64],
        lost: NDArray[np.int64],
        time_ns: Times,
        address: NDArray[np.uint8],
        rtt_ns: int,
    ) -> Batch:
        """RTX copies, as they were sent, of what `lost` (16 bits of a sequence number) names."""
        newest = self._next[stream] - 1
        down_seq = newest - ((newest - lost) & 0xFFFF)
        key = np.maximum(down_seq, 0) * self._streams + stream
        history_ns = max(HISTORY_NS, 3 * rtt_ns)
        row = self._look_up(key, int(time_ns[0]) - history_ns)
        good = (down_seq >= 0) & (row >= 0) & (time_ns - self._log_t3[row] <= history_ns)
        good &= self._rtx_tries[key] < MAX_RETRANSMISSIONS
        good &= self._rtx_last.since(key, time_ns, _NEVER_BEFORE) >= rtt_ns
        key, at = np.unique(key[good], return_index=True)
        if not len(key):
            return empty_batch()
        leave = time_ns[good][at]
        self._rtx_last.note(key, leave, int(leave.min()) - 2 * history_ns)
        self._rtx_tries[key] += 1
        copies = self._rebuild(key, self._log[self._log_row[key]], leave, address)
        self._counts.retransmissions_sent += len(key)
        self._counts.retransmission_bytes += int(copies.size.sum())
        return copies

    def _look_up(self, key: NDArray[np.int64], since_ns: int) -> NDArray[np.int32]:
        """(n,) the log's rows of reflections, -1 for none since then.

        Where nothing is lost nobody asks: so rows are looked at when somebody does, and those that left long before
        never are.
        """
        end = self._counts.logged
        start = bisect_left(range(end), since_ns, self._looked_at, key=self._left_ns)
        self._looked_at = end
        down_seq = self._log_down_seq[start:end].astype(np.int64)
        back = np.flatnonzero(down_seq >= 0)
        known = down_seq[back] * self._streams + self._log_stream[start:end][back]
        self._log_row[known] = start + back
        return self._log_row[key]

    def _left_ns(self, row: int) -> int:
        """When what is in this row of the log left, or came if it has not gone back."""
        return max(int(self._log_t3[row]), int(self._log["t2"][row]))

    def _rebuild(
        self, key: NDArray[np.int64], rows: NDArray[np.void], leave: Times, address: NDArray[np.uint8]
    ) -> Batch:
        """RTX copies with the times of the first transmission."""
        down_seq, stream = np.divmod(key, self._streams)
        sequence = take_numbers(self._rtx_sequence, stream, occurrences(stream)) & 0xFFFF
        payload_type = media.RTX_PAYLOAD_TYPES.get(self._payload_type, media.PT_AUDIO_RTX)
        words = np.zeros((len(key), media.WORDS), np.uint32)
        words[:, media.W_START] = rtp.VERSION << 24 | payload_type << 16 | sequence
        words[:, media.W_SSRC] = self._ssrc_base + stream | media.DOWN_SSRC | media.RTX_SSRC
        # KERNEL_T2 and KERNEL_T3 are bits 2 and 3 of the log's flags, 0 and 2 of a packet's.
        flags = rows["flags"].astype(np.uint32)
        stamped = flags >> 2 & media.KERNEL_T2 | flags >> 1 & media.KERNEL_T3
        words[:, media.W_KIND] = media.REFLECTION_KIND | stamped
        words[:, media.W_INDEX], words[:, media.W_TOKEN] = rows["index"], self._token
        words[:, media.W_REFLECTED] = down_seq
        media.write_time(words, media.W_T2, rows["t2"])
        media.write_time(words, media.W_T3, np.where(rows["t3"] == NEVER, leave, rows["t3"]))
        words[:, media.W_COUNTERS] = self._counters()
        words[:, media.W_CHECK] = media.word_sums(words)
        size = rows["size"].astype(np.int64)
        data = np.zeros((len(key), (int(size.max()) + 7) & ~7), np.uint8)
        media.word_view(data)[:] = words
        copies = np.tile(address, (len(key), 1))
        return Batch(rtp.encapsulate(data, down_seq), size + rtp.OSN_BYTES, leave, copies)
