"""The harness of bench/: its arithmetic, and that its rows are what they say. It measures nothing here."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from bench.blast import SEGMENTS
from bench.bound import media_packets
from bench.comparison import (
    IMPOSSIBLE,
    NOT_MEASURED,
    NOT_REACHED,
    PROBE,
    REACHED,
    Comparison,
    Effort,
    Goal,
    Sample,
    Skipped,
    Subject,
)
from bench.quantiles import quantiles
from bench.recorder import INDEX_AT, SSRC_AT, rtp_field
from bench.rounds import LOAD_METRIC, Hygiene, run_rounds
from bench.rows import comparisons
from bench.session import PACKET_BYTES, calls, grant_for
from bench.table import number, ratio, remarks, table, to_json

FASTER = Goal("speed", "pps", 0.9, "C", least=True, limit_by="C")
CLOSER = Goal("p99", "p99_us", 1 / 30, "irtt", unit="us", limit_by="C")


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which there is nothing to wait for."""
    monkeypatch.setattr("bench.rounds._wait_for_quiet", lambda _: None)


def replay(samples: list[Sample]) -> Subject:
    left = iter(samples)
    return lambda _: next(left)


def run(goal: Goal, *rounds: dict[str, Sample]) -> str:
    """The verdict after these rounds."""
    names = [name for name in (PROBE, "C", "irtt") if name in rounds[0]]
    subjects = {name: replay([samples[name] for samples in rounds]) for name in names}
    outcome = run_rounds(
        Comparison("row", "a row", subjects, (goal,)), len(rounds), Effort(), Hygiene(0.0, 0), lambda _: None
    )
    return outcome.figure(goal).verdict


@pytest.mark.usefixtures("quiet")
def test_the_ratio_is_taken_within_a_round_and_the_median_decides() -> None:
    rounds = [
        {PROBE: {"pps": 95.0}, "C": {"pps": 100.0}},
        {PROBE: {"pps": 10.0}, "C": {"pps": 11.0}},  # a slow moment of the machine, for both
        {PROBE: {"pps": 50.0}, "C": {"pps": 100.0}},
    ]
    assert run(FASTER, *rounds) == REACHED
    assert run(FASTER, *rounds, rounds[2], rounds[2]) == NOT_REACHED


@pytest.mark.usefixtures("quiet")
def test_what_not_even_the_limit_reaches_is_impossible_here() -> None:
    peer = {"p99_us": 60.0}
    assert run(CLOSER, {PROBE: {"p99_us": 2.0}, "irtt": peer, "C": {"p99_us": 1.0}}) == REACHED
    assert run(CLOSER, {PROBE: {"p99_us": 3.0}, "irtt": peer, "C": {"p99_us": 1.0}}) == NOT_REACHED
    assert run(CLOSER, {PROBE: {"p99_us": 4.0}, "irtt": peer, "C": {"p99_us": 3.0}}) == IMPOSSIBLE
    assert run(CLOSER, {PROBE: {}, "irtt": peer, "C": {"p99_us": 3.0}}) == NOT_MEASURED


@pytest.mark.slow
def test_a_subject_that_cannot_run_is_left_out_and_one_that_fails_is_told() -> None:
    def no_compiler(_: Effort) -> Sample:
        raise Skipped("no C compiler")

    def broken(_: Effort) -> Sample:
        raise RuntimeError("it broke")

    comparison = Comparison(
        "row", "a row", {PROBE: lambda _: {"pps": 5.0}, "C": no_compiler, "irtt": broken}, (FASTER,)
    )
    outcome = run_rounds(comparison, 2, Effort(), Hygiene(0.0, 0), lambda _: None)
    assert outcome.figure(FASTER).verdict == NOT_MEASURED
    assert outcome.figure(FASTER).missing == "no C compiler"
    said = remarks([outcome])
    assert "row: C is left out: no C compiler" in said
    assert "row: round 2, irtt: RuntimeError: it broke" in said
    assert "not measured" in table([outcome])
    assert to_json([outcome])[0]["skipped"] == {"C": "no C compiler"}


@pytest.mark.usefixtures("quiet")
def test_of_disturbed_tries_the_least_disturbed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = iter([0.0, 8.0, 10.0, 11.0, 20.0, 24.0])  # before and after each of three tries
    clock = iter(range(100))
    monkeypatch.setattr("bench.rounds._busy_seconds", lambda: next(busy))
    monkeypatch.setattr("bench.rounds._own_seconds", lambda: 0.0)
    monkeypatch.setattr("bench.rounds.time.monotonic", lambda: next(clock))
    values = iter([1.0, 2.0, 3.0])
    comparison = Comparison("row", "a row", {PROBE: lambda _: {"pps": next(values)}}, ())
    outcome = run_rounds(comparison, 1, Effort(), Hygiene(0.0, 2), lambda _: None)
    assert outcome.rounds[0][PROBE] == {"pps": 2.0, LOAD_METRIC: 1.0}


def test_numbers_are_written_as_the_goals_are() -> None:
    assert ratio(0.953, FASTER) == "0.953x"
    assert ratio(1 / 42, CLOSER) == "1/42"
    assert ratio(1 / 2500, CLOSER) == "1/2,500"
    assert number(1234567.0) == "1,234,567"


def test_quantiles_are_measured_values() -> None:
    assert quantiles(np.zeros(0), "us") == {}
    thousand = quantiles(np.arange(1.0, 1001.0), "us")
    assert thousand == {"p50_us": 500.0, "p99_us": 990.0, "p99_9_us": 999.0, "max_us": 1000.0}


def test_every_row_has_a_name_of_its_own_and_goals_about_its_subjects() -> None:
    rows = comparisons()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        for goal in row.goals:
            assert {goal.subject, goal.against or PROBE, goal.limit_by or PROBE} <= {*row.subjects, PROBE}
            assert goal.subject in row.subjects


def test_prepared_packets_are_where_the_recorders_and_the_c_limit_look() -> None:
    spec = calls(8, 0.16)
    grant = grant_for(spec, 1)
    data = os.pread(media_packets(grant, spec, PACKET_BYTES), 1 << 20, 0)
    packets = np.frombuffer(data, np.uint8).reshape(-1, PACKET_BYTES)
    assert len(packets) == 64 >= SEGMENTS
    streams = rtp_field(packets, SSRC_AT).astype(np.int64) - grant.ssrc_base
    index = rtp_field(packets, INDEX_AT).astype(np.int64)
    assert sorted(zip(streams.tolist(), index.tolist(), strict=True)) == [
        (s, i) for s in range(8) for i in range(8)
    ]
    for source in ("limit.c", "limit_call.c"):
        text = Path("bench", source).read_text()
        assert re.search(r"SEQUENCE_AT = (\d+)", text).group(1) == str(INDEX_AT)  # type: ignore[union-attr]
