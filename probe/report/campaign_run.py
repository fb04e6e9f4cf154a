"""A campaign as its user sees it: what it will cost, how it goes, and its verdict."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.text import Text

from probe.errors import ConfigError, ExitStatus
from probe.plan.load import load_plan
from probe.plan.loaded import LoadedPlan
from probe.plan.scalars import parse_rate, parse_size
from probe.records import Json
from probe.report.campaign import opening_lines, status_document, status_lines
from probe.report.document import document
from probe.report.labels import one_line
from probe.report.outcome_reasons import outcome_sentence
from probe.report.output import Output
from probe.session.appointed import diary_in
from probe.session.campaign import (
    KIND,
    SKIPPED,
    Campaign,
    CampaignOptions,
    CampaignRun,
    open_campaign,
    volume_of,
    wall_clock,
)
from probe.session.evidence import EvidenceSoFar
from probe.session.progress import Event, SessionFinished, SessionProgress
from probe.session.quiet import QuietRule
from probe.session.stopping import Stopping
from probe.store.documents import Unreadable, read_json
from probe.store.layout import run_folder
from probe.store.resume import manifests, only_writer
from probe.store.writer import RunWriter

_REFRESH_S = 5.0
_SIGNALS = {signal.SIGINT: ExitStatus.SIGINT, signal.SIGTERM: ExitStatus.SIGTERM}


def campaign_and_report(plan: str, options: CampaignOptions, max_load: float, output: Output) -> int:
    """Measure, or go on; returns the exit code. Raises ProbeError."""
    loaded = load_plan(plan)
    campaign = open_campaign(loaded, options, wall_clock())
    if not output.quiet:
        volume = volume_of(loaded, campaign.diary)
        for line in opening_lines(campaign, volume, options.max_bytes, max_load):
            output.note(line)
    return asyncio.run(_run(loaded, campaign, options, max_load, output))


async def _run(
    loaded: LoadedPlan, campaign: Campaign, options: CampaignOptions, max_load: float, output: Output
) -> int:
    stopping = Stopping()

    def stop(number: signal.Signals) -> None:
        if stopping.is_set():
            os._exit(_SIGNALS[number])  # our processes end with us: they watch their parent
        output.note("stopping: what was measured is kept; the same command goes on with it")
        stopping.set(number)

    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    view = _View(campaign, output)
    run = CampaignRun(loaded, campaign, options, view, stopping, quiet=QuietRule(max_load).objection)
    showing = asyncio.create_task(view.show(run))
    try:
        await run.run()
    finally:
        showing.cancel()
    if stopping.by is not None:
        return 128 + stopping.by
    if run.capped:
        output.note("the data cap is reached: no further session is measured")
    return await asyncio.to_thread(_conclude, campaign, output)


def _conclude(campaign: Campaign, output: Output) -> int:
    """Judge what was measured, and keep the verdict beside it."""
    assessment = EvidenceSoFar(campaign).assess()
    for line in status_lines(campaign, wall_clock(), skipped_in(campaign), assessment, None):
        output.err.print(line)
    if assessment is None:
        output.note("nothing was measured")
        return int(ExitStatus.NOT_MEASURED)
    told = document(assessment)
    with only_writer(campaign.results, campaign.run_id):
        writer = RunWriter(campaign.results, campaign.manifest, resume=True)
        writer.write_document("summary.json", told)
        names = ("schema_version", "run_id", "verdict", "exit_code", "thresholds", "peak", "quality")
        writer.write_document("verdict.json", {name: told[name] for name in names})
        writer.close()
    output.assessment(assessment, campaign.manifest)
    return assessment.exit_code


class _View:
    """The state of the campaign: redrawn on a terminal, a line a session elsewhere."""

    def __init__(self, campaign: Campaign, output: Output) -> None:
        self._campaign, self._output = campaign, output
        self._evidence = EvidenceSoFar(campaign)
        self._running: dict[int, SessionProgress] = {}
        self._finished = asyncio.Event()

    def __call__(self, event: Event) -> None:
        if isinstance(event, SessionProgress):
            self._running[event.record.index] = event
        elif isinstance(event, SessionFinished):
            progress = self._running.pop(event.record.index, None)
            self._finished.set()
            if not self._output.quiet:
                sent = "" if progress is None else f"{progress.sent} sent, {progress.received} back"
                told = outcome_sentence(event.record) or sent
                self._output.note(f"{event.record.local_time} {one_line(event.record)}: {told}")

    async def show(self, run: CampaignRun) -> None:
        """Keep showing; evidence is judged again between sessions only, not to disturb one."""
        if self._output.quiet:
            return
        assessment, began = None, time.monotonic()
        live = Live(console=self._output.err, auto_refresh=False, transient=True)
        shown = self._output.err.file.isatty() and os.environ.get("TERM", "") not in ("dumb", "")
        with live if shown else contextlib.nullcontext():
            self._finished.set()
            while True:
                if self._finished.is_set() and not self._running:
                    self._finished.clear()
                    assessment = await asyncio.to_thread(self._evidence.assess)
                    began = time.monotonic()
                lines = list(status_lines(self._campaign, wall_clock(), run.skipped, assessment, None))
                lines += [
                    Text(f"now: {one_line(progress.record)}, {progress.phase}, {progress.sent} sent")
                    for progress in self._running.values()
                ]
                if shown:
                    live.update(Group(*lines), refresh=True)
                elif time.monotonic() - began < _REFRESH_S:
                    for line in lines:
                        self._output.err.print(line)
                    began -= _REFRESH_S
                await asyncio.sleep(1.0 if self._running or shown else _REFRESH_S)


def skipped_in(campaign: Campaign) -> Json:
    """Sessions that the campaign let pass because the machine was not quiet, with the reason."""
    try:
        found = read_json(run_folder(campaign.results, campaign.run_id) / SKIPPED).get("not_quiet")
    except Unreadable:
        return {}
    return found if isinstance(found, dict) else {}


def print_status(results: Path, output: Output) -> int:
    """Where the newest campaign in `results` stands, from its files alone. Raises ConfigError."""
    manifest = next(manifests(results, KIND), None)
    if manifest is None:
        raise ConfigError(
            f"there is no campaign in {results}", hint="probe campaign PLAN --days 7 begins one"
        )
    campaign = Campaign(manifest, diary_in(manifest), results, resumed=True)
    try:
        with only_writer(results, campaign.run_id):
            running = False
    except ConfigError:
        running = True
    assessment = EvidenceSoFar(campaign).assess()
    now, skipped = wall_clock(), skipped_in(campaign)
    if output.as_json:
        output.document(status_document(campaign, now, skipped, assessment, running=running))
        return int(ExitStatus.PASS)
    for line in status_lines(campaign, now, skipped, assessment, running):
        output.out.print(line)
    return int(ExitStatus.PASS)


def options_of(
    plan: str,
    results: Path | None,
    days: int,
    seed: int | None,
    vantage: str | None,
    max_bytes: str | None,
    max_rate: str | None,
) -> CampaignOptions:
    """What the command line says. Raises ConfigError."""
    return CampaignOptions(
        results or Path(load_plan(plan).plan.store.path),
        days,
        seed,
        vantage,
        _parsed("--max-bytes", max_bytes, parse_size),
        _parsed("--max-rate", max_rate, parse_rate),
    )


def _parsed(option: str, text: str | None, parse: Callable[[object], int]) -> int | None:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text}: {error}") from None
