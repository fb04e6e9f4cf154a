"""Series of tables and captures: clocks that drift, frames of several packets, silence."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.foreign import of_stream, of_table
from probe.analysis.rtp_clock import media_ns
from probe.analysis.rtp_streams import RtpStream, find_streams
from probe.analysis.series_delay import pdv_population
from probe.analysis.stream_metrics import Settings, is_a_clocks, slope, stream_metrics
from probe.metrics import T_MAX_NS
from probe.wire.capture import read_pcap
from probe.wire.datagrams import read_datagrams
from probe.wire.rtp_capture import told_apart
from tests.analysis.made import MS, S
from tests.wire.captures import data_of, pcap, rtp, udp

HOURS = 3600 * S


def drifting(ppm: float, packets: int, every_ns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A steady path of 50 ms, seen by a clock that is hours ahead and runs fast."""
    sent = np.arange(packets) * every_ns
    received = sent + 50 * MS + np.rint(sent * ppm * 1e-6).astype(np.int64) + 5 * HOURS
    return np.arange(packets), sent, received


def test_a_drifting_clock_is_told_and_removed_if_asked() -> None:
    """100 ppm for ten minutes are 60 ms."""
    rows = drifting(100, 3000, 200 * MS)
    as_it_is = of_table(*rows)
    assert slope(as_it_is) == pytest.approx(100e-6, rel=1e-3)
    assert is_a_clocks(stream_metrics(as_it_is, Settings()))
    assert pdv_population(as_it_is).value("max") == pytest.approx(59.98)
    assert pdv_population(of_table(*rows, remove_skew=True)).value("max") == pytest.approx(0, abs=1e-3)


def test_t_max_counts_after_the_skew() -> None:
    """10 hours at 100 ppm are 3.6 s: later than T_max, and nothing was late."""
    rows = drifting(100, 3600, 10 * S)
    assert of_table(*rows).lost.any()
    assert not of_table(*rows, remove_skew=True).lost.any()
    seq, sent, received = rows
    received[1000] += T_MAX_NS + MS
    assert np.flatnonzero(of_table(seq, sent, received, remove_skew=True).lost).tolist() == [1000]


def test_the_slope_of_a_short_or_steep_series_is_no_clocks() -> None:
    assert not is_a_clocks(stream_metrics(of_table(*drifting(100, 100, 200 * MS)), Settings()))
    assert not is_a_clocks(stream_metrics(of_table(*drifting(2000, 400, 200 * MS)), Settings()))


def stream_of(packets: list[tuple[float, bytes]], clock: int | None = None) -> RtpStream:
    data = data_of(pcap([(S + round(at * MS), udp(payload)) for at, payload in packets]))
    datagrams, _ = read_datagrams(data, read_pcap(data))
    rows, _, _ = told_apart(data, datagrams)
    (stream,) = find_streams(datagrams, rows, clock).streams
    return stream


def test_packets_of_a_frame_are_one_unit() -> None:
    """30 frames a second of three packets each; the second frame is without its middle one."""
    packets = [
        (33.333 * frame + part, rtp(3 * frame + part, 3000 * frame, payload_type=96))
        for frame in range(30)
        for part in range(3)
        if (frame, part) != (1, 1)
    ]
    series = of_stream(stream_of(packets, 90_000))
    assert series.unit is not None
    assert series.unit[3] == series.unit[4] == series.unit[5]
    assert series.unit_ns == pytest.approx(33.333 * MS, rel=1e-3)
    assert np.flatnonzero(series.lost).tolist() == [4]


def test_a_silence_does_not_stretch_the_packets() -> None:
    """Discontinuous transmission: the numbers go on, the time stamps jump."""
    packets = [(20.0 * i, rtp(i, 160 * i)) for i in range(20)]
    packets += [(5000 + 20.0 * i, rtp(20 + i, 40_000 + 160 * i)) for i in range(20)]
    series = of_stream(stream_of(packets))
    assert series.interval_ns == 20 * MS
    assert not series.lost.any()
    assert pdv_population(series).value("max") == pytest.approx(0)


def test_what_was_seen_is_not_lost_however_late() -> None:
    packets = [(20.0 * i, rtp(i, 160 * i)) for i in range(20)] + [(9000.0, rtp(20, 3200))]
    series = of_stream(stream_of(packets))
    assert not series.lost.any()
    assert pdv_population(series).value("max") == pytest.approx(8600)


def test_time_of_stamps_does_not_overflow() -> None:
    """A day at 90 kHz: 7.8e9 units."""
    assert media_ns(np.array([5, 5 + 90_000 * 86_400]), 90_000).tolist() == [0, 86_400 * S]
