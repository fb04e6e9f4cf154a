"""One media session as its reflector keeps it: what arrived, what was sent back, what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.methods.arrays import first_occurrences, take_numbers
from probe.methods.batch import ADDRESS_BYTES, FOREVER, Batch, empty_batch, join
from probe.methods.nack import NackList
from probe.metrics import NEVER, Times
from probe.wire import log, media, rtp

POLICE_FACTOR = 4
POLICE_BURST_SECONDS = 5
"""Policing is far above the contract (admission was at negotiation), so that it never looks like loss:
bunched packets after a hold of seconds still pass."""
MAX_RETRANSMISSIONS = 10


@dataclass(slots=True)
class NodeCounts:
    """What a node tells about a session at its end."""

    received: int = 0
    duplicates: int = 0
    repairs: int = 0
    corrupt: int = 0
    policed: int = 0
    logged: int = 0
    log_overflow: int = 0
    nacks_received: int = 0
    retransmissions_sent: int = 0
    socket_dropped: int = 0


class ReflectedSession:
    """Streams `ssrc_base ..` of `packets` packets each.

    `log_rows` (wire.log.LOG) takes the receive log and may be shared memory; `counts.logged` says how
    much of it is filled. `rate_pps` is the granted rate of the whole session.
    """

    def __init__(
        self,
        number: int,
        token: bytes,
        *,
        ssrc_base: int,
        streams: int,
        packets: int,
        rate_pps: float,
        nack: bool,
        one_way: bool,
        log_rows: NDArray[np.void],
    ) -> None:
        self.number, self.token = number, token
        self.counts = NodeCounts()
        self.dropped_before = 0  # of the node's socket, when this session began
        self.slots = slice(ssrc_base & media.SLOT_MASK, (ssrc_base & media.SLOT_MASK) + streams)
        self._ssrc_base, self._streams, self._packets = ssrc_base, streams, packets
        self._short_token = int.from_bytes(token[:4], "big")
        self._one_way = one_way
        self._rate_pps = rate_pps
        self._first_ns = NEVER
        self._arrived = 0
        self._address = np.zeros(ADDRESS_BYTES, np.uint8)
        self._bound = False
        self._seen = np.zeros(streams * packets, np.bool_)
        self._received = np.zeros(streams, np.int64)
        self._highest = np.full(streams, -1, np.int64)
        self._down_next = np.zeros(streams, np.int64)
        self._sent_row = np.full(0 if one_way else streams * packets, -1, np.int32)  # down_seq -> log row
        self._rtx_last = np.full(len(self._sent_row), NEVER, np.int64)
        self._rtx_tries = np.zeros(len(self._sent_row), np.uint8)
        self._rtx_sequence = np.zeros(streams, np.int64)
        self._log = log_rows
        self._nack = (
            NackList(streams, packets, sender_ssrc=ssrc_base | media.DOWN_SSRC, media_ssrc=ssrc_base)
            if nack
            else None
        )
        self._payload_type = media.PT_AUDIO
        self._pending: list[tuple[Batch, NDArray[np.int64], NDArray[np.intp]]] = []

    def bind(self, address: NDArray[np.uint8]) -> None:
        """Take media from, and send to, this address only (a later bind moves it: NAT rebinding)."""
        self._address = address.copy()
        self._bound = True

    def next_time_ns(self) -> int:
        if self._pending:
            return int(self._pending[0][0].time_ns[0])
        return self._nack.next_ns() if self._nack and self._bound else FOREVER

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        """Reflections of what arrived, then requests for what is missing upstream."""
        pending, self._pending = self._pending, []
        out = [self._reflect(batch, stream, row, now_ns) for batch, stream, row in pending]
        if self._nack and self._bound:
            nacks = self._nack.packets_to_send(until_ns)
            out.append(nacks._replace(address=np.tile(self._address, (len(nacks.size), 1))))
        return join(out)

    # upstream

    def receive(self, batch: Batch, ssrc: NDArray[np.uint32]) -> int:
        """Take packets whose SSRC slot is ours; returns how many of them were strays."""
        stream = (ssrc & ~np.uint32(media.RTX_SSRC)).astype(np.int64) - self._ssrc_base
        ours = (stream >= 0) & (stream < self._streams) & self._bound
        ours &= (batch.address == self._address).all(axis=1)
        if batch.data.shape[1] < media.MIN_PACKET_BYTES:
            return len(ours)
        repair = (ssrc & media.RTX_SSRC) != 0
        for rtx in (False, True) if repair.any() else (False,):
            rows = np.flatnonzero(ours & (repair == rtx))
            if len(rows) and (passed := self._police(rows, batch.time_ns)) is not None:
                chosen = batch if len(passed) == len(ours) else batch.take(passed)
                self._take(chosen, stream[passed], rtx=rtx)
        return len(ours) - int(np.count_nonzero(ours))

    def _police(self, rows: NDArray[np.intp], time_ns: Times) -> NDArray[np.intp] | None:
        if self._first_ns == NEVER:
            self._first_ns = int(time_ns[0])
        elapsed = max(int(time_ns[-1]) - self._first_ns, 0) / 1e9 + POLICE_BURST_SECONDS
        allowed = int(POLICE_FACTOR * self._rate_pps * elapsed) - self._arrived
        self._arrived += min(len(rows), max(allowed, 0))
        if allowed >= len(rows):
            return rows
        self.counts.policed += len(rows) - max(allowed, 0)
        return rows[:allowed] if allowed > 0 else None

    def _take(self, batch: Batch, stream: NDArray[np.int64], *, rtx: bool) -> None:
        wide = media.MIN_PACKET_BYTES + (rtp.OSN_BYTES if rtx else 0)
        if batch.data.shape[1] < wide:
            self.counts.corrupt += len(batch.size)
            return
        payload = media.payloads(batch.data, rtx=rtx)
        index = payload["index"].astype(np.int64)
        good = (payload["magic"] == media.MAGIC) & (payload["kind"] == media.MEDIA) & (batch.size >= wide)
        good &= (payload["token"] == self._short_token) & (index < self._packets)
        good &= payload["check"] == media.checksums(batch.data, rtx=rtx)
        if not good.all():
            self.counts.corrupt += int((~good).sum())
            batch, stream, index, payload = batch.take(good), stream[good], index[good], payload[good]
            if not len(index):
                return
        if rtx:
            self.counts.repairs += len(index)
            self._append(batch, stream, index, np.full(len(index), log.RTX, np.uint8))
            if self._nack:
                self._nack.on_received(stream, index, batch.time_ns, repair=True)
            return
        self._take_originals(batch, stream, index, int(payload["t2"][-1]))

    def _take_originals(
        self, batch: Batch, stream: NDArray[np.int64], index: NDArray[np.int64], rtt_ns: int
    ) -> None:
        key = stream * self._packets + index
        first = ~self._seen[key]
        first &= first_occurrences(key)
        self._seen[key] = True
        np.maximum.at(self._highest, stream, index)
        if self._nack:
            if 0 < rtt_ns < 10_000_000_000:
                self._nack.rtt_ns = rtt_ns
            self._nack.on_received(stream, index, batch.time_ns)
        self._payload_type = int(batch.data[-1, 1] & 127)
        flags = np.where(first, 0, log.DUPLICATE).astype(np.uint8)
        self.counts.received += int(first.sum())
        self.counts.duplicates += int((~first).sum())
        start = self._append(batch, stream, index, flags)
        fresh = np.flatnonzero(first)
        if len(fresh) and start is not None and not self._one_way:
            chosen = batch if len(fresh) == len(first) else batch.take(fresh)
            self._pending.append((chosen, stream[fresh], start + fresh))

    def _append(
        self, batch: Batch, stream: NDArray[np.int64], index: NDArray[np.int64], flags: NDArray[np.uint8]
    ) -> int | None:
        """Write log rows; their first number, or None when the log is full (counted, never silent)."""
        start, count = self.counts.logged, len(index)
        if start + count > len(self._log):
            self.counts.log_overflow += count
            return None
        rows = self._log[start : start + count]
        rows["t2"], rows["t3"] = batch.time_ns, NEVER
        rows["index"], rows["stream"], rows["size"], rows["down_seq"] = index, stream, batch.size, -1
        rows["flags"] = flags | (log.KERNEL_T2 if batch.kernel_stamped else 0)
        self.counts.logged = start + count
        return start

    # downstream

    def _reflect(
        self, batch: Batch, stream: NDArray[np.int64], log_row: NDArray[np.intp], now_ns: int
    ) -> Batch:
        """Turn received packets into their reflections, in place."""
        leave = np.maximum(batch.time_ns, now_ns)
        down_seq = take_numbers(self._down_next, stream)
        np.add.at(self._received, stream, 1)
        self._sent_row[stream * self._packets + down_seq] = log_row
        self._log["down_seq"][log_row] = down_seq
        self._log["t3"][log_row] = leave
        rtp.write_headers(
            batch.data,
            payload_type=batch.data[:, 1] & 127,
            marker=batch.data[:, 1] >> 7,
            sequence=down_seq & 0xFFFF,
            timestamp=rtp.read_headers(batch.data, batch.size).timestamp,
            ssrc=self._ssrc_base + stream | media.DOWN_SSRC,
        )
        payload = media.payloads(batch.data)
        payload["kind"], payload["flags"] = media.REFLECTION, media.KERNEL_T2 if batch.kernel_stamped else 0
        payload["reflected"], payload["t2"] = down_seq, batch.time_ns
        payload["received"] = self._received[stream]
        self._write_counters(payload)
        return self._finish(batch._replace(time_ns=leave), payload, leave)

    def _write_counters(self, payload: NDArray[np.void]) -> None:
        payload["policed"] = self.counts.policed & 0xFFFF
        payload["socket_dropped"] = self.counts.socket_dropped & 0xFFFF

    def _finish(self, batch: Batch, payload: NDArray[np.void], t3: Times, *, rtx: bool = False) -> Batch:
        payload["t3"] = t3
        payload["check"] = media.checksums(batch.data, rtx=rtx)
        return batch

    def retransmit(
        self, ssrc: NDArray[np.uint32], lost: NDArray[np.uint16], time_ns: Times, address: NDArray[np.uint8]
    ) -> Batch:
        """Answer a NACK for our downstream with RTX copies of what was sent, as it was sent."""
        stream = (ssrc & ~np.uint32(media.DOWN_SSRC)).astype(np.int64) - self._ssrc_base
        ours = (stream >= 0) & (stream < self._streams) & ((ssrc & media.DOWN_SSRC) != 0) & self._bound
        ours &= (address == self._address).all(axis=1)
        if self._one_way or not ours.any():
            return empty_batch()
        stream, lost, time_ns = stream[ours], lost[ours].astype(np.int64), time_ns[ours]
        self.counts.nacks_received += len(stream)
        newest = self._down_next[stream] - 1
        down_seq = newest - ((newest - lost) & 0xFFFF)
        key = stream * self._packets + np.maximum(down_seq, 0)
        rtt_ns = self._nack.rtt_ns if self._nack else 0
        row = self._sent_row[key]
        age = time_ns - self._log["t3"][row]
        good = (down_seq >= 0) & (row >= 0) & (age <= max(1_000_000_000, 3 * rtt_ns))
        good &= self._rtx_tries[key] < MAX_RETRANSMISSIONS
        good &= (self._rtx_last[key] == NEVER) | (time_ns - self._rtx_last[key] >= rtt_ns // 2)
        key, at = np.unique(key[good], return_index=True)
        if not len(key):
            return empty_batch()
        leave = time_ns[good][at]
        self._rtx_last[key] = leave
        self._rtx_tries[key] += 1
        self.counts.retransmissions_sent += len(key)
        return self._rebuild(key, self._log[self._sent_row[key]], leave)

    def _rebuild(self, key: NDArray[np.int64], rows: NDArray[np.void], leave: Times) -> Batch:
        stream, down_seq = key // self._packets, key % self._packets
        size = rows["size"].astype(np.int64) + rtp.OSN_BYTES
        data = np.zeros((len(key), int(size.max() + 1) & ~1), np.uint8)
        rtp.write_headers(
            data,
            payload_type=media.RTX_PAYLOAD_TYPES.get(self._payload_type, media.PT_AUDIO_RTX),
            marker=0,
            sequence=take_numbers(self._rtx_sequence, stream) & 0xFFFF,
            timestamp=0,
            ssrc=self._ssrc_base + stream | media.DOWN_SSRC | media.RTX_SSRC,
        )
        rtp.write_original_sequence(data, down_seq & 0xFFFF)
        payload = media.payloads(data, rtx=True)
        payload["magic"], payload["kind"] = media.MAGIC, media.REFLECTION
        payload["index"], payload["token"] = rows["index"], self._short_token
        payload["reflected"], payload["t2"] = down_seq, rows["t2"]
        self._write_counters(payload)
        address = np.tile(self._address, (len(key), 1))
        return self._finish(Batch(data, size, leave, address), payload, rows["t3"], rtx=True)
