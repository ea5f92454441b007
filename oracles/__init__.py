"""What is worth scoring: property values for molecules, by name, by import path or from a file of one's own.

    from designloop.oracles import available, load, oracle

Everything is loaded when first asked for: ``import designloop.oracles`` costs nothing. A new built-in is one new
function with ``@oracle(...)`` in any module of this package; it is found by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach
from designloop.oracles import old_name

if TYPE_CHECKING:
    from designloop.oracles.answers import Answer as Answer
    from designloop.oracles.answers import describe_unasked as describe_unasked
    from designloop.oracles.answers import read_answers as read_answers
    from designloop.oracles.base import Oracle as Oracle
    from designloop.oracles.cards import OracleCard as OracleCard
    from designloop.oracles.cards import available as available
    from designloop.oracles.declaration import oracle as oracle
    from designloop.oracles.errors import OracleError as OracleError
    from designloop.oracles.errors import ParameterError as ParameterError
    from designloop.oracles.errors import ParameterProblem as ParameterProblem
    from designloop.oracles.in_hand import reference_of as reference_of
    from designloop.oracles.loading import describe as describe
    from designloop.oracles.loading import from_callable as from_callable
    from designloop.oracles.loading import load as load
    from designloop.oracles.loading import load_recipe as load_recipe

old_name.install(__name__)

__getattr__, __dir__, __all__ = attach(
    old_name.FULL,
    {
        "answers": ["Answer", "describe_unasked", "read_answers"],
        "base": ["Oracle"],
        "cards": ["OracleCard", "available"],
        "declaration": ["oracle"],
        "errors": ["OracleError", "ParameterError", "ParameterProblem"],
        "in_hand": ["reference_of"],
        "loading": ["describe", "from_callable", "load", "load_recipe"],
    },
)
