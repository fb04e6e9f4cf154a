"""A campaign as its user sees it: what it will cost, how it goes, and its verdict."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from probe.errors import ConfigError, ExitStatus
from probe.net.punctual import require
from probe.plan.load import load_plan
from probe.plan.loaded import LoadedPlan
from probe.plan.scalars import parse_rate, parse_size
from probe.report.campaign import opening_lines, others_line, status_lines
from probe.report.campaign_view import CampaignView
from probe.report.claims import left_to_run
from probe.report.delivery import Delivery
from probe.report.document import document
from probe.report.output import Output
from probe.session.campaign import Campaign, CampaignOptions, campaigns_in, open_campaign, wall_clock
from probe.session.campaign_run import CampaignRun, skipped_in
from probe.session.quiet import QuietRule
from probe.session.run import judge_run
from probe.session.stopping import Stopping
from probe.store.resume import only_writer
from probe.store.writer import RunWriter

_SIGNALS = {signal.SIGINT: ExitStatus.SIGINT, signal.SIGTERM: ExitStatus.SIGTERM}


def campaign_and_report(
    plan: str, options: CampaignOptions, max_load: float, output: Output, delivery: Delivery
) -> int:
    """Measure, or go on; returns the exit code. Raises ProbeError."""
    loaded = load_plan(plan)
    require(options.carriage.punctuality)
    if told := left_to_run(loaded.claims):
        output.note(told)
    campaign = open_campaign(loaded, options, wall_clock())
    with only_writer(campaign.results, campaign.run_id):
        if campaign.unfinished(wall_clock()):
            stopped = asyncio.run(_run(loaded, campaign, options, max_load, output))
            if stopped is not None:
                return stopped
        return _conclude(campaign, output, delivery)


async def _run(
    loaded: LoadedPlan, campaign: Campaign, options: CampaignOptions, max_load: float, output: Output
) -> int | None:
    """Measure what is left; the exit code when a signal ended it."""
    stopping = Stopping()

    def stop(number: signal.Signals) -> None:
        if stopping.is_set():
            os._exit(_SIGNALS[number])  # our processes end with us: they watch their parent
        output.note("stopping: what was measured is kept; the same command goes on with it")
        stopping.set(number)

    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    view = CampaignView(campaign, output)
    run = CampaignRun(loaded, campaign, options, view, stopping, quiet=QuietRule(max_load).objection)
    if not output.quiet:
        for line in _opening(campaign, run, options, max_load):
            output.note(line)
    showing = asyncio.create_task(view.show(run))
    try:
        await run.run()
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    if run.capped:
        output.note("the data cap is reached: no further session is measured")
    return None if stopping.by is None else 128 + stopping.by


def _opening(
    campaign: Campaign, run: CampaignRun, options: CampaignOptions, max_load: float
) -> Iterator[str]:
    """What is about to happen."""
    left = run.foreseen(run.standing().to_come)
    yield from opening_lines(campaign, run.spent, left, options.max_bytes, max_load)
    others = [
        one.run_id
        for one in campaigns_in(campaign.results)
        if one.run_id != campaign.run_id and one.unfinished(wall_clock())
    ]
    if others:
        yield others_line(others)


def _conclude(campaign: Campaign, output: Output, delivery: Delivery) -> int:
    """Judge what was measured as `probe report` does, earlier runs included, and keep the verdict beside it."""
    judged = judge_run(campaign.results, campaign.run_id)
    assessment = judged if judged.sessions else None
    if not output.quiet:
        found = campaign.standing(wall_clock())
        for line in status_lines(campaign, found, wall_clock(), skipped_in(campaign), assessment, None):
            output.err.print(line)
    if assessment is None:
        output.note("nothing was measured")
        return int(ExitStatus.NOT_MEASURED)
    told = document(assessment)
    names = ("schema_version", "run_id", "verdict", "exit_code", "thresholds", "peak", "quality")
    with RunWriter(campaign.results, campaign.manifest, resume=True) as writer:
        writer.write_document("summary.json", told)
        writer.write_document("verdict.json", {name: told[name] for name in names})
    return delivery.deliver(output, assessment, campaign.manifest)


def options_of(
    plan: str,
    results: Path | None,
    days: int,
    seed: int | None,
    vantage: str | None,
    max_bytes: str | None,
    max_rate: str | None,
    *,
    once: bool,
) -> CampaignOptions:
    """What the command line says. Raises ConfigError."""
    return CampaignOptions(
        results or Path(load_plan(plan).plan.store.path),
        days,
        seed,
        vantage,
        _parsed("--max-bytes", max_bytes, parse_size),
        _parsed("--max-rate", max_rate, parse_rate),
        once,
    )


def _parsed(option: str, text: str | None, parse: Callable[[object], int]) -> int | None:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text}: {error}") from None
