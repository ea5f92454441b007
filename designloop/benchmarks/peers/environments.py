"""Virtual environments of their own for packages that are compared with, so that none decides what ours depends on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from sysconfig import get_path

from designloop.benchmarks.common.options import Say

_STAMP = ".installed"

LAST = 5
"""Lines of an installer's complaint that are shown."""


class InstallError(RuntimeError):
    """An environment could not be made; the message says what the installer said."""


def make_environment(requirement: str, folder: Path, say: Say) -> Path:
    """Makes a virtual environment with one requirement and this process's torch, and returns its interpreter.

    It is made where it is missing, or was made for something else; what pip is told by its own variables
    (``PIP_FIND_LINKS``, say) holds.

    Args:
        requirement: pinned, "pythae==0.1.2".
        folder: of the environment.

    Raises:
        InstallError: venv or pip failed.
    """
    python, stamp = folder / "bin" / "python", folder / _STAMP
    torch = f"torch=={version('torch')}"
    contents = f"{torch}\n{requirement}\n"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == contents and python.exists():
        return python
    say(f"installing {requirement} into {folder}")
    _call([sys.executable, "-m", "venv", "--clear", str(folder)])
    # A local build such as 2.13.0+cpu is not on every index; the public release of the same version is.
    for build in dict.fromkeys((torch, torch.split("+")[0])):
        say(f"with {build}")
        try:
            # In one call, so that the peer's own constraints hold for torch too, or pip says why they cannot.
            _call([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", build, requirement])
            break
        except InstallError as error:
            failure = error
    else:
        raise failure
    stamp.write_text(contents, encoding="utf-8")
    return python


def install_alone(requirement: str, folder: Path, say: Say) -> Path:
    """Installs one package without what it requires, and returns the folder that it is imported from.

    For what runs beside this process's own packages, which it must not change.

    Args:
        requirement: pinned, "guacamol==0.5.5".
        folder: of the virtual environment that it is installed into.

    Raises:
        InstallError: venv or pip failed.
    """
    stamp, site = folder / _STAMP, Path(get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == requirement and site.is_dir():
        return site
    say(f"installing {requirement} into {folder}")
    _call([sys.executable, "-m", "venv", "--clear", str(folder)])
    python = str(folder / "bin" / "python")
    _call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", requirement])
    stamp.write_text(requirement, encoding="utf-8")
    return site


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        complaint = "\n".join(done.stderr.strip().splitlines()[-LAST:]) or f"exit code {done.returncode}"
        raise InstallError(f"`{' '.join(command)}` failed: {complaint}")
