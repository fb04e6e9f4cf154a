"""RTP over QUIC, client against node, in virtual time; raw loss is held against the datagrams themselves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from probe.analysis.recovery_model import head_of_line_delays
from probe.errors import NotMeasured
from probe.impairment.chain import Path
from probe.impairment.passage import Passage
from probe.impairment.profile import Impairment, Loss
from probe.methods.reflections import LOG_ROW_BITS
from probe.metrics import NEVER, Repair, Stamp, Times, Unsent
from probe.session.merge import merge_log
from probe.wire import log
from tests.roq_exchange import SECOND_NS, RoqExchange, Wiretap, begin

MS = 1_000_000
OWD = Impairment(delay_ns=50 * MS)
LOSSY_UP = Impairment(delay_ns=50 * MS, loss=Loss(0.10, 3))
LOSSY_DOWN = Impairment(delay_ns=50 * MS, loss=Loss(0.02))
BOTH = pytest.mark.parametrize("transport", ["quic-datagram", "quic-stream"])


def clean_path() -> Path:
    return Path.of([OWD], [OWD], 1)


def lossy_path(seed: int) -> Path:
    return Path.of([LOSSY_UP], [LOSSY_DOWN], seed)


class Drop(Wiretap):
    """Loses the media datagrams that `chosen` names by their place among media datagrams."""

    def __init__(self, tap: Wiretap, chosen: set[int]) -> None:
        super().__init__(tap.inner)
        self.chosen = chosen
        self.seen = 0

    def push(self, arrival_ns: Times, size: NDArray[np.int64]) -> Passage:
        passage = self.inner.push(arrival_ns, size)
        gone = []
        for row in np.flatnonzero(size > 90):  # an ACK alone is shorter
            if self.seen in self.chosen:
                gone.append(row)
            self.seen += 1
        kept = ~np.isin(passage.row, gone)
        return Passage(passage.row[kept], passage.release_ns[kept])


def drop_up(exchange: RoqExchange, *chosen: int) -> None:
    exchange.carrier._client.outward = Drop(exchange.up, set(chosen))
    exchange.carrier._client.endpoint = exchange.client


def latency_up_ms(exchange: RoqExchange) -> list[float]:
    """Sending to delivery at the node, by packet; the path's clock is one. Infinite: never delivered."""
    found = [float("inf")] * len(exchange.rows)
    for row in exchange.log:
        index = int(row["index"])
        found[index] = (int(row["t2"]) - int(exchange.rows["sent_ns"][index])) / MS
    return found


@BOTH
def test_handshake_and_token_take_a_round_trip_each(transport: str) -> None:
    exchange = begin(transport, clean_path())
    assert exchange.client.handshake_at == pytest.approx(0.1)
    assert exchange.client.bound_at == pytest.approx(0.2)


def test_what_the_node_did_to_itself_is_in_its_report() -> None:
    exchange = begin("quic-datagram", clean_path())
    roq = exchange.node.roq
    roq.note_host(7 * MS, -3)
    roq.note_host(2 * MS, 1)
    roq.server_strays, roq.strays = 4, 1
    report = roq.report(exchange.grant.session)
    assert (report["stall_ns"], report["clock_step_ns"], report["strays"]) == (7 * MS, -3, 5)


@pytest.mark.slow
@BOTH
def test_a_clean_path_carries_everything_on_time(transport: str) -> None:
    exchange = begin(transport, clean_path(), calls=3)
    exchange.run(13)
    rows = exchange.rows
    assert (rows["sent_ns"] == rows["scheduled_ns"]).all()
    assert (rows["node_received_ns"] - rows["sent_ns"] == 50 * MS).all()
    assert (rows["node_sent_ns"] == rows["node_received_ns"]).all()
    assert (rows["received_ns"] - rows["node_sent_ns"] == 50 * MS).all()
    assert not rows["unsent"].any()
    counters = exchange.client.counters()
    assert counters["misnumbered"] == counters["cc_limited"] == counters["quic_declared_lost"] == 0
    assert counters["sender_queue_p99_ms"] == 0
    report = exchange.node.roq.report(exchange.grant.session)
    assert report["received"] == len(rows)
    assert report["misnumbered"] == report["reflections_unsent"] == 0


# quality.md T36: one packet of 20 ms spacing is lost; the others wait behind the hole.
HEAD_OF_LINE = [
    (50, [171, 151, 131, 111, 91, 71, 51, 50]),
    pytest.param(25, [96, 76, 56, 36, 25, 25], marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("delay_ms", "expected"), HEAD_OF_LINE)
def test_a_lost_packet_holds_up_a_stream_as_the_standard_says(delay_ms: int, expected: list[int]) -> None:
    one_way = Impairment(delay_ns=delay_ms * MS)
    exchange = begin("quic-stream", Path.of([one_way], [one_way], 1), seconds=4)
    drop_up(exchange, 100)
    exchange.run(7)
    latencies = latency_up_ms(exchange)
    assert latencies[:100] == pytest.approx([delay_ms] * 100)
    assert latencies[100 : 100 + len(expected)] == pytest.approx(expected, abs=1.1)
    rows = exchange.rows
    assert rows["node_received_ns"][100] == NEVER
    assert rows["up_repair"][100] == Repair.QUIC
    assert (rows["up_repaired_ns"][100] - rows["sent_ns"][100]) / MS == pytest.approx(expected[0], abs=1.1)
    # Its own first transmission arrived: waiting behind the hole is its true delay, not a loss.
    assert rows["up_repair"][101] == Repair.NONE
    assert (rows["node_received_ns"][101] - rows["sent_ns"][101]) / MS == pytest.approx(expected[1], abs=1.1)


@pytest.mark.slow
@pytest.mark.parametrize("delay_ms", [10, 25, 50, 100])
def test_head_of_line_delay_is_that_of_the_formula(delay_ms: int) -> None:
    """quality.md 2.5, in a stream that nothing comes back of: 30 packets a second, round trips of 20 to 200 ms."""
    latencies = with_one_lost(delay_ms)
    expected = head_of_line_delays(1000 / 30, 2 * delay_ms, ack_delay=1)
    assert latencies[LOST : LOST + len(expected)] == pytest.approx(expected, abs=1.1)
    assert latencies[80:LOST] == pytest.approx([delay_ms] * (LOST - 80))
    after = latencies[LOST + len(expected) : 118]
    assert after == pytest.approx([delay_ms] * len(after), abs=1.1)


@pytest.mark.slow
@pytest.mark.parametrize("delay_ms", [200, 450])
def test_a_loss_on_a_long_path_is_found_no_later_than_the_formula_says(delay_ms: int) -> None:
    """Packets of QUIC's own count as later packets, too."""
    latencies = with_one_lost(delay_ms)
    expected = head_of_line_delays(1000 / 30, 2 * delay_ms, ack_delay=1)
    assert 2.9 * delay_ms < latencies[LOST] <= expected[0] + 1.1


LOST = 100  # a keyframe is every 60 frames


def with_one_lost(delay_ms: int) -> list[float]:
    one_way = Impairment(delay_ns=delay_ms * MS)
    path = Path.of([one_way], [one_way], 1)
    exchange = begin("quic-stream", path, preset="live", bitrate_bps=60_000, seconds=5, deadline_ms=1000)
    drop_up(exchange, LOST)
    exchange.run(8)
    return latency_up_ms(exchange)


@pytest.mark.slow
def test_a_lost_datagram_is_missing_and_holds_up_nothing() -> None:
    exchange = begin("quic-datagram", clean_path(), seconds=4)
    drop_up(exchange, 100)
    exchange.run(7)
    latencies = latency_up_ms(exchange)
    assert latencies.pop(100) == float("inf")
    assert latencies == pytest.approx([50] * len(latencies))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_raw_loss_of_streams_is_that_of_the_first_transmissions_on_the_path(seed: int) -> None:
    exchange = begin("quic-stream", lossy_path(seed), seconds=60)
    exchange.run(64)
    rows = exchange.rows
    up, down = exchange.first_lost_up(), exchange.first_lost_down()
    assert len(up) == len(rows) == 3000
    assert [up[index] for index in range(3000)] == (rows["node_received_ns"] == NEVER).tolist()
    assert [down[index] for index in range(3000)] == (rows["received_ns"] == NEVER).tolist()
    assert 0.06 < np.mean(list(up.values())) < 0.14
    assert 0.01 < np.mean(list(down.values())) < 0.03
    # QUIC brings everything in the end, and what it repeats is told apart.
    assert ((rows["node_received_ns"] == NEVER) == (rows["up_repaired_ns"] != NEVER)).all()
    assert ((rows["received_ns"] == NEVER) == (rows["down_repaired_ns"] != NEVER)).all()
    assert (rows["up_repaired_ns"] == NEVER)[rows["up_retransmissions"] == 0].all()
    entries = exchange.log
    assert sorted(entries["index"][(entries["flags"] & log.FIRST_LOST) != 0]) == [
        index for index, lost in up.items() if lost
    ]
    report = exchange.node.roq.report(exchange.grant.session)
    assert exchange.client.counters()["misnumbered"] == report["misnumbered"] == 0


@pytest.mark.slow
@BOTH
def test_a_datagram_is_named_by_the_packet_that_it_carries_first(transport: str) -> None:
    """What the kernel tells of a datagram's leaving is told of that packet, and of no other."""
    exchange = begin(transport, lossy_path(4), seconds=10)
    exchange.run(14)
    up = {tag: place for place, tag in enumerate(exchange.up.tags) if tag >= 0}
    assert up == exchange.carriers_up()
    session, rows = np.divmod([tag for tag in exchange.down.tags if tag >= 0], 1 << LOG_ROW_BITS)
    assert set(session) == {exchange.grant.session}
    places = [place for place, tag in enumerate(exchange.down.tags) if tag >= 0]
    assert dict(zip(exchange.log["index"][rows], places, strict=True)) == exchange.carriers_down()


@BOTH
def test_the_kernel_knows_better_when_a_packet_left(transport: str) -> None:
    exchange = begin(transport, clean_path(), seconds=2)
    exchange.run(4)
    said = exchange.rows["sent_ns"].copy()
    exchange.client.on_transmitted(np.array([3, 7]), said[[3, 7]] + 1000)
    assert np.flatnonzero(exchange.rows["sent_ns"] != said).tolist() == [3, 7]
    assert np.flatnonzero(exchange.rows["stamps"] & Stamp.SENT).tolist() == [3, 7]
    base, t3 = exchange.grant.session << LOG_ROW_BITS, exchange.log["t3"]
    unknown = exchange.grant.session + 1 << LOG_ROW_BITS
    exchange.node.on_transmitted(np.array([base + 5, unknown + 6]), t3[[5, 6]] + 1000)
    assert np.flatnonzero(exchange.log["t3"] != t3).tolist() == [5]
    merge_log(exchange.rows, exchange.log, streams=1)
    assert np.flatnonzero(exchange.rows["stamps"] & Stamp.NODE_SENT).tolist() == [5]
    assert exchange.rows["node_sent_ns"][5] == t3[5] + 1000


@pytest.mark.slow
def test_raw_loss_of_datagrams_is_that_of_the_path() -> None:
    exchange = begin("quic-datagram", lossy_path(3), seconds=60)
    exchange.run(64)
    rows = exchange.rows
    up, down = exchange.first_lost_up(), exchange.first_lost_down()
    arrived = set(exchange.log["index"].tolist())
    assert arrived == {index for index, lost in up.items() if not lost}
    assert set(down) == arrived
    assert [index for index, lost in down.items() if not lost] == np.flatnonzero(
        rows["received_ns"] != NEVER
    ).tolist()
    assert not rows["up_repair"].any()
    assert not exchange.log["flags"].any()


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_packet_has_one_fate(transport: str, seed: int) -> None:
    """An outage of three seconds on top of loss: some leave, some are given up, none is forgotten."""
    exchange = begin(transport, lossy_path(seed), seconds=12)
    exchange.run(4)
    hole = Wiretap(exchange.up.inner)
    nothing = Passage(np.zeros(0, np.intp), np.zeros(0, np.int64))
    hole.push = lambda arrival_ns, size: nothing  # type: ignore[method-assign]
    kept, exchange.carrier._client.outward = exchange.carrier._client.outward, hole
    exchange.run(3)
    exchange.carrier._client.outward = kept
    exchange.run(9)
    exchange.client.abort()
    rows = exchange.rows
    sent = rows["sent_ns"] != NEVER
    unsent = rows["unsent"] != 0
    assert (sent ^ unsent).all()
    assert set(rows["unsent"][unsent]) <= {Unsent.CC_LIMITED}
    assert (rows["unsent"] == Unsent.CC_LIMITED).any()
    # Our own queue is never the vendor's delay: nothing waited longer than half the deadline.
    assert (rows["sent_ns"] - rows["scheduled_ns"])[sent].max() <= 100 * MS
    assert not ((rows["node_received_ns"] != NEVER) & (rows["up_repaired_ns"] != NEVER)).any()
    assert not ((rows["received_ns"] != NEVER) & (rows["down_repaired_ns"] != NEVER)).any()
    back = (rows["received_ns"] != NEVER) | (rows["down_repaired_ns"] != NEVER)
    assert not (back & ~sent).any()
    assert set(np.flatnonzero(back)) <= set(exchange.log["index"].tolist())


@pytest.mark.slow
def test_a_repair_in_an_outage_takes_as_long_as_the_outage() -> None:
    """quality.md T37: 10 packets lost; latencies 351, 331, ... 171, then 151, 131, ..."""
    exchange = begin("quic-stream", clean_path(), seconds=4)
    drop_up(exchange, *range(100, 110))
    exchange.run(7)
    latencies = latency_up_ms(exchange)[100:115]
    steps = [round(a - b) for a, b in pairwise(latencies)]
    assert latencies[0] == pytest.approx(351, abs=1.1)
    assert steps[:-1] == [20] * (len(steps) - 1)
    repaired = exchange.rows["up_repaired_ns"] != NEVER
    assert np.flatnonzero(repaired).tolist() == list(range(100, 110))


@pytest.mark.slow
def test_video_packets_of_full_size_fit_one_quic_packet_each() -> None:
    for transport in ("quic-datagram", "quic-stream"):
        exchange = begin(transport, clean_path(), preset="video", seconds=3)
        assert int(exchange.rows["size"].max(initial=0)) in range(1100, 1201)
        exchange.run(6)
        assert exchange.client.counters()["misnumbered"] == 0
        sent = exchange.rows["sent_ns"] != NEVER
        assert (exchange.rows["received_ns"][sent] != NEVER).all()


@pytest.mark.slow
def test_a_stream_faster_than_the_window_is_given_up_in_time_and_said_so() -> None:
    slow = Impairment(delay_ns=150 * MS, rate_bps=300_000, queue_ns=100 * MS)
    exchange = begin("quic-datagram", Path.of([slow], [OWD], 1), preset="video", seconds=5)
    exchange.run(8)
    exchange.client.abort()
    rows = exchange.rows
    limited = rows["unsent"] == Unsent.CC_LIMITED
    assert limited.any()
    assert exchange.client.counters()["cc_limited"] == limited.sum()
    sent = rows["sent_ns"] != NEVER
    assert sent.any()
    assert (rows["sent_ns"] - rows["scheduled_ns"])[sent].max() <= 101 * MS


def test_one_way_streams_are_logged_and_not_reflected() -> None:
    exchange = begin("quic-stream", clean_path(), preset="live", bitrate_bps=400_000, seconds=3)
    exchange.run(6)
    rows = exchange.rows
    sent = rows["sent_ns"] != NEVER
    assert (rows["received_ns"] == NEVER).all()
    assert sorted(exchange.log["index"].tolist()) == np.flatnonzero(sent).tolist()
    assert (exchange.log["t3"] == NEVER).all()


def test_packets_that_cannot_fit_are_refused_before_the_stream() -> None:
    exchange = begin("quic-datagram", clean_path())
    with pytest.raises(NotMeasured, match="do not fit"):
        exchange.client.check_size(1300)
    exchange.client._quic._remote_max_datagram_frame_size = 1000
    with pytest.raises(NotMeasured, match="do not fit"):
        exchange.client.check_size(1000)
    exchange.client._quic._remote_max_datagram_frame_size = None
    with pytest.raises(NotMeasured, match="does not take QUIC datagrams"):
        exchange.client.check_size(100)


def test_what_has_not_left_at_the_end_is_told_apart() -> None:
    exchange = begin("quic-stream", clean_path(), seconds=4)
    exchange.run(2)
    exchange.client.abort()
    rows = exchange.rows
    assert ((rows["sent_ns"] != NEVER) ^ (rows["unsent"] == Unsent.ABORTED)).all()


@pytest.mark.slow
def test_a_log_page_ends_before_a_reflection_that_still_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = begin("quic-stream", clean_path(), seconds=4)
    session = exchange.node.roq._sessions[exchange.grant.session]
    exchange.run(1)
    before = len(exchange.log)
    assert session._sender is not None
    with monkeypatch.context() as closed:
        closed.setattr(session._sender, "_may_leave", lambda packet, now: False)
        exchange.run(0.5)
        assert session._sender.waiting
        assert len(exchange.log) == before
    exchange.run(6)
    assert len(exchange.log) == len(exchange.rows)
    assert (exchange.log["t3"] != NEVER).all()
    held = exchange.rows["node_sent_ns"] - exchange.rows["node_received_ns"]
    assert held.max() > 400 * MS
    # The node's own queue is the node's time: it is in no direction's delay.
    assert (exchange.rows["received_ns"] - exchange.rows["node_sent_ns"]).max() <= 51 * MS


def test_a_token_that_no_session_has_ends_the_connection() -> None:
    exchange = begin("quic-stream", clean_path(), seconds=4)
    exchange.node.roq.close(exchange.grant.session)
    exchange.node.server.touch(exchange.node.server.peers[0])
    exchange.run(1)
    assert "session closed" in str(exchange.client.closed)


def test_time_is_taken_from_the_origin() -> None:
    exchange = begin("quic-datagram", clean_path(), seconds=1)
    assert exchange.client._ns(1.5) == 1_500_000_000
    exchange.client._origin_ns = 10**18
    assert exchange.client._ns(1e-9) == 10**18 + 1
    assert exchange.start_ns % SECOND_NS
