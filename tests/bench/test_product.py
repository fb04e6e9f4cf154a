"""That what the rows call pinned is where they say."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from bench.product import CLIENT_CPU, OTHER_CPU, node, worker

pytestmark = [pytest.mark.net, pytest.mark.skipif(sys.platform != "linux", reason="pins processes")]


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs"
)
def test_node_and_worker_have_a_cpu_each_and_we_keep_all() -> None:
    ours = os.sched_getaffinity(0)

    async def pinned() -> tuple[set[int], set[int], set[int]]:
        async with node(cpu=OTHER_CPU) as peer, worker(cpu=CLIENT_CPU) as client:
            return os.sched_getaffinity(peer.pid), os.sched_getaffinity(client.pid), os.sched_getaffinity(0)

    at_node, at_client, here = asyncio.run(pinned())
    assert len(at_node) == len(at_client) == 1
    assert not at_node & at_client
    assert here == ours
