"""Where a judged run goes besides the terminal: files for other programs, GitHub, and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from probe.analysis.results import INCONCLUSIVE, Assessment
from probe.errors import ConfigError, ExitStatus, StoreError
from probe.records import Json
from probe.report.github import tell_github
from probe.report.out_files import OutFile, parse_out, write_out
from probe.report.output import Output

_TWO_COLOURS = (ExitStatus.PASS, ExitStatus.INCONCLUSIVE, ExitStatus.FAIL)


@dataclass(frozen=True, slots=True)
class Delivery:
    """`inconclusive_as` is the exit code for a run that cannot be decided; its verdict stays as it is."""

    files: tuple[OutFile, ...] = ()
    inconclusive_as: int = int(ExitStatus.INCONCLUSIVE)
    in_ci: bool = True

    @classmethod
    def asked(
        cls,
        out: Iterable[str] | None,
        inconclusive_as: int = int(ExitStatus.INCONCLUSIVE),
        *,
        in_ci: bool = True,
    ) -> Self:
        """As the command line says. Raises ConfigError, before anything is measured."""
        if inconclusive_as not in _TWO_COLOURS:
            raise ConfigError(f"--inconclusive-as {inconclusive_as}: it is 0, 4 or 99")
        return cls(parse_out(out or ()), inconclusive_as, in_ci)

    def deliver(self, output: Output, assessment: Assessment, manifest: Json) -> int:
        """Write the files, tell GitHub, print; returns the exit code. Raises StoreError before printing."""
        if assessment.verdict == INCONCLUSIVE:
            assessment = replace(assessment, exit_code=self.inconclusive_as)
        try:
            write_out(self.files, assessment, manifest)
        except StoreError as error:
            again = f"nothing measured is lost: probe report {assessment.run_id} --out FORMAT=PATH"
            raise StoreError(str(error), hint=again) from error
        output.assessment(assessment, manifest)
        if self.in_ci:
            tell_github(assessment, manifest, sys.stderr)
        return assessment.exit_code
