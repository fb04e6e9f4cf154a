"""A run as its user sees it: which plan, progress, tables, and the exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime

from probe.analysis.results import Assessment
from probe.errors import ExitStatus
from probe.plan.load import load_plan
from probe.plan.loaded import LoadedPlan
from probe.plan.windows import Opening
from probe.report.delivery import Delivery
from probe.report.document import document
from probe.report.live import progress_view
from probe.report.output import Output
from probe.session.run import RunOptions, prepare, run_plan, sessions_at
from probe.session.stopping import Stopping
from probe.session.waiting import opening_of, wait_for
from probe.store.reader import load_run

_STOP_SIGNALS = {signal.SIGINT: ExitStatus.SIGINT, signal.SIGTERM: ExitStatus.SIGTERM}


def run_and_report(name: str, options: RunOptions, output: Output, delivery: Delivery) -> int:
    """Load, measure, print; returns the exit code. Raises ProbeError."""
    loaded, options = prepare(load_plan(name), options)
    if not output.quiet:
        output.note(f"plan {loaded.path} ({_ORIGINS.get(loaded.origin, loaded.origin)})")
        for warning in loaded.warnings:
            output.note(warning.render())
    return _report(output, measured(loaded, options, output), options, delivery)


def measured(loaded: LoadedPlan, options: RunOptions, output: Output) -> Assessment:
    """Run what `prepare` gave, with progress; Ctrl-C and SIGTERM end it in good order. Raises ProbeError."""
    return asyncio.run(_run(loaded, options, output))


_ORIGINS = {"given": "as given", "profiles": "found in ./profiles", "packaged": "the one shipped with probe"}


async def _run(loaded: LoadedPlan, options: RunOptions, output: Output) -> Assessment:
    stopping = Stopping()
    asked: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        asked.append(number)
        if len(asked) == 1:
            output.note("stopping: what was measured is being kept (once more to leave at once)")
            stopping.set(number)
        else:
            output.err.show_cursor()
            os._exit(_STOP_SIGNALS[number])  # our processes end with us: they watch their parent

    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)
    if options.wait:
        now = datetime.now(UTC)
        opening = opening_of(loaded, options.wait, now, options.only)
        if not output.quiet:
            output.note(_opening(options.wait, opening, now))
        await wait_for(opening, stopping)
    if not any(lane.sessions for lane in sessions_at(datetime.now(UTC), loaded, options)):
        output.note(
            "nothing to measure: no window that the matrix asks for is open now (--wait WINDOW waits for it)"
        )
    with progress_view(output.err, quiet=output.quiet) as view:
        return await run_plan(loaded, options, view, stopping, document)


def _report(output: Output, assessment: Assessment, options: RunOptions, delivery: Delivery) -> int:
    assert options.results
    manifest = load_run(options.results, assessment.run_id).manifest
    code = delivery.deliver(output, assessment, manifest)
    if not output.quiet:
        output.note(f"kept in {options.results}; again: probe report {assessment.run_id}")
    return code


def _opening(window: str, opening: Opening | None, now: datetime) -> str:
    if opening is None:
        return f"no waiting for {window}: emulated nodes are measured in every window at once"
    if opening.opens <= now:
        return f"no waiting for {window}: it is open until {opening.closes:%H:%M} UTC"
    return f"waiting for {window}: it opens at {opening.opens:%Y-%m-%d %H:%M} UTC"
