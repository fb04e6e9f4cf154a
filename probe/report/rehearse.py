"""A rehearsal as its user sees it: the campaign's tables, and what the plan can find out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.text import Text

from probe.analysis.power import METRIC, POWER, Finding, findings
from probe.errors import ExitStatus
from probe.plan.load import load_plan
from probe.records import Json
from probe.report.claims import left_to_run
from probe.report.document import document
from probe.report.header import EMULATED, EMULATED_STYLE
from probe.report.numbers import plural
from probe.report.out_files import OutFile, write_out
from probe.report.output import Output
from probe.session.campaign import wall_clock
from probe.session.rehearsal import rehearse

_EVERY = 50
_AMONG_THE_LOST = (
    f"its days differ too much, or lose so many packets that {METRIC} lies among them; "
    "judge its loss and residual, or rtt.p50"
)


def rehearse_and_report(
    plan: str, results: Path | None, days: int, seed: int | None, output: Output, files: Sequence[OutFile]
) -> int:
    """Rehearse, print the tables and what the plan can find out. Exit code 0: nothing real was judged."""
    loaded = load_plan(plan)
    if told := left_to_run(loaded.claims):
        output.note(told)
    results = results or Path(loaded.plan.store.path)

    def tell(done: int, of: int) -> None:
        if not output.quiet and (done == of or done % _EVERY < 8):
            output.err.print(f"rehearsed {done} of {plural(of, 'session')}", end="\r" if done < of else "\n")

    found = rehearse(loaded, results, days=days, seed=seed, now=wall_clock(), progress=tell)
    power = findings(found.assessment.sessions, loaded.evidence, days, found.manifest["seed"])
    # Whatever the emulated paths come to, no vendor was judged.
    assessment = replace(found.assessment, exit_code=int(ExitStatus.PASS))
    write_out(files, assessment, found.manifest)
    if output.as_json:
        output.document(document(assessment) | {"rehearsal": _document(power, days)})
        return assessment.exit_code
    output.assessment(assessment, found.manifest)
    if output.quiet:
        return assessment.exit_code
    output.out.print()
    output.out.print(
        Text("What this plan can find out  ", style="bold").append(EMULATED, style=EMULATED_STYLE)
    )
    for line in power_lines(power, days):
        output.out.print(Text(line))
    output.note(f"kept in {results}; again: probe report {found.manifest['run_id']}")
    return assessment.exit_code


def power_lines(power: Sequence[Finding], days: int) -> Iterator[str]:
    """`voice clean udp: detects an evening shift of 12 ms (rtt.p95) with 90 % power in 14 days; ...`."""
    for finding in power:
        kind = f"{finding.scenario} {finding.network} {finding.transport}"
        if finding.nodes == 0:
            yield f"{kind}: nothing can be said: no node has {METRIC} in both windows."
            continue
        if finding.least_days is None:
            yield f"{kind}: no verdict on the evening within 60 days: see the reasons in the table above."
            continue
        if all(shift is None for shift in finding.shifts.values()):
            most = plural(max(finding.shifts, default=days), "day")
            yield f"{kind}: {_detects(None, days)}, and not in {most}: {_AMONG_THE_LOST}."
            continue
        least = f"{plural(finding.least_days, 'day is', 'days are')} the least that allow a verdict"
        if finding.least_days > days:
            yield f"{kind}: {least}; this campaign has {days}: give --days {finding.least_days} or more."
        else:
            yield f"{kind}: {_detects(finding.shifts[days], days)}; {least}."
        yield from _changes(finding, days)


def _detects(shift: float | None, days: int) -> str:
    if shift is None:
        return (
            f"does not even detect an evening shift of 200 ms with {100 * POWER:.0f} % power in {days} days"
        )
    return (
        f"detects an evening shift of {shift:g} ms ({METRIC}) with {100 * POWER:.0f} % power in "
        f"{plural(days, 'day')}"
    )


def _changes(finding: Finding, days: int) -> Iterator[str]:
    """How to change the plan, by what other plans would find."""
    for number, shift in finding.shifts.items():
        if number != days:
            yield f"  with --days {number}: {_detects(shift, number)}"
    here = finding.shifts.get(days)
    if here is not None and finding.half_sessions is not None:
        half = finding.half_sessions
        advice = "half as many sessions do" if half <= 1.1 * here else "the number of sessions is needed"
        yield f"  with every other session (half the `repeat`): {half:g} ms; {advice}"
    if finding.left_out:
        yield (
            f"  not counted: {', '.join(finding.left_out)}, whose evening loses too many packets for a "
            f"{METRIC}; their evening is told by loss"
        )


def _document(power: Sequence[Finding], days: int) -> Json:
    return {
        "days": days,
        "power": POWER,
        "metric": METRIC,
        "findings": [asdict(item) | {"shifts": _pairs(item)} for item in power],
    }


def _pairs(finding: Finding) -> list[Json]:
    return [{"days": days, "shift_ms": shift} for days, shift in finding.shifts.items()]
