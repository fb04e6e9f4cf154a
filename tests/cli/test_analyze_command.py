"""`probe analyze` on tables, captures and stored runs: its names, its files, its sentences."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.plan.library import load_network
from probe.store.writer import RunWriter
from tests.store.samples import RUN_ID, make_manifest, make_record, make_rows
from tests.wire.captures import pcap, udp, voice, write

MS = 1_000_000
T18 = (68, 88, 108, 148, 168, 188, 208, 210, 228, 248)
"""RFC 4737, table 1: arrivals in ms of the packets 1,2,3,5,6,7,8,4,9,10."""
T18_ORDER = (1, 2, 3, 5, 6, 7, 8, 4, 9, 10)


def table(folder: Path, rows: list[tuple[int, float, float | None]], name: str = "trace.csv") -> Path:
    """Times in ms; None is lost."""
    lines = [
        f"{seq},{round(sent * MS)},{'' if received is None else round(received * MS)}"
        for seq, sent, received in rows
    ]
    path = folder / name
    path.write_text("\n".join(["seq,sent_ns,received_ns", *lines, ""]))
    return path


def steady(delays: list[float | None]) -> list[tuple[int, float, float | None]]:
    return [(i, 20.0 * i, None if d is None else 20 * i + d) for i, d in enumerate(delays)]


def analyze(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """The one document on stdout."""
    assert execute(app, ["analyze", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence on stderr, of a command line or file that cannot be used."""
    assert execute(app, ["analyze", *map(str, arguments)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    return shown.err


@pytest.mark.slow
def test_what_the_values_are_worth_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Losses in runs of 25 are some 25 times fewer than they look; of less than 5 s nothing is known."""
    bursts = np.repeat(np.random.default_rng(1).random(200) < 0.1, 25).tolist()
    path = table(tmp_path, steady([None if gone else 50.0 + i % 7 for i, gone in enumerate(bursts)]))
    (stream,) = analyze(capsys, path)["streams"]
    found = stream["intervals"]
    assert (found["confidence"], found["block_packets"], found["blocks"]) == (0.95, 50, 100)
    loss = found["loss_ratio"]
    assert loss["n_eff"] == pytest.approx(5000 / 25, rel=0.5)
    assert loss["low"] < stream["loss_ratio"] < loss["high"]
    assert found["residual_ratio"] == loss
    assert found["pdv_ms"]["p50"] == {
        "low": 3,
        "high": 3,
        "n_eff": found["pdv_ms"]["p50"]["n_eff"],
        "infinite": [],
    }
    assert found["pdv_ms"]["p99"]["infinite"] == ["low", "high"]
    assert execute(app, ["analyze", str(path)]) == 0
    assert "95 % intervals, by how 100 blocks of 50 packets differ: loss " in capsys.readouterr().out
    short = analyze(capsys, table(tmp_path, steady([50.0] * 200)))
    assert short["streams"][0]["intervals"] is None


def test_the_document_has_the_contracts_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = analyze(capsys, table(tmp_path, steady([50, 60, None, 50, 70, 50])))
    (stream,) = document["streams"]
    distribution = {"n", "min", "mean", "p50", "p90", "p95", "p99", "p99_9", "max", "infinite"}
    assert {"schema_version", "source", "kind", "facts", "problems", "streams"} == set(document)
    assert set(stream["packets"]) == {"sent", "received", "lost", "duplicates", "reordered"}
    assert set(stream["jitter_ms"]) == {"last", "mean", "max", "n"}
    for name in ("ipdv_ms", "pdv_ms", "delay_ms"):
        assert set(stream[name]) == distribution
    assert {"count", "lengths", "distances"} <= set(stream["loss_periods"])
    assert {"ratio", "extent", "late_ms", "n_reordering"} <= set(stream["reordering"])
    assert {"burst_density", "gap_density", "burst_ms", "gap_ms", "bursts", "isolated"} <= set(
        stream["burst_gap"]
    )
    assert {"burst_ratio", "worst_windows", "freeze", "residual_ratio", "e_model", "loss_ratio"} <= set(
        stream
    )
    assert stream["packets"] == {"sent": 6, "received": 5, "lost": 1, "duplicates": 0, "reordered": 0}
    assert stream["loss_ratio"] == pytest.approx(1 / 6)
    assert stream["delay_ms"]["p50"] == 50
    assert (stream["pdv_ms"]["max"], stream["pdv_ms"]["p95"], stream["pdv_ms"]["infinite"]) == (
        20,
        None,
        ["p90", "p95", "p99", "p99_9"],
    )


@pytest.mark.parametrize("in_order_of", ["sending", "arrival"])
def test_rfc_4737_table_1_in_either_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_order_of: str
) -> None:
    rows: list[tuple[int, float, float | None]] = [
        (seq, 20.0 * seq, at) for seq, at in zip(T18_ORDER, T18, strict=True)
    ]
    path = table(tmp_path, rows if in_order_of == "arrival" else sorted(rows))
    reordering = analyze(capsys, path)["streams"][0]["reordering"]
    assert reordering["ratio"] == 0.1
    assert (reordering["extent"], reordering["n_reordering"], reordering["late_ms"]) == ([4], [4], [62])


def test_duplicates_and_missing_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A number twice is a duplicate whose first copy counts; one without a row is lost."""
    rows: list[tuple[int, float, float | None]] = [
        (1, 0, 50),
        (2, 20, 90),
        (2, 20, 71),
        (5, 80, 130),
        (4, 60, None),
    ]
    stream = analyze(capsys, table(tmp_path, rows))["streams"][0]
    assert stream["packets"] == {"sent": 5, "received": 3, "lost": 2, "duplicates": 1, "reordered": 0}
    assert stream["pdv_ms"]["max"] == 1
    assert stream["loss_periods"]["lengths"] == [2]


@pytest.mark.slow
def test_parquet_says_the_same_as_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import duckdb

    path = table(tmp_path, steady([50, 55, None, 61, 50, None, None, 90] * 20))
    columns = "{'seq': 'BIGINT', 'sent_ns': 'BIGINT', 'received_ns': 'BIGINT'}"
    query = f"SELECT * FROM read_csv('{path}', header = true, columns = {columns})"
    duckdb.connect().execute(f"COPY ({query}) TO '{tmp_path}/trace.parquet' (FORMAT parquet)")
    of_csv, of_parquet = analyze(capsys, path), analyze(capsys, tmp_path / "trace.parquet")
    assert (of_csv["kind"], of_parquet["kind"]) == ("csv", "parquet")
    assert of_csv["streams"] == of_parquet["streams"]


def test_the_deadline_decides_what_is_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T11b: delays 68,...,150,...,90,lost,68."""
    path = table(tmp_path, steady([68, 68, 68, 68, 150, 68, 68, 90, None, 68]))
    stream = analyze(capsys, path, "--deadline", "20ms")["streams"][0]
    residual = stream["residual_ratio"]
    assert (residual["20"], residual["60"], residual["100"]) == pytest.approx((0.3, 0.2, 0.1))
    assert (stream["burst_gap"]["bad"], stream["deadline_ms"]) == (3, 20)
    assert stream["required_buffer_ms"] is None


def test_the_interval_is_the_media_time_of_a_packet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path, steady([50, None, None, 50, 50, 50, 50]))
    assert analyze(capsys, path)["streams"][0]["burst_gap"]["burst_ms"] == 40
    assert analyze(capsys, path, "--interval", "60ms")["streams"][0]["burst_gap"]["burst_ms"] == 120


def test_an_unknown_delay_gives_a_range_and_a_known_one_a_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """T24: R 85.80 at 200 ms mouth to ear."""
    path = table(tmp_path, steady([50.0] * 100))
    model = analyze(capsys, path)["streams"][0]["e_model"]
    assert model["label"] == "G.711+PLC reference estimate"
    assert model["r"]["low"] < model["r"]["high"]
    known = analyze(capsys, path, "--one-way", "80ms", "--deadline", "100ms")["streams"][0]["e_model"]
    assert known["mouth_to_ear_ms"] == {"low": 200, "high": 200}
    assert known["r"]["low"] == known["r"]["high"] == pytest.approx(85.80, abs=0.01)


def test_a_capture_of_two_streams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = voice([50, 70, None, 110, 130, 150]) + voice([55, 80, 95, 115], ssrc=9, src="192.0.2.9")
    path = write(tmp_path / "call.pcap", pcap(sorted(frames)))
    document = analyze(capsys, path)
    one, two = document["streams"]
    assert one["what"] == {
        "ssrc": "0x00001234",
        "part": 1,
        "source": "192.0.2.1:40000",
        "destination": "192.0.2.2:5004",
        "payload_types": {"0": 5},
        "encoding": "PCMU",
        "clock": {"hz": 8000, "source": "payload_type"},
        "first_frame": 1,
    }
    assert (one["delay_is"], one["delay_ms"]["min"], one["packets"]["lost"], one["interval_ms"]) == (
        "relative",
        0,
        1,
        20,
    )
    assert (two["what"]["ssrc"], two["pdv_ms"]["max"]) == ("0x00000009", 5)
    assert document["facts"]["rtp_packets"] == 9
    assert [stream["number"] for stream in analyze(capsys, path, "--stream", "2")["streams"]] == [2]


def test_a_capture_that_ends_early_is_analysed_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = pcap(voice([20.0 * i for i in range(10)]))
    path = write(tmp_path / "cut.pcap", content[:-7])
    document = analyze(capsys, path)
    assert document["streams"][0]["packets"]["received"] == 9
    (problem,) = document["problems"]
    left = len(pcap(voice([0.0]))) - 24 - 7
    assert f"ends with {left} bytes that are no whole frame; the 9 frames before them" in problem


def test_a_codec_without_published_factors_gets_no_mos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = voice([20.0 * i for i in range(20)])
    opus = [(at, frame.replace(b"\x80\x00", b"\x80\x6f", 1)) for at, frame in frames]
    path = write(tmp_path / "opus.pcap", pcap(opus))
    assert analyze(capsys, path, "--clock", "8000")["streams"][0]["e_model"] == {
        "refused": "no_published_factors"
    }
    assert execute(app, ["analyze", str(path)]) == 0
    assert "No R or MOS: no Ie and Bpl are published for this codec." in capsys.readouterr().out
    forced = analyze(capsys, path, "--clock", "8000", "--codec", "g711-plc")["streams"][0]["e_model"]
    assert forced["label"] == "G.711+PLC reference estimate"
    assert "no narrow-band Ie and Bpl are published for 'opus'" in refused(capsys, path, "--codec", "opus")


def test_a_stored_run_has_both_directions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = make_record(run_id=RUN_ID, outcome="completed", connect_ms=41.0)
    with RunWriter(tmp_path, make_manifest(RUN_ID, sessions_planned=1)) as writer:
        writer.add_rows(record, make_rows(1500))
        writer.finish_session(record)
    document = analyze(capsys, RUN_ID, "--results", tmp_path)
    assert [stream["what"]["direction"] for stream in document["streams"]] == ["up", "down"]
    assert document["facts"]["run_id"] == RUN_ID
    model = document["streams"][0]["e_model"]
    wait = model["mouth_to_ear_ms"]["high"] - model["mouth_to_ear_ms"]["low"]
    assert 0 < wait < 2000  # from nothing to the round trip
    assert sum(stream["packets"]["lost"] for stream in document["streams"]) == 150
    by_folder = analyze(capsys, tmp_path / "runs" / RUN_ID)
    assert by_folder["streams"] == document["streams"]


def test_what_was_measured_is_written_as_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path, steady([50.0, None, None, 55.0, 50.0, 60.0, 50.0, 52.0, 50.0, 50.0] * 50))
    target = tmp_path / "measured.yaml"
    assert execute(app, ["analyze", str(path), "--fit", str(target), "--one-way", "30ms"]) == 0
    shown = capsys.readouterr().out
    assert "20.00 % lost in runs of 2.00" in shown
    network = load_network(str(target))
    assert network.up == network.down
    assert network.up.loss is not None
    assert (network.up.loss.ratio, network.up.loss.mean_burst) == pytest.approx((0.2, 2))
    assert network.up.delay_ns / MS == pytest.approx(30 + 17 / 8, rel=0.05)


def test_what_arrived_is_written_as_a_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Analysed again it is the same stream."""
    delays: list[float | None] = [50.0, 75.0, None, 52.0, 50.0, 61.0, None, None, 50.0, 54.0, 51.0, 50.0]
    path, target = table(tmp_path, steady(delays * 5)), tmp_path / "again.pcap"
    assert execute(app, ["analyze", str(path), "--pcap", str(target), "--quiet"]) == 0
    assert f"Wrote 45 packets to {target}." in " ".join(capsys.readouterr().out.split())
    one, two = analyze(capsys, path)["streams"][0], analyze(capsys, target)["streams"][0]
    for name in ("packets", "loss_periods", "burst_gap", "burst_ratio", "pdv_ms", "ipdv_ms", "jitter_ms"):
        assert two[name] == one[name], name
    assert "a capture is a .pcap file" in refused(capsys, path, "--pcap", tmp_path / "x.csv")


def test_a_fit_needs_one_path_and_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = voice([50, 70, 90, 110]) + voice([55, 80, 95, 115], ssrc=9)
    path = write(tmp_path / "call.pcap", pcap(sorted(frames)))
    assert "has 2 streams, a profile describes one" in refused(capsys, path, "--fit", tmp_path / "n.yaml")
    assert "a network profile is a .yaml file" in refused(capsys, path, "--fit", tmp_path / "n.json")
    assert not (tmp_path / "n.yaml").exists()


def test_the_document_goes_to_a_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path, steady([50.0] * 10))
    target = tmp_path / "out.json"
    document = analyze(capsys, path, "--out", f"json={target}")
    assert json.loads(target.read_text()) == document
    assert "an analysis has no verdict to write as junit" in refused(capsys, path, "--out", "junit=x.xml")


def test_people_see_tables_with_every_n(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path, steady([50.0, 60.0, None, 50.0] * 25))
    assert execute(app, ["analyze", str(path)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "25.00 (25/100)" in out
    assert "G.711+PLC reference estimate: R" in out
    assert "the one-way delay is not known" in out
    assert execute(app, ["analyze", str(path), "--quiet"]) == 0
    assert capsys.readouterr().out == "1 stream, 25.00 (25/100) % lost\n"


def test_one_frame_field_by_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "call.pcap", pcap(voice([20.0 * i for i in range(5)])))
    assert execute(app, ["analyze", str(path), "--explain", "2"]) == 0
    out = capsys.readouterr().out
    assert "frame 2 of 5" in out
    assert "###[ RTP ]###" in out
    assert "sequence  = 101" in out
    assert "frames, counted from 1" in refused(capsys, path, "--explain", "6")
    assert "a frame of a capture" in refused(capsys, table(tmp_path, steady([1.0])), "--explain", "1")


@pytest.mark.slow
def test_files_that_cannot_be_used_are_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = pcap(voice([0.0, 20.0, 40.0]))
    cases = {
        "empty.pcap": (b"", "is empty"),
        "packed.pcap": (gzip.compress(good), "is packed with gzip: gunzip it first"),
        "noise.bin": (b"\x7fELF\0\0\0\0", "neither a capture nor a table: it begins with 7f 45 4c 46"),
        "short.pcap": (good[:20], "is a capture that ends within its header"),
        "header.pcap": (good[:24], "a capture without a whole frame: it is empty"),
        "half.pcap": (good[:60], "it was cut off before the first one"),
        "other.pcap": (
            pcap([(0, udp(b"hello"))]),
            "has no RTP stream: 1 frames, 1 UDP datagrams, 0 of which",
        ),
        "bad.csv": (b"a,b\n1,2\n", "bad.csv:1: there is no column seq"),
    }
    for name, (content, sentence) in cases.items():
        assert sentence in refused(capsys, write(tmp_path / name, content)), name
    assert "there is no file" in refused(capsys, tmp_path / "nowhere.csv")
    assert "no run 'nothing'" in refused(capsys, "nothing", "--results", tmp_path)


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--interval", "20", "--interval: '20' has no unit"),
        ("--interval", "0ms", "a packet takes some time"),
        ("--deadline", "-5ms", "--deadline: '-5ms' is negative"),
        ("--one-way", "80ms..20ms", "--one-way: '80ms..20ms' ends before it begins"),
        ("--stream", "2", "has 1 streams, counted from 1"),
    ],
)
def test_options_that_cannot_be_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, sentence: str
) -> None:
    assert sentence in refused(capsys, table(tmp_path, steady([1.0, 1.0])), option, value)
