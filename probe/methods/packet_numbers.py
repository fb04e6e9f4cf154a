"""The set of packet numbers that arrived: nearly all of them, nearly in order."""

from __future__ import annotations

from bisect import bisect


class PacketNumbers:
    """Numbers as ranges: as small as the losses are few."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def add(self, number: int) -> None:
        """Add one; cheap for the number after the last."""
        starts, stops = self._starts, self._stops
        if stops and number == stops[-1]:
            stops[-1] += 1
            return
        if not stops or number > stops[-1]:
            starts.append(number)
            stops.append(number + 1)
            return
        at = bisect(starts, number)
        if at and number < stops[at - 1]:
            return
        joins_left = at > 0 and stops[at - 1] == number
        joins_right = at < len(starts) and starts[at] == number + 1
        if joins_left and joins_right:
            stops[at - 1] = stops[at]
            del starts[at], stops[at]
        elif joins_left:
            stops[at - 1] += 1
        elif joins_right:
            starts[at] -= 1
        else:
            starts.insert(at, number)
            stops.insert(at, number + 1)

    def __contains__(self, number: int) -> bool:
        at = bisect(self._starts, number)
        return at > 0 and number < self._stops[at - 1]

    def __len__(self) -> int:
        return sum(self._stops) - sum(self._starts)
