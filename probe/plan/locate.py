"""Where plans and network profiles are found: as given, in ./profiles, or packaged with the program."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from probe.errors import ConfigError
from probe.plan.diagnostics import nearest

GIVEN, PROFILES, PACKAGED = "given", "profiles", "packaged"
SUFFIXES = (".yaml", ".yml")


class Found(NamedTuple):
    """A plan file, and in which of the three places it was."""

    path: Path
    origin: str


def packaged_profiles() -> Path:
    """The profiles that come with the program."""
    installed = Path(str(resources.files("probe"))) / "profiles"
    # In a source tree they are beside the package; the wheel carries them inside it.
    return installed if installed.is_dir() else installed.parent.parent / "profiles"


def profile_directories(beside: Path | None = None) -> list[Path]:
    """Where named networks are looked for (each in its `networks/`), the nearest first."""
    places = [beside, Path("profiles"), packaged_profiles()]
    return [place for place in places if place is not None]


def find_plan(name: str) -> Found:
    """The plan file that `name` means.

    Raises ConfigError saying where it was looked for, with the nearest name there is.
    """
    given = Path(name)
    if given.is_dir():
        raise ConfigError(f"{name} is a directory, not a plan", hint="give the plan's file")
    if given.is_file():
        return Found(given, GIVEN)
    if not given.is_absolute() and given.name == name:
        for directory, origin in ((Path("profiles"), PROFILES), (packaged_profiles(), PACKAGED)):
            for candidate in _spellings(directory / name):
                if candidate.is_file():
                    return Found(candidate, origin)
    near = nearest(given.name, plan_names())
    advice = f"did you mean '{near}'?" if near else "`probe plan new COUNTRY` writes one"
    raise ConfigError(
        f"no plan '{name}': looked at {name}, profiles/{given.name} and the packaged plans", hint=advice
    )


def plan_names() -> list[str]:
    """The file names of all plans that can be given by name."""
    return _names([Path("profiles"), packaged_profiles()])


def find_network(name: str, directories: Iterable[Path]) -> Path | None:
    """The file of a named network, if there is one."""
    for directory in directories:
        for candidate in _spellings(directory / "networks" / name):
            if candidate.is_file():
                return candidate
    return None


def network_names(directories: Iterable[Path]) -> list[str]:
    """The names of all networks in `directories`."""
    return [Path(name).stem for name in _names(directory / "networks" for directory in directories)]


def is_file_reference(text: str) -> bool:
    """Whether a network is given by file (`./net/x.yaml`) rather than by name."""
    return "/" in text or "\\" in text or text.endswith(SUFFIXES)


def network_name(text: str) -> str:
    """The name under which a network given by name or file is known."""
    return Path(text).stem if is_file_reference(text) else text


def _spellings(path: Path) -> list[Path]:
    return [path] if path.suffix in SUFFIXES else [path.with_name(path.name + suffix) for suffix in SUFFIXES]


def _names(directories: Iterable[Path]) -> list[str]:
    found = {
        path.name
        for directory in directories
        if directory.is_dir()
        for path in directory.iterdir()
        if path.suffix in SUFFIXES
    }
    return sorted(found)
