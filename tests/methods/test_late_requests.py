"""A node answers requests for what left within the last second, however long nobody asked."""

from __future__ import annotations

import numpy as np
import pytest

from probe.methods.batch import ADDRESS_BYTES
from probe.methods.media_client import MediaClient
from probe.methods.schedule import schedule, stream_spec
from probe.metrics import RUNNING, empty_rows
from probe.wire import media
from probe.wire.log import LOG
from tests.exchange import SSRC_BASE, TOKEN, reflector_for

MS = 1_000_000
CALLS = 3
INTERVAL = 20 * MS
ADDRESS = np.zeros((1, ADDRESS_BYTES), np.uint8)
ANSWERED = {0: True, 1: True, 49: True, 52: False}
"""By how many packets ago."""


@pytest.mark.parametrize("duplicates", [False, True])
@pytest.mark.parametrize("asked_ms", [(3000,), (1200, 3000), (1500, 2000, 3000), (2800, 3000)])
def test_a_request_after_silence(asked_ms: tuple[int, ...], *, duplicates: bool) -> None:
    spec = stream_spec("voice", calls=CALLS, duration_ns=3200 * MS)
    plan = schedule(spec, np.random.default_rng(1))
    rows = empty_rows(CALLS * plan.packets, RUNNING)
    client = MediaClient(spec, plan, rows, ssrc_base=SSRC_BASE, token=TOKEN, nack=True, start_ns=0)
    reflector, session = reflector_for(spec, plan.packets, np.zeros(2 * len(rows), LOG), nack=True)
    ssrc = np.array([SSRC_BASE + 1 | media.DOWN_SSRC], np.uint32)
    for now_ns in range(5 * MS, 3001 * MS, 5 * MS):
        while client.next_time_ns() <= now_ns:
            sent = client.packets_to_send(now_ns, now_ns)
            count = len(sent.size)
            arriving = sent._replace(
                time_ns=np.full(count, now_ns), address=np.tile(ADDRESS, (count, 1)), tag=None
            )
            for _ in range(1 + duplicates):
                reflector.receive(arriving._replace(data=arriving.data.copy()))
            reflector.packets_to_send(now_ns, now_ns)
        if now_ns // MS in asked_ms:
            newest = now_ns // INTERVAL - 1
            for age, answered in ANSWERED.items():
                lost = np.array([newest - age], np.uint16)
                copies = session.retransmit(ssrc, lost, np.array([now_ns]), ADDRESS)
                assert len(copies.size) == answered
