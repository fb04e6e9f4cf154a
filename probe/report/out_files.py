"""`--out FORMAT=PATH`: the same judged run in the formats of other programs, any number at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from probe.analysis.results import Assessment
from probe.errors import ConfigError
from probe.records import Json
from probe.report.document import document, encode
from probe.report.html import html
from probe.report.junit import junit
from probe.report.markdown import markdown
from probe.report.prometheus import prometheus
from probe.store.atomic import write_atomically

Writer = Callable[[Assessment, Json], str]


def _json(assessment: Assessment, _: Json) -> str:
    return encode(document(assessment)) + "\n"


FORMATS: dict[str, Writer] = {
    "json": _json,
    "junit": junit,
    "markdown": markdown,
    "prometheus": prometheus,
    "html": html,
}


@dataclass(frozen=True, slots=True)
class OutFile:
    """One `--out`."""

    form: str
    path: Path


def parse_out(given: Iterable[str]) -> tuple[OutFile, ...]:
    """The files asked for. Raises ConfigError, so that a measurement is not wasted on a misspelt option."""
    files = [_parse(text) for text in given]
    for file in files:
        if file.path.is_dir():
            raise ConfigError(f"--out {file.form}={file.path}: that is a folder, not a file")
        if sum(other.path == file.path for other in files) > 1:
            raise ConfigError(f"--out: two files would be written to {file.path}")
    return tuple(files)


def _parse(text: str) -> OutFile:
    form, equals, path = text.partition("=")
    if not equals or not path:
        raise ConfigError(f"--out {text}: not FORMAT=PATH", hint="for example --out junit=probe.xml")
    if form not in FORMATS:
        raise ConfigError(
            f"--out {text}: there is no format '{form}'", hint=f"there are {', '.join(FORMATS)}"
        )
    return OutFile(form, Path(path))


def write_out(files: Sequence[OutFile], assessment: Assessment, manifest: Json) -> None:
    """Write every file, each whole or not at all. Raises StoreError."""
    for file in files:
        text = FORMATS[file.form](assessment, manifest)
        write_atomically(file.path, text.encode(errors="replace"))
