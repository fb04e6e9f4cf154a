"""Reflections that come back to the session sender, written into its rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.methods.arrays import ascending, count_up, first_occurrences, last_rows, occurrences, repeats
from probe.methods.batch import Batch
from probe.methods.nack import NackList
from probe.methods.protection import RepairCounts
from probe.metrics import NEVER, Repair, Rows, Stamp, Times
from probe.wire import media

_RECEIVED, _NODE_SENT = int(Stamp.RECEIVED), int(Stamp.NODE_SENT)


@dataclass(slots=True)
class ClientCounts(RepairCounts):
    """What is counted beside the rows."""

    corrupt: int = 0
    strays: int = 0
    nacks_received: int = 0
    policed: int = 0
    node_socket_dropped: int = 0


class Arrivals:
    """Takes packets that carry the right SSRC, `media_ssrc` and the following; `rows` are in the order of
    methods.running.Running, `packets` a stream.

    `rtt_ns` is the smoothed round trip, 0 before the first. What of a downstream is missing, `nack` is told.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        streams: int,
        packets: int,
        token: int,
        media_ssrc: int,
        nack: NackList | None,
        counts: ClientCounts,
    ) -> None:
        self.rtt_ns = 0
        self.returned = 0
        """Packets of which a first transmission has come back."""
        self._rows, self._streams, self._packets, self._token = rows, streams, packets, token
        self._media_ssrc = media_ssrc
        self._expected = media.expectation(media.REFLECTION_KIND, token)
        self._nack, self._counts = nack, counts
        self._received_ns, self._stamps = rows["received_ns"], rows["stamps"]
        self._node_received_ns, self._node_sent_ns = rows["node_received_ns"], rows["node_sent_ns"]
        self._down_seq, self._sent_ns = rows["down_seq"], rows["sent_ns"]
        # The latest reflection of each stream: the next one may tell when that really left.
        self._last_sequence = np.full(streams, -1, np.int64)
        self._last_key = np.zeros(streams, np.int64)

    def take_one(self, batch: Batch, words: list[int], stream: int) -> None:
        """Take a batch of one reflection."""
        kind, index, token, sequence = words[media.W_KIND : media.W_REFLECTED + 1]
        if (
            kind & 0xFFFFFF00 != media.REFLECTION_KIND
            or token != self._token
            or index >= self._packets
            or sequence >= self._packets
            or batch.size[0] < media.MIN_PACKET_BYTES
            or not media.intact_one(batch.data, words)
        ):
            self._counts.corrupt += 1
            return
        self._note_counters(words[media.W_COUNTERS])
        key, time_ns = index * self._streams + stream, int(batch.time_ns[0])
        arrived = words[media.W_T2] << 32 | words[media.W_T2 + 1]
        left = words[media.W_T3] << 32 | words[media.W_T3 + 1]
        if self._node_sent_ns[key] == NEVER:
            self._node_received_ns[key], self._node_sent_ns[key] = arrived, left
            self._down_seq[key] = sequence
            self._stamps[key] |= (kind & media.KERNEL_T2) << 1 | kind & media.KERNEL_T3
        self._take_told(words, stream)
        self._last_sequence[stream], self._last_key[stream] = sequence, key
        if self._received_ns[key] == NEVER:
            self._received_ns[key] = time_ns
            self.returned += 1
            if batch.kernel_stamped:
                self._stamps[key] |= _RECEIVED
            self._smooth(time_ns - int(self._sent_ns[key]) - (left - arrived))
        else:
            count_up(self._rows["down_duplicates"], np.array([key]))
        if self._nack:
            self._nack.on_one_received(stream, sequence, time_ns)

    def _take_told(self, words: list[int], stream: int) -> None:
        if not words[media.W_KIND] & media.TELLS_T3 or self._last_sequence[stream] != words[media.W_STAMPED]:
            return
        earlier, delta = int(self._last_key[stream]), words[media.W_DELTA]
        if not self._stamps[earlier] & _NODE_SENT:
            self._node_sent_ns[earlier] += delta - (delta >> 31 << 32)
            self._stamps[earlier] |= _NODE_SENT

    def take_usual(self, batch: Batch, words: NDArray[np.uint32], stream: NDArray[np.int64]) -> bool:
        """Take a batch in which nothing is unusual: sound reflections of packets of different streams, in any
        order, of which nothing has been heard yet. False, and nothing done, for any other."""
        index, sequence = words[:, media.W_INDEX], words[:, media.W_REFLECTED]
        if max(np.maximum.reduce(index), np.maximum.reduce(sequence)) >= self._packets:
            return False
        keys = index.astype(np.int64)
        keys *= self._streams
        keys += stream
        if len(repeats(stream)[0]):
            return False
        if np.count_nonzero(self._node_sent_ns[keys] != NEVER):
            return False
        if not media.all_sound(batch.data, batch.size, words, self._expected):
            return False
        self._note_counters(int(words[-1, media.W_COUNTERS]))
        arrived, left = media.read_times(batch.data)
        self._node_received_ns[keys], self._node_sent_ns[keys] = arrived, left
        self._down_seq[keys] = sequence
        flags = words[:, media.W_KIND].astype(np.uint8)
        stamps = _node_stamps(flags)
        if batch.kernel_stamped:
            stamps |= np.uint8(_RECEIVED)
        self._stamps[keys] |= stamps
        if np.count_nonzero(flags & media.TELLS_T3):
            self._take_told_of_each(words, stream, flags)
        self._last_sequence[stream], self._last_key[stream] = sequence, keys
        self._received_ns[keys] = batch.time_ns
        self.returned += len(keys)
        away = batch.time_ns - self._sent_ns[keys]
        away += arrived
        away -= left
        self._smooth(int(np.add.reduce(away)) // len(keys))
        if self._nack:
            self._nack.on_received(stream, sequence.astype(np.int64), batch.time_ns)
        return True

    def _take_told_of_each(
        self, words: NDArray[np.uint32], stream: NDArray[np.int64], flags: NDArray[np.uint8]
    ) -> None:
        """When the reflection before really left rides in this one (two-step); no stream stands twice."""
        earlier = self._last_key[stream]
        tells = self._last_sequence[stream] == words[:, media.W_STAMPED]
        tells &= flags & media.TELLS_T3 != 0
        tells &= self._stamps[earlier] & np.uint8(_NODE_SENT) == 0
        delta = words[:, media.W_DELTA].view(np.int32)
        if np.count_nonzero(tells) < len(tells):
            earlier, delta = earlier[tells], delta[tells]
        self._node_sent_ns[earlier] += delta
        self._stamps[earlier] |= np.uint8(_NODE_SENT)

    def take(
        self,
        batch: Batch,
        words: NDArray[np.uint32],
        stream: NDArray[np.int64],
        repair: Repair = Repair.NONE,
    ) -> None:
        """Take reflections, or (decapsulated) repairs of them."""
        if (
            int(words[:, media.W_INDEX].max()) >= self._packets
            or int(words[:, media.W_REFLECTED].max()) >= self._packets
            or not media.all_sound(batch.data, batch.size, words, self._expected)
        ):
            batch, words, stream = self._only_good(batch, words, stream)
            if not len(stream):
                return
        self._take_good(batch, words, stream, repair)

    def take_copies(self, batch: Batch) -> None:
        """Take packets that remedies brought (their tags say which, `Restored`); one of which the original, or a
        copy, is there is no repair."""
        words = media.read_words(batch.data)
        stream = (words[:, media.W_SSRC] - np.uint32(self._media_ssrc)).astype(np.int64)
        good = stream < self._streams
        good &= self._good(batch, words)
        keys = words[:, media.W_INDEX].astype(np.int64) * self._streams + stream
        good[good] &= self._received_ns[keys[good]] == NEVER
        good[good] &= self._rows["down_repaired_ns"][keys[good]] == NEVER
        if good.any():
            assert batch.tag is not None
            self._take_good(batch.take(good), words[good], stream[good], batch.tag[good])

    def _only_good(
        self, batch: Batch, words: NDArray[np.uint32], stream: NDArray[np.int64]
    ) -> tuple[Batch, NDArray[np.uint32], NDArray[np.int64]]:
        """Without those that are corrupt, which are counted."""
        good = self._good(batch, words)
        self._counts.corrupt += len(good) - int(np.count_nonzero(good))
        return batch.take(good), words[good], stream[good]

    def _good(self, batch: Batch, words: NDArray[np.uint32]) -> NDArray[np.bool_]:
        good: NDArray[np.bool_] = words[:, media.W_KIND] & 0xFFFFFF00 == media.REFLECTION_KIND
        good &= words[:, media.W_TOKEN] == self._token
        good &= np.maximum(words[:, media.W_INDEX], words[:, media.W_REFLECTED]) < self._packets
        good &= batch.size >= media.MIN_PACKET_BYTES
        good &= media.intact(batch.data, words)
        return good

    def _take_good(
        self,
        batch: Batch,
        words: NDArray[np.uint32],
        stream: NDArray[np.int64],
        repair: Repair | NDArray[np.int64],
    ) -> None:
        self._note_counters(int(words[-1, media.W_COUNTERS]))
        keys = words[:, media.W_INDEX].astype(np.int64) * self._streams + stream
        sequence = words[:, media.W_REFLECTED].astype(np.int64)
        arrived, left = media.read_time(words, media.W_T2), media.read_time(words, media.W_T3)
        self._note_node_times(keys, words, sequence, arrived, left)
        copies = repair is not Repair.NONE
        if copies:
            self._take_repairs(keys, batch.time_ns, np.broadcast_to(repair, len(keys)))
        else:
            self._take_all_told(words, stream)
            last = last_rows(stream)
            self._last_sequence[stream[last]], self._last_key[stream[last]] = sequence[last], keys[last]
            self._take_originals(keys, batch, left - arrived)
        if self._nack:
            self._nack.on_received(stream, sequence, batch.time_ns, occurrences(stream), repair=copies)

    def _note_counters(self, counters: int) -> None:
        self._counts.policed, self._counts.node_socket_dropped = counters >> 16, counters & 0xFFFF

    def _note_node_times(
        self,
        keys: NDArray[np.int64],
        words: NDArray[np.uint32],
        sequence: NDArray[np.int64],
        arrived: Times,
        left: Times,
    ) -> None:
        unknown = self._node_sent_ns[keys] == NEVER
        # A copy knows no better, and its t3 may have been corrected since.
        if np.count_nonzero(unknown) < len(keys):
            keys, words, sequence = keys[unknown], words[unknown], sequence[unknown]
            arrived, left = arrived[unknown], left[unknown]
        self._node_received_ns[keys], self._node_sent_ns[keys] = arrived, left
        self._down_seq[keys] = sequence
        self._stamps[keys] |= _node_stamps(words[:, media.W_KIND].astype(np.uint8))

    def _take_all_told(self, words: NDArray[np.uint32], stream: NDArray[np.int64]) -> None:
        """When the reflection before really left rides in this one (two-step)."""
        tells = words[:, media.W_KIND] & media.TELLS_T3 != 0
        tells &= self._last_sequence[stream] == words[:, media.W_STAMPED]
        if not np.count_nonzero(tells):
            return
        earlier, at = np.unique(self._last_key[stream[tells]], return_index=True)
        new = self._stamps[earlier] & np.uint8(_NODE_SENT) == 0
        delta = words[tells, media.W_DELTA].astype(np.int32)[at]
        self._node_sent_ns[earlier[new]] += delta[new]
        self._stamps[earlier[new]] |= np.uint8(_NODE_SENT)

    def _take_originals(self, keys: NDArray[np.int64], batch: Batch, held: Times) -> None:
        first = self._received_ns[keys] == NEVER
        arrived = batch.time_ns
        if not ascending(keys):
            first &= first_occurrences(keys)
        if np.count_nonzero(first) < len(keys):
            count_up(self._rows["down_duplicates"], keys[~first])
            keys, arrived, held = keys[first], arrived[first], held[first]
            if not len(keys):
                return
        self._received_ns[keys] = arrived
        self.returned += len(keys)
        if batch.kernel_stamped:
            self._stamps[keys] |= np.uint8(_RECEIVED)
        self._smooth(int((arrived - self._sent_ns[keys] - held).mean()))

    def _smooth(self, rtt_ns: int) -> None:
        """RFC 6298 2.3, alpha = 1/8."""
        self.rtt_ns = max(rtt_ns if not self.rtt_ns else (7 * self.rtt_ns + rtt_ns) // 8, 1)
        if self._nack:
            self._nack.rtt_ns = self.rtt_ns

    def _take_repairs(self, keys: NDArray[np.int64], time_ns: Times, repair: NDArray[np.int64]) -> None:
        rows = self._rows
        count_up(rows["down_retransmissions"], keys[repair == Repair.RTX])
        unrepaired = rows["down_repaired_ns"][keys] == NEVER
        # Assigned backwards, so that the first of several copies stays.
        keys = keys[unrepaired][::-1]
        rows["down_repaired_ns"][keys] = time_ns[unrepaired][::-1]
        rows["down_repair"][keys] = repair[unrepaired][::-1]


def _node_stamps(flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """KERNEL_T2 and KERNEL_T3 are bits 0 and 2 of the flags, bits 1 and 2 of the stamps."""
    stamps: NDArray[np.uint8] = (flags & np.uint8(media.KERNEL_T2)) << np.uint8(1)
    stamps |= flags & np.uint8(media.KERNEL_T3)
    return stamps
