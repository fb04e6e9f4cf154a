"""`probe gate`: what was given is told apart into runs and a plan, then judged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from probe.errors import ConfigError
from probe.plan.environment import Offline
from probe.plan.load import load_plan
from probe.plan.locate import SUFFIXES, plan_names
from probe.report.delivery import Delivery
from probe.report.output import Output
from probe.report.run import run_and_report
from probe.session.judge_again import Terms, judge_again, load_runs
from probe.session.run import RunOptions
from probe.store.lookup import run_ids

RESULTS = Path("results")


def gate(
    names: Sequence[str], terms: str | None, options: RunOptions, output: Output, delivery: Delivery
) -> int:
    """Judge the runs among `names` by the plan among them (or `terms`), or run and judge a plan alone.

    Returns the exit code. Raises ProbeError.
    """
    results = options.results or RESULTS
    plans = [name for name in names if is_plan(name, results)]
    runs = [name for name in names if name not in plans]
    plans += [] if terms is None else [terms]
    if len(plans) > 1:
        raise ConfigError(f"there is one plan to judge by, not {len(plans)}: {', '.join(plans)}")
    if not runs:
        if terms is not None:
            raise ConfigError(
                "--with PLAN judges stored runs: give at least one", hint="probe runs lists them"
            )
        return run_and_report(plans[0], options, output, delivery)
    if options != RunOptions(options.results):
        raise ConfigError(
            "--vantage, --seed, --duration, --only, --wait, --rt, --low-latency, --spin and --plain-sockets are for "
            "measuring, not for stored runs"
        )
    return _judge(runs, plans[0] if plans else None, results, output, delivery)


def _judge(names: Sequence[str], plan: str | None, results: Path, output: Output, delivery: Delivery) -> int:
    loaded = None if plan is None else load_plan(plan, Offline(os.environ))
    runs = load_runs(results, names)
    for problem in (problem for run in runs for problem in run.problems):
        output.note(problem)
    assessment, manifest = judge_again(runs, None if loaded is None else Terms.of_plan(loaded))
    if not output.quiet:
        if loaded is not None:
            output.note(f"judged by the thresholds of {loaded.path}; no packet was sent")
        if len(runs) > 1:
            output.note(f"{len(runs)} runs judged as one: {', '.join(run.run_id for run in runs)}")
    return delivery.deliver(output, assessment, manifest)


def is_plan(name: str, results: Path) -> bool:
    """A run is a folder, or begins as the id of a stored one, or with a digit; all else is a plan."""
    if name.endswith(SUFFIXES):
        return True
    if Path(name).is_dir() or any(run.startswith(name) for run in run_ids(results)):
        return False
    named = Path(name).is_file() or any(Path(plan).stem == name for plan in plan_names())
    return named or not name[:1].isdigit()
