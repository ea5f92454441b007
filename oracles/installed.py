"""Modules that an oracle is named by, and importing them; unlike a file such a module does not travel to workers."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from designloop.oracles.errors import OracleError
from designloop.paths import is_file

_OURS = __name__.partition(".")[0]


def is_imported(name: str) -> bool:
    """Whether nothing can befall this process by the module: it is imported already, or is this package's own."""
    return sys.modules.get(name) is not None or name.partition(".")[0] == _OURS


def import_installed(name: str, fix: str) -> ModuleType:
    """Imports a module by its name.

    Args:
        name: the module's.
        fix: what to do where there is none; see ``fix_for``.
    Raises:
        OracleError: it is not installed, or its import fails.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise OracleError(f"module {name!r} imports {error.name!r}, which is not installed") from error
        raise OracleError(f"no module {name!r} is installed; {fix}") from error
    except (Exception, SystemExit) as error:
        raise OracleError(
            f"module {name!r} fails when imported: {type(error).__name__}: {error}; {_remedy(error)}"
        ) from error


def fix_for(name: str, attribute: str, folder: Path) -> str:
    """What to do where no module has the name: a file beside the campaign, in ``folder``, may have been meant."""
    beside = folder / f"{name.replace('.', '/')}.py"
    if is_file(beside):
        return f"for the file beside the campaign, write ./{beside.relative_to(folder)}:{attribute}"
    return "install it here and wherever workers run, or name a file: ./my_oracle.py:score"


def home_of(module: ModuleType, folder: Path) -> Path:
    """Returns the folder that a module lies in; ``folder`` for one that lies in none."""
    return Path(module.__file__).parent if module.__file__ else folder


def _remedy(error: BaseException) -> str:
    name = error.filename if isinstance(error, FileNotFoundError) else None
    if isinstance(name, str) and not Path(name).is_absolute():
        return "it is imported in an empty folder, as by every worker: let it look for its files beside its __file__"
    return "mend or reinstall it"
