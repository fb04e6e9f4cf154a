"""`probe status`: where a campaign stands, from its files alone."""

from __future__ import annotations

from pathlib import Path

from probe.errors import ConfigError, ExitStatus
from probe.report.campaign import others_line, status_document, status_lines
from probe.report.output import Output
from probe.session.campaign import Campaign, campaigns_in, wall_clock
from probe.session.campaign_run import skipped_in
from probe.session.evidence import EvidenceSoFar
from probe.store.resume import is_written


def print_status(results: Path, name: str | None, output: Output) -> int:
    """Of the newest campaign, or of the one whose id begins with `name`. Raises ConfigError."""
    campaign, others = _chosen(results, name)
    running = is_written(results, campaign.run_id)
    assessment = EvidenceSoFar(campaign).assess()
    now, skipped = wall_clock(), skipped_in(campaign)
    found = campaign.standing(now)
    if output.as_json:
        told = status_document(campaign, found, skipped, assessment, running=running)
        output.document(told | {"other_campaigns": others})
        return int(ExitStatus.PASS)
    lines = list(status_lines(campaign, found, now, skipped, assessment, running))
    for line in lines[1:2] if output.quiet else lines:
        output.out.print(line)
    if others and not output.quiet:
        output.note(others_line(others))
    return int(ExitStatus.PASS)


def _chosen(results: Path, name: str | None) -> tuple[Campaign, list[str]]:
    """The campaign that is meant, and the ids of others that are not over."""
    every = list(campaigns_in(results))
    if not every:
        raise ConfigError(
            f"there is no campaign in {results}", hint="probe campaign PLAN --days 7 begins one"
        )
    meant = [one for one in every if one.run_id.startswith(name or "")]
    if name and len(meant) != 1:
        known = ", ".join(one.run_id for one in (meant or every)[:3])
        number = "no campaign" if not meant else f"{len(meant)} campaigns"
        raise ConfigError(f"{name!r} fits {number} in {results}", hint=f"there are {known}")
    now = wall_clock()
    return meant[0], [one.run_id for one in every if one is not meant[0] and one.unfinished(now)]
