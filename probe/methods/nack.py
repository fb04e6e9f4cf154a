"""Which packets to ask for again, and when (RFC 4585 6.2.1, with libwebrtc's timing).

A missing packet is asked for at once when a later one reveals it, then after a round trip each, on a timer that
ticks every 20 ms, ten times at most. The state is arrays over all streams of a session; nothing runs once a packet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import FOREVER, Batch, empty_batch, no_address
from probe.metrics import Times
from probe.wire import rtcp

DEFAULT_RTT_NS = 100_000_000
"""Until the round trip is known, as libwebrtc assumes."""
MAX_RETRIES = 10
MAX_AGE_NS = 2_000_000_000
"""After T_max a repair no longer counts."""
MIN_RETRY_NS = 5_000_000
TICK_NS = 20_000_000
"""libwebrtc looks so often whether a round trip has passed since it asked. That also keeps a request from coming a
hair before the sender, who repeats a packet once a round trip by its own estimate, would heed it."""


class NackList:
    """The missing packets of the streams of one session, as their receiver sees them.

    `packets`: how many each stream has in all. Stream i is asked for in the name of `sender_ssrc + i`
    about `media_ssrc + i`. `rtt_ns` may be set as it becomes known.
    """

    def __init__(self, streams: int, packets: int, *, sender_ssrc: int, media_ssrc: int) -> None:
        self.rtt_ns = DEFAULT_RTT_NS
        self.sent = 0
        self._sender_ssrc, self._media_ssrc = sender_ssrc, media_ssrc
        self._packets = packets
        self._highest = np.full(streams, -1, np.int64)
        self._seen = np.zeros(streams * packets, np.bool_)
        self._key: NDArray[np.int64] = np.zeros(0, np.int64)
        self._due: Times = np.zeros(0, np.int64)
        self._since: Times = np.zeros(0, np.int64)
        self._tries: NDArray[np.int64] = np.zeros(0, np.int64)
        self._next_ns = FOREVER

    def on_received(
        self,
        stream: NDArray[np.int64],
        sequence: NDArray[np.int64],
        time_ns: Times,
        before: NDArray[np.int64] | None = None,
        *,
        repair: bool = False,
    ) -> None:
        """Take arrivals (extended sequence numbers, in arrival order); a repair reveals no gap. `before` is
        `occurrences(stream)`; it need not be told of a repair."""
        if not len(stream):
            return
        self._seen[stream * self._packets + sequence] = True
        if not repair:
            expected = self._highest[stream] + 1
            if before is not None:
                expected += before
            if np.count_nonzero(sequence != expected):
                self._advance(stream, sequence, time_ns)
            elif before is None:
                self._highest[stream] = sequence
            else:
                np.maximum.at(self._highest, stream, sequence)
        if len(self._key):
            self._keep(~self._seen[self._key])

    def on_absent(
        self, stream: NDArray[np.int64], sequence: NDArray[np.int64], absent: NDArray[np.int64]
    ) -> None:
        """The `absent` packets before each of these were never sent: there is nothing to ask for."""
        absent = np.minimum(absent, sequence)
        first = stream * self._packets + sequence - absent
        within = np.arange(absent.sum()) - np.repeat(np.cumsum(absent) - absent, absent)
        self._seen[np.repeat(first, absent) + within] = True

    def on_one_received(self, stream: int, sequence: int, time_ns: int) -> None:
        """`on_received` of one packet that is no repair."""
        self._seen[stream * self._packets + sequence] = True
        before = int(self._highest[stream])
        if sequence > before:
            self._highest[stream] = sequence
            if sequence > before + 1:
                start, gap = stream * self._packets + before + 1, sequence - before - 1
                self._reveal(np.array([start]), np.array([gap]), np.array([time_ns]))
        elif len(self._key):
            self._keep(~self._seen[self._key])

    def _advance(self, stream: NDArray[np.int64], sequence: NDArray[np.int64], time_ns: Times) -> None:
        """Each arrival that jumps ahead of all before it reveals a gap, at its own time."""
        order = np.argsort(stream, kind="stable")
        of, time_ns = stream[order], time_ns[order]
        begin = of * self._packets + self._highest[of]
        key = of * self._packets + sequence[order]
        reached = np.maximum.accumulate(np.maximum(key, begin))
        same = np.r_[False, of[1:] == of[:-1]]
        before = np.where(same, np.r_[0, reached[:-1]], begin)
        np.maximum.at(self._highest, stream, sequence)
        jumped = key > before + 1
        if jumped.any():
            self._reveal(before[jumped] + 1, (key - before - 1)[jumped], time_ns[jumped])

    def _reveal(self, start: NDArray[np.int64], gap: NDArray[np.int64], time_ns: Times) -> None:
        within = np.arange(gap.sum()) - np.repeat(np.cumsum(gap) - gap, gap)
        key = np.repeat(start, gap) + within
        now_ns = np.repeat(time_ns, gap)
        missing = ~self._seen[key]
        key, now_ns = key[missing], now_ns[missing]
        self._key = np.concatenate([self._key, key])
        self._due = np.concatenate([self._due, now_ns])
        self._since = np.concatenate([self._since, now_ns])
        self._tries = np.concatenate([self._tries, np.zeros(len(key), np.int64)])
        self._note_next()

    def _keep(self, rows: NDArray[np.bool_]) -> None:
        if not rows.all():
            self._key, self._due = self._key[rows], self._due[rows]
            self._since, self._tries = self._since[rows], self._tries[rows]
            self._note_next()

    def _note_next(self) -> None:
        self._next_ns = int(self._due.min()) if len(self._due) else FOREVER

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        """Generic NACKs for all that is due: one for what a stream misses at the same moment, which for all that
        was due before is `now_ns`."""
        if self._next_ns > until_ns:
            return empty_batch()
        key, due = self._take_due(until_ns)
        if not len(key):
            return empty_batch()
        leave, moment = np.unique(np.maximum(due, now_ns), return_inverse=True)
        asked, group = np.unique(key // self._packets * len(leave) + moment, return_inverse=True)
        streams, moment = np.divmod(asked, len(leave))
        data, size = rtcp.encode_nacks(
            (self._sender_ssrc + streams).astype(np.uint32),
            (self._media_ssrc + streams).astype(np.uint32),
            group,
            (key % self._packets & 0xFFFF).astype(np.uint16),
        )
        self.sent += len(streams)
        return Batch(data, size, leave[moment], no_address(len(streams))).in_order()

    def _take_due(self, until_ns: int) -> tuple[NDArray[np.int64], Times]:
        """Keys (stream, sequence) to ask for now, ascending, and when each was due."""
        self._keep((self._tries < MAX_RETRIES) & (until_ns - self._since <= MAX_AGE_NS))
        rows = np.flatnonzero(self._due <= until_ns)
        rows = rows[np.argsort(self._key[rows], kind="stable")]
        key, due = self._key[rows], self._due[rows]
        retry_ns = max(self.rtt_ns, MIN_RETRY_NS)
        again_ns = np.where(until_ns - due < retry_ns, due, until_ns) + retry_ns
        self._due[rows] = -(-again_ns // TICK_NS) * TICK_NS
        self._tries[rows] += 1
        self._note_next()
        return key, due

    def next_ns(self) -> int:
        """When `packets_to_send` next has something, or FOREVER."""
        return self._next_ns
