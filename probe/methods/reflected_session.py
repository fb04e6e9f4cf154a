"""One media session as its reflector keeps it: what arrived, what is missing, what goes back."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from probe.methods.arrays import (
    ascending,
    counted,
    distinct,
    first_occurrences,
    in_turns,
    mark,
    occurrences,
    repeats,
)
from probe.methods.batch import ADDRESS_BYTES, FOREVER, Batch, all_from, empty_batch, join
from probe.methods.nack import NackList
from probe.methods.protection import UNPROTECTED, Protection, Restorer
from probe.methods.reflections import Downstream, NodeCounts
from probe.metrics import NEVER, Repair, Times
from probe.wire import log, media, rtp

POLICE_FACTOR = 4
POLICE_BURST_SECONDS = 5
"""Policing is far above the contract (admission was at negotiation), so that it never looks like loss:
bunched packets after a hold of seconds still pass."""
_MAX_RTT_NS = 10_000_000_000


class _Taker(Protocol):
    def __call__(
        self, batch: Batch, words: NDArray[np.uint32], stream: NDArray[np.int64], *, repair: bool
    ) -> None: ...


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
        protection: Protection = UNPROTECTED,
    ) -> None:
        self.number, self.token = number, token
        self.counts = NodeCounts()
        self.dropped_before = 0  # of the node's socket, when this session began
        self.slots = slice(ssrc_base & media.SLOT_MASK, (ssrc_base & media.SLOT_MASK) + streams)
        self._ssrc_base, self._streams, self._packets = ssrc_base, streams, packets
        self._short_token = int.from_bytes(token[:4], "big")
        self._expected = media.expectation(media.MEDIA_KIND, self._short_token)
        self._rate_pps = rate_pps
        self._first_ns = NEVER
        self._arrived = 0
        self._address = np.zeros(ADDRESS_BYTES, np.uint8)
        self._bound: bytes | None = None
        self._seen = np.zeros(streams * packets, np.bool_)
        self._log = log_rows
        self._columns = {name: log_rows[name] for name in log.LOG.names or ()}
        self._nack = (
            NackList(streams, packets, sender_ssrc=ssrc_base | media.DOWN_SSRC, media_ssrc=ssrc_base)
            if nack
            else None
        )
        self._down = (
            None
            if one_way
            else Downstream(
                ssrc_base=ssrc_base,
                streams=streams,
                packets=packets,
                token=self._short_token,
                log_rows=log_rows,
                counts=self.counts,
                protection=protection,
            )
        )
        self._restorer = Restorer(protection, streams, ssrc_base, self.counts) if protection else None
        # Packets of which a copy by RED or parity is in the log: one is enough.
        self._copied = np.zeros(streams * packets if protection else 0, np.bool_)

    def bind(self, address: NDArray[np.uint8]) -> None:
        """Take media from, and send to, this address only (a later bind moves it: NAT rebinding)."""
        self._address, self._bound = address.copy(), address.tobytes()

    def next_time_ns(self) -> int:
        nack_ns = self._nack.next_ns() if self._nack and self._bound else FOREVER
        return self._down.next_time_ns(nack_ns) if self._down else nack_ns

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        """Reflections of what arrived, then requests for what is missing upstream."""
        out = self._down.packets_to_send(now_ns) if self._down else []
        if self._nack and self._bound and self._nack.next_ns() <= until_ns:
            nacks = self._nack.packets_to_send(now_ns, until_ns)
            out.append(nacks._replace(address=np.tile(self._address, (len(nacks.size), 1))))
        return join(out)

    def on_transmitted(self, log_row: NDArray[np.int64], time_ns: Times) -> None:
        """The kernel's word for when reflections left."""
        if self._down:
            self._down.on_transmitted(log_row, time_ns)

    # upstream

    def receive_one(self, batch: Batch, words: list[int]) -> int:
        """`receive` of a batch of one."""
        stream = words[media.W_SSRC] - self._ssrc_base
        if self._restorer or not 0 <= stream < self._streams or batch.address[0].tobytes() != self._bound:
            return self.receive(batch, np.array([words], np.uint32))
        if not self._police(batch.time_ns):
            self.counts.policed += 1
            return 0
        index = words[media.W_INDEX]
        if (
            words[media.W_KIND] & 0xFFFFFF00 != media.MEDIA_KIND
            or words[media.W_TOKEN] != self._short_token
            or index >= self._packets
            or batch.size[0] < media.MIN_PACKET_BYTES
            or not media.intact_one(batch.data, words)
        ):
            self.counts.corrupt += 1
            return 0
        self._take_one(batch, words, stream, index)
        return 0

    def _take_one(self, batch: Batch, words: list[int], stream: int, index: int) -> None:
        key, time_ns = index * self._streams + stream, int(batch.time_ns[0])
        duplicate = bool(self._seen[key])
        self._seen[key] = True
        if self._nack:
            self._note_rtt(words[media.W_T2] << 32 | words[media.W_T2 + 1])
            if absent := words[media.W_REFLECTED]:
                self._nack.on_absent(np.array([stream]), np.array([index]), np.array([absent]))
            self._nack.on_one_received(stream, index, time_ns)
        if duplicate:
            self.counts.duplicates += 1
        else:
            self.counts.received += 1
        row = self.counts.logged
        if row == len(self._log):
            self.counts.log_overflow += 1
            return
        flags = (log.KERNEL_T2 if batch.kernel_stamped else 0) | (log.DUPLICATE if duplicate else 0)
        self._log[row] = (time_ns, NEVER, index, -1, stream, int(batch.size[0]), flags)
        self.counts.logged = row + 1
        if self._down and not duplicate:
            self._down.turn_one_round(batch, words, stream, row)

    def receive(self, batch: Batch, words: NDArray[np.uint32]) -> int:
        """Take packets (and their words, media.read_words) whose SSRC slot is ours; returns how many of
        them were strays."""
        if self._bound is None:
            return len(words)
        if self._restorer:
            return self._receive_protected(self._restorer, batch)
        if self.receive_usual(batch, words):
            return 0
        return self._sort_out(batch, words, self._take_policed)

    def receive_usual(self, batch: Batch, words: NDArray[np.uint32]) -> bool:
        """Take packets of which each is a sound original of ours that has not been seen before, in any order.
        False, and nothing done, for any other batch; `receive` of it does the same, packet for packet."""
        stream = words[:, media.W_SSRC] - np.uint32(self._ssrc_base)
        if (
            np.maximum.reduce(stream) >= self._streams
            or np.maximum.reduce(words[:, media.W_INDEX]) >= self._packets
            or self._restorer
            or not all_from(batch.address, self._bound)
            or not media.all_sound(batch.data, batch.size, words, self._expected)
            or self._allowed(batch.time_ns) < len(words)
        ):
            return False
        return self._take_usual(batch, words, stream.astype(np.int64))

    def _receive_protected(self, restorer: Restorer, batch: Batch) -> int:
        """`receive` of a session whose media carries remedies."""
        mine = (batch.address == self._address).all(axis=1)
        strays = len(mine) - int(np.count_nonzero(mine))
        batch = batch.take(mine) if strays else batch
        passed = self._police(batch.time_ns) if len(batch.size) else 0
        self.counts.policed += len(batch.size) - passed
        if not passed:
            return strays
        found = restorer.restore(batch.take(slice(passed)))
        for plain in found.plain:
            strays += self._sort_out(plain, media.read_words(plain.data), self._take)
        if len(found.copies.size):
            self._take_copies(found.copies)
        self.counts.corrupt += found.broken
        return strays

    def _take_copies(self, batch: Batch) -> None:
        """Log packets that remedies brought (their tags say which) and of which nothing has arrived yet."""
        words = media.read_words(batch.data)
        stream = (words[:, media.W_SSRC] - np.uint32(self._ssrc_base)).astype(np.int64)
        good = (stream < self._streams) & self._good(batch, words)
        index = words[:, media.W_INDEX].astype(np.int64)
        key = np.where(good, index * self._streams + stream, 0)
        good &= ~self._seen[key] & ~self._copied[key]
        good[good] &= first_occurrences(key[good])
        if not good.any():
            return
        batch, stream, index = batch.take(good), stream[good], index[good]
        self._copied[key[good]] = True
        self.counts.repairs += len(index)
        assert batch.tag is not None
        flags = np.where(batch.tag == Repair.RED, np.uint8(log.RED), np.uint8(log.FEC))
        self._append(batch, stream, index, flags)
        if self._nack:
            self._nack.on_received(stream, index, batch.time_ns, repair=True)

    def _sort_out(self, batch: Batch, words: NDArray[np.uint32], take: _Taker) -> int:
        """Give media and retransmissions to `take`; returns how many were neither."""
        stream = words[:, media.W_SSRC] - np.uint32(self._ssrc_base)
        mine = (batch.address == self._address).all(axis=1)
        ours = (stream < self._streams) & mine
        if ours.any():
            take(batch.take(ours), words[ours], stream[ours].astype(np.int64), repair=False)
        stream -= np.uint32(media.RTX_SSRC)
        repair = (stream < self._streams) & mine
        if repair.any():
            copies = batch.take(repair)
            copies = copies._replace(data=rtp.decapsulate(copies.data), size=copies.size - rtp.OSN_BYTES)
            take(copies, media.read_words(copies.data), stream[repair].astype(np.int64), repair=True)
        return len(ours) - int(np.count_nonzero(ours | repair))

    def _take_policed(
        self, batch: Batch, words: NDArray[np.uint32], stream: NDArray[np.int64], *, repair: bool
    ) -> None:
        passed = self._police(batch.time_ns)
        if passed < len(words):
            self.counts.policed += len(words) - passed
            batch, words, stream = batch.take(slice(passed)), words[:passed], stream[:passed]
            if not passed:
                return
        self._take(batch, words, stream, repair=repair)

    def _police(self, time_ns: Times) -> int:
        """How many of these packets are within the session's allowance."""
        passed = min(len(time_ns), max(self._allowed(time_ns), 0))
        self._arrived += passed
        return passed

    def _allowed(self, time_ns: Times) -> int:
        if self._first_ns == NEVER:
            self._first_ns = int(time_ns[0])
        elapsed = max(int(time_ns[-1]) - self._first_ns, 0) / 1e9 + POLICE_BURST_SECONDS
        return int(POLICE_FACTOR * self._rate_pps * elapsed) - self._arrived

    def _take(
        self, batch: Batch, words: NDArray[np.uint32], stream: NDArray[np.int64], *, repair: bool
    ) -> None:
        good = self._good(batch, words)
        if not good.all():
            self.counts.corrupt += len(good) - int(np.count_nonzero(good))
            batch, stream, words = batch.take(good), stream[good], words[good]
            if not len(stream):
                return
        if not repair:
            self._take_originals(batch, words, stream)
            return
        index = words[:, media.W_INDEX].astype(np.int64)
        self.counts.repairs += len(index)
        whole = batch._replace(size=batch.size + rtp.OSN_BYTES)
        self._append(whole, stream, index, log.RTX)
        if self._nack:
            self._nack.on_received(stream, index, batch.time_ns, repair=True)

    def _take_usual(self, batch: Batch, words: NDArray[np.uint32], stream: NDArray[np.int64]) -> bool:
        index = words[:, media.W_INDEX].astype(np.int64)
        key = index * self._streams
        key += stream
        start, end = self.counts.logged, self.counts.logged + len(key)
        if end > len(self._log) or np.count_nonzero(self._seen[key]):
            return False
        if ascending(key):
            before = in_turns(stream, index, self._streams)
        else:
            again, first = repeats(stream)
            if len(again) and not (np.all(key[again] != key[first]) and distinct(key[again])):
                return False
            before = counted(stream, again)
        self._seen[key] = True
        self._arrived += len(key)
        self.counts.received += len(key)
        self._tell_nack(batch, words, stream, index, before)
        rows = self._columns
        rows["t2"][start:end], rows["size"][start:end] = batch.time_ns, batch.size
        rows["index"][start:end], rows["stream"][start:end] = index, stream
        rows["flags"][start:end] = log.KERNEL_T2 if batch.kernel_stamped else 0
        self.counts.logged = end
        if self._down:
            self._down.turn_round(batch, words, stream, before, slice(start, end))
        else:
            rows["t3"][start:end], rows["down_seq"][start:end] = NEVER, -1
        return True

    def _tell_nack(
        self,
        batch: Batch,
        words: NDArray[np.uint32],
        stream: NDArray[np.int64],
        index: NDArray[np.int64],
        before: NDArray[np.int64] | None,
    ) -> None:
        """Originals have arrived."""
        if not self._nack:
            return
        self._note_rtt(int(words[-1, media.W_T2]) << 32 | int(words[-1, media.W_T2 + 1]))
        absent = words[:, media.W_REFLECTED]
        if np.count_nonzero(absent):
            self._nack.on_absent(stream, index, absent.astype(np.int64))
        self._nack.on_received(stream, index, batch.time_ns, before)

    def _good(self, batch: Batch, words: NDArray[np.uint32]) -> NDArray[np.bool_]:
        good: NDArray[np.bool_] = words[:, media.W_KIND] & 0xFFFFFF00 == media.MEDIA_KIND
        good &= words[:, media.W_TOKEN] == self._short_token
        good &= words[:, media.W_INDEX] < self._packets
        good &= batch.size >= media.MIN_PACKET_BYTES
        good &= media.intact(batch.data, words)
        return good

    def _take_originals(self, batch: Batch, words: NDArray[np.uint32], stream: NDArray[np.int64]) -> None:
        index = words[:, media.W_INDEX].astype(np.int64)
        key = index * self._streams + stream
        before = occurrences(stream)
        known = mark(self._seen, key)
        duplicates = int(np.count_nonzero(known))
        self.counts.received += len(key) - duplicates
        self.counts.duplicates += duplicates
        self._tell_nack(batch, words, stream, index, before)
        flags = np.where(known, np.uint8(log.DUPLICATE), np.uint8(0)) if duplicates else 0
        start = self._append(batch, stream, index, flags)
        if start is None or duplicates == len(key) or not self._down:
            return
        log_row = np.arange(start, start + len(key))
        if duplicates:
            fresh = ~known
            batch, words, stream, log_row = batch.take(fresh), words[fresh], stream[fresh], log_row[fresh]
            before = occurrences(stream)
        self._down.turn_round(batch, words, stream, before, log_row)

    def _note_rtt(self, rtt_ns: int) -> None:
        """The client's estimate rides in its packets."""
        if self._nack and 0 < rtt_ns < _MAX_RTT_NS:
            self._nack.rtt_ns = rtt_ns

    def _append(
        self,
        batch: Batch,
        stream: NDArray[np.int64],
        index: NDArray[np.int64],
        flags: NDArray[np.uint8] | int,
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

    def retransmit(
        self, ssrc: NDArray[np.uint32], lost: NDArray[np.uint16], time_ns: Times, address: NDArray[np.uint8]
    ) -> Batch:
        """Answer a NACK for our downstream with RTX copies of what was sent, as it was sent."""
        stream = (ssrc & ~np.uint32(media.DOWN_SSRC)).astype(np.int64) - self._ssrc_base
        ours = (stream >= 0) & (stream < self._streams) & ((ssrc & media.DOWN_SSRC) != 0)
        ours &= (address == self._address).all(axis=1)
        if self._down is None or self._bound is None or not ours.any():
            return empty_batch()
        self.counts.nacks_received += int(np.count_nonzero(ours))
        rtt_ns = self._nack.rtt_ns if self._nack else 0
        return self._down.retransmit(
            stream[ours], lost[ours].astype(np.int64), time_ns[ours], self._address, rtt_ns
        )
