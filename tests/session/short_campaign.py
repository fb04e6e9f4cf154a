"""A campaign in a process of its own, on a clock that runs fast: `python -m tests.session.short_campaign DIR SPEED`."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.hours import HOURS
from probe.plan.load import load_plan
from probe.session.campaign import CampaignOptions, open_campaign
from probe.session.campaign_run import CampaignRun
from probe.session.progress import SessionFinished
from probe.session.stopping import Stopping
from probe.store.resume import only_writer

PLAN = (
    HOURS
    + """\
vendors:
  - name: alpha
    nodes: [{name: jkt-1, endpoint: emulated, path: {peak: id-4g-evening, offpeak: id-4g-day}}]
  - name: beta
    nodes: [{name: jkt-1, endpoint: emulated, path: {peak: id-4g-evening, offpeak: id-4g-day}}]
scenarios:
  voice: {preset: voice, duration: 1s}
matrix:
  - {scenarios: [voice], repeat: 4}
"""
)
EPOCH = datetime(2026, 11, 22, 11, 59, tzinfo=UTC)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def measure(folder: Path, speed: float) -> None:
    """Go on with the campaign in `folder`. Its time passed since the folder's first process, `speed` times as fast."""
    plan = folder / "plan.yaml"
    if not plan.exists():  # its time is when the campaign's begins
        plan.write_text(PLAN)
    began = plan.stat().st_mtime

    def clock() -> datetime:
        return EPOCH + timedelta(seconds=(time.time() - began) * speed)

    def tell(event: object) -> None:
        if isinstance(event, SessionFinished):
            say(event.record.index, event.record.outcome)

    loaded = load_plan(str(plan))
    options = CampaignOptions(folder / "results", days=1, seed=7)
    campaign = open_campaign(loaded, options, clock())
    say("resumed" if campaign.resumed else "begun", campaign.run_id, len(campaign.diary))
    with only_writer(campaign.results, campaign.run_id):
        await CampaignRun(
            loaded, campaign, options, tell, Stopping(), clock=clock, quiet=lambda: None, speed=speed
        ).run()
    now = campaign.standing(clock())
    say("over", len(now.done), len(now.missed), len(now.to_come))


if __name__ == "__main__":
    asyncio.run(measure(Path(sys.argv[1]), float(sys.argv[2])))
