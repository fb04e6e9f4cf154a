"""Claims: a line each with the loss at which it breaks, and the sweep behind it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from probe.analysis.claim_result import BREAKS, HOLDS, UNDECIDED, ClaimResult, ClaimStep
from probe.objectives import Claim
from probe.report import labels
from probe.report.grid import Column, Grid
from probe.report.numbers import NO_DATA, limit, percent
from probe.report.sentences import sentence
from probe.report.words import Word, threshold_word

TITLE = "Claims"
_WORDS = {
    HOLDS: Word("✓", "holds", "green"),
    BREAKS: Word("✗", "breaks", "red"),
    UNDECIDED: Word("?", "undecided", "cyan"),
}
_WHY = {
    "not_connected": "no connection",
    "nothing_measured": "nothing measured",
    "too_short": "too short",
    "over_budget": "over budget",
}


def claims(results: Sequence[ClaimResult]) -> Grid:
    """A row a step; the claim, its node and its verdict stand above."""
    grid = Grid(
        [
            Column("claim", left=True, label=1),
            Column("loss made\n%"),
            Column("measured\n%", drop=2),
            Column("value\n%"),
            Column("interval\n%"),
            Column("overhead", drop=3),
            Column("n", drop=4),
            Column("criterion", left=True),
        ],
        headed=True,
    )
    for result in results:
        told = heading(result)
        for number, step in enumerate(result.steps):
            last = number == len(result.steps) - 1
            below = [Text(sentence(result.reason))] if last else []
            grid.add(told, *_cells(step), below=below)
    return grid


def left_to_run(loaded_claims: Sequence[Claim]) -> str:
    """For commands that measure the matrix alone; empty without claims."""
    if not loaded_claims:
        return ""
    names = ", ".join(claim.name for claim in loaded_claims)
    return f"the plan's claims ({names}) are put to nodes by probe run, not here"


def heading(result: ClaimResult) -> Text:
    """`resists-70: down residual < 5 % at 200 ms  alpha/jkt-1 voice peak udp  ✗ fail`."""
    claim = result.claim
    runs = f", runs of {claim.burst:g}" if claim.burst else ", independent"
    word = threshold_word(result.verdict, claim.severity)
    return Text.assemble(
        f"{claim.name}: {result.way} {claim.criterion} at {limit(claim.deadline_ns / 1e6, 'ms')}{runs}  ",
        (labels.of_scope(result.scope), "not bold"),
        "  ",
        word.text(),
    )


def _cells(step: ClaimStep) -> list[str | Text]:
    shown = _WORDS[step.verdict].text()
    if step.code is not None:
        shown.append(f" ({_WHY.get(step.code, step.code)})")
    between = NO_DATA if step.low is None or step.high is None else f"{step.low:.2f} to {step.high:.2f}"
    return [
        f"{100 * step.loss_ratio:.10g}",
        percent(step.measured_loss_ratio),
        NO_DATA if step.value is None else f"{step.value:.2f}",
        between,
        NO_DATA if step.overhead_ratio is None else f"{step.overhead_ratio:.2f}x",
        str(step.n),
        shown,
    ]
