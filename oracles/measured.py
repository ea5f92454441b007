"""The oracle that nobody can run: a value that is measured in a laboratory, and told afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from designloop.oracles.base import Oracle
from designloop.oracles.declaration import oracle
from designloop.oracles.errors import OracleError

NAME = "measured"
"""How a campaign file names it."""


def is_measured(loaded: Oracle) -> bool:
    """Whether an oracle is the one below."""
    return loaded.is_built_in and loaded.reference == NAME


@oracle(costly=True, example={"transform": {"type": "linear", "low": 5, "high": 8}})
def measured(smiles: Sequence[str], assay: str = "") -> dict[str, float]:
    """A value measured in a laboratory: `designloop suggest` says of what, `designloop tell` takes it.

    Two campaigns that name the same assay for a property of the same name have the same key in a ledger.

    Args:
        assay: which measurement it is, in words of your own; another assay is another property.
    """
    if not smiles:
        return {}
    raise OracleError(
        "it is measured in a laboratory, so nothing can be run; `designloop suggest` says what to measure, "
        "and `designloop tell` takes the values"
    )
