"""Whether the power that `probe rehearse` states holds: python -m bench.power [--campaigns 40] [--days 9].

One rehearsal says which evening shift it finds with 90 % power. Then as many campaigns of other seeds are rehearsed
anew, each evening packet made so much slower, and judged; the share that is called degraded is printed with its
interval, and the same at half the shift and at none. Two nodes whose evening is as their night, three sessions a
window; a campaign of nine days takes some 4 s.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from probe.analysis.admission import examine
from probe.analysis.binomial import beta_quantile
from probe.analysis.peak import peak_rows
from probe.analysis.population import Population
from probe.analysis.power import METRIC, findings
from probe.analysis.results import DEGRADED, SessionSummary
from probe.plan.load import load_plan
from probe.session.rehearsal import rehearse

NETWORK = "title: day\nsource: bench\nup: {delay: 20ms, jitter: 4ms}\ndown: {delay: 20ms, jitter: 4ms}\n"
PLAN = """
version: 1
country: ID
timezone: Asia/Jakarta
windows:
  peak: {start: 19:00, end: 23:00}
  offpeak: {start: 02:00, end: 06:00}
vendors:
  - name: alpha
    nodes:
      - {name: n-1, endpoint: emulated, path: {peak: ./day.yaml, offpeak: ./day.yaml}}
      - {name: n-2, endpoint: emulated, path: {peak: ./day.yaml, offpeak: ./day.yaml}}
scenarios:
  voice: {preset: voice, duration: 10s}
matrix:
  - {scenarios: [voice], repeat: 3}
evidence: {min_days: 6}
"""


def slower(summary: SessionSummary, shift_ms: float) -> SessionSummary:
    """The session with every round trip of an evening so much longer."""
    rtt = summary.values["rtt"]
    assert isinstance(rtt, Population)
    moved = Population(rtt.finite + shift_ms * (summary.record.window == "peak"), rtt.infinite)
    return replace(summary, values={**summary.values, "rtt": moved})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=40)
    parser.add_argument("--days", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "day.yaml").write_text(NETWORK)
        (folder / "plan.yaml").write_text(PLAN)
        loaded = load_plan(str(folder / "plan.yaml"))

        def rehearsed(seed: int) -> Sequence[SessionSummary]:
            found = rehearse(
                loaded,
                folder / f"results-{seed}",
                days=options.days,
                seed=seed,
                now=datetime(2026, 11, 22, tzinfo=UTC),
                progress=lambda _done, _of: None,
            )
            return found.assessment.sessions

        (stated,) = findings(rehearsed(1), loaded.evidence, options.days, 1)
        shift = stated.shifts[options.days]
        print(f"stated: {shift} ms with 90 % power in {options.days} days, {stated.least_days} days at least")
        assert shift is not None
        asked = {shift: 0, shift / 2: 0, 0.0: 0}
        rows = 0
        for seed in range(2, 2 + options.campaigns):
            summaries = rehearsed(seed)
            for moved in asked:
                sessions = examine([slower(summary, moved) for summary in summaries])
                found = [row for row in peak_rows(sessions, (), loaded.evidence) if row.metric == METRIC]
                asked[moved] += sum(row.verdict == DEGRADED for row in found)
            rows += len(found)
        for moved, degraded in asked.items():
            low = beta_quantile(degraded, rows - degraded + 1, 0.025) if degraded else 0.0
            high = beta_quantile(degraded + 1, rows - degraded, 0.975) if degraded < rows else 1.0
            print(
                f"an evening {moved:g} ms slower is called degraded in {degraded} of {rows} "
                f"({100 * degraded / rows:.0f} %, 95 % interval {100 * low:.0f} to {100 * high:.0f} %)"
            )


if __name__ == "__main__":
    main()
