"""What is worth scoring: property values for molecules, by name, by import path or from a file of one's own.

    from designloop.oracles import available, load, oracle

Everything is loaded when first asked for: ``import designloop.oracles`` costs nothing. A new built-in is one new
function with ``@oracle(...)`` in any module of this package; it is found by its name.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from designloop.oracles import old_name

if TYPE_CHECKING:
    from designloop.oracles.answers import Answer, read_answers, unasked
    from designloop.oracles.base import Oracle
    from designloop.oracles.cards import OracleCard, available, describe
    from designloop.oracles.declaration import oracle
    from designloop.oracles.errors import OracleError, ParameterError, ParameterProblem
    from designloop.oracles.loading import from_callable, load, load_recipe

__all__ = [
    "Answer",
    "Oracle",
    "OracleCard",
    "OracleError",
    "ParameterError",
    "ParameterProblem",
    "available",
    "describe",
    "from_callable",
    "load",
    "load_recipe",
    "oracle",
    "read_answers",
    "unasked",
]

_HOME = {
    "Answer": "answers",
    "read_answers": "answers",
    "unasked": "answers",
    "Oracle": "base",
    "OracleError": "errors",
    "ParameterError": "errors",
    "ParameterProblem": "errors",
    "oracle": "declaration",
    "from_callable": "loading",
    "load": "loading",
    "load_recipe": "loading",
    "OracleCard": "cards",
    "available": "cards",
    "describe": "cards",
}
"""Public name -> the module that has it."""

old_name.install()
if __name__ != old_name.FULL:  # found by its folder in a checkout: whoever imports that is given the one that there is
    sys.modules[__name__] = sys.modules[old_name.FULL]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(
            f"module 'designloop.oracles' has no attribute {name!r}; its public names are {', '.join(__all__)}"
        )
    return getattr(importlib.import_module(f"designloop.oracles.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
