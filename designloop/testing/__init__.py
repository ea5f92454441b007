"""Conformance suites for users' own parts: what ours pass, theirs can be put to.

    from designloop.testing import check_oracle

    def test_my_oracle():
        check_oracle("./my_oracle.py:score", folder=Path(__file__).parent)

Each suite has a module of its own, named as its part is, and is loaded when asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from designloop.testing.likelihood import check_likelihood
    from designloop.testing.oracle import check_oracle
    from designloop.testing.prior import check_prior
    from designloop.testing.report import NonConformance, Report
    from designloop.testing.strategy import check_strategy

__all__ = ["NonConformance", "Report", "check_likelihood", "check_oracle", "check_prior", "check_strategy"]

_HOME = {
    "NonConformance": "report",
    "Report": "report",
    "check_likelihood": "likelihood",
    "check_oracle": "oracle",
    "check_prior": "prior",
    "check_strategy": "strategy",
}
"""Public name -> the module that has it."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'designloop.testing' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"designloop.testing.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
