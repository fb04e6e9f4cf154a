"""The sentences that are forwarded, word by word."""

from __future__ import annotations

from dataclasses import replace

from probe.report.forward import judgement_sentence, peak_sentence, to_forward
from tests.report.samples import assessment, few_days, good_peak, judgement, peak_row

MEASURED = {"low": 231.0, "high": 260.0, "sessions": 14, "days": 7, "hours": "19-23 h"}
VENDOR = {"whose": "vendor", "controls": ["own-sg-1"], "control": 61.0, "sessions": 14}


def test_a_failed_evening() -> None:
    one = judgement("fail", value=243.0, attribution=VENDOR, **MEASURED)
    assert judgement_sentence(one) == (
        "alpha/jkt-1 fails the evening (voice, clean, udp): p95 round trip 243.0 ms [231.0, 260.0] in 19-23 h "
        "against 200 ms allowed, 14 sessions on 7 days; the control node had 61.0 ms at the same minutes."
    )


def test_an_evening_that_is_full() -> None:
    one = judgement("fail", value=243.0, attribution=VENDOR | {"whose": "vendor_evening"}, **MEASURED)
    assert judgement_sentence(one).endswith("; off-peak it holds, so it is the evening that is full.")


def test_one_that_holds_and_one_that_is_open() -> None:
    assert judgement_sentence(judgement(low=110.0, high=121.5)).startswith(
        "alpha/jkt-1 holds in the evening (voice, clean, udp): p95 round trip 117.9 ms [110.0, 121.5] against"
    )
    reason = {"code": "straddles_limit", "more": {"unit": "evening", "n": 2}}
    assert judgement_sentence(judgement("inconclusive", value=190.0, reason=reason, **MEASURED)).endswith(
        "against 200 ms allowed, 14 sessions on 7 days; about 2 more evenings would decide."
    )


def test_our_own_fault() -> None:
    reason = {"code": "own_side", "controls": ["own-sg-1"]}
    told = judgement_sentence(
        judgement("not_measured", value=243.0, reason=reason, attribution=VENDOR | {"whose": "own_side"})
    )
    assert told.startswith("alpha/jkt-1 could not be measured in the evening")
    assert told.endswith("the control node was bad at the same minutes too, so it is our own uplink or ISP.")


def test_shares_infinities_and_functions() -> None:
    infinite = judgement(
        "fail", value=None, infinite=("value", "high"), low=480.0, reason={"code": "infinite"}
    )
    assert "p95 round trip ∞ [480.0, ∞] against" in judgement_sentence(infinite)
    share = judgement("fail", expr="up.worst_loss_15s < 1%", unit="%", value=3.2, low=3.2)
    assert "loss in the worst 15 s upward 3.20 % [3.20, –] against 1 % allowed" in judgement_sentence(share)
    ratio = judgement("fail", expr="peak_ratio(rtt.p95) < 1.5x", unit="", value=2.2, low=1.8, high=2.5)
    assert "evening to off-peak ratio of the p95 round trip 2.20x [1.80, 2.50] against 1.5x" in (
        judgement_sentence(ratio)
    )


def test_no_data_says_why() -> None:
    nothing = judgement("inconclusive", value=None, reason={"code": "no_data"})
    assert (
        judgement_sentence(nothing) == "alpha/jkt-1 is undecided in the evening (voice, clean, udp): no data."
    )


def test_peaks() -> None:
    assert peak_sentence(peak_row(low=150.0, high=180.0)) == (
        "alpha/jkt-1 (voice, clean, udp) is worse in the evening: p95 round trip 312.4 ms against 143.2 ms "
        "off-peak, a change of +169.2 ms [150.0, 180.0], 6 days."
    )
    assert "is not worse in the evening" in peak_sentence(good_peak())
    assert peak_sentence(few_days()).endswith("1 day. Not enough data, 1 of 6 days (evidence.min_days).")
    assert "unpaired: the windows are of other days" in peak_sentence(peak_row(paired=False))


def test_what_is_worth_forwarding() -> None:
    made = assessment(thresholds=(judgement(), judgement("fail")), peak=(peak_row(), good_peak()))
    told = to_forward(made)
    assert len(told) == 2
    assert to_forward(replace(made, thresholds=(), peak=())) == []
