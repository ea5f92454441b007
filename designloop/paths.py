"""Looking for what a user names: a word that can be no path, such as a very long SMILES, names no file.

``Path.is_file`` and its like raise an OSError for a name that is longer than the file system allows, and for one in a
folder that may not be searched; ``Path.resolve`` a RuntimeError for a link that leads to itself, and a ValueError for a
name with a zero byte.
"""

from __future__ import annotations

import os
from pathlib import Path


def is_file(path: Path | str) -> bool:
    """Whether there is a file of this name that can be looked at."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def is_folder(path: Path | str) -> bool:
    """Whether there is a folder of this name that can be looked at."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def exists(path: Path | str) -> bool:
    """Whether there is anything of this name that can be looked at."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def real(path: Path | str) -> Path:
    """The absolute path without links; a link that leads to itself stays, and so does a name that can be no path."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        return Path(path).absolute()
