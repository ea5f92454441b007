"""Which files a campaign's folder holds: those of its rounds, and what an interrupted commit left."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from designloop.tables.durable import TEMPORARY, remove
from designloop.tables.errors import TableError
from designloop.tables.manifest import FOLDERS, RoundInfo, manifest_path, round_file

STATES_KEPT = 2
"""Last rounds whose state stays: with the one before last, a damaged last round can be taken back."""

_SUFFIXES = {"parquet", "safetensors", "json", "json" + TEMPORARY}


def rows_file(folder: Path, number: int) -> Path:
    return round_file(folder, "rounds", number, ".parquet")


def details_file(folder: Path, number: int) -> Path:
    return round_file(folder, "details", number, ".parquet")


def state_files(folder: Path, number: int) -> tuple[Path, Path]:
    """The state's arrays, and its other data."""
    return round_file(folder, "states", number, ".safetensors"), round_file(folder, "states", number, ".json")


def relative(folder: Path, path: Path) -> str:
    """A file's name in manifests."""
    return Path(os.path.relpath(path, folder)).as_posix()


def remove_old_states(folder: Path, last: int) -> None:
    """Removes the states that are too old to keep once round ``last`` is committed."""
    for number in range(last - STATES_KEPT, -1, -1):
        files = [path for path in state_files(folder, number) if path.exists()]
        for path in files:
            remove(path)
        if not files:
            break


def rows_numbers(folder: Path) -> list[int]:
    """Numbers of the rounds of which rows are there, committed or not."""
    return [int(path.stem) for path in (folder / "rounds").glob("*.parquet") if path.stem.isdecimal()]


def refuse_lost_manifests(folder: Path, found: Iterable[int], rounds: Sequence[RoundInfo]) -> None:
    """Raises when files of rounds are found that no interrupted commit leaves.

    Raises:
        TableError: there are some of a round after the one that follows the last committed one.
    """
    last = rounds[-1].number if rounds else -1
    next_one = last + 1 if rounds else 1  # the first round is 0, or 1 where no starting molecules were given
    if lost := [number for number in found if number > next_one]:
        raise TableError(
            f"{folder} holds files of round {max(lost)}, though the last manifest is that of round {last}: later "
            f"ones were lost. Restore {folder / 'manifests'} from a backup, or begin anew with --fresh."
        )


def remove_leftovers(folder: Path, rounds: Sequence[RoundInfo]) -> None:
    """Removes what an interrupted commit left: our own files of the round after the last, and states too old to keep.

    Raises:
        TableError: files of later rounds are there, which no interruption leaves: manifests must have been lost.
    """
    kept = {folder / name for info in rounds for name in info.files if not name.startswith("states/")}
    kept |= {path for info in rounds[-STATES_KEPT:] for path in state_files(folder, info.number)}
    kept |= {manifest_path(folder, info.number) for info in rounds}
    leftovers = []
    for path in [path for name in FOLDERS for path in (folder / name).iterdir()]:
        stem, _, suffix = path.name.partition(".")
        if path not in kept and stem.isdecimal() and suffix in _SUFFIXES:
            leftovers.append(path)
    refuse_lost_manifests(folder, (int(path.name.partition(".")[0]) for path in leftovers), rounds)
    for path in leftovers:
        remove(path)
    for name in ("campaign.json", "finished.json", "head.json"):
        remove(folder / (name + TEMPORARY))
