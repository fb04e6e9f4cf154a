"""Links in a row and the two directions."""

from __future__ import annotations

import numpy as np

from probe.impairment.chain import Chain, Path
from probe.impairment.link import DROPPED, Link
from probe.impairment.profile import CLEAN, Impairment, Loss, NetworkProfile, Reorder
from tests.impairment.releases import release_of

MS = 1_000_000
ARRIVAL = np.arange(5000, dtype=np.int64) * MS
SIZE = np.full(5000, 200)


def test_delays_add_and_losses_multiply() -> None:
    chain = Path.of([Impairment(10 * MS, loss=Loss(0.1)), Impairment(30 * MS, loss=Loss(0.2))], [], 1).up
    release = release_of(chain, ARRIVAL, SIZE)
    passed = release != DROPPED
    assert set((release - ARRIVAL)[passed].tolist()) == {40 * MS}
    assert abs(passed.mean() - 0.72) < 0.026
    counters = chain.counters
    assert counters.offered == 5000
    assert counters.delivered == np.count_nonzero(passed)
    assert counters.offered == counters.lost + counters.overflowed + counters.delivered
    assert counters.offered_bytes == 5000 * 200
    assert counters.delivered_bytes == counters.delivered * 200
    assert chain.min_delay_ns == 40 * MS


def test_likely_delays_add_up_and_are_bounds_that_few_packets_undercut() -> None:
    jittery = Impairment(20 * MS, 5 * MS, ordered=False)
    chain = Path.of([Impairment(10 * MS), jittery], [], 1).up
    held = release_of(chain, ARRIVAL, SIZE) - ARRIVAL
    assert chain.min_delay_ns < 12 * MS < chain.likely_delay_ns
    assert (held < chain.likely_delay_ns).mean() < 0.003
    assert Path.of([Impairment(10 * MS, 30 * MS, ordered=False)], [], 1).up.likely_delay_ns == 0
    overtaken = Impairment(20 * MS, reorder=Reorder(0.25))
    assert Path.of([overtaken], [], 1).up.likely_delay_ns == 0


def test_nothing_in_the_way_still_counts() -> None:
    path = Path.through([CLEAN, CLEAN], 1)
    assert (release_of(path.up, ARRIVAL, SIZE) == ARRIVAL).all()
    assert path.up.counters.delivered == 5000
    assert path.down.counters.offered == 0
    assert path.down.earliest_release(7) == 7


def test_the_way_down_passes_the_networks_from_the_far_end() -> None:
    near, far = Impairment(1 * MS), Impairment(2 * MS)
    path = Path.of([near, far], [near, far], 1)
    assert [link.impairment.delay_ns for link in path.up.links] == [1 * MS, 2 * MS]
    assert [link.impairment.delay_ns for link in path.down.links] == [2 * MS, 1 * MS]


def test_a_network_behind_it_moves_nothing_of_the_first_link() -> None:
    access = NetworkProfile(
        "a", "a", Impairment(5 * MS, 4 * MS, loss=Loss(0.2, 3)), Impairment(loss=Loss(0.1)), "x"
    )
    behind = NetworkProfile("b", "b", Impairment(3 * MS), Impairment(3 * MS), "x")
    alone, both = Path.through([access], 4), Path.through([access, behind], 4)
    first = release_of(alone.up, ARRIVAL, SIZE)
    assert (first[first != DROPPED] + 3 * MS == release_of(both.up, ARRIVAL, SIZE)[first != DROPPED]).all()
    assert (
        (release_of(alone.down, ARRIVAL, SIZE) == DROPPED)
        == (release_of(both.down, ARRIVAL, SIZE) == DROPPED)
    ).all()


def test_directions_and_links_have_their_own_luck() -> None:
    lossy = Impairment(loss=Loss(0.3))
    path = Path.of([lossy], [lossy], 1)
    assert (release_of(path.up, ARRIVAL, SIZE) != release_of(path.down, ARRIVAL, SIZE)).any()
    twice = Path.of([lossy, lossy], [], 1).up
    assert abs((release_of(twice, ARRIVAL, SIZE) != DROPPED).mean() - 0.49) < 0.03


def test_a_reordering_link_is_passed_last() -> None:
    shuffle, slow = Impairment(20 * MS, 10 * MS, ordered=False), Impairment(rate_bps=10_000_000)
    chain = Chain([Link(shuffle, 1), Link(slow, 2)])
    assert [link.impairment.ordered for link in chain.links] == [True, False]
    assert (np.diff(release_of(chain, ARRIVAL, SIZE)) < 0).any()


def test_the_earliest_release_of_a_row_is_a_lower_bound() -> None:
    chain = Path.of([Impairment(5 * MS, 3 * MS), Impairment(10 * MS, 4 * MS, rate_bps=500_000)], [], 3).up
    for when in ARRIVAL[:500].tolist():
        bound = chain.earliest_release(when)
        assert bound >= when + chain.min_delay_ns
        assert release_of(chain, np.array([when]), np.array([0]))[0] >= bound
