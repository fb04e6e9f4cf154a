"""Ten datagrams as one: they arrive as if each had been sent alone, and where they might not it is not done.

On loopback what is cut from one has one arrival stamp, which shows from outside what went together.
"""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from probe.net import mmsg
from probe.net.segments import SEGMENTS, may_segment
from probe.net.udp import MEDIA_SLOTS, SAMPLED, UdpSocket, open_udp
from tests.net.test_udp import packets, received, told
from tests.networks import own_networks

pytestmark = [
    pytest.mark.net,
    pytest.mark.skipif(sys.platform != "linux", reason="UDP_SEGMENT is Linux"),
]
__all__ = ("own_networks",)


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[UdpSocket, UdpSocket]]:
    """A bound socket and one connected to it; whatever queueing disciplines this host has."""
    monkeypatch.setattr(mmsg, "may_segment", lambda _: True)
    try:
        bound = open_udp(bind=(request.param, 0), slots=MEDIA_SLOTS)
    except Exception as error:  # noqa: BLE001
        pytest.skip(f"no {request.param} here: {error}")
    with closing(bound), closing(open_udp(peer=bound.local(), slots=MEDIA_SLOTS)) as connected:
        yield bound, connected


def together(times: list[int]) -> list[int]:
    """How many arrived at each moment."""
    return [int(count) for count in np.unique(times, return_counts=True)[1]]


@pytest.mark.parametrize("count", [5, 10, 11, 95, 1500])
def test_ten_go_as_one_and_arrive_as_ten(pair: tuple[UdpSocket, UdpSocket], count: int) -> None:
    bound, connected = pair
    assert connected.segment(wanted=True)
    assert bound.segment(wanted=True)
    sent = packets([200] * count)
    assert connected.send(sent) == count
    got = received(bound, count)
    assert np.array_equal(got.data, sent.data)
    assert got.size.tolist() == [200] * count
    of_a_call = [min(MEDIA_SLOTS, count - start) for start in range(0, count, MEDIA_SLOTS)]
    tens = [min(SEGMENTS, part - at) for part in of_a_call for at in range(0, part, SEGMENTS)]
    assert together(got.time_ns.tolist()) == tens
    assert bound.send(got) == count
    back = received(connected, count)
    assert np.array_equal(back.data, sent.data)
    assert together(back.time_ns.tolist()) == tens
    assert connected.carrier == bound.carrier == "sendmmsg, segments"
    assert not connected.segment(wanted=False)
    connected.send(sent.take(slice(20)))
    assert together(received(bound, min(count, 20)).time_ns.tolist()) == [1] * min(count, 20)
    assert connected.carrier == "sendmmsg"


def test_datagrams_that_differ_in_size_go_alone(pair: tuple[UdpSocket, UdpSocket]) -> None:
    bound, connected = pair
    connected.segment(wanted=True)
    sent = packets([200] * 19 + [72])
    connected.send(sent)
    got = received(bound, 20)
    assert np.array_equal(got.data, sent.data)
    assert together(got.time_ns.tolist()) == [1] * 20


def test_datagrams_for_different_peers_go_to_each(pair: tuple[UdpSocket, UdpSocket]) -> None:
    bound, connected = pair
    bound.segment(wanted=True)
    with closing(open_udp(peer=bound.local())) as other:
        for sock in (connected, other):
            sock.send(packets([100] * 7))
        bound.send(received(bound, 14))
        for sock in (connected, other):
            assert np.array_equal(received(sock, 7).data, packets([100] * 7).data)
            assert not len(sock.receive().size)


def test_of_each_ten_the_first_is_stamped(pair: tuple[UdpSocket, UdpSocket]) -> None:
    bound, connected = pair
    assert connected.segment(wanted=True)
    assert connected.stamp(SAMPLED)
    for count in (64, 7, 1100):
        connected.send(packets([100] * count, tags=True))
        arrived = received(bound, count).time_ns
        tags, times = told(connected)
        first = [
            at
            for start in range(0, count, MEDIA_SLOTS)
            for at in range(start, min(start + MEDIA_SLOTS, count), 10)
        ]
        assert tags.tolist() == [10 * row for row in first]
        assert (times <= arrived[first]).all()
    connected.stamp(1)
    connected.send(packets([100] * 12, tags=True))
    assert together(received(bound, 12).time_ns.tolist()) == [1] * 12
    assert told(connected)[0].tolist() == list(range(0, 120, 10))
    connected.stamp(0)
    connected.send(packets([100] * 12, tags=True))
    assert together(received(bound, 12).time_ns.tolist()) == [10, 2]
    assert connected.transmitted() is None


def test_a_refusal_is_counted_and_keeps_nothing_back(pair: tuple[UdpSocket, UdpSocket]) -> None:
    bound, connected = pair
    connected.segment(wanted=True)
    connected.stamp(SAMPLED)
    bound.close()
    for _ in range(5):
        assert connected.send(packets([100] * 45, tags=True)) == 45
        told(connected)
    assert connected.refused > 0
    assert connected.carrier == "sendmmsg, segments"


class BeforeLinux418:
    """A fake: what such a kernel says of an option that it does not know."""

    def getsockopt(self, level: int, option: int) -> int:
        raise OSError(errno.ENOPROTOOPT, f"option {option} of {level}")


def test_a_kernel_that_would_not_cut_them_gets_none() -> None:
    assert not may_segment(cast("socket.socket", BeforeLinux418()))


def test_a_socket_without_them_says_so() -> None:
    with closing(open_udp(bind=("127.0.0.1", 0), plain=True)) as sock:
        assert not sock.segment(wanted=True)


SCRIPT = """
import json, subprocess, sys
from contextlib import closing
from probe.net.netns import leave_host, run
from probe.net.segments import queueing_disciplines
from probe.net.udp import open_udp
from tests.net.test_segments import sizes_of, packets
leave_host()
run("ip", "link", "set", "lo", "mtu", "1280", "up")
for command in json.loads(sys.argv[1]):
    run(*command)
shown = subprocess.run(["tc", "qdisc", "show"], capture_output=True, text=True, check=True).stdout
with closing(open_udp(bind=("127.0.0.1", 0))) as bound, closing(open_udp(peer=bound.local())) as sock:
    granted = sock.segment(wanted=True)
    taken = sock.send(packets([1400] * 25))
    print(json.dumps({
        "tc": sorted({line.split()[1] for line in shown.splitlines()}), "ours": sorted(queueing_disciplines()),
        "granted": granted, "taken": taken, "sizes": sizes_of(bound, 25),
        "carrier": sock.carrier,
    }))
"""


def sizes_of(sock: UdpSocket, count: int) -> list[int]:
    return [int(size) for size in received(sock, count).size]


def elsewhere(*commands: list[str]) -> dict[str, Any]:
    """What 25 datagrams, larger than the path takes, come to in a network where these have been run."""
    script = [sys.executable, "-c", SCRIPT, json.dumps(commands)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ours"] == told["tc"]
    assert (told["taken"], told["sizes"]) == (25, [1400] * 25)
    assert told["carrier"] == "sendmmsg"  # whether it was not granted or did not work
    return told


@pytest.mark.usefixtures("own_networks")
def test_what_the_path_takes_only_in_fragments_goes_alone() -> None:
    assert elsewhere()["granted"]


@pytest.mark.usefixtures("own_networks")
@pytest.mark.parametrize(
    "queue",
    [
        ["lo", "root", "tbf", "rate", "1gbit", "burst", "1mb", "latency", "50ms"],
        ["lo", "root", "handle", "1:", "htb"],
        ["lo", "ingress"],
    ],
    ids=["tbf", "htb", "ingress"],
)
def test_where_a_queue_does_more_than_pass_on_each_goes_alone(queue: list[str]) -> None:
    told = elsewhere(["tc", "qdisc", "add", "dev", *queue])
    assert not told["granted"]
