"""Conformance suites for users' own parts: what ours pass, theirs can be put to.

    from designloop.testing import check_oracle

    def test_my_oracle():
        check_oracle("./my_oracle.py:score", folder=Path(__file__).parent)

Each suite has a module of its own, named as its part is, and is loaded when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.testing.likelihood import check_likelihood as check_likelihood
    from designloop.testing.oracle import check_oracle as check_oracle
    from designloop.testing.prior import check_prior as check_prior
    from designloop.testing.proposer import check_proposer as check_proposer
    from designloop.testing.report import NonConformance as NonConformance
    from designloop.testing.report import Report as Report
    from designloop.testing.strategy import check_strategy as check_strategy

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "likelihood": ["check_likelihood"],
        "oracle": ["check_oracle"],
        "prior": ["check_prior"],
        "proposer": ["check_proposer"],
        "report": ["NonConformance", "Report"],
        "strategy": ["check_strategy"],
    },
)
