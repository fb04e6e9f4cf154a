"""One run through a network with 10 % loss in bursts of three up and 2 % down: what is found of it, by us, by
tshark on the wire, and from the same samples with the node's clock set wrong."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probe.analysis.results import Direction, SessionSummary
from probe.metrics import NEVER, Rows
from probe.records import Json
from probe.session.run import judge_run
from probe.store.reader import load_run
from probe.store.writer import RunWriter
from tests.nodes import VARIABLES, node_process, transports, write_plan
from tests.session.measuring import Measured, measure

pytestmark = [pytest.mark.net, pytest.mark.slow]

CALLS, SECONDS = 4, 8
UP, BURST, DOWN = 0.10, 3.0, 0.02
VOICE = {
    "preset": "voice",
    "calls": CALLS,
    "duration": f"{SECONDS}s",
    "deadline": "400ms",
    "recovery": {"nack": True},
}
NODE_TIMES = ("node_received_ns", "node_sent_ns", "up_repaired_ns")


@dataclass
class Lossy:
    """A run for each transport; `capture` is what tshark saw of loopback meanwhile, if it may."""

    runs: dict[str, Measured]
    port: int
    capture: Path | None

    def session(self, transport: str) -> SessionSummary:
        return self.runs[transport].session


@contextmanager
def capturing(path: Path) -> Iterator[bool]:
    """Whether tshark writes all UDP on loopback to `path`."""
    if shutil.which("tshark") is None:
        yield False
        return
    command = ["tshark", "-q", "-n", "-i", "lo", "-f", "udp", "-w", str(path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        yield any("Capturing on" in line for line in process.stderr)
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


async def _both(folder: Path, node: dict[str, Any], other: dict[str, Any]) -> dict[str, Measured]:
    async def one(transport: str, entry: dict[str, Any]) -> Measured:
        place = folder / transport
        place.mkdir()
        plan = write_plan(
            place,
            entry,
            networks=["loss-10-burst"],
            matrix=transports(transport),
            scenarios={"voice": VOICE},
            thresholds=["reachable >= 99%", "up.loss < 5%", "down.residual < 5%"],
        )
        return await measure(plan, place / "results", seed=11)

    udp, stream = await asyncio.gather(one("udp", node), one("quic-stream", other))
    return {"udp": udp, "quic-stream": stream}


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> Lossy:
    folder = tmp_path_factory.mktemp("lossy")
    with (
        pytest.MonkeyPatch.context() as patch,
        node_process() as node,
        node_process() as other,
        capturing(folder / "lo.pcapng") as captured,
    ):
        for name, value in VARIABLES.items():
            patch.setenv(name, value)
        runs = asyncio.run(_both(folder, node.entry(), other.entry()))
    return Lossy(runs, node.port, folder / "lo.pcapng" if captured else None)


def spread(share: float, burst: float, n: int) -> float:
    """Four standard deviations of a share of n packets lost in bursts (Gilbert, quality.md 2.6)."""
    into = share / (1 - share) / burst
    correlation = 1 - into - 1 / burst
    return 4 * float(np.sqrt(share * (1 - share) / n * (1 + correlation) / (1 - correlation)))


@pytest.mark.parametrize("transport", ["udp", "quic-stream"])
def test_what_was_set_is_what_is_found(transport: str, lossy: Lossy) -> None:
    session = lossy.session(transport)
    assert session.record.outcome == "completed"
    up, down = session.up, session.down
    assert down is not None
    assert session.counts["sent"] >= 0.9 * CALLS * SECONDS * 50
    for way, share, burst in ((up, UP, BURST), (down, DOWN, 1.0)):
        assert way.loss_ratio == pytest.approx(share, abs=spread(share, burst, way.sent))
        assert way.residual_ratio is not None
        assert way.loss_ratio is not None
        assert way.residual_ratio < way.loss_ratio / 4
        assert way.lost + way.late == way.recovered + way.residual
        assert way.recovered > 0
    counts = session.counts
    assert counts["sent"] == sum(
        counts[fate] for fate in ("on_time", "late", "lost_up", "lost_down", "lost_unknown")
    )
    assert counts["lost_unknown"] == 0


def tshark(capture: Path, *arguments: str) -> list[str]:
    command = ["tshark", "-n", "-r", str(capture), "--enable-heuristic", "rtp_udp", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()


@pytest.mark.foreign
def test_tshark_finds_the_same_losses(lossy: Lossy) -> None:
    if lossy.capture is None:
        pytest.skip("tshark may not capture here")
    (stored,) = load_run(lossy.runs["udp"].results, lossy.runs["udp"].assessment.run_id).sessions
    rows = stored.rows
    line = re.compile(r"\S+ +\S+ +(\S+) +(\d+) +(\S+) +(\d+) +0x([0-9A-F]+) +RTPType-111 +(\d+) +(-?\d+) ")
    found = [
        match for text in tshark(lossy.capture, "-q", "-z", "rtp,streams") if (match := line.search(text))
    ]
    # At the node the upstream comes out of the weak network; the relay's port for it is known by that.
    into_node = {match[5]: match for match in found if int(match[4]) == lossy.port}
    assert len(into_node) == CALLS
    relay_port = {int(match[2]) for match in into_node.values()}
    from_node = [match for match in found if int(match[2]) == lossy.port and int(match[4]) in relay_port]
    assert len(from_node) == CALLS
    down_ssrcs = {match[5] for match in from_node}
    into_client = {
        match[5]: match for match in found if match[5] in down_ssrcs and int(match[2]) != lossy.port
    }
    assert sorted(counted(into_node)) == sorted(numbered(rows, "seq", rows["node_received_ns"] != NEVER))
    assert sorted(counted(into_client)) == sorted(numbered(rows, "down_seq", rows["received_ns"] != NEVER))
    assert sum(lost for _, lost in counted(into_client)) > 0
    assert all(int(match[7]) == 0 for match in from_node)  # not lossy yet
    wrong = "(_ws.malformed || _ws.short || _ws.expert.severity == error)"
    ports = " || ".join(
        f"udp.port == {port}" for port in (lossy.port, *relay_port, *client_ports(into_client))
    )
    assert tshark(lossy.capture, "-Y", f"{wrong} && ({ports})") == []


def counted(streams: dict[str, re.Match[str]]) -> list[tuple[int, int]]:
    """(packets, lost) of each stream as tshark tells."""
    return [(int(match[6]), int(match[7])) for match in streams.values()]


def client_ports(streams: dict[str, re.Match[str]]) -> set[int]:
    return {int(match[number]) for match in streams.values() for number in (2, 4)}


def numbered(rows: Rows, name: str, arrived: Any) -> list[tuple[int, int]]:
    """(packets, lost) of each stream by the gaps between its first and last packet, as tshark counts."""
    told = []
    for stream in range(CALLS):
        numbers = rows[name][arrived & (rows["stream"] == stream)]
        told.append((len(numbers), int(numbers.max() - numbers.min()) + 1 - len(numbers)))
    return told


@pytest.mark.parametrize("transport", ["udp", "quic-stream"])
def test_a_wrong_clock_changes_no_direction(transport: str, lossy: Lossy, tmp_path: Path) -> None:
    """Hours off and 100 ppm fast or slow, in the stored samples of the same session."""
    measured = lossy.runs[transport]
    stored = load_run(measured.results, measured.assessment.run_id)
    for hours, skew in ((7.0, 100e-6), (-30.0, -100e-6)):
        manifest: Json = stored.manifest
        root = tmp_path / f"{hours:g}"
        with RunWriter(root, manifest) as writer:
            for session in stored.sessions:
                writer.add_rows(session.record, set_wrong(session.rows, hours, skew))
                writer.finish_session(session.record)
        again = judge_run(root, measured.assessment.run_id)
        was, (now,) = measured.session, again.sessions
        assert now.counts == was.counts
        assert now.down is not None
        assert was.down is not None
        for before, after in ((was.up, now.up), (was.down, now.down)):
            assert after.to_json().keys() == before.to_json().keys()
            compare(before, after)
        assert again.verdict == measured.assessment.verdict


def set_wrong(rows: Rows, hours: float, skew: float) -> Rows:
    """The same packets with a node whose clock is `hours` ahead and fast by `skew`."""
    changed = rows.copy()
    origin = min(int(rows[name][rows[name] != NEVER].min()) for name in NODE_TIMES)
    for name in NODE_TIMES:
        known = rows[name] != NEVER
        elapsed = rows[name][known] - origin
        fast = elapsed + np.rint(elapsed * skew).astype(np.int64)
        changed[name][known] = origin + fast + round(hours * 3600e9)
    return changed


def compare(before: Direction, after: Direction) -> None:
    """Counts exactly; times to the microsecond, of the 800 that 100 ppm are in 8 s."""
    for name in (
        "sent",
        "lost",
        "late",
        "recovered",
        "residual",
        "loss_ratio",
        "residual_ratio",
        "reordered_ratio",
    ):
        assert getattr(after, name) == getattr(before, name)
    for name in ("pdv_ms", "ipdv_ms", "recovery_ms"):
        was, now = getattr(before, name).to_json(), getattr(after, name).to_json()
        assert now.pop("infinite") == was.pop("infinite")
        assert now == pytest.approx(was, abs=0.001)
    for name, value in before.jitter_ms.items():
        assert after.jitter_ms[name] == pytest.approx(value, abs=0.001)
