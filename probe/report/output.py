"""Where text goes: people's tables and the one JSON document to stdout, progress and notes to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import IO, NoReturn

from rich.console import Console, RenderableType
from rich.text import Text

from probe.analysis.results import Assessment
from probe.records import Json
from probe.report import verdict
from probe.report.document import document, encode
from probe.report.printable import printable
from probe.report.tables import print_report

BROKEN_PIPE = 141
"""Exit code when the reader went away: as a shell shows a program ended by SIGPIPE."""

PIPE_WIDTH = 160
"""Columns where nobody says how many: a log keeps them, and 80 would fold the verdict."""


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        stop_writing()


def console_for(stream: IO[str]) -> Console:
    """A console that honours NO_COLOR, FORCE_COLOR and COLUMNS, and is wide in a pipe."""
    wide = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return _Console(file=stream, width=wide, highlight=False, markup=False, emoji=False)


def silence_stdout() -> None:
    """Point stdout nowhere, so that nothing complains at the end of the process."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a descriptor is wanted
        os.dup2(nowhere.fileno(), 1)


def stop_writing() -> NoReturn:
    """Nobody reads any more (`probe report RUN | head`): end quietly, as other programs do."""
    silence_stdout()
    raise SystemExit(BROKEN_PIPE)


class Output:
    """What one command prints. `as_json`: stdout is exactly one document. `quiet`: the verdict alone."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet
        self.out, self.err = console_for(sys.stdout), console_for(sys.stderr)

    def note(self, sentence: str) -> None:
        """A remark beside the results."""
        self.err.print(Text(printable(sentence)))

    def document(self, content: Json, *, indent: int | None = 2) -> None:
        """Print the JSON document of this command."""
        try:
            sys.stdout.write(encode(content, indent=indent) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            stop_writing()

    def draw(self, parts: Iterable[RenderableType]) -> None:
        """Print what is meant for people alone."""
        for part in parts:
            self.out.print(part, highlight=False)

    def assessment(self, assessment: Assessment, manifest: Json) -> None:
        """Print a judged run: tables and verdict, or its document with the verdict on stderr."""
        if not self.as_json:
            print_report(self.out, assessment, manifest, quiet=self.quiet)
            return
        self.document(document(assessment))
        if not self.quiet:
            self.err.print(verdict.overall(assessment))
