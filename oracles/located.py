"""Relative paths in parameters that are plain texts: which files they name, wherever the oracle runs.

An oracle runs in a folder of its own, where `model.json` is not what it is beside the campaign file. So a text among
the parameters that a campaign gives, alone or in a list or mapping, is replaced by the absolute path of the file or
folder that it names from the campaign file's folder. That it names one is believed of a text with a separator or a
suffix in it, and only where the file exists; a parameter annotated with a ``Literal`` names none. The fingerprint has
the text as it is written, so it is the same on every machine; the bytes count, and travel, only where the parameter is
annotated ``pathlib.Path``, or the file is declared.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from designloop.oracles.parameters import Arguments
from designloop.paths import real

Located = Mapping[str, Mapping[str, str]]
"""Parameter -> text in it -> path: absolute, or relative to the oracle's folder for a file that travels with it."""


def texts_in(arguments: Arguments) -> dict[str, tuple[str, ...]]:
    """Returns the texts among the given parameters, each of which may name a file; words of a ``Literal`` do not."""
    return {
        key: texts
        for key, value in arguments.python.items()
        if key not in arguments.choices and (texts := tuple(dict.fromkeys(_texts(value))))
    }


def files_named(texts: Mapping[str, Sequence[str]], folder: Path, home: Path, declared: Collection[str]) -> Located:
    """What texts name.

    Args:
        texts: parameter -> the texts in it.
        folder: the campaign file's.
        home: the oracle's.
        declared: files that travel with it, relative to its folder.
    """
    travelling = {real(home / name): name for name in declared}
    named: dict[str, dict[str, str]] = {}
    for key, text in ((key, text) for key, inner in texts.items() for text in inner):
        if (path := _path_of(text, folder)) is not None:
            named.setdefault(key, {})[text] = travelling.get(real(path), str(path))
    return named


def with_files(values: Mapping[str, Any], named: Located, home: Path) -> dict[str, Any]:
    """The values, each text that names a file replaced by its absolute path here."""
    return {
        key: _replace(value, {text: str(home / path) for text, path in named[key].items()}) if key in named else value
        for key, value in values.items()
    }


def _path_of(text: str, folder: Path) -> Path | None:
    """The file or folder that a text names from a folder; None where it names none, or is no path."""
    looks_like_one = "/" in text or PurePosixPath(text).suffix
    if not looks_like_one or Path(text).is_absolute() or "\0" in text:
        return None
    path = Path(os.path.normpath(folder / text))
    try:
        return path if path.exists() else None
    except OSError:  # a text too long for a name
        return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _replace(value: Any, paths: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return paths.get(value, value)
    if isinstance(value, dict):
        return {key: _replace(item, paths) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_replace(item, paths) for item in value)
    return value
