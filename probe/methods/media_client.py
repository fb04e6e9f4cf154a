"""The session sender's side of RTP media: send on schedule, take reflections, repair both ways.

Writes all it sees into `rows` (metrics.SAMPLE), which may live in shared memory: another process reads
along while this one measures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.methods.arrays import count_up, first_occurrences, take_numbers
from probe.methods.batch import ADDRESS_BYTES, FOREVER, Batch, empty_batch, join
from probe.methods.nack import NackList
from probe.methods.schedule import Schedule, StreamSpec
from probe.metrics import NEVER, Rows, Stamp, Times, Unsent
from probe.wire import media, rtcp, rtp

MAX_BATCH = 64
"""Packets that leave with one call; the last leaves some 150 us after the first."""
MAX_RETRANSMISSIONS = 10


@dataclass(slots=True)
class ClientCounts:
    """What is counted beside the rows."""

    corrupt: int = 0
    strays: int = 0
    nacks_received: int = 0
    retransmissions_sent: int = 0
    policed: int = 0
    node_socket_dropped: int = 0


class MediaClient:
    """Sends `plan` on `spec.calls` streams from `start_ns` on and records each packet in `rows`."""

    def __init__(
        self,
        spec: StreamSpec,
        plan: Schedule,
        rows: Rows,
        *,
        ssrc_base: int,
        token: bytes,
        nack: bool,
        start_ns: int,
    ) -> None:
        self.counts = ClientCounts()
        self.rtt_ns = 0
        self.start_ns = start_ns
        self._spec, self._plan, self._rows = spec, plan, rows
        self._packets = plan.packets
        self._ssrc_base = ssrc_base
        self._token = int.from_bytes(token[:4], "big")
        rows["stream"] = np.repeat(np.arange(spec.calls), plan.packets)
        rows["seq"] = np.tile(np.arange(plan.packets), spec.calls)
        rows["size"] = np.tile(plan.size, spec.calls)
        due = (start_ns + plan.offset_ns[:, None] + plan.time_ns[None, :]).ravel()
        rows["scheduled_ns"] = due
        self._order = np.argsort(due, kind="stable")
        self._due = due[self._order]
        self._cursor = 0
        self._leaving: NDArray[np.intp] = np.zeros(0, np.intp)
        self._sent_highest = np.full(spec.calls, -1, np.int64)
        self._nack = (
            NackList(spec.calls, plan.packets, sender_ssrc=ssrc_base, media_ssrc=ssrc_base | media.DOWN_SSRC)
            if nack
            else None
        )
        self._rtx_key: NDArray[np.int64] = np.zeros(0, np.int64)
        self._rtx_at: Times = np.zeros(0, np.int64)
        self._rtx_last = np.full(len(rows), NEVER, np.int64) if nack else None
        self._rtx_sequence = np.zeros(spec.calls, np.int64)

    # sending

    @property
    def all_sent(self) -> bool:
        """Whether every scheduled packet has left or been given up."""
        return self._cursor == len(self._due)

    @property
    def unreached(self) -> NDArray[np.intp]:
        """Rows whose turn has not come."""
        return self._order[self._cursor :]

    @property
    def sent(self) -> int:
        """Rows whose turn has come."""
        return self._cursor

    @property
    def nacks_sent(self) -> int:
        return self._nack.sent if self._nack else 0

    def next_time_ns(self) -> int:
        media_at = FOREVER if self.all_sent else int(self._due[self._cursor])
        nack_at = self._nack.next_ns() if self._nack else FOREVER
        rtx_at = int(self._rtx_at.min()) if len(self._rtx_at) else FOREVER
        return min(media_at, nack_at, rtx_at)

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        nacks = self._nack.packets_to_send(until_ns) if self._nack else empty_batch()
        return join([self._media(now_ns, until_ns), self._retransmissions(until_ns), nacks])

    def on_leaving(self, now_ns: int) -> None:
        """Correct the leaving time of the media just handed out: a carrier's last act before the send."""
        self._rows["sent_ns"][self._leaving] = now_ns

    def on_transmit_stamps(self, keys: NDArray[np.intp], time_ns: Times) -> None:
        """Replace leaving times by the kernel's transmit stamps; `keys` are rows."""
        self._rows["sent_ns"][keys] = time_ns
        self._rows["stamps"][keys] |= np.uint8(Stamp.SENT)

    @property
    def leaving(self) -> NDArray[np.intp]:
        """The rows of the media packets in the batch handed out last, in its order."""
        return self._leaving

    def _media(self, now_ns: int, until_ns: int) -> Batch:
        end = min(int(np.searchsorted(self._due, until_ns, "right")), self._cursor + MAX_BATCH)
        keys = self._order[self._cursor : end]
        self._cursor = end
        if len(keys):
            # A packet later than half an interval is skipped and counted: catching up with a
            # burst would measure a path that the schedule does not load.
            leave = np.maximum(self._rows["scheduled_ns"][keys], now_ns)
            late = leave - self._rows["scheduled_ns"][keys] > self._spec.interval_ns // 2
            if late.any():
                self._rows["unsent"][keys[late]] = Unsent.HOST_LATE
                keys, leave = keys[~late], leave[~late]
        self._leaving = keys
        if not len(keys):
            return empty_batch()
        self._rows["sent_ns"][keys] = leave
        np.maximum.at(self._sent_highest, keys // self._packets, keys % self._packets)
        return self._build(keys, leave)

    def _build(self, keys: NDArray[np.intp], leave: Times, *, rtx: bool = False) -> Batch:
        """RTP packets of the given rows; an RTX copy carries the original behind its OSN (RFC 4588 4)."""
        stream, index = keys // self._packets, keys % self._packets
        size = self._rows["size"][keys].astype(np.int64) + (rtp.OSN_BYTES if rtx else 0)
        width = int(size.max() + 1) & ~1
        data = np.zeros((len(keys), width), np.uint8)
        ssrc = self._ssrc_base + stream
        sequence = index
        payload_type = self._spec.payload_type
        if rtx:
            rtp.write_original_sequence(data, sequence)
            ssrc, payload_type = ssrc | media.RTX_SSRC, media.RTX_PAYLOAD_TYPES[payload_type]
            sequence = take_numbers(self._rtx_sequence, stream)
        rtp.write_headers(
            data,
            payload_type=payload_type,
            marker=self._plan.marker[index],
            sequence=sequence & 0xFFFF,
            timestamp=self._plan.timestamp[index],
            ssrc=ssrc,
        )
        payload = media.payloads(data, rtx=rtx)
        payload["magic"], payload["kind"] = media.MAGIC, media.MEDIA
        payload["index"], payload["token"] = index, self._token
        payload["t1"] = self._rows["sent_ns"][keys]
        payload["t2"] = self.rtt_ns
        payload["check"] = media.checksums(data, rtx=rtx)
        return Batch(data, size, leave, np.zeros((len(keys), ADDRESS_BYTES), np.uint8))

    def _retransmissions(self, until_ns: int) -> Batch:
        due = self._rtx_at <= until_ns
        if not due.any():
            return empty_batch()
        keys, leave = self._rtx_key[due], self._rtx_at[due]
        self._rtx_key, self._rtx_at = self._rtx_key[~due], self._rtx_at[~due]
        self._rows["up_retransmissions"][keys] += 1
        self.counts.retransmissions_sent += len(keys)
        return self._build(keys, leave, rtx=True)

    # receiving

    def receive(self, batch: Batch) -> None:
        header = rtp.read_headers(batch.data, batch.size)
        control = rtcp.is_rtcp(batch.data, batch.size)
        if control.any():
            self._take_nacks(batch.take(control))
        stream = (header.ssrc & media.SLOT_MASK).astype(np.int64) - (self._ssrc_base & media.SLOT_MASK)
        prefix = header.ssrc & ~np.uint32(media.SLOT_MASK | media.RTX_SSRC)
        ours = header.valid & ~control & (stream >= 0) & (stream < self._spec.calls)
        ours &= prefix == (self._ssrc_base & ~media.SLOT_MASK | media.DOWN_SSRC)
        self.counts.strays += len(ours) - int(np.count_nonzero(ours | control))
        repair = (header.ssrc & media.RTX_SSRC) != 0
        for rtx in (False, True) if repair.any() else (False,):
            rows = np.flatnonzero(ours & (repair == rtx))
            if len(rows):
                chosen = batch if len(rows) == len(ours) else batch.take(rows)
                self._take_reflections(chosen, stream[rows], rtx=rtx)

    def _take_reflections(self, batch: Batch, stream: NDArray[np.int64], *, rtx: bool) -> None:
        wide = media.MIN_PACKET_BYTES + (rtp.OSN_BYTES if rtx else 0)
        if batch.data.shape[1] < wide:
            self.counts.corrupt += len(batch.size)
            return
        payload = media.payloads(batch.data, rtx=rtx)
        index = payload["index"].astype(np.int64)
        good = (payload["magic"] == media.MAGIC) & (payload["kind"] == media.REFLECTION)
        good &= (payload["token"] == self._token) & (index < self._packets) & (batch.size >= wide)
        good &= (payload["reflected"] < self._packets) & (
            payload["check"] == media.checksums(batch.data, rtx=rtx)
        )
        if not good.all():
            self.counts.corrupt += int((~good).sum())
            batch, stream, index, payload = batch.take(good), stream[good], index[good], payload[good]
            if not len(index):
                return
        self.counts.policed = int(payload["policed"][-1])
        self.counts.node_socket_dropped = int(payload["socket_dropped"][-1])
        sequence = payload["reflected"].astype(np.int64)
        keys = stream * self._packets + index
        self._note_node_times(keys, payload, sequence)
        if rtx:
            self._take_repairs(keys, batch.time_ns)
        else:
            self._take_originals(keys, batch, payload)
        if self._nack:
            self._nack.on_received(stream, sequence, batch.time_ns, repair=rtx)

    def _note_node_times(
        self, keys: NDArray[np.int64], payload: NDArray[np.void], sequence: NDArray[np.int64]
    ) -> None:
        rows = self._rows
        rows["node_received_ns"][keys] = payload["t2"]
        rows["node_sent_ns"][keys] = payload["t3"]
        rows["down_seq"][keys] = sequence
        kernel = (payload["flags"] & media.KERNEL_T2) != 0
        rows["stamps"][keys] |= np.where(kernel, Stamp.NODE_RECEIVED, 0).astype(np.uint8)

    def _take_originals(self, keys: NDArray[np.int64], batch: Batch, payload: NDArray[np.void]) -> None:
        rows = self._rows
        first = rows["received_ns"][keys] == NEVER
        first &= first_occurrences(keys)
        again = keys[~first]
        if len(again):
            count_up(rows["down_duplicates"], again)
        keys, arrived = keys[first], batch.time_ns[first]
        if not len(keys):
            return
        rows["received_ns"][keys] = arrived
        if batch.kernel_stamped:
            rows["stamps"][keys] |= np.uint8(Stamp.RECEIVED)
        held = payload["t3"][first].astype(np.int64) - payload["t2"][first].astype(np.int64)
        sample = int(np.mean(arrived - rows["sent_ns"][keys] - held))
        # RFC 6298 2.3, alpha = 1/8.
        self.rtt_ns = max(sample if not self.rtt_ns else (7 * self.rtt_ns + sample) // 8, 1)
        if self._nack:
            self._nack.rtt_ns = self.rtt_ns

    def _take_repairs(self, keys: NDArray[np.int64], time_ns: Times) -> None:
        rows = self._rows
        count_up(rows["down_retransmissions"], keys)
        unrepaired = rows["down_repaired_ns"][keys] == NEVER
        # Assigned backwards, so that the first of several copies stays.
        rows["down_repaired_ns"][keys[unrepaired][::-1]] = time_ns[unrepaired][::-1]
        rows["down_repair"][keys] = 1

    def _take_nacks(self, batch: Batch) -> None:
        row, ssrc, lost = rtcp.parse_nacks(batch.data, batch.size)
        stream = ssrc.astype(np.int64) - self._ssrc_base
        known = (stream >= 0) & (stream < self._spec.calls)
        if self._rtx_last is None or not known.any():
            return
        stream, time_ns = stream[known], batch.time_ns[row[known]]
        highest = self._sent_highest[stream]
        behind = (highest - lost[known].astype(np.int64)) & 0xFFFF
        index = highest - behind
        keys = stream * self._packets + np.maximum(index, 0)
        rtt_ns = max(self.rtt_ns, 1)
        # libwebrtc's history: not twice within a round trip, not older than max(1 s, 3 RTT).
        last, sent = self._rtx_last[keys], self._rows["sent_ns"][keys]
        fresh = (index >= 0) & (sent != NEVER) & ((last == NEVER) | (time_ns - last >= rtt_ns))
        fresh &= (time_ns - sent <= max(1_000_000_000, 3 * rtt_ns)) & (
            self._rows["up_retransmissions"][keys] < MAX_RETRANSMISSIONS
        )
        self.counts.nacks_received += len(np.unique(row))
        keys, at = np.unique(keys[fresh], return_index=True)
        at_ns = time_ns[fresh][at]
        self._rtx_last[keys] = at_ns
        self._rtx_key = np.concatenate([self._rtx_key, keys])
        self._rtx_at = np.concatenate([self._rtx_at, at_ns])
