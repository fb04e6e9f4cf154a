"""Series of packets that others recorded: a table of numbers and times, or the RTP streams of a capture."""

from __future__ import annotations

import numpy as np

from probe.analysis.delay import Integers
from probe.analysis.rtp_clock import media_ns
from probe.analysis.rtp_streams import RtpStream
from probe.analysis.series import Series, make_series, without_skew
from probe.analysis.series_source import from_arrivals
from probe.metrics import NEVER, T_MAX_NS, Times

NO_T_MAX = 1 << 61
"""Later than any packet that was seen."""


def of_table(
    seq: Integers,
    sent_ns: Times,
    received_ns: Times,
    *,
    interval_ns: int | None = None,
    remove_skew: bool = False,
) -> Series:
    """Of rows in the order of sending or of arrival. The clocks may differ by any offset.

    More than T_max above the smallest delay is lost (RFC 7680), once the skew was removed if it is to be.
    ValueError of one sentence for rows that cannot be one stream.
    """
    t_max = NO_T_MAX if remove_skew else T_MAX_NS
    series = from_arrivals(seq, sent_ns, received_ns, interval_ns=interval_ns, t_max_ns=t_max)
    if not remove_skew:
        return series
    series = without_skew(series)
    received = np.where(series.excess() > T_MAX_NS, NEVER, series.received_ns)
    return make_series(
        series.seq,
        series.sent_ns,
        received,
        interval_ns=series.interval_ns,
        duplicates=series.duplicates,
    )


def of_stream(stream: RtpStream, *, interval_ns: int | None = None, remove_skew: bool = False) -> Series:
    """Of a stream seen at one place: its sender's time is that of its time stamps, so that delay is relative,
    0 for the fastest packet. What was seen is not lost, however late."""
    sent = media_ns(stream.stamp, stream.clock.hz)
    sent += int((stream.received_ns - sent).min())
    order = np.argsort(stream.seq, kind="stable")
    seq, stamp = stream.seq[order], stream.stamp[order]
    of_one_frame = (seq[1:] != seq[:-1]) & (stamp[1:] == stamp[:-1])
    several = bool(of_one_frame.any())
    usual = None if several else _usual_step(seq, sent[order])
    series = from_arrivals(
        stream.seq,
        sent,
        stream.received_ns,
        size=stream.size,
        unit=sent if several else None,
        interval_ns=interval_ns or usual,
        t_max_ns=NO_T_MAX,
    )
    return without_skew(series) if remove_skew else series


def _usual_step(seq: Integers, sent_ns: Times) -> int | None:
    """Media time of a packet: the median from one number to the next, which a silence does not stretch."""
    steps = np.diff(sent_ns)[np.diff(seq) == 1]
    usual = int(np.median(steps)) if len(steps) else 0
    return usual if usual > 0 else None
