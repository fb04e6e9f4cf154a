"""Packets handed out when they are due, made ahead or as they leave."""

from __future__ import annotations

import numpy as np
import pytest

from probe.methods.batch import FOREVER
from probe.methods.packet_source import BLOCK, CROWD, MAX_BATCH, PacketSource
from probe.methods.schedule import Schedule, schedule, stream_spec
from probe.wire import media, rtp

MS = 1_000_000
START = 5_000 * MS
BASE, TOKEN = 7 << 20, bytes(range(16))


def source(
    seconds: float, *, calls: int = 3, preset: str = "voice", passing: bool = False
) -> tuple[PacketSource, Schedule]:
    spec = stream_spec(preset, calls=calls, duration_ns=int(seconds * 1e9))
    plan = schedule(spec, np.random.default_rng(1))
    return PacketSource(spec, plan, ssrc_base=BASE, token=TOKEN, start_ns=START, passing=passing), plan


@pytest.mark.parametrize(
    ("seconds", "calls", "preset", "passing"),
    [
        (4, 1, "voice", True),
        (4, 7, "voice", False),
        (4, 3, "video", True),
        (0.1, CROWD, "voice", False),
        (0.1, CROWD, "voice", True),
        (0.1, CROWD, "video", False),
    ],
)
def test_every_packet_once_whole_and_with_its_fields(
    seconds: float, calls: int, preset: str, passing: bool
) -> None:
    packets, plan = source(seconds, calls=calls, preset=preset, passing=passing)
    rows: list[int] = []
    while packets.next_ns() != FOREVER:
        now_ns = packets.next_ns() + 30_000
        batch = packets.take(now_ns, now_ns, 123 << 30)
        assert 0 < len(batch.size) <= MAX_BATCH
        words = media.read_words(batch.data)
        assert media.intact(batch.data, words).all()
        assert (media.read_time(words, media.W_T1) == now_ns).all()
        assert (media.read_time(words, media.W_T2) == 123 << 30).all()
        header = rtp.read_headers(batch.data, batch.size)
        assert batch.tag is not None
        index, stream = np.divmod(batch.tag, calls)
        assert header.valid.all()
        assert (header.ssrc == BASE + stream).all()
        assert (header.sequence == index & 0xFFFF).all()
        assert (header.timestamp == plan.timestamp[index]).all()
        assert (header.marker == plan.marker[index]).all()
        assert (batch.size == plan.size[index]).all()
        rows += batch.tag.tolist()
    assert packets.exhausted
    assert sorted(rows) == list(range(calls * plan.packets))
    assert len(rows) > BLOCK or calls == 1


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "calls"), [(20, 1), (0.1, CROWD)])
def test_what_was_handed_out_is_not_written_to_again(seconds: float, calls: int) -> None:
    packets, _ = source(seconds, calls=calls)
    first = packets.take(START, START, 0)
    kept = first.data.copy()
    while packets.next_ns() != FOREVER:
        packets.take(packets.next_ns(), packets.next_ns(), 1)
    assert np.array_equal(first.data, kept)


def test_a_long_pause_is_skipped_at_once() -> None:
    packets, plan = source(30, calls=2)
    skipped = packets.skip(START + 20_000 * MS)
    assert len(skipped) == 2 * 1000
    assert len(np.unique(skipped)) == 2000
    assert (skipped // 2 < 1000).all()
    assert packets.next_ns() == START + 20_000 * MS
    assert len(packets.unreached()) == 2 * plan.packets - 2000
    assert not len(packets.skip(START))


@pytest.mark.parametrize("calls", [7, CROWD])
def test_a_window_ahead_leaves_packet_by_packet_at_its_due_time(calls: int) -> None:
    packets, _ = source(0.1, calls=calls)
    taken = [packets.take(0, START + 50 * MS, 5 << 33)]
    while len(taken[-1].size):
        taken.append(packets.take(0, START + 50 * MS, 5 << 33))
    leave = np.concatenate([batch.time_ns for batch in taken])
    offset = np.arange(calls) * 20 * MS // calls
    due = START + np.concatenate([offset, offset + 20 * MS, offset + 40 * MS])
    assert leave.tolist() == due[due <= START + 50 * MS].tolist()
    for batch in taken[:-1]:
        words = media.read_words(batch.data)
        assert media.intact(batch.data, words).all()
        assert (media.read_time(words, media.W_T1) == batch.time_ns).all()


@pytest.mark.slow
def test_a_crowd_goes_on_after_a_pause() -> None:
    packets, plan = source(0.2, calls=CROWD)
    now_ns = START + 70 * MS
    skipped = packets.skip(now_ns)
    rows = [skipped]
    while packets.next_ns() != FOREVER:
        now_ns = max(now_ns, packets.next_ns())
        batch = packets.take(now_ns, now_ns, 1)
        assert batch.tag is not None
        rows.append(batch.tag)
    assert len(skipped) == 3 * CROWD + CROWD // 2
    assert np.array_equal(np.sort(np.concatenate(rows)), np.arange(CROWD * plan.packets))
