"""The oracles count what the rule table finds."""

from __future__ import annotations

import pytest

from designloop.oracles import load
from designloop.testing import check_oracle

ASPIRIN, PHENYTOIN, PROPRANOLOL, BICALUTAMIDE = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "O=C1NC(=O)C(c2ccccc2)(c2ccccc2)N1",
    "CC(C)NCC(O)COc1cccc2ccccc12",
    "CC(O)(CS(=O)(=O)c1ccc(F)cc1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1",
)


@pytest.mark.parametrize(
    ("name", "values"), [("strong_acid", [1, 0, 0, 0]), ("acid", [1, 1, 0, 0]), ("base", [0, 0, 1, 0])]
)
def test_drugs(name: str, values: list[int]) -> None:
    molecules = [ASPIRIN, PHENYTOIN, PROPRANOLOL, BICALUTAMIDE]
    assert load(name).score(molecules) == dict(zip(molecules, values, strict=True))


def test_the_suite() -> None:
    """Of one: the three differ in the rules that they count."""
    check_oracle(load("acid"))
