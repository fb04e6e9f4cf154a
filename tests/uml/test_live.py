"""A live kernel: Debian's user-mode Linux with its sch_netem, real packets, and our own kernel backend in it.

Counts are judged hard. Times are not: this machine's noise is in them (test_golden.py has those).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from probe.impairment.conformance import CASES, tc_words
from probe.impairment.counters import LinkCounters
from probe.impairment.held import deviation, loss_band
from probe.impairment.observed import bursts
from probe.impairment.profile import (
    Chance,
    FourState,
    GilbertElliott,
    Impairment,
    Loss,
    NetworkProfile,
    Reorder,
    Slot,
)
from probe.impairment.tc import tc_plan
from probe.plan.networks import to_document
from tests.uml.boot import common_python, run_guest, stock_kernel

HERE = Path(__file__).parent
MS = 1_000_000
KERNEL = stock_kernel()
BOOT_SECONDS = 110.0

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.slow,
    pytest.mark.skipif(KERNEL is None, reason="needs Debian's package user-mode-linux"),
]


def guest(script: str, job: Any, files: Path | None = None, **options: Any) -> Any:
    assert KERNEL is not None
    return run_guest(HERE / script, job, kernel=KERNEL, timeout=BOOT_SECONDS, files=files, **options)[
        "answers"
    ]


# What our own commands make of a profile, measured.
COUNTED = {
    "loss": Impairment(loss=Loss(0.1)),
    "burst": Impairment(loss=Loss(0.3, 4)),
    "elliott": Impairment(loss=GilbertElliott(0.01, 0.1, 0.7, 0.001)),
    "four": Impairment(loss=FourState(0.02, 0.3, 0.2, 0.4, 0.005)),
    "correlated": Impairment(loss=Loss(0.2, correlation=0.5)),
    "doubled": Impairment(duplicate=Chance(0.2), loss=Loss(0.2)),
    "reorder": Impairment(20 * MS, reorder=Reorder(0.25)),
    "gap": Impairment(20 * MS, reorder=Reorder(1.0, 5)),
    "corrupt": Impairment(corrupt=Chance(0.2)),
    "queue": Impairment(5 * MS, rate_bps=100_000, queue_ns=1000 * MS),
}
PACKETS = 10_000
BURST = {"queue": 400}
SIZE = 200
SLOW_MS = (SIZE + 42) * 8 / 100
"""How long a packet takes at 100 kbit/s."""
SINGLE = [case for case in CASES if len(tc_plan(case.impairment).stages) == 1]
ROW = Impairment(
    20 * MS, 5 * MS, loss=Loss(0.1, 3), rate_bps=1_000_000, queue_ns=100 * MS, slot=Slot(MS, 2 * MS)
)
WEAK = NetworkProfile(
    "weak",
    "weak",
    Impairment(30 * MS, 5 * MS, loss=Loss(0.2, 3)),
    Impairment(20 * MS, rate_bps=1_000_000, limit_packets=300, loss=Loss(0.05)),
    "test",
)
IMPOSSIBLE = NetworkProfile("x", "x", Impairment(5, 5, jitter_correlation=0.5), Impairment(), "test")
PLAN = """
version: 1
country: ID
timezone: Asia/Jakarta
vendors:
  - name: v
    nodes:
      - {name: n, endpoint: emulated, path: {other: clean}}
scenarios:
  voice: {preset: voice, duration: 2s}
networks:
  - {name: weak, both: {delay: 20ms, loss: {ratio: 20%, burst: 2}}}
matrix:
  - {scenarios: [voice], transports: [udp], networks: [weak], windows: [other]}
"""
WEAK_FILE = "both: {delay: 20ms, loss: {ratio: 20%, burst: 3}}\n"
PYTHON = common_python()
as_others = pytest.mark.skipif(PYTHON is None, reason="needs a Python that other users may execute")


def _commands() -> dict[str, Any]:
    """What `probe weak run` and `probe run` say and leave."""
    assert PYTHON
    job = {"plan.yaml": PLAN, "weak.yaml": WEAK_FILE, "packets": 400}
    return dict(guest("guest_commands.py", job, python=PYTHON, memory="512M"))


def _counted() -> dict[str, Any]:
    """One boot for all of them: copies of each packet, and what tc says."""
    import tempfile

    jobs = [
        {
            "name": name,
            "file": name,
            "tc": [command[5:] for command in tc_plan(impairment, SIZE).commands("v0")],
            "packets": BURST.get(name, PACKETS),
            "size": SIZE,
            "gap_ns": 0 if name in BURST else 200_000,
            "settle_s": 0.3,
        }
        for name, impairment in COUNTED.items()
    ]
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        answers = guest("guest.py", jobs, Path(folder))
        for name, said in answers.items():
            sequence, damaged, sent, arrived = (
                np.fromfile(f"{folder}/{name}.{part}.bin", np.int64)
                for part in ("sequence", "damaged", "sent", "arrived")
            )
            found[name] = {
                **said,
                "copies": np.bincount(sequence, minlength=PACKETS),
                "damaged": damaged,
                "sequence": sequence,
                "delay": arrived - sent[sequence],
                "sent": sent,
            }
    return found


def _backend() -> list[Any]:
    """A session through a weak network, and one that the kernel has no words for."""
    assert PYTHON
    jobs = [
        {"profile": to_document(WEAK), "packets": 1500, "gap_s": 0.004},
        {"profile": to_document(IMPOSSIBLE), "packets": 1, "gap_s": 0.1},
    ]
    return list(guest("guest_backend.py", jobs, python=PYTHON))


def _understood() -> list[Any]:
    """What the kernel makes of each case in words by hand and in ours, and last of netems in a row."""
    jobs = [
        [[["tc", "qdisc", "add", "dev", "v0", *tc_words(case)]], tc_plan(case.impairment).commands("v0")]
        for case in SINGLE
    ]
    return list(guest("guest_settings.py", [*jobs, [tc_plan(ROW).commands("v0")]]))


GUESTS: dict[str, Callable[[], Any]] = {
    "commands": _commands,
    "counted": _counted,
    "backend": _backend,
    "understood": _understood,
}
"""The longest first."""


@pytest.fixture(scope="module")
def guests(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Any]]]:
    """Those whose answers the chosen tests want, two at a time where there are as many processors: each uses one."""
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        yield {name: pool.submit(work) for name, work in GUESTS.items() if name in wanted}


def answer_of(name: str) -> Any:
    @pytest.fixture(scope="module", name=name)
    def answer(guests: dict[str, Future[Any]]) -> Any:
        return guests[name].result()

    return answer


commands, counted, backend, understood = map(answer_of, GUESTS)


@pytest.mark.parametrize("name", ["loss", "burst", "elliott", "four", "correlated"])
def test_as_many_are_lost_as_set(name: str, counted: dict[str, Any]) -> None:
    seen = counted[name]
    lost = int((seen["copies"] == 0).sum())
    assert deviation(COUNTED[name], LinkCounters(offered=PACKETS, lost=lost)) is None
    assert f"dropped {lost}," in seen["shown" if "shown" in seen else "tc"]
    assert seen["copies"].max() == 1


def test_losses_come_in_bursts_as_long_as_set(counted: dict[str, Any]) -> None:
    for name, mean in (("loss", 1 / 0.9), ("burst", 4.0), ("elliott", 2.641), ("four", 1.870)):
        runs = bursts(counted[name]["copies"] == 0)
        assert runs.mean() == pytest.approx(mean, abs=4.5 * runs.std() / sqrt(len(runs))), name


def test_a_packet_lost_and_doubled_is_one(counted: dict[str, Any]) -> None:
    seen = np.bincount(counted["doubled"]["copies"], minlength=3) / PACKETS
    for share, expected in zip(seen, (0.16, 0.712, 0.128), strict=True):
        assert share == pytest.approx(expected, abs=4 * sqrt(expected * (1 - expected) / PACKETS))


def overtaking(sequence: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which packets arrived before one sent earlier: by order alone, whatever stood still meanwhile."""
    smallest_after = np.minimum.accumulate(sequence[::-1])[::-1]
    return sequence[:-1][sequence[:-1] > smallest_after[1:]]


def test_a_quarter_overtakes(counted: dict[str, Any]) -> None:
    jumped = overtaking(counted["reorder"]["sequence"])
    assert len(jumped) / PACKETS == pytest.approx(0.25, abs=4 * sqrt(0.1875 / PACKETS))
    gap = counted["gap"]
    near = np.diff(gap["sent"], prepend=0) < 15 * MS  # whoever is sent later than that has nobody to overtake
    every_fifth = np.arange(4, PACKETS, 5)
    jumped = np.sort(overtaking(gap["sequence"]))
    assert set(every_fifth[near[every_fifth]]) <= set(jumped.tolist()) <= set(every_fifth.tolist())


def test_one_bit_is_flipped_in_a_fifth(counted: dict[str, Any]) -> None:
    damaged = counted["corrupt"]["damaged"]
    assert set(np.unique(damaged).tolist()) == {0, 1}
    # the rest of the fifth has its bit in a header, and most of those do not arrive
    share, expected = (damaged == 1).sum() / PACKETS, 0.2 * SIZE / (SIZE + 42)
    assert share == pytest.approx(expected, abs=4 * sqrt(expected / PACKETS) + 0.006)


def test_a_queue_in_milliseconds_holds_no_longer(counted: dict[str, Any]) -> None:
    # a burst that is over before the link has sent much: what the queue holds is let in, and what left meanwhile
    seen = counted["queue"]
    limit = min(int(words.split()[0]) for words in seen["tc"].split("limit ")[1:])
    assert limit * SLOW_MS == pytest.approx(1000, abs=SLOW_MS)
    duration = (seen["sent"][-1] - seen["sent"][0]) / MS
    assert limit <= int(seen["copies"].sum()) <= limit + duration / SLOW_MS + 2
    assert f"dropped {BURST['queue'] - int(seen['copies'].sum())}," in seen["tc"]
    assert seen["delay"].max() / MS >= (limit - 1) * SLOW_MS - duration


def test_our_words_mean_the_same_to_the_kernel_as_those_written_by_hand(understood: list[Any]) -> None:
    assert len(SINGLE) >= 40
    for case, (theirs, ours) in zip(SINGLE, understood[:-1], strict=True):
        assert isinstance(theirs, list), (case.name, theirs)
        assert len(theirs) == 1, case.name
        assert ours == theirs, case.name


def test_three_netems_in_a_row_are_taken(understood: list[Any]) -> None:
    (options,) = understood[-1]
    assert len(options) == 3
    assert options[0]["loss-gemodel"]["p"] == pytest.approx(0.037037, abs=1e-6)


@as_others
def test_the_backend_works_for_an_ordinary_user_and_leaves_nothing_behind(backend: list[Any]) -> None:
    first, refused = backend
    assert refused["refused"] == (
        "the kernel's netem cannot correlate the delays of successive packets: use the relay"
    )
    measured, counters = first["first"], first["first"]["counters"]
    up, down = counters["up"], counters["down"]
    assert up["offered"] == 1500
    assert up["delivered"] == len(measured["there"]) == down["offered"]
    assert down["delivered"] == len(measured["back"])
    for way, counts in ((WEAK.up, up), (WEAK.down, down)):
        lost = counts["lost"] / counts["offered"]
        assert way.loss is not None
        assert lost == pytest.approx(way.loss.ratio, abs=loss_band(way.loss, counts["offered"]))
    assert "loss gemodel" in counters["tc_up"]
    assert counters["carrier"] == "kernel netem"
    assert sorted(delay for _, delay in measured["back"])[5] > 0.030
    assert measured["there"] == sorted(measured["there"])  # ordered jitter
    clean = first["clean"]
    assert len(clean["back"]) == 50
    assert clean["counters"]["up"]["offered"] == 50
    assert first["left"] == []


@as_others
def test_commands_use_the_kernels_netem_for_an_ordinary_user(commands: dict[str, Any]) -> None:
    weak, loss = commands["weak"], Loss(0.2, 3)
    assert weak["code"] == 0, weak["err"]
    assert "by kernel netem" in weak["err"]
    assert weak["document"]["carrier"] == "kernel netem"
    came = {"up": len(weak["seen"]), "down": int(weak["out"])}
    offered = {"up": 400, "down": came["up"]}
    for way in ("up", "down"):
        counts = weak["document"][way]["applied"]
        assert counts["offered"] == offered[way]
        assert counts["delivered"] == weak["document"][way]["measured"]["came_out"] == came[way]
        assert counts["lost"] == offered[way] - came[way]
        assert counts["lost"] / offered[way] == pytest.approx(0.2, abs=loss_band(loss, offered[way]))
        assert "loss gemodel" in weak["document"][way]["tc"]
    (record,) = commands["records"]
    assert record["outcome"] == "completed", commands["run"]["err"]
    impairment = record["impairment"]
    assert impairment["carrier"] == "kernel netem"
    assert "loss gemodel" in impairment["tc_up"]
    for way in ("up", "down"):
        counts = impairment[way]
        assert counts["offered"] >= 70  # what is sent is 100 packets, and what is asked for again
        assert counts["offered"] == counts["lost"] + counts["delivered"] + impairment[f"pending_{way}"]
        assert impairment["excess"][way] <= 1
