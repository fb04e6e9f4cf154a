"""A campaign while it is measured: redrawn on a terminal, a line a session elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os

from rich.console import Group
from rich.live import Live
from rich.text import Text

from probe.analysis.results import Assessment
from probe.report.campaign import status_lines
from probe.report.labels import one_line
from probe.report.outcome_reasons import outcome_sentence
from probe.report.output import Output
from probe.session.campaign import Campaign, wall_clock
from probe.session.campaign_run import CampaignRun
from probe.session.evidence import EvidenceSoFar
from probe.session.progress import Event, SessionFinished, SessionProgress

_REDRAW_S, _LOOK_S = 1.0, 5.0


class CampaignView:
    """Hears what happens; `show` tells where the campaign stands."""

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
        """Keep showing, until cancelled."""
        if self._output.quiet:
            return
        err = self._output.err
        redrawn = err.file.isatty() and os.environ.get("TERM", "") not in ("dumb", "")
        live = Live(console=err, auto_refresh=False, transient=True)
        self._finished.set()
        assessment: Assessment | None = None
        objection: str | None = None
        with live if redrawn else contextlib.nullcontext():
            while True:
                news = self._finished.is_set() and not self._running
                if news:  # judged between sessions only, not to disturb one
                    self._finished.clear()
                    assessment = await asyncio.to_thread(self._evidence.assess)
                if redrawn:
                    live.update(Group(*self._lines(run, assessment)), refresh=True)
                elif news or (run.objection is not None and objection is None):
                    for line in self._lines(run, assessment):
                        err.print(line)
                objection = run.objection
                await asyncio.sleep(_REDRAW_S if redrawn else _LOOK_S)

    def _lines(self, run: CampaignRun, assessment: Assessment | None) -> list[Text]:
        lines = list(
            status_lines(self._campaign, run.standing(), wall_clock(), run.skipped, assessment, None)
        )
        lines.append(Text(f"{run.spent / 1e6:.1f} MB on the wire so far"))
        if run.objection is not None:
            lines.append(Text(f"waiting until this machine is quiet: {run.objection}", style="yellow"))
        lines += [
            Text(f"now: {one_line(progress.record)}, {progress.phase}, {progress.sent} sent")
            for progress in self._running.values()
        ]
        return lines
