"""In which order the packets of a session are due."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from probe.methods.schedule import Schedule
from probe.metrics import Times


class DueOrder:
    """Which row is due when, by its place in the order of leaving, without a list of all of them.

    Rows are in the order of methods.running.Running. Streams have the same schedule, one after the other spread over
    less than the distance of its due times: the order is by due time of the stream, then by stream, then by packet.
    `alone`: no two packets of a stream are due together, and so a row's place is its number.

    Raises ValueError for a plan that spreads streams otherwise.
    """

    def __init__(self, plan: Schedule, start_ns: int) -> None:
        self._plan = plan
        self._streams = len(plan.offset_ns)
        self.total = self._streams * plan.packets
        new = np.flatnonzero(np.diff(plan.time_ns, prepend=-1))
        self.alone = len(new) == plan.packets
        self._start_due_ns = plan.offset_ns + start_ns
        self._first = np.append(new, plan.packets)  # of the packets that are due together
        gaps = np.diff(plan.time_ns[new])
        if len(gaps) and np.ptp(plan.offset_ns) >= gaps.min():
            raise ValueError("streams are to be spread over less than the distance of their due times")
        if (np.diff(plan.offset_ns) < 0).any():
            raise ValueError("streams are to begin in order")

    def rows(self, start: int, end: int) -> tuple[NDArray[np.int64], Times]:
        """Rows and due times of the places `start` up to `end`."""
        place = np.arange(start, end)
        if self.alone:
            index = place // self._streams
            due = self._start_due_ns[place - index * self._streams] + self._plan.time_ns[index]
            return place, due
        group = np.searchsorted(self._first * self._streams, place, "right") - 1
        first = self._first[group]
        stream, within = np.divmod(place - first * self._streams, self._first[group + 1] - first)
        index = first + within
        return index * self._streams + stream, self._start_due_ns[stream] + self._plan.time_ns[index]

    def due_ns(self, place: int) -> int:
        """When the packet at `place` is due, where packets are `alone`."""
        index, stream = divmod(place, self._streams)
        return int(self._start_due_ns[stream] + self._plan.time_ns[index])

    def due_from(self, place: int, time_ns: int) -> int:
        """The next place, from `place` on, of a packet that is not due before `time_ns`; where packets are `alone`."""
        while place < self.total:
            index, stream = divmod(place, self._streams)
            end = bisect_left(self._start_due_ns.data, time_ns - int(self._plan.time_ns[index]), stream)
            place += end - stream
            if end < self._streams:
                break
        return place

    def alike(self, place: int, until_ns: int, most: int) -> tuple[int, slice]:
        """The index of the packet at `place`, and the streams whose packet of that index is due from there up to
        `until_ns`, `most` of them; where packets are `alone`."""
        index, stream = divmod(place, self._streams)
        end = bisect_right(self._start_due_ns.data, until_ns - int(self._plan.time_ns[index]), stream)
        return index, slice(stream, min(end, stream + most))

    def highest(self, place: int) -> NDArray[np.int64]:
        """(streams,) the last packet of each stream whose turn has come before `place`; -1 for none."""
        group = int(np.searchsorted(self._first * self._streams, place, "right")) - 1
        if group == len(self._first) - 1:
            return np.full(self._streams, self._plan.packets - 1)
        first = int(self._first[group])
        each = int(self._first[group + 1]) - first
        begun = place - first * self._streams - np.arange(self._streams) * each
        highest: NDArray[np.int64] = first - 1 + np.clip(begun, 0, each)
        return highest
