"""What is said of a claim is what its steps showed: nothing breaks that was not seen to."""

from __future__ import annotations

import pytest

from probe.report.sentences import sentence


@pytest.mark.parametrize(
    ("code", "low", "high", "told"),
    [
        ("claim_holds", 70, 80, "holds there; it breaks between 70 % and 80 %"),
        ("claim_holds", 80, None, "holds there; it holds up to 80 %, the most that was tried"),
        ("claim_holds", 70, None, "holds there; it holds up to 70 %, and the steps beyond decide nothing"),
        (
            "claim_undecided",
            30,
            None,
            "it holds up to 30 %, and the steps beyond decide nothing: more sessions",
        ),
        ("claim_undecided", 30, 80, "it breaks between 30 % and 80 %: more sessions"),
        ("claim_undecided", None, None, "no step of the sweep decides it: more sessions"),
        ("claim_breaks", 30, 50, "and breaks between 30 % and 50 %"),
        ("claim_breaks", None, 0, "and breaks at 0 % already"),
        ("claim_breaks", None, 10, "and breaks at 10 % or less"),
        ("claim_over_budget", 0, 50, "costs more than its budget between 0 % and 50 %"),
    ],
)
def test_a_claim_breaks_where_it_was_seen_to(
    code: str, low: float | None, high: float | None, told: str
) -> None:
    facts = {"resists": 70, "criterion": "residual < 5%", "low": low, "high": high, "last": 80}
    assert told in sentence({"code": code, **facts})
