"""One file of any kind, or a stored run -> every stream in it with its metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from probe.analysis.e_model import Codec, find_codec
from probe.analysis.foreign import of_stream, of_table
from probe.analysis.rtcp_facts import RtcpFacts, rtcp_facts, sender_clocks
from probe.analysis.rtp_clock import STATIC_NAMES
from probe.analysis.rtp_streams import RtpStream, find_streams
from probe.analysis.series import Series
from probe.analysis.series_source import of_session
from probe.analysis.stream_metrics import Settings, StreamMetrics, stream_metrics
from probe.analysis.two_clocks import least_round_trip
from probe.errors import ConfigError
from probe.records import Json
from probe.session.analyze_options import Wanted
from probe.store.captures import open_capture
from probe.store.foreign_files import Kind, kind_of
from probe.store.reader import load_run
from probe.store.sessions import StoredSession
from probe.store.table import read_csv, read_parquet
from probe.wire.capture import Frames
from probe.wire.datagrams import read_datagrams
from probe.wire.rtcp_capture import SeenReport, read_reports
from probe.wire.rtp_capture import told_apart

DelayIs = Literal["as_given", "relative"]
"""Differences of two clocks as they stand, or counted from the smallest."""

CODEC_OF_TYPE = {0: "g711-plc", 8: "g711-plc", 4: "g723.1-vad", 18: "g729a-vad"}


@dataclass(frozen=True, slots=True)
class AnalysedStream:
    """`what` says which stream it is, in JSON's names. `refused` is why there is no E-model, None if there is one.

    `one_way_ms` is between which the smallest one-way delay lies, None if nothing is known of it.
    """

    number: int
    what: Json
    series: Series
    metrics: StreamMetrics
    delay_is: DelayIs
    direction: Literal["up", "down"] | None = None
    refused: str | None = None
    rtcp: RtcpFacts | None = None
    one_way_ms: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """`facts` are what else was in the file. `problems` are sentences about what could not be used."""

    source: str
    kind: Kind
    streams: list[AnalysedStream]
    facts: Json = field(default_factory=dict)
    problems: tuple[str, ...] = ()


TELEPHONY_HZ = 8000
"""Of the integer jitter, where no clock is given."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A stream before its metrics."""

    what: Json
    series: Series
    settings: Settings
    delay_is: DelayIs
    direction: Literal["up", "down"] | None = None
    refused: str | None = None
    rtcp: RtcpFacts | None = None


Found = tuple[list[_Source], Json, list[str]]


def analyse(source: str, results: Path, wanted: Wanted) -> Analysis:
    """Raises ConfigError for what is no such file, or has nothing in it to analyse."""
    kind = kind_of(source)
    if kind in ("csv", "parquet"):
        found = _of_table(Path(source), kind, wanted)
    elif kind in ("pcap", "pcapng"):
        found = _of_capture(Path(source), wanted)
    else:
        found = _of_run(source, results, wanted)
    sources, facts, problems = found
    streams = [
        AnalysedStream(
            number=number,
            what=one.what,
            series=one.series,
            metrics=stream_metrics(one.series, one.settings),
            delay_is=one.delay_is,
            direction=one.direction,
            refused=one.refused,
            rtcp=one.rtcp,
            one_way_ms=one.settings.one_way_ms,
        )
        for number, one in _chosen(sources, wanted.stream, source)
    ]
    return Analysis(source, kind, streams, facts, tuple(problems))


def _chosen(sources: Sequence[_Source], number: int | None, source: str) -> list[tuple[int, _Source]]:
    if number is None:
        return list(enumerate(sources, 1))
    if not 1 <= number <= len(sources):
        raise ConfigError(f"--stream {number}: {source} has {len(sources)} streams, counted from 1")
    return [(number, sources[number - 1])]


def _settings(wanted: Wanted, clock_hz: int, codec: Codec | None) -> Settings:
    given = Settings(clock_hz=clock_hz, one_way_ms=wanted.one_way_ms, codec=codec)
    return given if wanted.deadline_ns is None else replace(given, deadline_ns=wanted.deadline_ns)


def _codec(name: str | None, usual: str | None) -> tuple[Codec | None, str | None]:
    """`(codec, why there is none)`. Raises ConfigError for one without published factors."""
    chosen = name or usual
    if chosen is None:
        return None, "no_published_factors"
    try:
        return find_codec(chosen), None
    except ValueError as error:
        raise ConfigError(f"--codec {chosen}: {error}") from None


def _of_table(path: Path, kind: Kind, wanted: Wanted) -> Found:
    table = read_csv(path) if kind == "csv" else read_parquet(path)
    codec, refused = _codec(wanted.codec, "g711-plc")
    try:
        series = of_table(*table, interval_ns=wanted.interval_ns, remove_skew=wanted.remove_skew)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    settings = _settings(wanted, wanted.clock_hz or TELEPHONY_HZ, codec)
    return [_Source({}, series, settings, "as_given", refused=refused)], {"rows": len(table.seq)}, []


def _of_capture(path: Path, wanted: Wanted) -> Found:
    capture = open_capture(path)
    frames = capture.frames
    datagrams, other = read_datagrams(capture.data, frames)
    rows, rtcp_rows, kinds = told_apart(capture.data, datagrams)
    reports, malformed = read_reports(capture.data, datagrams, rtcp_rows)
    found = find_streams(datagrams, rows, wanted.clock_hz, sender_clocks(reports))
    facts: Json = {
        "frames": len(frames),
        "datagrams": len(datagrams),
        "other_frames": dict(other),
        "datagram_kinds": dict(kinds),
        "rtp_packets": sum(len(stream.seq) for stream in found.streams),
        "not_rtp_after_all": found.alone,
        "stray": found.stray,
        "rtcp_malformed": malformed,
        "cut_bytes": frames.cut_bytes,
        "unreadable": frames.unreadable,
    }
    if not found.streams:
        raise ConfigError(
            f"{path} has no RTP stream: {len(frames)} frames, {len(datagrams)} UDP datagrams, "
            f"{len(rows.row)} of which begin as RTP does",
            hint="a stream is three packets or more of one flow and one SSRC whose numbers go on",
        )
    sources = [_of_rtp(stream, reports, wanted) for stream in found.streams]
    return sources, facts, _capture_problems(path, frames)


def _capture_problems(path: Path, frames: Frames) -> list[str]:
    problems = []
    if frames.cut_bytes:
        why = f": {frames.damage}" if frames.damage else ""
        problems.append(
            f"{path} ends with {frames.cut_bytes} bytes that are no whole frame{why}; "
            f"the {len(frames)} frames before them are analysed"
        )
    if frames.unreadable:
        problems.append(
            f"{path} has {frames.unreadable} frames whose block contradicts itself; they are left out"
        )
    return problems


def _of_rtp(stream: RtpStream, reports: Sequence[SeenReport], wanted: Wanted) -> _Source:
    usual = CODEC_OF_TYPE.get(stream.payload_type)
    codec, refused = _codec(wanted.codec, usual)
    series = of_stream(stream, interval_ns=wanted.interval_ns, remove_skew=wanted.remove_skew)
    what: Json = {
        "ssrc": f"0x{stream.ssrc:08x}",
        "part": stream.part,
        "source": str(stream.source),
        "destination": str(stream.destination),
        "payload_types": {str(kind): count for kind, count in stream.payload_types.items()},
        "encoding": STATIC_NAMES.get(stream.payload_type),
        "clock": {"hz": stream.clock.hz, "source": stream.clock.source},
        "first_frame": int(stream.frames[0]) + 1,
    }
    settings = _settings(wanted, stream.clock.hz, codec)
    return _Source(what, series, settings, "relative", refused=refused, rtcp=rtcp_facts(reports, stream))


def _of_run(name: str, results: Path, wanted: Wanted) -> Found:
    stored = load_run(results, name)
    sources = [source for session in stored.sessions for source in _of_session(session, wanted)]
    if not sources:
        raise ConfigError(
            f"the run {stored.run_id} has no packet to analyse", hint="probe runs lists them all"
        )
    facts: Json = {"run_id": stored.run_id, "emulated": bool(stored.manifest.get("emulated"))}
    return sources, facts, stored.problems


def _of_session(session: StoredSession, wanted: Wanted) -> Iterator[_Source]:
    """Each direction of each of its streams; the deadline is the session's own unless another is asked for."""
    record = session.record
    codec, refused = _codec(wanted.codec, "g711-plc")
    settings = _settings(wanted, wanted.clock_hz or TELEPHONY_HZ, codec)
    if wanted.deadline_ns is None:
        settings = replace(settings, deadline_ns=record.deadline_ns)
    trip_ns = None if record.one_way else least_round_trip(session.rows)
    if wanted.one_way_ms is None and trip_ns is not None:
        settings = replace(settings, one_way_ms=(0.0, trip_ns / 1e6))
    labels = ("vendor", "node", "scenario", "network", "window", "transport")
    ways: tuple[Literal["up", "down"], ...] = ("up",) if record.one_way else ("up", "down")
    for direction in ways:
        for number, series in enumerate(of_session(record, session.rows, direction)):
            what: Json = {"session": record.index, "stream": number, "direction": direction}
            what |= {label: getattr(record, label) for label in labels}
            yield _Source(what, series, settings, "relative", direction, refused)
