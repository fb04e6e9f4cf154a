"""What a campaign has shown so far: judged from its files, each session read once."""

from __future__ import annotations

from probe.analysis.assess import assess_summaries
from probe.analysis.results import Assessment, SessionSummary
from probe.analysis.session import analyse_session
from probe.objectives import Evidence
from probe.session.campaign import Campaign
from probe.store.reader import load_run


class EvidenceSoFar:
    """Ask again after every session; what was read stays in memory as its summary. Earlier runs are left to the
    verdict at the end."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._block_ns = Evidence.from_json(campaign.manifest.get("evidence") or {}).block_ns
        self._summaries: dict[int, SessionSummary] = {}

    def assess(self) -> Assessment | None:
        """The verdict on everything that is finished; None before the first session is."""
        stored = load_run(self._campaign.results, self._campaign.run_id, without=self._summaries)
        for session in stored.sessions:
            summary = analyse_session(session.record, session.rows, self._block_ns)
            if session.complete:
                self._summaries[session.record.index] = summary
        if not self._summaries:
            return None
        summaries = [summary for _, summary in sorted(self._summaries.items())]
        return assess_summaries(self._campaign.manifest, summaries)
