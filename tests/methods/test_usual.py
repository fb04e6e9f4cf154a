"""The quick way through a usual batch comes to the same as taking packets one by one, or in another order."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from probe.methods.batch import ADDRESS_BYTES, Batch
from probe.methods.media_client import MediaClient
from probe.methods.reflector import Reflector
from probe.methods.schedule import Schedule, StreamSpec, schedule, stream_spec
from probe.metrics import NEVER, RUNNING, Rows, empty_rows
from probe.wire import media
from probe.wire.log import LOG
from tests.exchange import SSRC_BASE, TOKEN, reflector_for

MS = 1_000_000
START = 1_000 * MS
CALLS = 6
WAYS = ("whole", "alone", "reversed")


def parts(batch: Batch, way: str) -> list[Batch]:
    """The same datagrams, in batches as `way` says."""
    rows = range(len(batch.size))
    if way == "alone":
        return [batch.take(np.array([row])) for row in rows]
    return [batch.take(np.array(rows)[:: -1 if way == "reversed" else 1])]


class Ends:
    """A client and a node that take what arrives in one of the ways."""

    def __init__(self, way: str, spec: StreamSpec, plan: Schedule) -> None:
        self.way = way
        self.rows: Rows = empty_rows(CALLS * plan.packets, RUNNING)
        self.log: NDArray[np.void] = np.zeros(len(self.rows), LOG)
        self.client = MediaClient(
            spec, plan, self.rows, ssrc_base=SSRC_BASE, token=TOKEN, nack=True, start_ns=START
        )
        self.reflector, self.session = reflector_for(spec, plan.packets, self.log, nack=True)

    def round_trip(self, now_ns: int, lost: tuple[int, ...]) -> None:
        """Send what is due within 20 ms, reflect it 1 ms after arrival; the kernel tells that it left 70 us
        later."""
        sent = self.client.packets_to_send(now_ns, now_ns + 19 * MS)
        assert sent.tag is not None
        kept = sent.take(np.array([row for row in range(len(sent.size)) if row not in lost]))
        back = self._reflect(kept, now_ns + 22 * MS)
        arrived = np.full(len(back.size), now_ns + 25 * MS)
        for part in parts(back._replace(time_ns=arrived, kernel_stamped=True), self.way):
            self.client.receive(part)

    def _reflect(self, sent: Batch, at_ns: int) -> Batch:
        address = np.zeros((len(sent.size), ADDRESS_BYTES), np.uint8)
        arriving = sent._replace(
            data=sent.data.copy(),
            time_ns=np.full(len(sent.size), at_ns),
            address=address,
            kernel_stamped=True,
            tag=None,
        )
        for part in parts(arriving, self.way):
            self.reflector.receive(part)
        back = self.reflector.packets_to_send(at_ns + MS, at_ns + MS)
        media_only = back.take(back.data[:, 1] & 127 == media.PT_AUDIO) if len(back.size) else back
        assert media_only.tag is not None
        self.reflector.on_transmitted(media_only.tag, media_only.time_ns + 70_000)
        ssrc = media.read_words(media_only.data)[:, media.W_SSRC]
        return media_only.take(np.argsort(ssrc, kind="stable"))


def test_all_ways_lead_to_the_same_records() -> None:
    spec = stream_spec("voice", calls=CALLS, duration_ns=200 * MS)
    plan = schedule(spec, np.random.default_rng(1))
    ends = [Ends(way, spec, plan) for way in WAYS]
    for each in ends:
        for turn in range(plan.packets):
            each.round_trip(START + turn * 20 * MS, (2,) if turn == 4 else ())
    first = ends[0]
    assert (first.rows["received_ns"] != NEVER).sum() == len(first.rows) - 1
    assert ((first.rows["stamps"] & 6) == 6).sum() == len(first.rows) - 1 - CALLS  # nobody tells of the last
    for other in ends[1:]:
        for name in ("sent_ns", "node_received_ns", "node_sent_ns", "received_ns", "down_seq", "stamps"):
            assert (first.rows[name] == other.rows[name]).all(), name
        assert (np.sort(first.log, order="index")["t3"] == np.sort(other.log, order="index")["t3"]).all()
        assert first.session.counts.received == other.session.counts.received


@pytest.mark.parametrize("change", ["token", "check", "kind", "short"])
def test_one_bad_packet_in_a_usual_batch_is_the_only_one_that_is_not_taken(change: str) -> None:
    spec = stream_spec("voice", calls=CALLS, duration_ns=100 * MS)
    plan = schedule(spec, np.random.default_rng(1))
    log = np.zeros(CALLS * plan.packets, LOG)
    reflector: Reflector
    reflector, session = reflector_for(spec, plan.packets, log, nack=False)
    rows = empty_rows(CALLS * plan.packets, RUNNING)
    client = MediaClient(spec, plan, rows, ssrc_base=SSRC_BASE, token=TOKEN, nack=False, start_ns=START)
    sent = client.packets_to_send(START, START + 19 * MS)
    data, size = sent.data.copy(), sent.size.copy()
    byte = {"token": 20, "check": 71, "kind": 14, "short": 40}[change]
    data[3, byte] ^= 1
    if change == "short":
        size[3] = media.MIN_PACKET_BYTES - 8
        data[3, size[3] :] = 0
    address = np.zeros((len(size), ADDRESS_BYTES), np.uint8)
    reflector.receive(Batch(data, size, np.full(len(size), START + 22 * MS), address))
    assert session.counts.received == CALLS - 1
    assert session.counts.corrupt == 1
    assert sorted(log["stream"][: session.counts.logged].tolist()) == [0, 1, 2, 4, 5]
