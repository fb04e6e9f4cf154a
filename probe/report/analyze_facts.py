"""What was in an analysed file, and what a stream of it is, in words."""

from __future__ import annotations

from collections.abc import Iterator

from probe.records import Json
from probe.report.latency import percentile
from probe.report.numbers import milliseconds, plural
from probe.session.analyze import AnalysedStream, Analysis

_CLOCKS = {
    "payload_type": "its payload type's",
    "option": "as given",
    "rtcp": "by the sender's reports",
    "estimated": "estimated from the arrivals",
    "assumed": "assumed",
}
_FRAMES = {
    "not_ip": "not IP",
    "not_udp": "not UDP",
    "cut": "captured too short",
    "later_fragment": "later fragments of a datagram",
    "first_fragment": "datagrams in fragments (counted by the first)",
    "no_time": "without a time",
}
_DATAGRAMS = {
    "rtcp": "RTCP",
    "stun": "STUN",
    "dtls": "DTLS",
    "zrtp": "ZRTP",
    "turn_or_quic": "TURN channel or QUIC",
    "quic": "QUIC",
    "other": "of other kinds",
    "empty": "empty",
}


def stream_name(stream: AnalysedStream) -> str:
    """Short: a table has a row of it."""
    what = stream.what
    if "ssrc" in what:
        part = f" part {what['part']}" if what["part"] > 1 else ""
        return f"{what['ssrc']}{part} {what['source']} → {what['destination']}"
    if "session" in what:
        way = {"up": "↑ up", "down": "↓ down"}[what["direction"]]
        place = f"{what['vendor']}/{what['node']} {what['scenario']} {what['network']} {what['window']}"
        return f"{place} {what['transport']} session {what['session']} stream {what['stream']} {way}"
    return "the table"


def facts_lines(analysis: Analysis) -> Iterator[str]:
    """What the numbers rest on."""
    facts = analysis.facts
    if analysis.kind in ("pcap", "pcapng"):
        yield from _capture_lines(facts)
        for stream in analysis.streams[:8]:
            yield _stream_line(stream)
        yield (
            "Seen at one place: delay is relative, against the sender's time by its RTP time stamps, 0 for the "
            "fastest packet."
        )
    elif analysis.kind == "run":
        yield f"run {facts['run_id']}{'  EMULATED' if facts['emulated'] else ''}"
    else:
        delay = analysis.streams[0].metrics.delay
        yield (
            f"{plural(facts['rows'], 'row')} · delay in ms as the two clocks have it: p50 {percentile(delay, 'p50')}, "
            f"smallest {milliseconds(delay.min)} (n {delay.n}); what is below is counted from the smallest"
        )


def _capture_lines(facts: Json) -> Iterator[str]:
    parts = [
        f"{plural(facts['frames'], 'frame')}, {facts['datagrams']} UDP datagrams, {facts['rtp_packets']} RTP packets"
    ]
    for name, number in facts["other_frames"].items():
        parts.append(f"{number} {_FRAMES.get(name, 'of ' + name + ' (not known here)')}")
    for name, number in facts["datagram_kinds"].items():
        if name in _DATAGRAMS and number:
            parts.append(f"{number} {_DATAGRAMS[name]}")
    if facts["not_rtp_after_all"]:
        parts.append(f"{facts['not_rtp_after_all']} that begin as RTP does and are no stream")
    if facts["stray"]:
        parts.append(f"{facts['stray']} stray packets of a stream")
    yield " · ".join(parts)


def _stream_line(stream: AnalysedStream) -> str:
    what = stream.what
    types = ", ".join(f"{kind} ({number})" for kind, number in what["payload_types"].items())
    name = f" {what['encoding']}" if what["encoding"] else ""
    clock = what["clock"]
    return (
        f"#{stream.number}  payload type {types}{name} · clock {clock['hz']} Hz, {_CLOCKS[clock['source']]} · "
        f"{stream.metrics.interval_ns / 1e6:g} ms a packet · from frame {what['first_frame']}"
    )


def rtcp_line(stream: AnalysedStream) -> str:
    """What the two ends said; empty where they said nothing."""
    facts = stream.rtcp
    if facts is None:
        return ""
    parts = [plural(facts.sender_reports, "sender report")]
    if facts.sender_hz is not None:
        parts.append(f"RTP clock {facts.sender_hz:.1f} Hz by the sender's own")
    parts.append(plural(facts.receiver_reports, "receiver report"))
    if facts.remote is not None:
        jitter = 1000 * facts.remote.jitter / facts.clock_hz
        parts.append(f"at the receiver {facts.remote.cumulative_lost} lost, jitter {milliseconds(jitter)} ms")
    trip = facts.round_trip
    if trip.n:
        parts.append(
            f"round trip to the receiver from here: p50 {percentile(trip, 'p50')} ms, max {milliseconds(trip.max)} ms "
            f"(n {trip.n})"
        )
    return "RTCP: " + ", ".join(parts)
