"""Loss and delay of a stream over its time, a bar a slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from probe.report.numbers import milliseconds, percent
from probe.report.strip import EMPTY, bar
from probe.session.analyze import AnalysedStream


def strips(streams: Sequence[AnalysedStream]) -> Iterator[Text]:
    """Two lines a stream: the share lost or late of each slice, and the middle delay of what arrived."""
    yield Text("Over time", style="bold")
    width = max((len(f"#{stream.number}") for stream in streams), default=0)
    for stream in streams:
        slices = stream.metrics.over_time
        shares = [piece.bad / piece.packets if piece.packets else None for piece in slices]
        delays = [None if piece.median_ns is None else piece.median_ns / 1e6 for piece in slices]
        length_s = (slices[1].start_ns if len(slices) > 1 else stream.metrics.duration_ns) / 1e9
        yield _line(
            f"#{stream.number}".ljust(width),
            "lost or late",
            shares,
            f"{_ends([None if share is None else 100 * share for share in shares], '%')} in slices of {length_s:.3g} s",
        )
        yield _line(" " * width, "delay p50", delays, f"{_ends(delays, 'ms')} above the smallest")


def _line(name: str, what: str, values: Sequence[float | None], told: str) -> Text:
    most = max((value for value in values if value is not None), default=0.0)
    bars = "".join(EMPTY if value is None else bar(value, most) for value in values)
    return Text.assemble(f"{name}  {what:<12}  ", bars, (f"  {told}", "dim"))


def _ends(values: Sequence[float | None], unit: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "nothing arrived:"
    write = milliseconds if unit == "ms" else (lambda value: percent(value / 100))
    return f"{write(min(known))} to {write(max(known))} {unit}"
