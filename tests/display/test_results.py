"""What is printed of a campaign's results, piece by piece."""

from __future__ import annotations

import pytest

from designloop.display.results import _beginnings, top
from designloop.report.references import Reference
from designloop.report.top import PropertyScore, StartingMolecule, TopMolecule


@pytest.mark.parametrize(
    ("restarts", "rounds"),
    [({}, []), ({1: 0.0, 2: 0.0}, []), ({1: 0.0, 2: 1.0, 3: 1.0, 4: 2.0}, [2, 4]), ({7: 1.0}, [7])],
)
def test_a_beginning_is_told_once(restarts: dict[int, float], rounds: list[int]) -> None:
    assert _beginnings(restarts) == rounds


def test_a_property_called_as_a_column_of_the_best_keeps_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("start", "from", "ZINC", "pareto", "logP")
    properties = {name: PropertyScore(float(place), place / 10) for place, name in enumerate(names)}
    best = TopMolecule(
        rank=1,
        smiles="CCO",
        score=0.25,
        properties=properties,
        campaign="a",
        id="a-1",
        call=1,
        proposer="prior",
        inchikey=None,
        scaffold="",
        hides=0,
        start=StartingMolecule("CC", 0.75),
        known=StartingMolecule("CC", 0.625),
    )
    top([best], [Reference("ethane", "CC", 0.5, {"start": PropertyScore(9.0, 0.9)})])
    head, reference, ranked, *rest = capsys.readouterr().out.splitlines()
    assert head.split() == "# score start_2 from_2 ZINC_2 pareto logP from id start ZINC smiles".split()
    cells = ["1", "0.250", *(f"{place} ({place / 10:.2f})" for place in range(5)), "prior", "a-1", "0.750", "0.625"]
    assert ranked.split() == " ".join([*cells, "CCO"]).split()
    assert reference.split() == ["0.500", "9", "(0.90)", "ethane", "CC"]
    assert not any(line.startswith("pareto") for line in rest)
