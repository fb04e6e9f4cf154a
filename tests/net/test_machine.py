"""What this machine tells of itself: each fact from something really done."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from probe.net.machine.buffers import buffer_facts
from probe.net.machine.clocks import clock_facts
from probe.net.machine.namespaces import AS_ORDINARY_USER, AS_OURSELVES, DELAY_MS, namespace_facts
from probe.net.machine.privileges import privilege_facts
from probe.net.machine.system import call_facts, ipv6_facts, processor_facts

pytestmark = pytest.mark.net
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells this")


@linux
def test_buffers_are_those_that_a_socket_gets() -> None:
    facts = buffer_facts()
    assert facts["rmem_max"] == int(Path("/proc/sys/net/core/rmem_max").read_text())
    # Without CAP_NET_ADMIN the limit holds; with it, it does not.
    least = min(facts["asked_bytes"], facts["rmem_max"])
    assert least <= facts["receive_bytes"] <= facts["asked_bytes"]
    assert facts["drops_found"] == facts["drops_sent"] == 64


@linux
def test_privileges_are_tried_and_given_back() -> None:
    facts = privilege_facts()
    assert set(facts) == {"cap_net_admin", "cap_net_raw", "realtime", "low_latency"}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@linux
def test_the_clock_says_who_keeps_it() -> None:
    facts = clock_facts()
    assert facts["synchronised"] in (True, False)
    assert (facts["largest_error_ms"] is None) == (not facts["synchronised"])
    assert facts["bracket_us"] >= 0


def test_the_rest_is_told() -> None:
    assert processor_facts()["cores"] >= 1
    assert call_facts()["pointer_bits"] in (32, 64)
    facts = ipv6_facts()
    assert 0 <= facts["loopback_back"] <= facts["loopback_sent"]


@linux
@pytest.mark.parametrize("who", [AS_OURSELVES, AS_ORDINARY_USER])
async def test_a_network_of_our_own_is_made_or_refused_with_a_reason(who: str) -> None:
    facts = await namespace_facts(who)
    if not facts["namespace"]:
        assert facts["namespace_error"]
        assert not facts["netem"]
    elif facts["netem"]:
        assert facts["netem_min_ms"] >= DELAY_MS
    else:
        assert facts["netem_error"]
