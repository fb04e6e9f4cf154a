"""`python -m bench`: run the comparisons in turns, print the table of figures, keep them as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.comparison import Effort, Outcome
from bench.machine import facts_in_words, machine_facts
from bench.priority import prefer_all
from bench.rounds import Hygiene, foreign_load, run_rounds
from bench.rows import comparisons
from bench.table import remarks, table, to_json


def main() -> int:
    known = comparisons()
    options = _options([comparison.name for comparison in known])
    chosen = [comparison for comparison in known if not options.only or comparison.name in options.only]
    rounds, seconds = (2, 1.5) if options.quick else (options.rounds, options.seconds)
    if options.nice is not None:
        prefer_all(options.nice)
    facts = {"nice": options.nice} | machine_facts() | {"foreign_load_at_start": foreign_load(1.0)}
    started = datetime.now(UTC).isoformat(timespec="seconds")
    print(f"{facts_in_words(facts)}; {rounds} rounds\n", flush=True)
    hygiene = Hygiene(options.patience, 0 if options.quick else options.repeats)
    outcomes: list[Outcome] = []
    try:
        for comparison in chosen:
            outcome = run_rounds(comparison, rounds, Effort(seconds), hygiene, _tell)
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


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


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
    nice = "on a shared machine: nice value of all subjects, peers too (with root; default: as we are)"
    parser.add_argument("--nice", type=int, help=nice)
    patience = "seconds to wait for a quiet machine before each measurement (default 5)"
    parser.add_argument("--patience", type=float, default=5.0, help=patience)
    repeats = "tries more of a measurement that others disturbed; the least disturbed counts (default 1)"
    parser.add_argument("--repeats", type=int, default=1, help=repeats)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
