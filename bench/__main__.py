"""`python -m bench`: run the comparisons in turns, print the table of figures, keep them as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.comparison import Comparison, Effort, Outcome
from bench.machine import facts_in_words, machine_facts
from bench.rounds import foreign_load, run_rounds
from bench.rows import comparisons
from bench.table import remarks, table, to_json


def main() -> int:
    known = comparisons()
    options = _options([comparison.name for comparison in known])
    chosen = [comparison for comparison in known if not options.only or comparison.name in options.only]
    rounds, seconds = (2, 1.5) if options.quick else (options.rounds, options.seconds)
    facts = machine_facts() | {"foreign_load_at_start": foreign_load(1.0)}
    started = datetime.now(UTC).isoformat(timespec="seconds")
    print(f"{facts_in_words(facts)}; {rounds} rounds\n", flush=True)
    outcomes: list[Outcome] = []
    try:
        for comparison in chosen:
            outcome = _measured(comparison, rounds, Effort(seconds), options.patience)
            outcomes.append(outcome)
    except KeyboardInterrupt:
        print("\nstopped: what was measured until now", file=sys.stderr)
    print(table(outcomes))
    for remark in remarks(outcomes):
        print(f"- {remark}")
    if options.json:
        document = {"started": started, "machine": facts, "rounds": rounds, "rows": to_json(outcomes)}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _measured(comparison: Comparison, rounds: int, effort: Effort, patience: float) -> Outcome:
    def tell(line: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)

    outcome = run_rounds(comparison, rounds, effort, patience=patience, tell=tell)
    tell("")
    return outcome


def _options(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each subject (default 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement (default 3)")
    parser.add_argument(
        "--only", action="append", choices=names, metavar="NAME", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--json", type=Path, help="write all samples and the machine's facts to this file")
    parser.add_argument(
        "--quick", action="store_true", help="2 rounds of half the length: does it run at all"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=5.0,
        help="seconds to wait for a quiet machine each time (default 5)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
