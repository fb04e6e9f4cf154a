"""RED and XOR parity: rebuilt to the byte, counted as repairs alone, and as effective as their closed forms say."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from probe.analysis.recovery_model import residual_copies, residual_erasure
from probe.impairment.profile import Impairment, Loss
from probe.methods import media_client, packet_source, reflector
from probe.methods.batch import Batch, join
from probe.methods.packet_source import PacketSource
from probe.methods.protection import Protection, Protector, RepairCounts, Restorer
from probe.methods.schedule import Schedule, StreamSpec, schedule, stream_spec
from probe.metrics import NEVER, Repair
from probe.wire import log
from tests.exchange import SECOND_NS, SSRC_BASE, TOKEN, Exchange, exchange

MS = 1_000_000
VOICE = stream_spec("voice", calls=3, duration_ns=2 * SECOND_NS)
KINDS = (
    Protection(red=1),
    Protection(red=3),
    Protection(fec_k=1),
    Protection(fec_k=5),
    Protection(fec_k=3, fec_interleave=4),
    Protection(red=2, fec_k=4),
)


class Line:
    """Packets of a fresh stream on their way from a protector to a restorer, and what they were."""

    def __init__(self, protection: Protection, spec: StreamSpec = VOICE) -> None:
        self.protection, self.spec = protection, spec
        self.sent, self.heard = RepairCounts(), RepairCounts()
        self.originals: dict[tuple[int, int], bytes] = {}
        self._protector = Protector(protection, spec.calls, SSRC_BASE, self.sent)
        self._restorer = Restorer(protection, spec.calls, SSRC_BASE, self.heard)

    def leaving(self, window_ns: int) -> Iterator[Batch]:
        """All packets, protected, a window of time at once."""
        plan = schedule(self.spec, np.random.default_rng(1))
        source = PacketSource(self.spec, plan, ssrc_base=SSRC_BASE, token=TOKEN, start_ns=0)
        until_ns = 0
        while not source.exhausted:
            until_ns += window_ns
            while len((batch := source.take(0, until_ns, 5)).size):
                assert batch.tag is not None
                index, stream = np.divmod(batch.tag, self.spec.calls)
                for row, at in enumerate(zip(stream.tolist(), index.tolist(), strict=True)):
                    self.originals[at] = batch.data[row, : batch.size[row]].tobytes()
                yield self._protector.protect(batch, stream, index)

    def arrive(self, batch: Batch) -> tuple[set[tuple[int, int]], dict[tuple[int, int], Repair]]:
        """Which packets arrive, and which are brought by a remedy; every one as it was sent."""
        found = self._restorer.restore(batch)
        assert found.broken == 0
        plain: set[tuple[int, int]] = set()
        copies: dict[tuple[int, int], Repair] = {}
        for part in found.plain:
            for packet in rows_of(part):
                assert packet == self.originals[place(packet)]
                plain.add(place(packet))
        tags = [] if found.copies.tag is None else found.copies.tag.tolist()
        for packet, tag in zip(rows_of(found.copies), tags, strict=True):
            original, remedy = self.originals[place(packet)], Repair(tag)
            assert packet[4:] == original[4:]  # RED knows no sequence number and no marker
            assert remedy == Repair.RED or self.protection.red or packet == original
            copies.setdefault(place(packet), remedy)
        return plain, copies


def rows_of(batch: Batch) -> list[bytes]:
    return [row[:size].tobytes() for row, size in zip(batch.data, batch.size, strict=True)]


def place(packet: bytes) -> tuple[int, int]:
    """Stream and index."""
    return int.from_bytes(packet[8:12], "big") - SSRC_BASE, int.from_bytes(packet[16:20], "big")


@pytest.mark.parametrize("protection", KINDS, ids=str)
@pytest.mark.parametrize(
    "window_ms", [pytest.param(5, marks=pytest.mark.slow), 20, pytest.param(700, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("loss", [0.1, pytest.param(0.5, marks=pytest.mark.slow)])
def test_what_is_rebuilt_is_what_was_sent(protection: Protection, window_ms: int, loss: float) -> None:
    line, random = Line(protection), np.random.default_rng(window_ms)
    arrived, copied, lost = set[tuple[int, int]](), dict[tuple[int, int], Repair](), 0
    for batch in line.leaving(window_ms * MS):
        gone = random.random(len(batch.size)) < loss
        lost += int(np.count_nonzero(gone))
        plain, copies = line.arrive(batch.take(~gone))
        arrived |= plain
        copied |= copies
    assert lost > 20
    assert len(copied.keys() - arrived) > (0 if loss > 0.1 else 5)
    assert len(arrived | copied.keys()) <= len(line.originals) == 300


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data(), protection=st.sampled_from(KINDS))
def test_neither_order_nor_duplicates_harm(data: st.DataObject, protection: Protection) -> None:
    line = Line(protection)
    sent = join(list(line.leaving(100 * MS)))
    order = data.draw(st.lists(st.integers(0, len(sent.size) - 1), min_size=1, max_size=400))
    cut = data.draw(st.integers(1, 100))
    for start in range(0, len(order), cut):
        line.arrive(sent.take(np.array(order[start : start + cut])))


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("interleave", [1, 3])
def test_one_loss_in_a_column_is_repaired_when_its_last_packet_arrives_and_two_are_not(
    k: int, interleave: int
) -> None:
    spec = stream_spec("voice", duration_ns=SECOND_NS)
    for burst in (interleave, interleave + 1):
        line = Line(Protection(fec_k=k, fec_interleave=interleave), spec)
        sent = join(list(line.leaving(20 * MS)))
        media = sent.tag >= 0 if sent.tag is not None else np.zeros(0, np.bool_)
        numbers = np.cumsum(media) - 1  # of the media packet before each repair packet, or its own
        keep = ~(media & (numbers < burst))
        _, copies = line.arrive(sent.take(keep))
        # The burst begins with a block: every column loses one, and with one more the first loses two.
        block = {(0, index) for index in range(k * interleave)}
        assert copies.keys() & block == {
            (0, index) for index in range(burst) if burst <= interleave or index % interleave
        }
    line = Line(Protection(fec_k=k, fec_interleave=interleave), spec)
    sent = join(list(line.leaving(20 * MS)))
    found = line._restorer.restore(sent.take(slice(1, None)))
    # The column's last packet is the (k-1)th after the first; the repair packet leaves with it.
    assert found.copies.time_ns.tolist() == [(k - 1) * interleave * 20 * MS]


def test_packets_that_were_never_sent_are_not_taken_for_losses() -> None:
    line = Line(Protection(fec_k=5), stream_spec("voice", duration_ns=SECOND_NS))
    plan = schedule(line.spec, np.random.default_rng(1))
    source = PacketSource(line.spec, plan, ssrc_base=SSRC_BASE, token=TOKEN, start_ns=0)
    source.take(0, 21 * MS, 5)  # 0 and 1
    source.skip(61 * MS)  # 2 and 3 never leave
    head = source.take(0, 100 * MS, 5)  # 4 and 5
    index = np.array([4, 5])
    for row, number in enumerate(index.tolist()):
        line.originals[0, number] = head.data[row, : head.size[row]].tobytes()
    sent = line._protector.protect(head, np.zeros(2, np.int64), index)
    assert len(sent.size) == 3
    plain, copies = line.arrive(sent)
    assert plain == {(0, 4), (0, 5)}
    assert not copies
    again = Line(Protection(fec_k=5), line.spec)
    again.originals = line.originals
    plain, copies = again.arrive(sent.take(slice(1, None)))  # without 4, which the mask names alone
    assert copies == {(0, 4): Repair.FEC}


def iid(loss: float) -> Impairment:
    return Impairment(delay_ns=50 * MS, loss=Loss(loss, None))


def lost_of(result: Exchange, way: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.uint8]]:
    """(stream, packet) tables of a direction in its order: lost, repaired, by which remedy."""
    rows = np.sort(result.rows, order=["stream", "seq"])
    rows = rows.reshape(result.client._streams, -1)
    if way == "up":
        return rows["node_received_ns"] == NEVER, rows["up_repaired_ns"] != NEVER, rows["up_repair"]
    there = (rows["node_sent_ns"] != NEVER).ravel()
    short = min(int(np.count_nonzero(row != NEVER)) for row in rows["node_sent_ns"])
    cut = np.stack([row[row["node_sent_ns"] != NEVER][:short] for row in rows])
    assert there.any()
    return cut["received_ns"] == NEVER, cut["down_repaired_ns"] != NEVER, cut["down_repair"]


@pytest.fixture(scope="module")
def red() -> Exchange:
    return exchange(iid(0.3), iid(0.3), calls=20, seconds=20, nack=False, protection=Protection(red=2))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["up", "down"])
def test_red_leaves_what_is_lost_with_all_its_copies(way: str, red: Exchange) -> None:
    lost, repaired, by = lost_of(red, way)
    lost, repaired, by = lost[:, :-2], repaired[:, :-2], by[:, :-2]
    p = 0.3
    expected = residual_copies(p, 3)
    # Neighbours share copies: the variance of a mean of such runs is (1 + p) / (1 - p) times the plain one.
    deviation = sqrt(expected / lost.size * (1 + p) / (1 - p))
    assert (lost & ~repaired).mean() == pytest.approx(expected, abs=4 * deviation)
    assert set(by[lost & repaired]) == {Repair.RED}
    assert not repaired[~lost].any()


@pytest.fixture(scope="module")
def parity() -> Exchange:
    return exchange(iid(0.1), iid(0.1), calls=20, seconds=20, nack=False, protection=Protection(fec_k=5))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["up", "down"])
def test_parity_leaves_what_the_erasure_code_must_leave(way: str, parity: Exchange) -> None:
    lost, repaired, by = lost_of(parity, way)
    k, p = 5, 0.1
    whole = lost.shape[1] // k * k
    gone = (lost & ~repaired)[:, :whole]
    # Of a group: all that were lost, but for one alone whose repair packet arrived.
    chance = [comb(k, lost) * p**lost * (1 - p) ** (k - lost) for lost in range(k + 1)]
    left = [count if count != 1 else p for count in range(k + 1)]
    mean = sum(of * share for of, share in zip(left, chance, strict=True))
    square = sum(
        of * share for of, share in zip([0, p, *(n * n for n in range(2, k + 1))], chance, strict=True)
    )
    assert mean / k == pytest.approx(residual_erasure(p, k, 1))
    deviation = sqrt((square - mean**2) / (gone.size / k)) / k
    assert gone.mean() == pytest.approx(mean / k, abs=4 * deviation)
    assert set(by[lost & repaired]) == {Repair.FEC}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["red", "parity"])
def test_remedies_are_counted_beside_and_never_as_media(name: str, request: pytest.FixtureRequest) -> None:
    result: Exchange = request.getfixturevalue(name)
    client, node = result.client.counts, result.session.counts
    flags = result.log["flags"]
    copies = flags & (log.RED | log.FEC) != 0
    assert node.received == np.count_nonzero(~copies) == (result.rows["node_received_ns"] != NEVER).sum()
    assert node.duplicates == client.corrupt == node.corrupt == node.policed == 0
    assert client.strays == result.reflector.strays == 0
    assert node.repairs == np.count_nonzero(copies) == (result.rows["up_repaired_ns"] != NEVER).sum()
    assert (result.rows["up_duplicates"] == 0).all()
    assert (result.rows["up_retransmissions"] == 0).all()
    crossed = result.path.up.counters
    assert crossed.delivered + crossed.lost == len(result.rows) + client.fec_packets
    assert client.fec_packets == (len(result.rows) // 5 if name == "parity" else 0)


def test_what_leaves_is_what_was_foreseen(red: Exchange, parity: Exchange) -> None:
    """The rates that a session asks a node for are those it sends."""
    for result in (red, parity):
        counts = result.client.counts
        sizes = result.rows["size"].reshape(-1, result.client._streams).T
        protection = Protection(red=2) if result is red else Protection(fec_k=5)
        foreseen = sum(protection.bytes_beside(stream) for stream in sizes)
        assert counts.red_bytes + counts.fec_bytes == foreseen > 0


@pytest.mark.slow
@pytest.mark.parametrize("protection", [Protection(red=2), Protection(fec_k=3, fec_interleave=2)], ids=str)
@pytest.mark.parametrize("nack", [False, True])
def test_a_packet_alone_is_handled_as_in_a_batch(
    monkeypatch: pytest.MonkeyPatch, protection: Protection, nack: bool
) -> None:
    path = Impairment(delay_ns=25 * MS, jitter_ns=5 * MS, loss=Loss(0.1, 3))
    alone = exchange(path, path, seconds=6, nack=nack, protection=protection)
    for module in (media_client, packet_source, reflector):
        monkeypatch.setattr(module, "ALONE", 0)
    batched = exchange(path, path, seconds=6, nack=nack, protection=protection)
    assert np.array_equal(alone.rows, batched.rows)
    assert np.array_equal(alone.log, batched.log)
    assert alone.client.counts == batched.client.counts


@pytest.mark.slow
def test_what_red_brings_is_not_asked_for() -> None:
    single = exchange(iid(0.01), iid(0.01), calls=4, seconds=10, protection=Protection(red=1))
    without = exchange(iid(0.01), iid(0.01), calls=4, seconds=10)
    lost = int((single.rows["node_received_ns"] == NEVER).sum())
    assert lost > 5
    assert single.client.counts.nacks_received < without.client.counts.nacks_received / 4


@pytest.mark.slow
def test_a_copy_arrives_with_the_packet_that_brings_it() -> None:
    """RED with the next packet of the stream, parity with the last of its column."""

    def repaired(protection: Protection, of: Repair) -> Iterator[tuple[int, int]]:
        result = exchange(iid(0.2), iid(0.2), seconds=20, nack=False, protection=protection)
        rows = result.rows[result.rows["up_repair"] == of]
        assert len(rows) > 15
        after = (rows["up_repaired_ns"] - rows["sent_ns"]) // MS
        return zip((rows["seq"] % 4).tolist(), after.tolist(), strict=True)

    assert {after for _, after in repaired(Protection(red=1), Repair.RED)} == {50 + 20}
    found = set(repaired(Protection(fec_k=4), Repair.FEC))
    assert found == {(number, 50 + 20 * (3 - number)) for number in range(4)}
    # With both: the last of four, which RED would bring later; or what a rebuilt packet repeated.
    found = set(repaired(Protection(red=1, fec_k=4), Repair.FEC))
    assert found == {(3, 50), (3, 50 + 20 * 4)}


def test_redundancy_that_does_not_fit_is_left_out_the_oldest_first() -> None:
    spec = stream_spec("voice", duration_ns=SECOND_NS, bitrate_bps=160_000)  # some 400 bytes a packet
    line = Line(Protection(red=4), spec)
    for batch in line.leaving(100 * MS):
        assert batch.size.max() <= 1200
        line.arrive(batch)
    assert 0 < line.sent.red_bytes < 4 * sum(map(len, line.originals.values())) * 0.7
    plan: Schedule = schedule(spec, np.random.default_rng(1))
    assert line.sent.red_bytes == Protection(red=4).bytes_beside(plan.size)
