"""Options that every command has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout, and text on stderr.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Print no more than the verdict.")]
Results: TypeAlias = Annotated[
    Path, typer.Option("--results", metavar="DIR", help="The folder that results are kept in.")
]
Out: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--out",
        metavar="FORMAT=PATH",
        help="Write a file, too (repeatable): json, junit, markdown, prometheus, html.",
    ),
]
Rt: TypeAlias = Annotated[
    bool, typer.Option("--rt", help="Run the packet loops as real-time processes (SCHED_FIFO).")
]
LowLatency: TypeAlias = Annotated[
    bool,
    typer.Option("--low-latency", help="Keep this machine's idle processors awake (/dev/cpu_dma_latency)."),
]
Spin: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--spin",
        metavar="DURATION",
        help="Look at the clock for so long at most before a packet is due, such as 200us.",
    ),
]
PlainSockets: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--plain-sockets", help="One system call a packet and user-space stamps, as on other systems."
    ),
]
Impair: TypeAlias = Annotated[
    str, typer.Option("--impair", metavar="relay|kernel", help="What applies weak networks.")
]
RESULTS = Path("results")
