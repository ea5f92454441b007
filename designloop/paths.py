"""Looking for what a user names: a word that can be no path, such as a very long SMILES, names no file.

``Path.is_file`` and its like raise an OSError for a name that is longer than the file system allows, and for one in a
folder that may not be searched.
"""

from __future__ import annotations

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
