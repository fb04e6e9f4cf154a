"""Why a threshold holds, fails or cannot be decided (`analysis.verdict`, `analysis.admission`)."""

from __future__ import annotations

from collections.abc import Callable

from probe.records import Json
from probe.report.more import what_decides
from probe.report.numbers import difference, percent, plural
from probe.report.peak_reasons import in_window, window_name


def _distance(reason: Json) -> str:
    return difference(abs(reason["value"] - reason["limit"]), reason["unit"])


def _holds(reason: Json) -> str:
    if reason.get("infinite"):
        return "holds: the value is infinite"
    if reason["value"] == reason["limit"]:
        return "holds, exactly at the limit"
    return f"holds, with {_distance(reason)} to spare"


def _fails(reason: Json) -> str:
    if reason.get("infinite"):
        return "the value is infinite"
    if reason["value"] == reason["limit"]:
        return "exactly at the limit, which it must not reach"
    side = "above" if reason["value"] > reason["limit"] else "below"
    return f"{_distance(reason)} {side} the limit"


def _infinite(reason: Json) -> str:
    """A percentile among the lost: say how many were lost and how many it leaves out."""
    lost, n, aggregate = reason["lost"], reason["n"], reason.get("aggregate") or ""
    metric = str(reason.get("metric", ""))
    if metric in ("connect", "handshake"):
        what = f"{lost} of {plural(n, 'session')} never got so far"
    elif metric.endswith(".recovery"):
        what = f"{lost} of {n} lost or late packets never came again"
    else:
        what = f"{lost} of {plural(n, 'packet')} were lost"
    what += f" ({percent(lost / n)} %)"
    if not aggregate.startswith("p"):
        return what
    return f"{what}, more than the {100 - float(aggregate[1:]):.10g} % that {aggregate} leaves out"


def _too_few_packets(reason: Json) -> str:
    needed = plural(reason["min_packets"], "packet")
    text = f"{reason['n']}{in_window(reason)} of the {needed} that a verdict needs (evidence.min_packets)"
    return _and_more(text, reason)


def _below_resolution(reason: Json) -> str:
    n, window = reason["n"], reason.get("window")
    there = f"{window_name(window)} has {n}" if window else f"there {'is' if n == 1 else 'are'} {n}"
    return f"a {reason['aggregate']} needs {reason['min_n']} {reason['of']}, {there}"


def _and_more(text: str, reason: Json) -> str:
    told = what_decides(reason.get("more"))
    return f"{text}; {told}" if told else text


def _straddles(reason: Json) -> str:
    return _and_more("the interval holds the limit", reason)


def _too_few_independent(reason: Json) -> str:
    needed, n = reason["min_n"], reason["n_eff"]
    text = f"not enough data: packets come in bunches, and these are worth {plural(n, 'independent one')};"
    return _and_more(f"{text} a {reason['aggregate']} needs {needed}", reason)


def _one_block(reason: Json) -> str:
    return _and_more("all in one block of time, which cannot tell how much blocks differ", reason)


def _shorter_than_window(reason: Json) -> str:
    return f"no session is as long as the window of {reason['metric']}"


def _coarse(_: Json) -> str:
    return "the window has fewer than 20 packets, of which a single loss would break the limit"


def _among_many(reason: Json) -> str:
    return f"alone it would fail, but one of {reason['gates']} gates may do so by luck (Holm)"


def _own_side(reason: Json) -> str:
    return f"{_controls(reason['controls'])} broke the same limit at the same minutes: our own uplink or ISP"


def _not_reachable(reason: Json) -> str:
    unreachable, died = reason["unreachable"], reason["died"]
    parts = [f"{unreachable} got no answer"] if unreachable else []
    parts += [f"{died} lost the node on the way"] if died else []
    text = f"of {plural(reason['sessions'], 'session')} {' and '.join(parts) or 'some failed'}"
    controls = reason.get("controls")
    if controls:
        return f"{text}, while {_controls(controls)} answered"
    return f"{text}, and no control was there to say that it was our side"


def _controls(names: list[str]) -> str:
    return f"{'control' if len(names) == 1 else 'controls'} {', '.join(names)}"


def _controls_down(reason: Json) -> str:
    return f"{_controls(reason['controls'])} did not answer either, so it may be our own uplink"


def _no_coverage(_: Json) -> str:
    return "no session of this run is what it speaks of"


def _always(text: str) -> Callable[[Json], str]:
    return lambda _: text


SPEAKERS: dict[str, Callable[[Json], str]] = {
    "within_limit": _holds,
    "beyond_limit": _fails,
    "infinite": _infinite,
    "too_few_packets": _too_few_packets,
    "below_resolution": _below_resolution,
    "straddles_limit": _straddles,
    "too_few_independent": _too_few_independent,
    "one_block": _one_block,
    "shorter_than_window": _shorter_than_window,
    "coarse_window": _coarse,
    "among_many": _among_many,
    "own_side": _own_side,
    "not_reachable": _not_reachable,
    "controls_down": _controls_down,
    "no_coverage": _no_coverage,
    "nothing_lost": _always("nothing was lost, so there was nothing to recover"),
    "no_data": _always("no data"),
    "invalid_measurement": _always("the measurement itself is not valid"),
    "control_missing": _always("no control was measured in the same way, so there is nothing to compare"),
    "control_without_data": _always("the controls have too little data to compare with"),
    "control_infinite": _always("the control's own value is infinite, so the difference says nothing"),
}
