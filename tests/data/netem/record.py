"""Record what a real kernel's netem does with every case of `probe.impairment.conformance`.

    python -m tests.data.netem.record KERNEL [NAME...]

KERNEL is a user-mode Linux built with time travel (README.md beside this file): CPU work then costs no
simulated time, so that what is recorded is netem and nothing of the machine. Writes `kernel.npz` and
`kernel.json`; with names, only those cases are recorded again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.impairment.conformance import CASES, Case, tc_words
from tests.uml.boot import run_guest

HERE = Path(__file__).parent
DELAY_SHIFT = 12
"""Delays are kept in units of 2^12 ns (4.096 us), but for the exact cases."""


def main(kernel: str, names: list[str]) -> None:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=True
    ).stdout.strip()
    for case in CASES:
        if names and case.name not in names:
            continue
        answer, found = record(kernel, case)
        said = answer["answers"][case.name]
        facts = {
            "tc": case.tc,
            "shown": said["tc"],
            "received": said["received"],
            "unrecognised": said["strange"],
            "packets": case.traffic.packets,
            "commit": commit,
        }
        add(case.name, answer, facts, found)
        print(case.name, said["received"], file=sys.stderr)  # noqa: T201


def add(name: str, answer: dict[str, Any], facts: dict[str, Any], found: dict[str, NDArray[Any]]) -> None:
    """Put a case into the two files, in place of what was there for it."""
    arrays: dict[str, NDArray[Any]] = {}
    document: dict[str, Any] = {"cases": {}}
    if (HERE / "kernel.npz").exists():
        with np.load(HERE / "kernel.npz") as kept:
            arrays = {key: value for key, value in kept.items() if key.rpartition("/")[0] != name}
        document = json.loads((HERE / "kernel.json").read_text())
    cases = document["cases"] | {name: facts}
    document = {"kernel": answer["kernel"], "iproute2": answer["tc"]}
    document["cases"] = {case.name: cases[case.name] for case in CASES if case.name in cases}
    arrays |= {f"{name}/{key}": value for key, value in found.items()}
    np.savez_compressed(HERE / "kernel.npz", **arrays)  # type: ignore[arg-type]
    (HERE / "kernel.json").write_text(json.dumps(document, indent=1) + "\n")


def record(kernel: str, case: Case) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Boot once for a case; the guest's answer and the arrays to keep."""
    traffic = case.traffic
    job = {
        "name": case.name,
        "file": "case",
        "tc": tc_words(case),
        "packets": traffic.packets,
        "size": traffic.size,
        "gap_ns": traffic.gap_ns,
        "burst": traffic.burst,
        "settle_s": 3.0,
    }
    with tempfile.TemporaryDirectory() as name:
        answer = run_guest(
            HERE.parents[1] / "uml" / "guest.py",
            [job],
            kernel=kernel,
            timeout=1800,
            time_travel=True,
            memory="1G",
            files=Path(name),
        )
        sent, arrived, sequence, damaged = (
            np.fromfile(f"{name}/case.{part}.bin", np.int64)
            for part in ("sent", "arrived", "sequence", "damaged")
        )
    return answer, kept(case, sent, arrived, sequence, damaged)


def kept(
    case: Case,
    sent: NDArray[np.int64],
    arrived: NDArray[np.int64],
    sequence: NDArray[np.int64],
    damaged: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    """The arrays that the tests need, as small as they go."""
    delay = arrived - sent[sequence]
    copies = np.bincount(sequence, minlength=case.traffic.packets).astype(np.uint8)
    found: dict[str, NDArray[Any]] = {
        # two bits a packet
        "copies": np.packbits(np.stack([copies & 1, copies >> 1], 1).ravel()),
    }
    if case.kind != "count":
        found["sequence"] = np.diff(sequence, prepend=0).astype(np.int32)
        exact = case.kind == "exact"
        found["delay"] = delay if exact else (delay >> DELAY_SHIFT).astype(np.int32)
    if case.impairment.reorder is not None and case.kind == "count":
        soon = np.zeros(case.traffic.packets, np.bool_)
        soon[sequence[delay < case.impairment.delay_ns // 2]] = True
        found["overtook"] = np.packbits(soon)
    if case.impairment.corrupt is not None:
        found["flips"] = np.bincount(damaged, minlength=3)
    return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
