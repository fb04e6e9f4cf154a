"""Stored runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from probe.analysis.admission import examine
from probe.analysis.compare import Comparison, compare_runs
from probe.analysis.session import analyse_session
from probe.errors import ConfigError
from probe.plan.diagnostics import did_you_mean
from probe.records import Json
from probe.store.reader import load_run


class Compared(NamedTuple):
    """`orders` is the order of measuring of each run that kept it, `problems` what could not be read."""

    comparison: Comparison
    orders: Json
    problems: list[str]


def compare_stored(results: Path, names: list[str], reference: str | None) -> Compared:
    """Compare the runs, the first of which is the baseline. Raises ConfigError when there is nothing to."""
    runs = [load_run(results, name) for name in names]
    ids = [run.run_id for run in runs]
    if len(set(ids)) < len(ids):
        raise ConfigError("a run cannot be compared with itself", hint="probe runs lists them all")
    summaries = [analyse_session(session.record, session.rows) for run in runs for session in run.sessions]
    examined = examine(summaries)
    vendors = sorted({one.record.vendor for one in examined if one.record.role != "control"})
    if reference is not None and reference not in vendors:
        raise ConfigError(f"the runs have no vendor '{reference}'{did_you_mean(reference, vendors)}")
    if len(runs) == 1 and len(vendors) < 2:
        raise ConfigError(
            f"run {ids[0]} has one vendor and there is no other run", hint="give the run to compare it with"
        )
    orders = {run.run_id: run.manifest["order"] for run in runs if run.manifest.get("order")}
    problems = [problem for run in runs for problem in run.problems]
    return Compared(compare_runs(examined, ids, reference), orders, problems)
