"""RED and parity over real sockets, behind our relay with losses in bursts, both ways."""

from __future__ import annotations

import numpy as np
import pytest

from probe.impairment.profile import Impairment, Loss
from probe.methods.protection import Protection
from probe.metrics import NEVER, Repair
from probe.net.relay import Relay
from tests.media_loopback import MS, loopback

pytestmark = pytest.mark.net


async def test_both_directions_are_repaired_and_counted() -> None:
    bursts = Impairment(delay_ns=10 * MS, loss=Loss(0.1, 2))
    async with loopback() as node:
        relay = await Relay.open(node.address, [bursts], [bursts], 3)
        try:
            session = await node.session(
                seconds=1.5, calls=8, nack=False, protection=Protection(red=1, fec_k=4), path=relay.address
            )
        finally:
            await relay.stop()
    rows, report = session.rows, session.report
    for left, arrived, way in (
        ("sent_ns", "node_received_ns", "up"),
        ("node_sent_ns", "received_ns", "down"),
    ):
        sent = rows[left] != NEVER
        lost = sent & (rows[arrived] == NEVER)
        repaired = lost & (rows[f"{way}_repaired_ns"] != NEVER)
        assert 0 < np.count_nonzero(repaired) < np.count_nonzero(lost) < np.count_nonzero(sent) / 3
        assert set(rows[f"{way}_repair"][repaired]) <= {Repair.RED, Repair.FEC}
        assert Repair.RED in rows[f"{way}_repair"][repaired]
    assert report["received"] == np.count_nonzero(rows["node_received_ns"] != NEVER)
    assert report["corrupt"] == report["policed"] == session.result.counters["corrupt"] == 0
    assert report["fec_received"] > 0
    assert session.result.counters["fec_received"] > 0
    assert report["red_bytes"] > 0
