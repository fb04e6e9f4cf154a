"""Whether the power that `probe rehearse` states holds: python -m bench.power [--campaigns 20] [--days 9].

So many campaigns are rehearsed, each of another seed and so of other days. Each states which evening shift it would
find with 90 % power. How large a shift each of the others would really have found is known by the same rules; the
share of them that find what was stated is printed, and how often half of it, and nothing, is found. Two nodes whose
evening is as their night, three sessions of 4 s a window; a campaign of nine days takes about 4 s.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.hours import HOURS
from probe.analysis.admission import examine
from probe.analysis.peak import peak_rows
from probe.analysis.population import Population
from probe.analysis.power import METRIC, findings
from probe.analysis.results import DEGRADED, SessionSummary
from probe.plan.load import load_plan
from probe.session.rehearsal import rehearse

NETWORK = "title: day\nsource: bench\nup: {delay: 20ms, jitter: 4ms}\ndown: {delay: 20ms, jitter: 4ms}\n"
PLAN = (
    HOURS
    + """\
vendors:
  - name: alpha
    nodes:
      - {name: n-1, endpoint: emulated, path: {peak: ./day.yaml, offpeak: ./day.yaml}}
      - {name: n-2, endpoint: emulated, path: {peak: ./day.yaml, offpeak: ./day.yaml}}
scenarios:
  voice: {preset: voice, duration: 4s}
matrix:
  - {scenarios: [voice], repeat: 3}
evidence: {min_days: 6, min_packets: 150}
"""
)


def slower(summary: SessionSummary, shift_ms: float) -> SessionSummary:
    """The session with every round trip of an evening so much longer."""
    rtt = summary.values["rtt"]
    assert isinstance(rtt, Population)
    moved = Population(rtt.finite + shift_ms * (summary.record.window == "peak"), rtt.infinite)
    return replace(summary, values={**summary.values, "rtt": moved})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=20)
    parser.add_argument("--days", type=int, default=9)
    options = parser.parse_args()
    campaigns: list[Sequence[SessionSummary]] = []
    stated: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "day.yaml").write_text(NETWORK)
        (folder / "plan.yaml").write_text(PLAN)
        loaded = load_plan(str(folder / "plan.yaml"))
        for seed in range(options.campaigns):
            found = rehearse(
                loaded,
                folder / "results",
                days=options.days,
                seed=seed,
                now=datetime(2026, 11, 22, tzinfo=UTC),
                progress=lambda _done, _of: None,
            )
            campaigns.append(found.assessment.sessions)
            (told,) = findings(campaigns[-1], loaded.evidence, options.days, seed)
            stated.append(told.shifts[options.days] or float("inf"))

    def degraded(sessions: Sequence[SessionSummary], shift_ms: float) -> list[bool]:
        """Of each node: whether its evening, made slower, is called degraded."""
        moved = examine([slower(summary, shift_ms) for summary in sessions])
        rows = peak_rows(moved, (), loaded.evidence)
        return [row.verdict == DEGRADED for row in rows if row.metric == METRIC]

    print(f"stated in {options.days} days with 90 % power, ms: {' '.join(f'{x:g}' for x in sorted(stated))}")
    for part in (1.0, 0.5, 0.0):
        shares = [
            np.mean(
                [hit for other in campaigns if other is not mine for hit in degraded(other, part * shift)]
            )
            for mine, shift in zip(campaigns, stated, strict=True)
        ]
        print(
            f"{part:g} times the stated shift is found by {100 * np.mean(shares):.1f} % of the other campaigns "
            f"(by what each stated: {100 * np.min(shares):.0f} to {100 * np.max(shares):.0f} %)"
        )


if __name__ == "__main__":
    main()
