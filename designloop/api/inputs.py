"""What every verb takes: a campaign or its file, and whom it tells; and the error of what cannot be done as asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from operator import index
from pathlib import Path
from typing import SupportsFloat, SupportsIndex

from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.paths import is_folder
from designloop.tables.durable import NO_ROOM, ROOM
from designloop.tables.errors import DiskError
from designloop.words import shorten

Say = Callable[[str], None]

MOST_MOLECULES = 10_000_000
"""How many a verb gives at most: they are held in memory."""

MOST_STEPS = 10**9
"""Gradient steps at most."""

LARGEST_SEED = 2**63 - 1


class InputError(ValueError):
    """Something that was asked for cannot be done as asked; the message ends in what to do."""


def require_whole(name: str, value: object, least: int, most: int) -> int:
    """Returns a number that a verb was given, once it is a whole one between two others.

    Raises:
        InputError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex) or not least <= index(value) <= most:
        raise InputError(f"found {name}={shorten(repr(value))}, expected a whole number from {least:,} to {most:,}")
    return index(value)


def require_sum(name: str, value: object) -> float:
    """Returns a sum of money that a verb was given, once it is one: a finite number above 0.

    Raises:
        InputError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, SupportsFloat) or not 0 < float(value) < inf:
        raise InputError(f"found {name}={shorten(repr(value))}, expected a sum of money above 0, without its unit")
    return float(value)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """The operating system's errors as ours; a folder is never made, since its name may be misspelt.

    Raises:
        InputError: there is no such folder, or the file cannot be written.
        DiskError: the disk is full or fails.
    """
    try:
        require_folder_of(path)
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskError(f"{path} cannot be written ({error.strerror}). {ROOM}") from error
        raise InputError(f"{path} cannot be written ({error.strerror}); give another place") from error


def require_folder_of(path: Path) -> None:
    """Returns if a file of this name has a folder to lie in.

    Raises:
        InputError: it has none.
    """
    if not is_folder(path.absolute().parent):
        raise InputError(f"there is no folder {path.parent} to write {path.name} into; make it, or name another")


def load_if_file(campaign: Campaign | Path | str) -> Campaign:
    """Loads a campaign that is named by its file; one that is loaded is returned as it is."""
    return campaign if isinstance(campaign, Campaign) else load_campaign(campaign)
