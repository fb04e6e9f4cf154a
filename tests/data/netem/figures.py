"""Write the figures of the recording into the package, for `probe selftest --model`.

    python -m tests.data.netem.figures

`tests/impairment/test_golden.py` holds the file against the recording.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from probe.impairment.conformance import CASES
from probe.impairment.observed import figures
from tests.impairment.golden import observed, recorded

SHIPPED = Path(__file__).parents[3] / "probe" / "data" / "netem-kernel.json"


def document() -> dict[str, Any]:
    """Where the recording is from, and each case's figures: value, and standard error (null: not known)."""
    known = recorded()
    cases = {}
    for case in CASES:
        facts = known["cases"][case.name]
        found = figures(case, observed(case))
        cases[case.name] = {
            "tc": facts["tc"],
            "packets": facts["packets"],
            "commit": facts["commit"],
            "figures": {
                name: [round(part.value, 9), round(part.error, 9) if part.error < 1e300 else None]
                for name, part in found.items()
            },
        }
    return {"kernel": known["kernel"], "iproute2": known["iproute2"], "cases": cases}


def main() -> None:
    """Write it."""
    SHIPPED.write_text(json.dumps(document(), indent=1) + "\n")


if __name__ == "__main__":
    main()
