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
RESULTS = Path("results")
