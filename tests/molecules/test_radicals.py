from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors

from designloop.molecules.corpus import zinc
from designloop.molecules.radicals import has_radical

WRITTEN = (
    *("[CH3]", "C[O]", "CC1(C)CCCC(C)(C)N1[O]", "C[CH]C", "[O][O]", "c1cc[c]cc1", "C[C@H](O)[NH]", "C[C@H]O"),
    *("[nH]1cccc1", "C[N+](C)(C)C", "[Na]", "["),
)


@pytest.mark.parametrize("smiles", WRITTEN)
def test_radicals_are_those_of_rdkit(smiles: str) -> None:
    assert has_radical(smiles) == (not paired(smiles))


def paired(smiles: str) -> bool:
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    return molecule is None or Descriptors.NumRadicalElectrons(molecule) == 0


@given(st.sampled_from(zinc()[:200]), st.data())
def test_what_is_written_in_brackets_is_read_as_rdkit_reads_it(smiles: str, data: st.DataObject) -> None:
    plain = [place for place, sign in enumerate(smiles) if sign in "CNO" and smiles[place + 1 : place + 2] != "l"]
    for place in sorted(data.draw(st.sets(st.sampled_from(plain), max_size=2)), reverse=True):
        if "]" not in smiles[place : place + 4]:
            hydrogens = data.draw(st.sampled_from(["", "H", "H2", "H3", "@H", "+", "-"]))
            smiles = f"{smiles[:place]}[{smiles[place]}{hydrogens}]{smiles[place + 1 :]}"
    assert has_radical(smiles) == (not paired(smiles))
