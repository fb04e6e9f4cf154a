"""Links in a row presented as one, and the two directions of a path.

An emulated node lies behind an access path of its own, and a plan's network comes on top of that:
packets then pass both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.impairment.conditions import Start
from probe.impairment.counters import LinkCounters, in_a_row
from probe.impairment.course import Course
from probe.impairment.draws import Seed, child
from probe.impairment.link import Link
from probe.impairment.passage import Passage
from probe.impairment.profile import Impairment, NetworkProfile
from probe.metrics import Times


class Chain:
    """Several links, each fed by the one before; the verbs and counters are those of one `Link`.

    `links` are in the order in which packets pass them. A link that reorders packets is put behind those
    that do not: fed with a shuffled stream, a link that keeps order would only hold it up and undo the
    shuffling.
    """

    def __init__(self, links: Sequence[Link]) -> None:
        ordered = [link for link in links if not link.impairment.overtaking]
        shuffling = [link for link in links if link.impairment.overtaking]
        self.links = (*ordered, *shuffling) or (Link(Impairment(), 0),)

    def push(self, arrival_ns: Times, size: NDArray[np.int64]) -> Passage:
        """What comes out at the end of the row; packets in order of arrival."""
        passage = self.links[0].push(arrival_ns, size)
        for link in self.links[1:]:
            if (passage.release_ns[1:] < passage.release_ns[:-1]).any():
                passage = passage.in_time()
            passage = passage.then(link.push(passage.release_ns, size[passage.row]))
        return passage

    def earliest_release(self, arrival_ns: int) -> int:
        """A lower bound of the release of any packet yet to come that arrives at `arrival_ns` or later."""
        for link in self.links:
            arrival_ns = link.earliest_release(arrival_ns)
        return arrival_ns

    @property
    def min_delay_ns(self) -> int:
        """No packet is released sooner after its arrival."""
        return sum(link.min_delay_ns for link in self.links)

    def course(self, until_ns: int) -> Course:
        """The outages of all links that have begun by then, in order, and the least delay."""
        found = [one for link in self.links for one in link.interruptions(until_ns)]
        return Course(tuple(sorted(found, key=lambda one: one.begin_ns)), self.min_delay_ns)

    @property
    def likely_delay_ns(self) -> int:
        """Few packets in a thousand are released sooner after their arrival."""
        return sum(link.likely_delay_ns for link in self.links)

    @property
    def counters(self) -> LinkCounters:
        """The sum over the links: offered to the first, delivered by the last."""
        return in_a_row([link.counters for link in self.links])


@dataclass(frozen=True, slots=True)
class Path:
    """Both directions: `up` from the client to the node, `down` back."""

    up: Chain
    down: Chain

    def report(self, until_ns: int) -> dict[str, Any]:
        """What both directions did, in the words of a relay's counters."""
        ways = {"up": self.up, "down": self.down}
        counted = {name: asdict(chain.counters) for name, chain in ways.items()}
        return counted | {f"course_{name}": asdict(chain.course(until_ns)) for name, chain in ways.items()}

    @classmethod
    def of(cls, up: Sequence[Impairment], down: Sequence[Impairment], seed: Seed) -> Path:
        """A path of links in a row; both lists begin at the client, so packets pass `down` from its end.

        Each link draws from a seed of its own, given by direction and place in the list: what one link
        does is not moved by the presence of another behind it. Time lines of both directions begin with the
        first packet in either, and equal outages of the same place in both lists are at the same time.
        """
        start, course = Start(), child(seed, 2)
        there = _links(up, child(seed, 0), start, course)
        return cls(Chain(there), Chain(_links(down, child(seed, 1), start, course)[::-1]))

    @classmethod
    def through(cls, networks: Sequence[NetworkProfile], seed: Seed) -> Path:
        """A path through networks in a row, the first one next to the client."""
        return cls.of([network.up for network in networks], [network.down for network in networks], seed)


def _links(impairments: Sequence[Impairment], seed: Seed, start: Start, course: Seed) -> list[Link]:
    return [
        Link(impairment, child(seed, place), start=start, course=child(course, place))
        for place, impairment in enumerate(impairments)
        if not impairment.clean
    ]
