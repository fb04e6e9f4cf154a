"""The order of leaving without a list of it, and packets made ahead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.methods.batch import FOREVER
from probe.methods.packet_source import BLOCK, MAX_BATCH, DueOrder, PacketSource
from probe.methods.schedule import Schedule, schedule, stream_spec
from probe.wire import media, rtp

MS = 1_000_000
START = 5_000 * MS
BASE, TOKEN = 7 << 20, bytes(range(16))


def shape(frames: list[int], offsets: list[int]) -> Schedule:
    """`frames`: packets of each 20 ms frame."""
    time_ns = np.repeat(np.arange(len(frames)) * 20 * MS, frames)
    count = len(time_ns)
    zeros = np.zeros(count, np.uint32)
    return Schedule(time_ns, np.full(count, 100, np.uint16), zeros > 0, zeros, np.array(offsets))


@settings(max_examples=100, deadline=None)
@given(
    frames=st.lists(st.integers(1, 7), min_size=1, max_size=20),
    offsets=st.lists(st.integers(0, 20 * MS - 1), min_size=1, max_size=9, unique=True),
    data=st.data(),
)
def test_the_order_is_that_of_sorting_all_due_times(
    frames: list[int], offsets: list[int], data: st.DataObject
) -> None:
    plan = shape(frames, offsets)
    order = DueOrder(plan, START)
    streams = len(offsets)
    due = (START + plan.time_ns[:, None] + plan.offset_ns[None, :]).ravel()
    sorted_rows = np.lexsort((np.arange(len(due)) // streams, np.arange(len(due)) % streams, due))
    start = data.draw(st.integers(0, order.total))
    rows, at = order.rows(start, order.total)
    assert rows.tolist() == sorted_rows[start:].tolist()
    assert at.tolist() == due[sorted_rows[start:]].tolist()
    highest = np.full(len(offsets), -1)
    np.maximum.at(highest, sorted_rows[:start] % streams, sorted_rows[:start] // streams)
    assert order.highest(start).tolist() == highest.tolist()


def test_streams_that_would_overtake_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="spread"):
        DueOrder(shape([1, 1], [0, 20 * MS]), START)


def source(seconds: float, *, calls: int = 3, preset: str = "voice") -> tuple[PacketSource, Schedule]:
    spec = stream_spec(preset, calls=calls, duration_ns=int(seconds * 1e9))
    plan = schedule(spec, np.random.default_rng(1))
    return PacketSource(spec, plan, ssrc_base=BASE, token=TOKEN, start_ns=START), plan


@pytest.mark.parametrize(("calls", "preset"), [(1, "voice"), (7, "voice"), (3, "video")])
def test_every_packet_once_whole_and_with_its_fields(calls: int, preset: str) -> None:
    packets, plan = source(4, calls=calls, preset=preset)
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


def test_what_was_handed_out_is_not_written_to_again() -> None:
    packets, _ = source(20, calls=1)
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
