"""A node's host, told in the reports of its sessions."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probe.methods.admission import Admission, Limits
from probe.methods.negotiation import Grant
from probe.net import host
from probe.net.host import process_cpu_ns
from probe.net.watched import Watched
from tests.quic_parts import Backend, request

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")


def granted() -> Grant:
    grant = Admission(Limits(), os.urandom).admit(request(), address="a", key="k")
    assert isinstance(grant, Grant)
    return grant


def ticks(path: Path, *, idle: int, steal: int) -> None:
    path.write_text(f"cpu  0 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n")


def test_what_a_hypervisor_took_meanwhile_is_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat, softnet = tmp_path / "stat", tmp_path / "softnet_stat"
    monkeypatch.setattr(host, "_STAT", stat)
    monkeypatch.setattr(host, "_SOFTNET", softnet)
    ticks(stat, idle=100, steal=50)
    softnet.write_text("00000007 00000003 0\n00000007 00000001 0\n")
    node, grant = Watched(Backend(), os.getpid()), granted()
    node.open(grant)
    ticks(stat, idle=170, steal=80)
    softnet.write_text("00000007 00000003 0\n00000007 0000000f 0\n")
    report = node.report(grant.session)
    assert (report["steal_ratio"], report["backlog_dropped"], report["received"]) == (0.3, 14, 0)
    assert report["cpu_share"] >= 0
    stat.unlink()
    softnet.unlink()
    report = node.report(grant.session)
    assert (report["steal_ratio"], report["backlog_dropped"]) == (None, None)
    node.close(grant.session)
    with pytest.raises(KeyError):
        node.report(grant.session)


@pytest.mark.slow
@linux
def test_the_processor_time_of_another_process_is_its_own() -> None:
    busy = "import time\nwhile time.process_time() < 0.2: pass\nprint(time.process_time_ns(), flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        told_ns = int(child.stdout.readline())
        used_ns = process_cpu_ns(child.pid)
        child.communicate("\n", timeout=20)
    assert used_ns is not None
    assert told_ns <= used_ns < told_ns + 2_000_000_000
    assert process_cpu_ns(child.pid) is None  # there is no such process any more


def test_our_own_is_what_python_says() -> None:
    before_ns = time.process_time_ns()
    used_ns = process_cpu_ns(os.getpid())
    assert used_ns is not None
    assert before_ns <= used_ns <= time.process_time_ns()
