"""The session sender's side of RTP media: send on schedule, take reflections, repair both ways.

Writes all it sees into `rows` (metrics.RUNNING, or SAMPLE), which may live in shared memory: another
process reads along while this one measures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.methods.arrays import LastTimes, first_occurrences, occurrences, take_numbers
from probe.methods.arrivals import Arrivals, ClientCounts
from probe.methods.batch import ALONE, Batch, empty_batch, join, no_address
from probe.methods.nack import NackList
from probe.methods.packet_source import PacketSource
from probe.methods.protection import UNPROTECTED, Protection, Protector, Restorer
from probe.methods.running import Running
from probe.methods.schedule import Schedule, StreamSpec
from probe.metrics import NEVER, Repair, Rows, Stamp, Times, Unsent
from probe.wire import media, rtcp, rtp

MAX_RETRANSMISSIONS = 10
HISTORY_NS = 1_000_000_000
"""libwebrtc's history of sent packets reaches back so far, or three round trips."""
_NEVER_BEFORE = 1 << 62
_SENT = np.uint8(Stamp.SENT)


class MediaClient:
    """Sends `plan` on `spec.calls` streams from `start_ns` on and records each packet in `rows`.

    `passing`: its carrier holds no packet longer than until it asks for the next (PacketSource).
    """

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
        protection: Protection = UNPROTECTED,
        passing: bool = False,
    ) -> None:
        self.counts = ClientCounts()
        self.start_ns = start_ns
        self._rows, self._streams = rows, spec.calls
        self._sent_ns, self._stamps = rows["sent_ns"], rows["stamps"]
        Running(rows, plan, start_ns).write_schedule()
        self._half_ns = spec.interval_ns // 2
        self._ssrc_base, self._down_ssrc = ssrc_base, ssrc_base | media.DOWN_SSRC
        self._source = PacketSource(
            spec,
            plan,
            ssrc_base=ssrc_base,
            token=token,
            start_ns=start_ns,
            passing=passing and not protection,
        )
        self._leaving: NDArray[np.int64] = np.zeros(0, np.int64)
        self._unsent = 0
        # Packets of each stream that were skipped since the last one that was not.
        self._absent = np.zeros(spec.calls, np.int64)
        self._untold = 0  # the sum of them
        self._nack = (
            NackList(spec.calls, plan.packets, sender_ssrc=ssrc_base, media_ssrc=self._down_ssrc)
            if nack
            else None
        )
        self._arrivals = Arrivals(
            rows,
            streams=spec.calls,
            packets=plan.packets,
            token=int.from_bytes(token[:4], "big"),
            media_ssrc=self._down_ssrc,
            nack=self._nack,
            counts=self.counts,
        )
        self._protector = Protector(protection, spec.calls, ssrc_base, self.counts) if protection else None
        self._restorer = (
            Restorer(protection, spec.calls, self._down_ssrc, self.counts) if protection else None
        )
        self._rtx_key: NDArray[np.int64] = np.zeros(0, np.int64)
        self._rtx_at: Times = np.zeros(0, np.int64)
        self._rtx_last = LastTimes()
        self._rtx_sequence = np.zeros(spec.calls, np.int64)
        self._rtx_type = media.RTX_PAYLOAD_TYPES[spec.payload_type]

    @property
    def rtt_ns(self) -> int:
        """The smoothed round trip; 0 before the first."""
        return self._arrivals.rtt_ns

    # sending

    @property
    def all_sent(self) -> bool:
        """Whether every scheduled packet has left or been given up."""
        return self._source.exhausted

    @property
    def unreached(self) -> NDArray[np.int64]:
        """Rows whose turn has not come."""
        return self._source.unreached()

    @property
    def sent(self) -> int:
        """How many rows have had their turn."""
        return self._source.place

    @property
    def outstanding(self) -> int:
        """Packets that have left and not come back."""
        return self._source.place - self._unsent - self._arrivals.returned

    @property
    def nacks_sent(self) -> int:
        return self._nack.sent if self._nack else 0

    def next_time_ns(self) -> int:
        next_ns = self._source.next_ns()
        if self._nack:
            next_ns = min(next_ns, self._nack.next_ns())
        if len(self._rtx_at):
            next_ns = min(next_ns, int(self._rtx_at.min()))
        return next_ns

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        batch = self._media(now_ns, until_ns)
        if self._protector and batch.tag is not None:
            index, stream = np.divmod(batch.tag, self._streams)
            batch = self._protector.protect(batch, stream, index)
        if self._nack is None:
            return batch
        if not len(self._rtx_at) and self._nack.next_ns() > until_ns:
            return batch
        return join([batch, self._retransmissions(until_ns), self._nack.packets_to_send(now_ns, until_ns)])

    def on_leaving(self, now_ns: int) -> None:
        """Correct the leaving time of the media just handed out: a carrier's last act before the send."""
        self._rows["sent_ns"][self._leaving] = now_ns

    def on_transmitted(self, tag: NDArray[np.int64], time_ns: Times) -> None:
        self._sent_ns[tag] = time_ns
        self._stamps[tag] |= _SENT

    def on_refused(self, tag: NDArray[np.int64]) -> None:
        """The system would not take these: they have not been sent, and that is our host's doing."""
        rows = tag[tag >= 0]
        self._rows["sent_ns"][rows] = NEVER
        self._rows["unsent"][rows] = Unsent.HOST_LATE
        self._unsent += len(rows)

    @property
    def leaving(self) -> NDArray[np.int64]:
        """The rows of the media packets handed out last, in order."""
        return self._leaving

    def _media(self, now_ns: int, until_ns: int) -> Batch:
        # A packet later than half an interval is skipped and counted: catching up with a
        # burst would measure a path that the schedule does not load.
        if self._source.next_ns() < now_ns - self._half_ns:
            skipped = self._source.skip(now_ns - self._half_ns)
            self._rows["unsent"][skipped] = Unsent.HOST_LATE
            self._unsent += len(skipped)
            np.add.at(self._absent, skipped % self._streams, 1)
            self._untold += len(skipped)
        place = self._source.place
        batch = self._source.take(now_ns, until_ns, self.rtt_ns)
        if self._untold and batch.tag is not None:
            self._tell_absent(batch.data, batch.tag % self._streams)
        self._leaving = batch.tag if batch.tag is not None else np.zeros(0, np.int64)
        if self._source.in_order:
            self._sent_ns[place : self._source.place] = batch.time_ns
        else:
            self._sent_ns[self._leaving] = batch.time_ns
        return batch

    def _tell_absent(self, data: NDArray[np.uint8], stream: NDArray[np.int64]) -> None:
        """Let the first packets after skipped ones say so, lest the node should ask for those."""
        told = np.flatnonzero(self._absent[stream])
        if not len(told):
            return
        first = told[first_occurrences(stream[told])]
        words = media.word_view(data[first])
        absent = self._absent[stream[first]]
        words[:, media.W_REFLECTED] = absent
        words[:, media.W_CHECK] += absent.astype(np.uint32)
        media.word_view(data)[first] = words
        self._absent[stream[first]] = 0
        self._untold -= int(absent.sum())

    def _retransmissions(self, until_ns: int) -> Batch:
        if not len(self._rtx_at) or not (due := self._rtx_at <= until_ns).any():
            return empty_batch()
        keys, leave = self._rtx_key[due], self._rtx_at[due]
        self._rtx_key, self._rtx_at = self._rtx_key[~due], self._rtx_at[~due]
        self._rows["up_retransmissions"][keys] += 1
        copies = self._repeat(keys, leave)
        self.counts.retransmissions_sent += len(keys)
        self.counts.retransmission_bytes += int(copies.size.sum())
        return copies

    def _repeat(self, keys: NDArray[np.int64], leave: Times) -> Batch:
        """RTX copies of the packets of `keys` as they were sent (RFC 4588 4)."""
        copies = self._source.make(keys)
        words = media.read_words(copies.data)
        stream = keys % self._streams
        sequence = take_numbers(self._rtx_sequence, stream, occurrences(stream)) & 0xFFFF
        original = words[:, media.W_START] & 0xFFFF
        marker = words[:, media.W_START] & 0x80_0000
        words[:, media.W_START] = rtp.VERSION << 24 | marker | self._rtx_type << 16 | sequence
        words[:, media.W_SSRC] |= media.RTX_SSRC
        media.write_time(words, media.W_T1, self._rows["sent_ns"][keys])
        media.write_time(words, media.W_T2, np.full(len(keys), self.rtt_ns))
        words[:, media.W_CHECK] = media.word_sums(words)
        media.word_view(copies.data)[:] = words
        data = rtp.encapsulate(copies.data, original)
        return Batch(data, copies.size + rtp.OSN_BYTES, leave, no_address(len(keys)))

    # receiving

    def receive(self, batch: Batch) -> None:
        if self._restorer is None or not len(batch.size):
            self._receive(batch)
            return
        found = self._restorer.restore(batch)
        for plain in found.plain:
            self._receive(plain)
        if len(found.copies.size):
            self._arrivals.take_copies(found.copies)
        self.counts.corrupt += found.broken

    def _receive(self, batch: Batch) -> None:
        words = media.read_words(batch.data)
        if not len(words):
            return
        if len(words) == ALONE:
            (numbers,) = words.tolist()
            of = numbers[media.W_SSRC] - self._down_ssrc
            if rtp.is_one_media(numbers[0]) and 0 <= of < self._streams:
                self._arrivals.take_one(batch, numbers, of)
                return
        stream = words[:, media.W_SSRC] - np.uint32(self._down_ssrc)
        ours = rtp.is_media(words[:, 0]) & (stream < self._streams)
        if ours.all():
            if not self._arrivals.take_usual(batch, words, stream.astype(np.int64)):
                self._arrivals.take(batch, words, stream.astype(np.int64))
            return
        control = rtcp.is_rtcp(batch.data, batch.size)
        if control.any():
            self._take_nacks(batch.take(control))
        if ours.any():
            self._arrivals.take(batch.take(ours), words[ours], stream[ours].astype(np.int64))
        stream -= np.uint32(media.RTX_SSRC)
        repair = rtp.is_media(words[:, 0]) & (stream < self._streams)
        self.counts.strays += len(ours) - int(np.count_nonzero(ours | repair | control))
        if repair.any():
            copies = batch.take(repair)
            copies = copies._replace(data=rtp.decapsulate(copies.data), size=copies.size - rtp.OSN_BYTES)
            words = media.read_words(copies.data)
            self._arrivals.take(copies, words, stream[repair].astype(np.int64), Repair.RTX)

    def _take_nacks(self, batch: Batch) -> None:
        row, ssrc, lost = rtcp.parse_nacks(batch.data, batch.size)
        stream = ssrc.astype(np.int64) - self._ssrc_base
        known = (stream >= 0) & (stream < self._streams)
        if self._nack is None or not known.any():
            return
        self.counts.nacks_received += len(np.unique(row))
        stream, time_ns = stream[known], batch.time_ns[row[known]]
        highest = self._source.highest()[stream]
        index = highest - ((highest - lost[known].astype(np.int64)) & 0xFFFF)
        keys = np.maximum(index, 0) * self._streams + stream
        rtt_ns = max(self.rtt_ns, 1)
        history_ns = max(HISTORY_NS, 3 * rtt_ns)
        sent = self._rows["sent_ns"][keys]
        # Not twice within a round trip, and nothing that is no longer in the history.
        fresh = (index >= 0) & (sent != NEVER) & (time_ns - sent <= history_ns)
        fresh &= self._rtx_last.since(keys, time_ns, _NEVER_BEFORE) >= rtt_ns
        fresh &= self._rows["up_retransmissions"][keys] < MAX_RETRANSMISSIONS
        keys, at = np.unique(keys[fresh], return_index=True)
        at_ns = time_ns[fresh][at]
        if len(keys):
            self._rtx_last.note(keys, at_ns, int(at_ns.min()) - 2 * history_ns)
        self._rtx_key = np.concatenate([self._rtx_key, keys])
        self._rtx_at = np.concatenate([self._rtx_at, at_ns])
