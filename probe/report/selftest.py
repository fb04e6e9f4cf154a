"""`probe selftest`: this machine's sockets against the settings, or the model against a recorded kernel."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Sequence

from rich.text import Text

from probe.errors import ExitStatus
from probe.impairment.compare import Row
from probe.impairment.conformance import CASES
from probe.records import Json
from probe.report.grid import Column, Grid
from probe.report.numbers import NO_DATA, plural
from probe.report.output import Output
from probe.report.words import Word
from probe.session.conformance import Recorded, conformance, recorded
from probe.session.selftest import ATTEMPTS, MACHINE, Check, selftest

SCHEMA_VERSION = 1
INSIDE, OUTSIDE = Word("✓", "inside", "green"), Word("✗", "outside", "bold red")
MODEL_SEED = 20261122


def selftest_and_report(seed: int | None, output: Output) -> int:
    """Measure for some thirty seconds, print, and return the exit code: 3 where this machine cannot measure well
    enough. Raises NotMeasured."""
    seed = secrets.randbits(31) if seed is None else seed

    def progress(done: int, of: int, name: str) -> None:
        if not output.quiet:
            output.err.print(f"[{done + 1}/{of}] {name}", soft_wrap=True)

    checks = asyncio.run(selftest(seed, progress))
    bad = [check for check in checks if not check.inside]
    code = ExitStatus.NOT_MEASURED if bad else ExitStatus.PASS
    if output.as_json:
        output.document(_document(checks, seed, code))
    elif not output.quiet:
        output.out.print(checks_table(checks))
    output.note(judged(checks)) if output.as_json else output.out.print(Text(judged(checks)))
    return int(code)


def checks_table(checks: Sequence[Check]) -> Grid:
    """Parameter, set, measured, tolerance, verdict."""
    grid = Grid(
        [
            Column("impairment", left=True, label=1),
            Column("parameter", left=True),
            Column("set"),
            Column("measured"),
            Column("tolerance"),
            Column("packets"),
            Column("verdict", left=True),
        ]
    )
    for check in checks:
        wanted = number(check.set) + ("" if check.closed else " *")
        again = [Text(f"made {check.attempt} times", style="dim")] if check.attempt > 1 else []
        word = INSIDE if check.inside else OUTSIDE
        cells = (number(check.measured), f"± {number(check.tolerance)}", str(check.n))
        grid.add(check.trial, check.parameter, wanted, *cells, word.text(), below=again)
    if any(not check.closed for check in checks):
        grid.notes.append(
            Text("*: what the model makes of the same packets; there is no formula", style="dim")
        )
    return grid


def judged(checks: Sequence[Check]) -> str:
    """The last line."""
    bad = [check for check in checks if not check.inside]
    if not bad:
        return f"✓ {len(checks)} of {plural(len(checks), 'value')} inside: this machine applies and measures weak networks well."
    machine = [check for check in bad if check.trial == MACHINE]
    if len(machine) == len(bad):
        worst = machine[-1]
        return (
            f"✗ this machine cannot measure well enough now: {worst.parameter} is {number(worst.measured)}, at most "
            f"{number(worst.tolerance)} is allowed; let nothing else run beside it (exit code 3)."
        )
    names = ", ".join(dict.fromkeys(check.trial for check in bad))
    return f"✗ {len(bad)} of {len(checks)} values outside ({names}), {plural(ATTEMPTS, 'attempt')} each (exit code 3)."


def conformance_and_report(output: Output) -> int:
    """Print the conformance table; 3 when a figure is outside its band."""
    kernel = recorded()
    table = list(conformance(kernel, MODEL_SEED))
    bad = [row for row in table if not row.inside]
    code = ExitStatus.NOT_MEASURED if bad else ExitStatus.PASS
    if output.as_json:
        output.document(_conformance_document(table, kernel, code))
    elif not output.quiet:
        output.out.print(conformance_table(table, kernel))
    mark = "✗" if bad else "✓"
    told = (
        f"{mark} {len(table) - len(bad)} of {plural(len(table), 'figure')} of {plural(len(CASES), 'configuration')} "
        "inside."
    )
    output.note(told) if output.as_json else output.out.print(Text(told))
    return int(code)


def conformance_table(table: Sequence[Row], kernel: Recorded) -> Grid:
    """Parameter, set, kernel, relay, band, verdict."""
    grid = Grid(
        [
            Column("configuration", left=True, label=1),
            Column("parameter", left=True),
            Column("set"),
            Column("kernel"),
            Column("relay"),
            Column("band"),
            Column("verdict", left=True),
        ]
    )
    for row in table:
        values = (number(row.kernel), number(row.ours), f"± {number(row.band)}")
        word = INSIDE if row.inside else OUTSIDE
        grid.add(row.case, row.figure, number(row.set), *values, word.text())
    grid.notes.append(
        Text(
            f"kernel: netem of {kernel.kernel}, recorded ({kernel.iproute2}); relay: the relay's model for as many "
            f"packets in virtual time, seed {MODEL_SEED}; set: the closed form, where there is one; band: 4 standard "
            "errors of both sides.",
            style="dim",
        )
    )
    return grid


def number(value: float | None) -> str:
    """Four digits, at most three decimals."""
    if value is None:
        return NO_DATA
    if math.isinf(value):
        return "∞"
    decimals = min(3, max(0, 3 - math.floor(math.log10(abs(value))))) if value else 0
    return f"{value:.{decimals}f}"


def _document(checks: Sequence[Check], seed: int, code: ExitStatus) -> Json:
    rows = [
        {
            "impairment": check.trial,
            "parameter": check.parameter,
            "set": check.set,
            "closed_form": check.closed,
            "measured": check.measured,
            "tolerance": check.tolerance,
            "n": check.n,
            "attempts": check.attempt,
            "inside": check.inside,
        }
        for check in checks
    ]
    return {"schema_version": SCHEMA_VERSION, "seed": seed, "exit_code": int(code), "rows": rows}


def _conformance_document(table: Sequence[Row], kernel: Recorded, code: ExitStatus) -> Json:
    rows = [
        {
            "configuration": row.case,
            "parameter": row.figure,
            "set": row.set,
            "kernel": row.kernel,
            "relay": row.ours,
            "band": row.band if math.isfinite(row.band) else None,
            "inside": row.inside,
        }
        for row in table
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "kernel": kernel.kernel,
        "iproute2": kernel.iproute2,
        "seed": MODEL_SEED,
        "exit_code": int(code),
        "rows": rows,
    }
