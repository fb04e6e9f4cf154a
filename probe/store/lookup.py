"""Finding the run that somebody means: by its id, the beginning of it, or the path of its folder."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from probe.errors import ConfigError
from probe.store.listing import stored_segments

_SHOWN = 3


def run_ids(root: Path) -> list[str]:
    """The ids of the runs under `root`, oldest first (ids begin with the time)."""
    folder = root / "runs"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def find_run(root: Path, name: str | Path) -> tuple[Path, str]:
    """The results folder and id of the run called `name`: id, unique beginning of one, or path.

    Raises ConfigError that names the nearest ids when there is none, or the candidates when there are
    several.
    """
    if _is_path(name):
        return _run_at(Path(name).absolute())
    text = str(name)
    known = run_ids(root)
    # A run whose folder was lost is still in its packet files.
    known = known if any(run.startswith(text) for run in known) else _all_ids(root)
    fitting = [text] if text in known else [run for run in known if run.startswith(text)]
    if len(fitting) == 1:
        return root.absolute(), fitting[0]
    if not known:
        raise ConfigError(f"no run {text!r}: there are no runs in {root}", hint="probe run PLAN makes one")
    hint = "probe runs lists them all"
    if fitting and text:
        shown = ", ".join(fitting[-_SHOWN:])
        raise ConfigError(f"{text!r} fits {len(fitting)} runs in {root}, the newest: {shown}", hint=hint)
    nearest = get_close_matches(text, known, _SHOWN, cutoff=0.4) or known[-_SHOWN:]
    raise ConfigError(f"no run {text!r} in {root}; nearest: {', '.join(nearest)}", hint=hint)


def _is_path(name: str | Path) -> bool:
    return isinstance(name, Path) or "/" in name or name in (".", "..")


def _run_at(path: Path) -> tuple[Path, str]:
    folder = path.resolve()
    folder = folder.parent if folder.is_file() else folder
    if folder.parent.name != "runs" or not folder.is_dir():
        raise ConfigError(
            f"{path} is no run: give a folder such as results/runs/RUN-ID",
            hint="or a run's id with --results DIR",
        )
    return folder.parent.parent, folder.name


def _all_ids(root: Path) -> list[str]:
    return sorted({*run_ids(root), *(file.run_id for file in stored_segments(root).files)})
