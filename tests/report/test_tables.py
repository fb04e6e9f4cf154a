"""What a report says, at several widths; its frames and spaces are free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from probe.analysis.results import Assessment, Distribution
from probe.report.tables import print_report
from tests.report import samples
from tests.report.samples import MANIFEST, assessment, judgement, lossy, session, unreachable

WIDTHS = (160, 100, 80)


def printed(shown: Assessment, width: int = 160, *, quiet: bool = False) -> str:
    console = Console(file=StringIO(), width=width)
    print_report(console, shown, MANIFEST, quiet=quiet)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def row(text: str, *words: str) -> list[str]:
    """The words of the first line that holds all of `words`."""
    found = next(line for line in text.splitlines() if all(word in line for word in words))
    return found.split()


def line(text: str, *words: str) -> str:
    """As `row`, with single spaces between them."""
    return " ".join(row(text, *words))


def part(text: str, title: str) -> str:
    """From a heading to the next blank line but one."""
    return text[text.index(f"\n{title}") :]


def test_header_names_country_run_vantage_and_time() -> None:
    top = printed(assessment()).splitlines()[:2]
    assert top[0] == "Indonesia (ID)"
    assert top[1].startswith(f"run {samples.RUN} · vantage jkt-telkomsel · started 2026-11-22 12:30:00 UTC")


def test_header_of_a_run_whose_manifest_is_lost() -> None:
    console = Console(file=StringIO(), width=160)
    print_report(console, assessment(vantage=None), {})
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().startswith(f"ID\nrun {samples.RUN} · vantage none · started 2026-11-22")


def test_emulated_stands_in_every_heading() -> None:
    text = printed(samples.evening())
    headings = [line for line in text.splitlines() if line.endswith("EMULATED")]
    assert [heading.split("  ")[0] for heading in headings] == [
        "Indonesia (ID)",
        "Latency, ms",
        "Loss and recovery",
        "Evening peak against off-peak",
        "Accounting, packets",
        "Verdict",
        "In a sentence",
    ]
    assert "no network was measured" in text


def test_real_runs_never_say_emulated() -> None:
    assert "EMULATED" not in printed(assessment())


def test_partly_emulated_runs_mark_the_nodes() -> None:
    text = printed(assessment(emulated=True, sessions=(session(), session(node="sim-1", emulated=True))))
    assert "alpha/sim-1 (emulated)" in text
    assert "EMULATED in part" in text


def test_latency_shows_n_percentiles_and_connecting() -> None:
    text = printed(assessment(sessions=(session(100.0, transport="quic-stream", handshake_ms=95.0),)))
    expected = ["alpha/jkt-1", "voice", "clean", "peak", "quic-stream", "1500"]
    expected += ["100.0", "120.0", "140.0", "190.0", "250.0", "41.2", "95.0"]
    assert row(part(text, "Latency"), "quic-stream") == expected


def test_infinite_percentiles_stand_beside_the_loss_that_made_them_so() -> None:
    text = part(printed(assessment(sessions=(lossy(),))), "Latency")
    assert row(text, "alpha/jkt-1")[5:11] == ["1500", "10.00", "120.0", "144.0", "∞", "∞"]
    assert "they count as infinitely late" in text


def test_loss_and_recovery_a_row_a_direction() -> None:
    text = part(printed(assessment(sessions=(lossy(),))), "Loss")
    up, down = row(text, "↑ up"), row(text, "↓ down")
    assert up[5:13] == ["↑", "up", "6.67", "(100/1500)", "2", "0.67", "90.20", "68.0"]
    assert down[:7] == ["↓", "down", "3.57", "(50/1400)", "2", "0.86", "76.92"]


def test_no_data_is_a_dash_and_never_zero() -> None:
    text = printed(assessment(sessions=(unreachable(),)))
    assert row(part(text, "Latency"), "alpha/jkt-1")[5:] == ["0", *["–"] * 7]
    assert row(part(text, "Loss"), "↑ up")[7:] == ["–"] * 10
    assert "The node did not answer: no answer from jkt1.alpha.example:40000 within 5 s." in text


def test_one_way_streams_have_one_direction_and_no_round_trip() -> None:
    shown = replace(session(one_way=True), down=None, rtt_ms=Distribution())
    text = printed(assessment(sessions=(shown,)))
    assert "↓ down" not in text
    assert row(part(text, "Latency"), "alpha/jkt-1")[5:11] == ["0", *["–"] * 5]


def test_the_worst_call_stands_beside_the_sums() -> None:
    worst = {"stream": 17, "loss_ratio": 0.032, "rtt_p95_ms": 210.0, "infinite": []}
    text = printed(assessment(sessions=(replace(session(calls=100), worst_call=worst),)))
    assert "210.0" in row(part(text, "Latency"), "alpha/jkt-1")
    assert "#17:" in row(part(text, "Loss"), "↑ up")


def test_a_cell_measured_twice_shows_when() -> None:
    later = session(local_time="2026-11-22T20:15:09+07:00", index=1)
    text = part(printed(assessment(sessions=(session(), later))), "Latency")
    assert "19:30:00" in row(text, "alpha/jkt-1")
    assert row(text, "20:15:09")[0] == "20:15:09"


def test_accounting_adds_up_in_words() -> None:
    counted = replace(session(), counts=samples.counts(1500, unsent_cc_limited=12, late=4, lost_up=8))
    text = part(printed(assessment(sessions=(counted,))), "Accounting")
    assert row(text, "alpha/jkt-1")[5:13] == ["1500", "12", "1488", "1476", "4", "8", "0", "0"]
    assert "12 congestion control" in text
    assert "✓ Every packet has one fate in the session." in text


def test_accounting_that_does_not_add_up_is_told_as_our_fault() -> None:
    wrong = replace(session(), counts=samples.counts() | {"on_time": 3})
    text = printed(assessment(sessions=(wrong,)))
    assert "The sums do not add up, which is a fault of probe: alpha/jkt-1 voice clean peak udp." in text


def test_peak_rows_show_both_windows_and_a_verdict() -> None:
    text = part(printed(samples.evening()), "Evening peak")
    assert line(text, "degraded", "rtt.p95", "312.4") == (
        "rtt.p95 312.4 ms 143.2 ms +169.2 ms 2.18x 6 9000/9000 ✗ degraded "
        "Worse by more than 14.3 ms, the smallest change that counts."
    )
    assert line(text, "up.residual").startswith("up.residual 0.67 % 0.00 % +0.67 points ∞ 1 ")
    assert "✓ not degraded" in text


def test_what_is_zero_in_both_windows_is_only_named() -> None:
    zero = samples.peak_row(metric="down.loss", unit="%", peak=0.0, offpeak=0.0, shift=0.0, ratio=None)
    text = part(printed(assessment(peak=(zero, samples.peak_row()))), "Evening peak")
    assert "0 in both windows: down.loss" in text
    assert text.count("Worse by more than") == 1


def test_a_cell_of_nothing_but_zeros_is_shown() -> None:
    zero = samples.peak_row(metric="down.loss", unit="%", peak=0.0, offpeak=0.0, shift=0.0, ratio=None)
    assert "0.00 points" in part(printed(assessment(peak=(zero,))), "Evening peak")


def test_quality_line_tells_grade_and_stamps() -> None:
    text = printed(assessment())
    assert "Measurement quality: ✓ good in the only session." in text
    assert "Time stamps (sent, node in, node out, back): user, kernel, user, kernel." in text
    udp = replace(
        session(), quality=samples.GOOD | {"stamps": dict.fromkeys(samples.GOOD["stamps"], "kernel")}
    )
    text = " ".join(printed(assessment(sessions=(session(transport="quic-stream"), udp))).split())
    assert ": user, kernel, user, kernel over QUIC; kernel, kernel, kernel, kernel over UDP." in text


def test_quality_line_tells_levers_and_plain_sockets() -> None:
    levers = {"asked": {"realtime": True, "spin_us": 200.0}, "granted": {"realtime": False, "spin_us": 200.0}}
    told = replace(session(), quality=samples.GOOD | {"carrier": "plain", "punctuality": levers})
    text = " ".join(printed(assessment(sessions=(told,))).split())
    assert "Plain sockets, one call a packet, in 1 session." in text
    assert "Asked for: --rt (not granted in 1 session), --spin." in text


def test_a_bad_measurement_is_told_with_its_reason_before_the_verdict() -> None:
    reason = {"code": "stall", "grade": "degraded", "value": 35.0, "limit": 20.0, "unit": "ms"}
    bad = replace(session(), quality=samples.GOOD | {"grade": "degraded", "reasons": [reason]})
    whole = {"grade": "degraded", "reasons": [{"code": "stall", "grade": "degraded", "sessions": 1}]}
    text = printed(assessment(sessions=(bad,), quality=whole))
    assert "Measurement quality: ! degraded (The packet loop stood still in 1 session)." in text
    told = "alpha/jkt-1 voice clean peak udp: The packet loop stood still for 35.0 ms (limit 20 ms)."
    assert text.index(told) < text.index("\nVerdict")


@pytest.mark.parametrize(
    ("verdict", "severity", "word"),
    [
        ("pass", "gate", "✓ pass"),
        ("pass", "warn", "✓ pass"),
        ("fail", "gate", "✗ fail"),
        ("fail", "warn", "! warn"),
        ("fail", "info", "! warn"),
        ("inconclusive", "gate", "? inconclusive"),
        ("not_measured", "gate", "– not measured"),
    ],
)
def test_thresholds_have_a_mark_and_a_word(verdict: str, severity: str, word: str) -> None:
    shown = assessment(thresholds=(judgement(verdict, severity=severity),))
    assert word in part(printed(shown), "Verdict")


def test_a_threshold_shows_value_limit_n_and_reason() -> None:
    text = part(printed(assessment(thresholds=(judgement("fail"),))), "Verdict")
    assert "rtt.p95 < 200ms  indonesia.yaml:41" in text
    assert line(text, "✗ fail") == (
        "✗ fail alpha/jkt-1 voice clean peak udp 312.4 ms < 200 ms 1500 112.4 ms above the limit."
    )


def test_an_infinite_value_is_shown_beside_its_limit() -> None:
    reason = {"code": "infinite", "lost": 150, "n": 1500}
    shown = judgement("fail", value=None, infinite=("value",), reason=reason)
    text = part(printed(assessment(thresholds=(shown,))), "Verdict")
    assert row(text, "✗ fail")[7:11] == ["∞", "<", "200", "ms"]
    assert "150 of 1500 packets were lost" in text


def test_a_threshold_that_only_a_newer_version_understands_is_still_shown() -> None:
    text = printed(assessment(thresholds=(judgement(expr="freeze.p95 < 1%", unit="%", value=0.5),)))
    assert "freeze.p95 < 1%" in text
    assert "0.50 %" in text


def test_thresholds_keep_the_order_of_the_plan_and_stand_by_node() -> None:
    beta = samples.CELL | {"vendor": "beta"}
    peak, night = judgement(), judgement(scope=samples.CELL | {"window": "offpeak"})
    others = (judgement(scope=beta), judgement(expr="loss < 1%", unit="%", line=42))
    text = part(printed(assessment(thresholds=(peak, others[0], night, others[1]))), "Verdict")
    where = [words.split()[2:6] for words in text.splitlines() if "✓ pass" in words]
    assert [(names[0], names[3]) for names in where] == [
        ("alpha/jkt-1", "peak"),
        ("alpha/jkt-1", "offpeak"),
        ("beta/jkt-1", "peak"),
        ("alpha/jkt-1", "peak"),
    ]
    assert text.index("rtt.p95 < 200ms") < text.index("loss < 1%")


def test_intervals_are_shown_once_there_are_any() -> None:
    text = printed(assessment(thresholds=(judgement(low=110.0, high=125.5),)))
    assert "110.0 ms to 125.5 ms" in text


@pytest.mark.parametrize(
    ("verdict", "code", "thresholds", "last"),
    [
        ("pass", 0, ["pass"], "✓ PASS: the gating check holds (exit code 0)."),
        ("pass", 0, ["pass", "pass"], "✓ PASS: all 2 gating checks hold (exit code 0)."),
        ("fail", 99, ["pass", "fail"], "✗ FAIL: 1 of 2 gating checks failed (exit code 99)."),
        (
            "inconclusive",
            4,
            ["inconclusive"],
            "? INCONCLUSIVE: 1 of 1 gating checks cannot be decided, none failed (exit code 4).",
        ),
        (
            "not_measured",
            3,
            ["not_measured"],
            (
                "– NOT MEASURED: our side could not measure 1 of 1 gating checks, "
                "which says nothing about a vendor (exit code 3)."
            ),
        ),
        (
            "interrupted",
            130,
            ["pass"],
            "! INTERRUPTED: the run was stopped before its end; what was measured is kept (exit code 130).",
        ),
    ],
)
def test_the_last_line_is_the_verdict_with_its_exit_code(
    verdict: str, code: int, thresholds: Sequence[str], last: str
) -> None:
    shown = assessment(verdict=verdict, exit_code=code, thresholds=tuple(map(judgement, thresholds)))
    assert printed(shown).splitlines()[-1] == last
    assert printed(shown, quiet=True) == f"{last}\n"


def test_warnings_are_counted_in_the_last_line() -> None:
    shown = assessment(thresholds=(judgement(), judgement("fail", severity="warn")))
    assert printed(shown).endswith("✓ PASS: the gating check holds, with 1 warning (exit code 0).\n")


def test_a_run_of_nothing_is_still_a_report() -> None:
    shown = assessment(sessions=(), thresholds=(), verdict="not_measured", exit_code=3)
    assert "No threshold was judged." in printed(shown)


@pytest.mark.parametrize("width", WIDTHS)
def test_at_every_width_nothing_is_cut_off(width: int) -> None:
    text = printed(samples.evening(), width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    assert text.count("✗ fail") == 3
    assert text.count("✓ pass") == 9
    assert text.count("(100/1500)") == 3
    assert "…" not in text
    verdicts = " ".join(part(text, "Verdict").split())
    assert "312.4 ms < 200 ms 1500" in verdicts
    assert "112.4 ms above the limit." in verdicts


def test_at_160_columns_every_column_is_there() -> None:
    assert "Not shown" not in printed(samples.evening(), 160)


def test_peak_rows_that_say_the_same_about_nothing_are_one() -> None:
    silent = {"peak": None, "offpeak": None, "shift": None, "ratio": None, "n_peak": 0, "n_offpeak": 0}
    rows = tuple(
        samples.peak_row(metric=metric, verdict="inconclusive", reason={"code": "outside_windows"}, **silent)
        for metric in ("rtt.p95", "up.loss", "connect.p50")
    )
    text = part(printed(assessment(peak=rows)), "Evening peak")
    assert "all 3 metrics" in text
    assert "up.loss" not in text
    assert text.count("outside both the evening peak and the off-peak window") == 1
