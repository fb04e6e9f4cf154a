"""What waits in the relay."""

from __future__ import annotations

import numpy as np

from probe.methods.batch import FOREVER
from probe.net.relay_pending import Pending, Pool


def add(pending: Pending, releases: list[int], *, flow: int = 0) -> int:
    count = len(releases)
    data = np.arange(count * 4, dtype=np.uint8).reshape(count, 4)
    size = np.full(count, 3)
    return pending.add(data, size, np.array(releases), np.full(count, flow))


def test_packets_leave_at_their_time_in_order_of_release() -> None:
    pending = Pending(Pool(8))
    assert add(pending, [50, 30, 30]) == 0
    assert pending.next_ns == 30
    batch, flow = pending.take(40)
    assert batch.time_ns.tolist() == [30, 30]
    assert batch.data.tolist() == [[4, 5, 6], [8, 9, 10]]  # equal times keep the order of arrival
    assert batch.size.tolist() == [3, 3]
    assert flow.tolist() == [0, 0]
    assert pending.next_ns == 50
    add(pending, [45], flow=7)
    batch, flow = pending.take(50)
    assert batch.time_ns.tolist() == [45, 50]
    assert flow.tolist() == [7, 0]
    assert (pending.count, pending.next_ns) == (0, FOREVER)


def test_two_directions_share_the_room_and_what_finds_none_is_counted() -> None:
    pool = Pool(4)
    up, down = Pending(pool), Pending(pool)
    assert add(up, [1, 2, 3]) == 0
    assert add(down, [1, 2, 3]) == 2
    assert add(down, [9]) == 1
    up.take(2)
    assert add(down, [9, 9]) == 0
    assert up.discard() == 1
    assert down.discard() == 3
    assert pool.free == 4
    assert sorted(pool.take(9).tolist()) == [0, 1, 2, 3]


def test_many_more_than_at_first_thought() -> None:
    pending = Pending(Pool(2000))
    for start in range(0, 1000, 100):
        add(pending, list(range(start, start + 100)))
    assert pending.take(499)[0].time_ns.tolist() == list(range(500))
    assert pending.count == 500
