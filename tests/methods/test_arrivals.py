"""What reflections tell of one another and what the node's log told before them, however they come together."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from probe.methods.arrivals import Arrivals, ClientCounts
from probe.methods.batch import Batch, no_address
from probe.metrics import RUNNING, Rows, Stamp, empty_rows
from probe.session.merge import merge_log
from probe.wire import log, media, rtp

STREAMS, PACKETS = 4, 3
SSRC, TOKEN = 7, 0x01020304
ARRIVED, LEFT, REALLY_LEFT = 1_000_000, 2_000_000, 2_077_000
"""By the node's clock: what its reflections say, and when its kernel saw them leave, ns."""
LOGGED = [1, 3]
"""Streams of which the node's log has brought the kernel's stamp."""
WAYS = ("usual", "any", "alone")


def reflections(index: int, *, told: int | None = None) -> Batch:
    """The `index`-th reflection of every stream; it tells when the one numbered `told` really left."""
    data = np.zeros((STREAMS, media.MIN_PACKET_BYTES), np.uint8)
    rtp.write_headers(
        data,
        payload_type=media.PT_AUDIO,
        marker=0,
        sequence=index,
        timestamp=0,
        ssrc=SSRC + np.arange(STREAMS),
    )
    payload = media.payloads(data)
    payload["magic"], payload["kind"], payload["token"] = media.MAGIC, media.REFLECTION, TOKEN
    payload["index"] = payload["reflected"] = index
    payload["t2"], payload["t3"] = ARRIVED, LEFT
    if told is not None:
        payload["flags"] |= media.TELLS_T3
        payload["stamped"], payload["stamp_delta"] = told, REALLY_LEFT - LEFT
    payload["check"] = media.checksums(data)
    size = np.full(STREAMS, data.shape[1])
    return Batch(data, size, np.full(STREAMS, 3_000_000), no_address(STREAMS), kernel_stamped=True)


def take(arrivals: Arrivals, batch: Batch, way: str) -> None:
    words, stream = media.read_words(batch.data), np.arange(STREAMS)
    if way == "usual":
        assert arrivals.take_usual(batch, words, stream)
    elif way == "any":
        arrivals.take(batch, words, stream)
    else:
        for row in stream:
            arrivals.take_one(batch.take(slice(row, row + 1)), words[row].tolist(), int(row))


def logged(rows: Rows, streams: list[int], index: int) -> None:
    """The node's log of these packets comes while the session runs."""
    entries: NDArray[np.void] = np.zeros(len(streams), log.LOG)
    entries["stream"], entries["index"], entries["down_seq"] = streams, index, index
    entries["t2"], entries["t3"], entries["flags"] = ARRIVED, REALLY_LEFT, log.KERNEL_T3
    merge_log(rows, entries, streams=STREAMS)


@pytest.mark.parametrize("way", WAYS)
def test_what_the_log_has_told_is_not_told_again(way: str) -> None:
    rows = empty_rows(STREAMS * PACKETS, RUNNING)
    rows["sent_ns"] = 0
    counts = ClientCounts()
    arrivals = Arrivals(
        rows, streams=STREAMS, packets=PACKETS, token=TOKEN, media_ssrc=SSRC, nack=None, counts=counts
    )
    left, exact = rows["node_sent_ns"].reshape(PACKETS, STREAMS), Stamp.NODE_SENT | Stamp.RECEIVED
    take(arrivals, reflections(0), way)
    assert (left[0] == LEFT).all()
    logged(rows, LOGGED, index=0)
    assert (left[0] == [REALLY_LEFT if stream in LOGGED else LEFT for stream in range(STREAMS)]).all()
    take(arrivals, reflections(1, told=0), way)
    take(arrivals, reflections(2, told=0), way)  # of one that is not the last any more: too late to say
    assert (left[0] == REALLY_LEFT).all()
    assert (left[1:] == LEFT).all()
    assert (rows["stamps"].reshape(PACKETS, STREAMS)[0] == exact).all()
    assert arrivals.returned == STREAMS * PACKETS
    assert counts == ClientCounts()
