"""Many sessions shown as one: what is pooled is what one session of all the packets would have shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from probe.analysis.session import analyse_session
from probe.analysis.together import together
from probe.metrics import Rows
from probe.records import SessionRecord
from probe.session import virtual
from tests.session.test_virtual import BEGAN_NS, SPEC, network, record


def measured(seed: int, vendor: str = "alpha") -> tuple[SessionRecord, Rows]:
    made = replace(record(seed), vendor=vendor, index=seed)
    return made, virtual.run_virtual(made, SPEC, [network(0.03)], BEGAN_NS)


def test_a_cell_is_the_pool_of_its_packets() -> None:
    parts = [measured(seed) for seed in (1, 2, 3)]
    summaries = [analyse_session(*part) for part in parts]
    other = analyse_session(*measured(4, "beta"))
    first, second = together([*summaries, other])
    assert (first.sessions, second.sessions) == (3, 1)
    assert second.rtt_ms == other.rtt_ms
    assert first.counts["scheduled"] == 1800 == sum(len(rows) for _, rows in parts)
    assert first.counts["sent"] == first.counts["on_time"] + sum(
        first.counts[name] for name in ("late", "lost_up", "lost_down", "lost_unknown")
    )
    trips = np.sort(np.concatenate([s.values["rtt"].finite for s in summaries]))  # type: ignore[attr-defined]
    assert first.rtt_ms.n == 1800
    assert first.rtt_ms.p50 == trips[899]
    for way, ways in ((first.up, [s.up for s in summaries]), (first.down, [s.down for s in summaries])):
        assert way is not None
        assert way.lost + way.late == way.recovered + way.residual
        assert way.lost == sum(one.lost for one in ways if one is not None)
        assert way.loss_ratio == pytest.approx(way.lost / way.sent)
        assert way.repairs is not None
        assert way.repairs.scheduled.n == way.sent
    connects = sorted(s.record.connect_ms or 0.0 for s in summaries)
    assert first.record.connect_ms == connects[1]
