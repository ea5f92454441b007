"""What the command line exits with.

| code | means |
|---|---|
| 0 | done; a campaign that ended has results, and the reason of its end is printed |
| 1 | a defect of ours |
| 2 | bad input: a file, an oracle, a query that has to be mended |
| 3 | no results: round after round gave none, the campaign ended without one, `retry` mended or `suggest` chose none |
| 4 | stopped, and the same command goes on: no workers, no room on the disk, or another process is writing |
| 130 | interrupted by Ctrl-C; the same command goes on |
| 143 | ended by SIGTERM (Slurm, docker stop, systemd); the same command goes on |
"""

from __future__ import annotations

import errno

DONE, DEFECT, BAD_INPUT, NO_RESULTS, RESUMABLE, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 4, 130, 143


_USERS_FILES = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP}
"""Errors of the system that no program can have made: what a user names may not be read or written."""


def exit_code(error: Exception) -> int:
    """The code for an error that ended a command."""
    from designloop.api import InputError
    from designloop.loop.campaign.campaign import CampaignError
    from designloop.loop.campaign.templates import TemplateError
    from designloop.loop.evaluation.errors import EvaluationError
    from designloop.loop.passing import WrongFilter
    from designloop.loop.preflight import BrokenOracle
    from designloop.molecules.errors import MoleculeError
    from designloop.oracles import OracleError
    from designloop.strategies.base import StateError
    from designloop.tables import QueryError, TableBusy, TableError
    from designloop.tables.durable import NO_ROOM
    from designloop.tables.errors import DiskError
    from designloop.tables.ledger_file import LedgerBusy, LedgerDiskError, LedgerError

    if isinstance(error, DiskError | EvaluationError | LedgerBusy | LedgerDiskError | TableBusy):
        return RESUMABLE
    if isinstance(error, OSError) and error.errno in NO_ROOM:  # wherever it was written to
        return RESUMABLE
    if isinstance(error, OSError) and error.errno in _USERS_FILES and error.filename is not None:
        return BAD_INPUT
    ours = (BrokenOracle, CampaignError, InputError, LedgerError, MoleculeError, OracleError, QueryError)
    return BAD_INPUT if isinstance(error, (*ours, StateError, TableError, TemplateError, WrongFilter)) else DEFECT
