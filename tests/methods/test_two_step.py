"""When a reflection really left, told by a later one and by the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import ADDRESS_BYTES, Batch
from probe.methods.media_client import MediaClient
from probe.methods.reflected_session import ReflectedSession
from probe.methods.reflector import Reflector
from probe.methods.running import Running
from probe.methods.schedule import schedule, stream_spec
from probe.metrics import RUNNING, Rows, Stamp, empty_rows
from probe.session.merge import merge_log
from probe.wire import log
from probe.wire.log import LOG
from tests.exchange import SSRC_BASE, TOKEN

MS = 1_000_000
START = 1_000 * MS


class Pair:
    """Client and reflector 1 ms apart; the node's kernel sends 77 us later than the node says."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        spec = stream_spec("voice", calls=calls, duration_ns=400 * MS)
        self.plan = schedule(spec, np.random.default_rng(1))
        self.rows: Rows = empty_rows(calls * self.plan.packets, RUNNING)
        self.log: NDArray[np.void] = np.zeros(len(self.rows), LOG)
        self.client = MediaClient(
            spec, self.plan, self.rows, ssrc_base=SSRC_BASE, token=TOKEN, nack=False, start_ns=START
        )
        self.session = ReflectedSession(
            1,
            TOKEN,
            ssrc_base=SSRC_BASE,
            streams=calls,
            packets=self.plan.packets,
            rate_pps=1e6,
            nack=False,
            one_way=False,
            log_rows=self.log,
        )
        self.session.bind(np.zeros(ADDRESS_BYTES, np.uint8))
        self.reflector = Reflector(b"secret")
        self.reflector.open(self.session)

    def run(self, *, stamped: bool, lost: tuple[int, ...] = ()) -> None:
        """Send everything, 5 ms at a time; reflections numbered `lost` do not come back."""
        number = 0
        while not self.client.all_sent:
            now_ns = self.client.next_time_ns() + 5 * MS
            sent = self.client.packets_to_send(now_ns, now_ns)
            self.reflector.receive(self.arriving(sent))
            back = self.reflector.packets_to_send(now_ns + 2 * MS, now_ns + 2 * MS)
            kept = np.array([number + row not in lost for row in range(len(back.size))])
            number += len(back.size)
            arriving = self.arriving(back).take(kept)
            if stamped:
                assert back.tag is not None
                self.reflector.on_transmitted(back.tag, back.time_ns + 77_000)
            if kept.any():
                self.client.receive(arriving)

    @staticmethod
    def arriving(batch: Batch) -> Batch:
        count = len(batch.size)
        address = np.zeros((count, ADDRESS_BYTES), np.uint8)
        return Batch(batch.data.copy(), batch.size, batch.time_ns + MS, address, kernel_stamped=True)

    @property
    def exact(self) -> NDArray[np.bool_]:
        told: NDArray[np.bool_] = (self.rows["stamps"] & Stamp.NODE_SENT) != 0
        return told


def test_the_next_reflection_tells_when_the_one_before_left() -> None:
    for calls in (1, 3):
        pair = Pair(calls)
        pair.run(stamped=True)
        assert pair.exact.sum() == calls * (pair.plan.packets - 1)  # nobody tells of the last ones
        held = pair.rows["node_sent_ns"] - pair.rows["node_received_ns"]
        assert set(held[pair.exact].tolist()) == {1 * MS + 77_000}
        assert set(held[~pair.exact].tolist()) == {1 * MS}
        assert (pair.rows["stamps"] & Stamp.NODE_RECEIVED != 0).all()


def test_a_lost_reflection_leaves_one_packet_to_the_log() -> None:
    pair = Pair(1)
    pair.run(stamped=True, lost=(4, 9))
    assert np.flatnonzero(~pair.exact).tolist() == [3, 4, 8, 9, pair.plan.packets - 1]
    merge_log(pair.rows, pair.log, streams=pair.calls)
    assert pair.exact.all()
    held = pair.rows["node_sent_ns"] - pair.rows["node_received_ns"]
    assert set(held.tolist()) == {1 * MS + 77_000}


def test_a_log_taken_too_soon_does_not_undo_it() -> None:
    pair = Pair(1)
    pair.run(stamped=True)
    early = pair.log.copy()
    early["t3"] -= 77_000
    early["flags"] &= np.uint8(~log.KERNEL_T3 & 0xFF)
    merge_log(pair.rows, early, streams=pair.calls)
    held = pair.rows["node_sent_ns"] - pair.rows["node_received_ns"]
    assert set(held[pair.exact].tolist()) == {1 * MS + 77_000}


def test_without_stamps_nothing_is_told() -> None:
    pair = Pair(2)
    pair.run(stamped=False)
    assert not pair.exact.any()
    assert (pair.log["flags"] & log.KERNEL_T3 == 0).all()


def test_transmit_stamps_of_the_client_replace_its_own_times() -> None:
    pair = Pair(1)
    sent = pair.client.packets_to_send(START, START)
    assert sent.tag is not None
    pair.client.on_transmitted(sent.tag, sent.time_ns + 12_000)
    samples = Running(pair.rows, pair.plan, START).samples()
    assert samples["sent_ns"][0] - samples["scheduled_ns"][0] == 12_000
    assert samples["stamps"][0] == Stamp.SENT
