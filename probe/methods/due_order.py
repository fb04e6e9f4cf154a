"""In which order the packets of a session are due."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from probe.methods.schedule import Schedule
from probe.metrics import Times


class DueOrder:
    """Which row is due when, by its place in the order of leaving, without a list of all of them.

    Rows are in the order of methods.running.Running. Streams have the same schedule, spread over less than the
    distance of its due times: the order is by due time of the stream, then by stream, then by packet. `alone`: no two
    packets of a stream are due together.
    """

    def __init__(self, plan: Schedule, start_ns: int) -> None:
        self._plan, self._start_ns = plan, start_ns
        self._streams = len(plan.offset_ns)
        self._by_offset = np.argsort(plan.offset_ns, kind="stable")
        self.total = self._streams * plan.packets
        new = np.flatnonzero(np.diff(plan.time_ns, prepend=-1))
        self.alone = len(new) == plan.packets
        self._turn_due_ns = plan.offset_ns[self._by_offset] + start_ns
        self._shift = self._by_offset - np.arange(self._streams)
        self._first = np.append(new, plan.packets)  # of the packets that are due together
        gaps = np.diff(plan.time_ns[new])
        if len(gaps) and np.ptp(plan.offset_ns) >= gaps.min():
            raise ValueError("streams are to be spread over less than the distance of their due times")

    def rows(self, start: int, end: int) -> tuple[NDArray[np.int64], Times]:
        """Rows and due times of the places `start` up to `end`."""
        place = np.arange(start, end)
        if self.alone:
            index = place // self._streams
            turn = place - index * self._streams
            due = self._turn_due_ns[turn] + self._plan.time_ns[index]
            return place + self._shift[turn], due
        group = np.searchsorted(self._first * self._streams, place, "right") - 1
        first = self._first[group]
        turn, within = np.divmod(place - first * self._streams, self._first[group + 1] - first)
        stream, index = self._by_offset[turn], first + within
        due = self._start_ns + self._plan.offset_ns[stream] + self._plan.time_ns[index]
        return index * self._streams + stream, due

    def due_ns(self, place: int) -> int:
        """When the packet at `place` is due, where packets are `alone`."""
        index, turn = divmod(place, self._streams)
        return int(self._turn_due_ns[turn] + self._plan.time_ns[index])

    def alike(self, place: int, until_ns: int, most: int) -> tuple[int, NDArray[np.int64]]:
        """The index of the packet at `place`, and the streams whose packet of that index is due from there up to
        `until_ns`, in order and `most` of them; where packets are `alone`."""
        index, turn = divmod(place, self._streams)
        end = bisect_right(self._turn_due_ns.data, until_ns - int(self._plan.time_ns[index]), turn)
        return index, self._by_offset[turn : min(end, turn + most)]

    def highest(self, place: int) -> NDArray[np.int64]:
        """(streams,) the last packet of each stream whose turn has come before `place`; -1 for none."""
        group = int(np.searchsorted(self._first * self._streams, place, "right")) - 1
        if group == len(self._first) - 1:
            return np.full(self._streams, self._plan.packets - 1)
        first = int(self._first[group])
        each = int(self._first[group + 1]) - first
        highest = np.empty(self._streams, np.int64)
        begun = place - first * self._streams - np.arange(self._streams) * each
        highest[self._by_offset] = first - 1 + np.clip(begun, 0, each)
        return highest
