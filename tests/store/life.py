"""What may happen to a results folder, in any order."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from random import Random

from probe.store import layout
from probe.store.catalogue_file import NAME
from probe.store.copying import import_results
from probe.store.lookup import run_ids
from probe.store.tidying import tidy
from probe.store.writer import RunWriter
from tests.store.killing import DAY_NS, NOW
from tests.store.samples import WALL_OFFSET, make_manifest, make_record, make_rows, parquet_files


class Life:
    """Of the folder `mine`; `theirs` is another machine's."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.root, self.away, self.folder = folder / "mine", folder / "theirs", folder
        self.random, self.number = Random(seed), count()
        self.root.mkdir()

    def write(self, root: Path | None = None, *, killed: bool = False) -> None:
        """A session into a new run or into the last."""
        root = root or self.root
        known = run_ids(root)
        resume = bool(known) and self.random.random() < 0.5
        run_id = known[-1] if resume else f"20261122T1200{next(self.number) % 60:02}Z-{next(self.number):06x}"
        days = self.random.choice((0, 38)) * DAY_NS
        index = next(self.number)
        writer = RunWriter(root, make_manifest(run_id), resume=resume)
        record = make_record(index, run_id=run_id, wall_offset_ns=WALL_OFFSET + days)
        writer.add_rows(record, make_rows(300))
        if killed:
            return  # what was in the air is lost
        writer.finish_session(record)
        if self.random.random() < 0.5:
            writer.write_document("verdict.json", {"verdict": self.random.choice(("pass", "fail"))})
        writer.close()

    def write_killed(self) -> None:
        self.write(killed=True)

    def bring(self) -> None:
        """Import what another machine has measured so far."""
        self.write(self.away)
        import_results(self.root, self.away)

    def compact(self) -> None:
        tidy(self.root, lambda _: None, NOW)

    def compact_killed(self) -> None:
        """Before anything was removed."""
        before = self.folder / "before"
        shutil.copytree(self.root, before)
        tidy(self.root, lambda _: None, NOW)
        for path in before.rglob("*.parquet"):
            target = self.root / path.relative_to(before)
            if not target.exists():
                shutil.copyfile(path, target)
        shutil.rmtree(before)

    def remove_old(self) -> None:
        tidy(self.root, lambda _: 14 * DAY_NS, NOW)

    def lose_run(self) -> None:
        for run_id in run_ids(self.root)[:1]:
            shutil.rmtree(layout.run_folder(self.root, run_id))

    def lose_file(self) -> None:
        for path in parquet_files(self.root)[:1]:
            path.unlink()

    def damage_document(self) -> None:
        """In place: no folder changes with it."""
        for path in sorted((self.root / "runs").rglob("sessions/*.json"))[:1]:
            path.write_text(path.read_text()[:50])

    def delete(self) -> None:
        (self.root / NAME).unlink(missing_ok=True)

    def damage(self) -> None:
        if (self.root / NAME).exists():
            whole = (self.root / NAME).read_bytes()
            at = self.random.randrange(len(whole))
            (self.root / NAME).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

    def bring_back(self) -> None:
        """An old catalogue, as from a backup."""
        old = self.folder / "old"
        if old.exists():
            shutil.copyfile(old, self.root / NAME)
        elif (self.root / NAME).exists():
            shutil.copyfile(self.root / NAME, old)


STEPS = tuple(name for name, step in vars(Life).items() if callable(step) and name[0] != "_")
