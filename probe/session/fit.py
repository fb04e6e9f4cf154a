"""A network profile from what an analysed file met: measure, fit, replay."""

from __future__ import annotations

from pathlib import Path

from probe.analysis.fit import fit_direction
from probe.errors import ConfigError
from probe.impairment.profile import NetworkProfile
from probe.plan.network_text import network_yaml
from probe.session.analyze import AnalysedStream, Analysis
from probe.store.atomic import write_atomically

_PATH = ("vendor", "node", "scenario", "network", "window", "transport")
_YAML = (".yaml", ".yml")


def check_fit(path: Path) -> None:
    """Before anything is analysed. Raises ConfigError."""
    if path.suffix not in _YAML:
        raise ConfigError(f"--fit {path}: a network profile is a .yaml file")
    if path.is_dir():
        raise ConfigError(f"--fit {path}: that is a folder, not a file")


def write_fit(analysis: Analysis, path: Path) -> NetworkProfile:
    """Fit and write. Raises ConfigError where the streams took several paths, StoreError if it cannot be
    written."""
    profile = fit_profile(analysis, path.stem)
    write_atomically(path, network_yaml(profile).encode())
    return profile


def fit_profile(analysis: Analysis, name: str) -> NetworkProfile:
    """A run's directions each on its own, all calls of one path together; anything else both ways alike."""
    streams = analysis.streams
    if analysis.kind == "run":
        paths = {tuple(stream.what[label] for label in _PATH) for stream in streams}
        if len(paths) > 1:
            raise _ambiguous(analysis, f"{len(paths)} paths")
    elif len(streams) > 1:
        raise _ambiguous(analysis, f"{len(streams)} streams")
    known = streams[0].one_way_ms
    # Of a range the middle: half a round trip, for a run.
    floor_ns = round(sum(known) / 2 * 1e6) if known else 0
    up, down = (
        _of_direction(streams, direction) or _of_direction(streams, other)
        for direction, other in (("up", "down"), ("down", "up"))
    )
    packets = sum(stream.metrics.sent for stream in streams)
    floor = (
        f"with {floor_ns / 1e6:g} ms for the fastest"
        if known
        else "above the fastest: the path's own delay is not in it"
    )
    return NetworkProfile(
        name=name,
        title=f"Fitted to {Path(analysis.source).name}",
        up=fit_direction([stream.series for stream in up], floor_ns),
        down=fit_direction([stream.series for stream in down], floor_ns),
        source=f"probe analyze --fit, {packets} packets of {Path(analysis.source).name}; delay {floor}",
    )


def _of_direction(streams: list[AnalysedStream], direction: str) -> list[AnalysedStream]:
    return [stream for stream in streams if stream.direction in (None, direction)]


def _ambiguous(analysis: Analysis, several: str) -> ConfigError:
    return ConfigError(
        f"--fit: {analysis.source} has {several}, a profile describes one",
        hint="--stream N chooses one; the report numbers them",
    )
