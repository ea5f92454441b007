from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem, RDConfig
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from designloop.oracles import load
from tests.oracles.record_values import molecules

SMILES = molecules()


def test_the_sa_score_is_rdkits_contributed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(RDConfig.RDContribDir) / "SA_Score"))
    sascorer = importlib.import_module("sascorer")

    found = load("sa_score").score(SMILES)
    assert found == {smiles: sascorer.calculateScore(Chem.MolFromSmiles(smiles)) for smiles in SMILES}
    assert 1 <= min(found.values()) < 3 < 5 < max(found.values()) <= 10
    del sys.modules["sascorer"]


@pytest.mark.parametrize("sets", ["BRENK", "CHEMBL_Glaxo", ["PAINS", "NIH"]])
def test_alerts_are_counted_as_rdkits_catalogue_has_them(sets: Any) -> None:
    parameters = FilterCatalogParams()
    for name in [sets] if isinstance(sets, str) else sets:
        parameters.AddCatalog(getattr(FilterCatalogParams.FilterCatalogs, name))
    catalogue = FilterCatalog(parameters)
    expected = {smiles: float(len(catalogue.GetMatches(Chem.MolFromSmiles(smiles)))) for smiles in SMILES}
    assert load("alerts", {"sets": sets}).score(SMILES) == expected
    assert max(expected.values()) >= 1


def test_two_sets_hit_what_either_hits() -> None:
    one, other, both = (load("alerts", {"sets": sets}).score(SMILES) for sets in ("PAINS", "NIH", ["PAINS", "NIH"]))
    assert both == {smiles: one[smiles] + other[smiles] for smiles in SMILES}
