"""All that a network profile can say, and the sentences for what it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probe.impairment.course import Delivery, Outage, Step, Timeline
from probe.impairment.profile import (
    Chance,
    FourState,
    GilbertElliott,
    Impairment,
    Loss,
    NetworkProfile,
    Reorder,
    Slot,
    Table,
)
from probe.plan.diagnostics import PlanError
from probe.plan.library import read_network
from probe.plan.networks import from_document, to_document
from tests.plan.plan_text import changed, load, mistakes

MS = 1_000_000
SECOND = 1000 * MS


def profile_of(tmp_path: Path, text: str) -> NetworkProfile:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return read_network(str(path))[0]


FORMS = [
    ("{loss: {ratio: 10%, netem_correlation: 25%}}", Impairment(loss=Loss(0.1, correlation=0.25))),
    ("{loss: {gemodel: [1%, 10%, 70%, 0.1%]}}", Impairment(loss=GilbertElliott(0.01, 0.1, 0.7, 0.001))),
    ("{loss: {gemodel: [5%]}}", Impairment(loss=GilbertElliott(0.05, 0.95))),
    ("{loss: {state: [2%, 30%, 20%, 40%, 0.5%]}}", Impairment(loss=FourState(0.02, 0.3, 0.2, 0.4, 0.005))),
    ("{loss: {state: [2%]}}", Impairment(loss=FourState(0.02))),
    ("{duplicate: 1%, corrupt: 2%}", Impairment(duplicate=Chance(0.01), corrupt=Chance(0.02))),
    (
        "{duplicate: {ratio: 1%, netem_correlation: 50%}}",
        Impairment(duplicate=Chance(0.01, 0.5)),
    ),
    ("{delay: 50ms, reorder: 25%}", Impairment(50 * MS, reorder=Reorder(0.25))),
    ("{delay: 50ms, reorder: {ratio: 100%, gap: 5}}", Impairment(50 * MS, reorder=Reorder(1.0, 5))),
    (
        "{delay: 50ms, jitter: 10ms, jitter_correlation: 90%}",
        Impairment(50 * MS, 10 * MS, jitter_correlation=0.9),
    ),
    (
        "{delay: 50ms, jitter: 10ms, netem_correlation: 50%}",
        Impairment(50 * MS, 10 * MS, delay_correlation=0.5),
    ),
    (
        "{rate: 1Mbps, limit: 50, overhead: -14B, cell: {size: 48B, overhead: 5B}}",
        Impairment(
            rate_bps=1_000_000, limit_packets=50, overhead_bytes=28, cell_bytes=48, cell_overhead_bytes=5
        ),
    ),
    ("{slot: 20ms..40ms}", Impairment(slot=Slot(20 * MS, 40 * MS))),
    (
        "{slot: {every: 20ms, packets: 5, bytes: 3kB}}",
        Impairment(slot=Slot(20 * MS, 20 * MS, packets=5, bytes=3000)),
    ),
    (
        "{slot: {every: 10ms, jitter: 2ms, distribution: pareto}}",
        Impairment(slot=Slot(10 * MS, 10 * MS, jitter_ns=2 * MS, distribution="pareto")),
    ),
    (
        "{delay: 9ms, jitter: 1ms, distribution: {name: mine, values: [-8192, 0, 8192]}}",
        Impairment(9 * MS, MS, Table("mine", (-8192, 0, 8192))),
    ),
    (
        "{outages: [{kind: hold, every: 17s..28s, lasts: 80ms..300ms}]}",
        Impairment(outages=(Outage("hold", (17 * SECOND, 28 * SECOND), (80 * MS, 300 * MS)),)),
    ),
    (
        "{delay: 40ms, rate: 8Mbps, timeline: [{for: 10s}, {for: 3s, rate: 1Mbps, loss: 5%}, {for: 2s, outage: drop}]}",
        Impairment(
            40 * MS,
            rate_bps=8_000_000,
            timeline=Timeline(
                (
                    Step(10 * SECOND, Impairment(40 * MS, rate_bps=8_000_000)),
                    Step(3 * SECOND, Impairment(40 * MS, rate_bps=1_000_000, loss=Loss(0.05))),
                    Step(2 * SECOND, Impairment(40 * MS, rate_bps=8_000_000), "drop"),
                )
            ),
        ),
    ),
    (
        "{rate: 1Mbps, queue: 1s, timeline: {loop: false, steps: [{for: 1s}, {for: 1s, limit: 9}]}}",
        Impairment(
            rate_bps=1_000_000,
            queue_ns=SECOND,
            timeline=Timeline(
                (
                    Step(SECOND, Impairment(rate_bps=1_000_000, queue_ns=SECOND)),
                    Step(SECOND, Impairment(rate_bps=1_000_000, limit_packets=9)),
                ),
                loop=False,
            ),
        ),
    ),
]


@pytest.mark.parametrize(("text", "impairment"), FORMS)
def test_every_part_has_its_text_and_reads_back(tmp_path: Path, text: str, impairment: Impairment) -> None:
    profile = profile_of(tmp_path, f"up: {text}\n")
    assert profile.up == impairment
    assert profile.down == Impairment()
    assert json.loads(json.dumps(to_document(profile))) == to_document(profile)
    assert from_document(to_document(profile)) == profile
    assert profile_of(tmp_path, f"both: {text}\n").down == impairment


def test_a_trace_is_read_from_beside_the_profile_and_kept_in_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "lte.down").write_text("1\n5\n\n5\n9\n")
    profile = profile_of(
        tmp_path,
        "down: {delay: 20ms, queue: 1s, trace: lte.down}\nup: {trace: {file: lte.down, loop: false}}",
    )
    delivery = Delivery("lte.down", (1, 5, 5, 9))
    assert profile.down == Impairment(20 * MS, queue_ns=SECOND, delivery=delivery, overhead_bytes=32)
    assert profile.up.delivery == Delivery("lte.down", (1, 5, 5, 9), loop=False)
    document = to_document(profile)
    (tmp_path / "lte.down").unlink()
    assert from_document(document) == profile


def test_a_recorded_call_is_a_time_line(tmp_path: Path) -> None:
    pattern = [
        {"duration": 200, "capacity": 500, "loss": 0.1, "rtt": 90, "jitter": 3},
        {"duration": 100.5, "capacity": 0, "time": 0.2},
    ]
    (tmp_path / "call.json").write_text(json.dumps({"uplink": {"trace_pattern": pattern}, "downlink": {}}))
    profile = profile_of(tmp_path, "up: {trace: call.json}")
    first = Impairment(45 * MS, 3 * MS, loss=Loss(0.1), rate_bps=500_000)
    assert profile.up.timeline == Timeline(
        (Step(200 * MS, first), Step(100_500_000, Impairment(), "hold")), loop=True
    )
    assert from_document(to_document(profile)) == profile


def test_a_table_of_conditions_is_a_time_line(tmp_path: Path) -> None:
    (tmp_path / "drive.csv").write_text(
        "# a drive\ntime_s,rate_kbps,delay_ms,loss_percent\n0,1000,30,0\n1.5,200,80,2.5\n2,0,80,0\n"
    )
    profile = profile_of(tmp_path, "both: {queue: 400ms, rate: 9Mbps, trace: {file: drive.csv}, jitter: 1ms}")
    assert profile.up.timeline is not None
    kept: dict[str, Any] = {"jitter_ns": MS, "queue_ns": 400 * MS}
    assert [(step.duration_ns, step.impairment, step.outage) for step in profile.up.timeline.steps] == [
        (1500 * MS, Impairment(30 * MS, rate_bps=1_000_000, loss=Loss(0.0), **kept), None),
        (500 * MS, Impairment(80 * MS, rate_bps=200_000, loss=Loss(0.025), **kept), None),
        (500 * MS, Impairment(80 * MS, rate_bps=9_000_000, loss=Loss(0.0), **kept), "hold"),
    ]
    assert from_document(to_document(profile)) == profile


def test_a_delay_table_is_read_as_tc_does(tmp_path: Path) -> None:
    (tmp_path / "mine.dist").write_text("# comment\n -8192 0 # more\n 16384\n")
    text = "up: {delay: 9ms, jitter: 1ms, distribution: {file: mine.dist}, slot: {every: 5ms, jitter: 1ms, distribution: {file: mine.dist}}}"
    profile = profile_of(tmp_path, text)
    table = Table("mine", (-8192, 0, 16384))
    assert profile.up.distribution == table
    assert profile.up.slot == Slot(5 * MS, 5 * MS, jitter_ns=MS, distribution=table)
    assert from_document(to_document(profile)) == profile


def test_a_plan_may_hold_a_network_with_files(tmp_path: Path) -> None:
    (tmp_path / "lte.down").write_text("1\n5\n")
    text = changed("[clean, lossy-3g]\nmatrix", "[clean, lossy-3g, {name: x, up: {trace: lte.down}}]\nmatrix")
    plan = load(text, tmp_path / "plan.yaml")
    delivery = Delivery("lte.down", (1, 5))
    assert plan.networks["x"].up.delivery == delivery


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "up: {loss: {ratio: 3%, gemodel: [1%]}}",
            "1:12: a loss is one of `ratio`, `gemodel` and `state`: give one of them",
        ),
        ("up: {loss: {}}", "1:12: a loss is one of `ratio`, `gemodel` and `state`: give one of them"),
        (
            "up: {loss: {gemodel: [1%], burst: 3}}",
            "1:12: `burst` and `netem_correlation` belong to a ratio: leave them out of `gemodel`",
        ),
        ("up: {loss: 0.1}", "1:12: 0.1 has no % sign: write 3% or 0.5%"),
        ("up: {loss: {gemodel: [1]}}", "1:23: 1 has no % sign: write 3% or 0.5%"),
        ("up: {loss: {state: []}}", "1:20: this is empty: at least one is needed"),
        (
            "up: {reorder: 5%}",
            (
                "1:5: packets overtake others that wait: give a delay longer than the time between packets, or leave "
                "`reorder` out"
            ),
        ),
        ("up: {rate: -1Mbps}", "1:12: '-1Mbps' is negative: a rate is zero or more"),
        (
            "up: {rate: 1Mbps, queue: 1s, limit: 5}",
            "1:5: `queue` and `limit` bound the same queue: give one of them",
        ),
        ("up: {slot: {every: 40ms..20ms}}", "max not below min"),
        ("up: {slot: {every: 20ms.40ms}}", "1:20: '20ms.40ms' is not a duration: write 30s, 200ms or 5m"),
        (
            "up: {overhead: 4B}",
            "1:5: an overhead without a rate takes no time: give a rate, or leave the overhead out",
        ),
        (
            "both: {delay: 1ms}\nup: {delay: 1ms}",
            "1:1: `both` stands for `up` and `down`: give it alone, or the two",
        ),
        (
            "up: {outages: [{kind: pause, every: 1s, lasts: 1s}]}",
            "1:23: 'pause' is not known here (known: drop, hold)",
        ),
        ("up: {outages: [{kind: drop, every: 1s}]}", "1:16: the key 'lasts' is missing"),
        ("up: {timeline: [{for: 1s, outage: hold}]}", "never lets its packets go"),
        ("up: {timeline: [{delay: 1s}]}", "1:17: the key 'for' is missing"),
        ("up: {timeline: [{for: 1s, dealy: 1s}]}", "1:27: unknown key 'dealy', did you mean 'delay'?"),
        ("up: {timeline: []}", "1:16: this is empty: at least one is needed"),
        ("up: {trace: nowhere.down}", "nowhere.down cannot be read: No such file or directory"),
        ("up: {trace: {loop: false}}", "1:13: a trace is a file: give `file`"),
        ("up: {rate: 1Mbps, trace: good.down}", "1:5: a trace is the rate: leave `rate` or the trace out"),
        ("up: {trace: words.down}", "words.down:2: 'five' is not a number of milliseconds"),
        ("up: {trace: back.down}", "back.down:3: 4 ms comes after 5 ms: times never fall"),
        ("up: {trace: empty.down}", "empty.down:1: the trace has no opportunity after 0 ms"),
        ("up: {trace: broken.json}", "broken.json:2: Expecting ',' delimiter"),
        ("up: {trace: two.json}", "two.json:1: both ways have a trace: say which with `part: uplink`"),
        ("up: {trace: none.json}", "none.json:1: neither uplink nor downlink has a trace_pattern"),
        ("up: {trace: {file: none.json, part: uplink}}", "none.json:1: uplink has no trace_pattern"),
        ("up: {trace: loss.json}", "loss.json:1: uplink segment 1: a loss of 10 is no ratio: give 0 to 1"),
        ("up: {trace: {file: laid.json, part: downlink}}", "laid.json:7: downlink segment 2 has no duration"),
        ("up: {trace: field.json}", "field.json:1: uplink segment 1: the field 'bandwidth' is unknown"),
        ("up: {trace: names.csv}", "names.csv:1: the column 'rate' is unknown: use delay_ms, duration_ms"),
        ("up: {trace: short.csv}", "short.csv:3: 1 values for 2 columns"),
        ("up: {trace: text.csv}", "text.csv:2: rate_kbps is 'fast', not a number"),
        ("up: {trace: back.csv}", "back.csv:3: 1 s does not come after 2 s"),
        (
            "up: {trace: timeless.csv}",
            "timeless.csv:1: a trace has the column time_s or duration_ms, one of the two",
        ),
        ("up: {jitter: 1ms, distribution: {file: words.dist}}", "words.dist:1: 'x' is not a whole number"),
        ("up: {jitter: 1ms, distribution: {file: empty.dist}}", "empty.dist:1: the table is empty"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    pattern = {"trace_pattern": [{"duration": 1, "capacity": 1}]}
    files = {
        "good.down": "1\n",
        "words.down": "1\nfive\n",
        "back.down": "1\n5\n4\n",
        "empty.down": "0\n",
        "broken.json": '{"uplink": 1\n "x"}',
        "two.json": json.dumps({"uplink": pattern, "downlink": pattern}),
        "none.json": "{}",
        "loss.json": json.dumps({"uplink": {"trace_pattern": [{"duration": 1, "loss": 10}]}}),
        "laid.json": (
            '{"uplink": {"trace_pattern": [\n {"duration": 1}]},\n "downlink":\n {"trace_pattern":\n'
            '  [{"duration": 1},\n\n   {"loss": 0.1}]}}'
        ),
        "field.json": json.dumps({"uplink": {"trace_pattern": [{"duration": 1, "bandwidth": 10}]}}),
        "names.csv": "time_s,rate\n",
        "short.csv": "time_s,rate_kbps\n1,2\n3\n",
        "text.csv": "duration_ms,rate_kbps\n1,fast\n",
        "back.csv": "time_s,rate_kbps\n2,1\n1,1\n",
        "timeless.csv": "rate_kbps\n1\n",
        "words.dist": "x y\n",
        "empty.dist": "# nothing\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(PlanError) as refusal:
        profile_of(tmp_path, text)
    (found,) = refusal.value.diagnostics
    assert sentence in f"{found.mark.line}:{found.mark.column}: {found.message}"


def test_what_netem_does_otherwise_is_said_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("title: x\ndown: {loss: {ratio: 10%, netem_correlation: 25%}}\n")
    _, warnings = read_network(str(path))
    assert [(item.mark.line, item.mark.column, item.message) for item in warnings] == [
        (2, 7, "`loss 10% 25%` loses 1.8 %, not 10 %: use loss with ratio and burst")
    ]
    path.write_text("both: {delay: 50ms, jitter: 10ms, ordered: false}\n")
    (warning,) = read_network(str(path))[1]
    assert warning.mark.column == 7
    assert "reorders" in warning.message


def test_a_plan_says_what_is_odd_about_its_networks(tmp_path: Path) -> None:
    odd = "{name: x, up: {loss: {ratio: 10%, netem_correlation: 25%}}}"
    text = changed("[clean, lossy-3g]\nmatrix", f"[clean, lossy-3g, {odd}]\nmatrix")
    (warning,) = [item for item in load(text, tmp_path / "plan.yaml").warnings if "1.8 %" in item.message]
    assert warning.mark.source.startswith("networks:")
    assert not mistakes(text)
