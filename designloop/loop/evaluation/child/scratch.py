"""The private folder of one oracle process, where it works and where its temporary files go.

    TMPDIR/designloop-UID/NAME/         gone when the process ends, however it ends
    TMPDIR/designloop-UID/NAME.lock     locked while the process lives

Whoever is there last removes it: the guard of the process, else the process above; what both left behind, killed
together, the next start on this machine does. Names are short, for sockets have paths of at most 107 bytes and some
programs bear no more than 80.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path

from designloop.loop.evaluation.child.oracle_child import TEMPORARY, remove_scratch
from designloop.loop.evaluation.errors import NoWorkers


class Scratch:
    """A private folder, and the lock that says that it is in use, which children of this process may share."""

    def __init__(self) -> None:
        """Make a new one, and remove those whose processes are dead.

        Raises:
            NoWorkers: The temporary folder is somebody else's, full, or cannot be locked.
        """
        root = Path(tempfile.gettempdir()) / f"designloop-{os.getuid()}"
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if root.stat().st_uid != os.getuid():
                raise NoWorkers(f"{root} belongs to another user. Remove it, or set TMPDIR to a folder of your own.")
            root.chmod(0o700)
            _sweep(root)
            self.lock, self.folder = _locked_name(root)
            (self.folder / TEMPORARY).mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise NoWorkers(
                f"No private folder for oracles can be made in {root}: {error}. "
                "Set TMPDIR to a local folder that you may write to, then run the same command again."
            ) from error
        self.folder.chmod(0o700)

    @property
    def temporary(self) -> Path:
        """What its processes have for ``TMPDIR``."""
        return self.folder / TEMPORARY

    def hand_over(self) -> None:
        """Leave the lock to the process that was started with it."""
        os.close(self.lock)

    def remove(self) -> None:
        """Remove the folder, unless that has been done."""
        remove_scratch(self.folder)


def _locked_name(root: Path) -> tuple[int, Path]:
    """A lock that is held, and the folder that it stands for, which is not there yet."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix="", suffix=".lock", dir=root)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):  # swept away before it was locked
                if os.path.samestat(os.fstat(descriptor), os.stat(name)):  # noqa: PTH116 - beside fstat
                    return descriptor, Path(name).with_suffix("")
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _sweep(root: Path) -> None:
    """Remove the folders below the root that nobody holds the lock of."""
    for lock in root.glob("*.lock"):
        with contextlib.suppress(FileNotFoundError):  # its own process has just removed it
            descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_scratch(lock.with_suffix(""))
            except BlockingIOError:  # its process lives
                continue
            finally:
                os.close(descriptor)
