"""What docs/weak-networks.md shows is what the program takes."""

from __future__ import annotations

import re
from pathlib import Path

from probe.impairment.conformance import CASES
from probe.impairment.trials import TRIALS
from probe.plan.library import read_network

DOCS = (Path(__file__).parent.parent / "docs" / "weak-networks.md").read_text()


def test_the_networks_file_is_valid_and_means_what_it_says(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    (tmp_path / "yard.yaml").write_text(text)
    network, warnings = read_network(str(tmp_path / "yard.yaml"))
    assert warnings == []
    assert network.up.rate_bps == 330_000
    assert network.down.timeline is not None
    assert [step.outage for step in network.down.timeline.steps] == [None, None, "hold"]


def test_its_numbers_are_those_of_the_program() -> None:
    assert f"{len(CASES)} configurations" in DOCS
    assert len(TRIALS) == 14
    assert "Fourteen impairments" in DOCS
