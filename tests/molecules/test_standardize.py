"""Standard form: what oracles see and what identity means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from designloop.molecules import standardize
from designloop.molecules.chemistry import (
    MoleculeError,
    canonical,
    identity,
    parse,
    require,
    standard_form,
    standard_forms,
    without_stereo,
)
from designloop.molecules.corpus import zinc
from designloop.testing.odd_smiles import odd_smiles, standard_form_faults

rows = st.integers(0, len(zinc()) - 1).map(zinc().__getitem__)
"""SMILES of ZINC 250k."""

on_real_molecules = settings(max_examples=150, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("written", "standard"),
    [
        # neutral and charged twins
        ("C[NH+](C)CCc1ccccc1", "CN(C)CCc1ccccc1"),
        ("CC(=O)[O-]", "CC(=O)O"),
        ("[NH3+]CC(=O)[O-]", "NCC(=O)O"),
        ("c1cc[nH+]cc1", "c1ccncc1"),
        ("CC(N)=[NH2+]", "CC(=N)N"),
        ("[O-]c1ccccc1", "Oc1ccccc1"),
        ("c1nn[n-]n1", "c1nn[nH]n1"),
        ("CC(=O)[N-]S(C)(=O)=O", "CC(=O)NS(C)(=O)=O"),
        ("CC([O-])=NS(C)(=O)=O", "CC(=O)NS(C)(=O)=O"),
        ("C[N@@H+]1CC[C@H](O)C1", "CN1CC[C@H](O)C1"),
        # salts and solvates
        ("CN(C)CCOC(c1ccccc1)c1ccccc1.Cl", "CN(C)CCOC(c1ccccc1)c1ccccc1"),
        ("CC(=O)O[Na]", "CC(=O)O"),
        ("[Ca+2].CCCC(=O)[O-].CCCC(=O)[O-]", "CCCC(=O)O"),
        ("OC(=O)/C=C\\C(=O)O.CCCNCC", "CCCNCC"),
        ("CN(C)C(=N)NC(N)=N.Cc1ccc(S(=O)(=O)O)cc1", "CN(C)C(=N)NC(=N)N"),
        (
            "CN1CCCN=C1/C=C/c1cccs1.OC(=O)c1cc2ccccc2c(Cc2c(O)c(C(=O)O)cc3ccccc23)c1O",
            "CN1CCCN=C1/C=C/c1cccs1",
        ),
        ("O.CCO", "CCO"),
        ("Cl", "Cl"),
        # isotopes and atom maps
        ("[2H]C([2H])([2H])Oc1ccccc1", "COc1ccccc1"),
        ("[13CH3:1][CH2:2][OH:3]", "CCO"),
        # groups drawn with charges
        ("CN(=O)=O", "C[N+](=O)[O-]"),
        ("O=N(=O)c1ccccc1", "O=[N+]([O-])c1ccccc1"),
        ("C[S+]([O-])C", "CS(C)=O"),
        ("C[S@+]([O-])CC", "CC[S@](C)=O"),
        ("C[S+2]([O-])([O-])C", "CS(C)(=O)=O"),
        ("C[P+](C)(C)[O-]", "CP(C)(C)=O"),
        ("C[N-][N+]#N", "CN=[N+]=[N-]"),
        ("C[NH+]=C([O-])C", "CNC(C)=O"),
        ("C[n+]1ccccc1[O-]", "Cn1ccccc1=O"),
        ("C[n+]1ccc([O-])cc1", "Cn1ccc(=O)cc1"),
        ("O[n+]1ccccc1", "[O-][n+]1ccccc1"),
        # what no proton can neutralise
        ("C[N+](C)(C)CCO.[Cl-]", "C[N+](C)(C)CCO"),
        ("C[N+](C)(C)CC(=O)O.[Cl-]", "C[N+](C)(C)CC(=O)[O-]"),
        ("C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CC(=O)[O-]"),
        ("Oc1ccc[n+](C)c1.[I-]", "C[n+]1cccc([O-])c1"),
        ("CCOC(=O)Nc1c[n+](N2CCOCC2)no1.[Cl-]", "CCOC(=O)[N-]c1c[n+](N2CCOCC2)no1"),
        ("[C-]#[N+]CC", "[C-]#[N+]CC"),
        ("F[P-](F)(F)(F)(F)F.C[n+]1ccccc1", "C[n+]1ccccc1"),
        ("F[P-](F)(F)(F)(F)F", "F[P-](F)(F)(F)(F)F"),
        # bonds to alkali and alkaline earth metals, however they are drawn
        ("CC(=O)[O-][Na+]", "CC(=O)O"),
        ("[Na+][S-]C", "CS"),
        ("[K+][N-]C(C)=O", "CC(N)=O"),
        ("[Na]n1cccc1", "c1cc[nH]c1"),
        ("O=C1O[Ca]OC1=O", "O=C(O)C(=O)O"),
        ("CC[OH]->[Na+]", "CCO"),
        ("C1CO2CCO3CCO4CCO5CCO6CCO1[K+]23456", "C1COCCOCCOCCOCCOCCO1"),
        # a carbocation takes no proton away from its neighbours
        ("[CH2+]CC[NH3+]", "[CH2+]CCN"),
    ],
)
def test_standard_form(written, standard):
    assert canonical(standard) == standard, "the expected SMILES is not canonical"
    assert standard_form(written) == standard
    assert standard_form(standard) == standard


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("CC[Hg]Cl", "is an organometallic compound or a complex: Hg is bound to C"),
        ("C[Mg]Br", "Mg is bound to C"),
        ("[Li]CCCC", "Li is bound to C"),
        ("N->[Pt](<-N)(Cl)Cl", "Pt is bound to N"),
        ("CC(=O)O[Zn]OC(C)=O", "Zn is bound to O"),
        ("[Na+].c1cc[cH-]c1", r"an aromatic anion of carbon \(a cyclopentadienide"),
        ("[CH-]1C=CC=C1.[CH-]1C=CC=C1.[Fe+2]", r"an aromatic anion of carbon \(a cyclopentadienide"),
    ],
)
def test_compounds_of_metals_that_are_no_salts_are_told(written, reason):
    with pytest.raises(MoleculeError, match=reason) as refusal:
        standard_form(written)
    assert repr(written) in str(refusal.value)


def test_odd_molecules_have_a_sound_standard_form_or_a_reason():
    strings = odd_smiles(1500, seed=0)
    assert 500 < sum(parse(text) is not None for text in strings) < 1200  # the generator makes what it is for
    assert {text: faults for text in strings if (faults := standard_form_faults(text))} == {}


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("[Mg+2].[OH-]->[Cs].[OH-]", r"'\[Cs\]' is a radical"),
        ("[89Sr+2].[Cl-].[Cl-]->[Ba+3]", r"'\[Ba\+3\]' is a radical"),
        ("Cc1ccc(C)c([NH+2])c1", "is a radical"),
        ("C1=NC=C[S-2]1", "is an impossible ion: S has a charge of -2; mend it"),
        ("CC[OH2+15]", r"is an impossible ion: O has a charge of \+15"),
        ("CC[P+99]", r"P has a charge of \+99"),
        ("C[N@SP1-4]C", "N has a charge of -4"),
        ("CN1[C@OH30](C)CCC1", "stereo marks .such as @OH, @TB or @SP. that RDKit writes anew each time"),
        ("C~C", "has a bond of no order, as in SMARTS .~ or :.; write what it is"),
        ("CC:O", "has a bond of no order"),
    ],
)
def test_what_is_no_molecule_though_rdkit_reads_it_is_told(written, reason):
    with pytest.raises(MoleculeError, match=reason) as refusal:
        standard_form(written)
    assert repr(written) in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("CC=[P+]([O-])C", "CC=[P+](C)[O-]"),
        ("CC=P(=O)C", "CC=[P+](C)[O-]"),
        ("CC(C(=O)O[S+][O-])=[P+](C)[O-]", "CC(C(=O)O[S]=O)=[P+](C)[O-]"),  # RDKit's reader draws one group back
        ("CC(=O)[O-]~[Na+]", "CC(=O)O"),
        ("Cl[Ra]Cl.CCN", "CCN"),
        ("C[O:1]c1cc[cH:2]cc1", "COc1ccccc1"),
    ],
)
def test_odd_ways_of_writing_end_in_a_fixed_point(written, form):
    assert standard_form(written) == form == standard_form(form) == canonical(form)


@pytest.mark.parametrize("ion", ["[N@OH1H3+15]", "[13SH+99:1]", "[Pb+9]"])
def test_an_impossible_ion_of_one_atom_is_told_where_it_is_kept(ion):
    with pytest.raises(MoleculeError, match=r"is an impossible ion: \w+ has a charge of \+"):
        standard_form(f"CCO.{ion}", "uncharge")
    assert standard_form(f"CCO.{ion}") == "CCO"


def test_ions_of_one_atom_take_protons():
    assert standard_form("[O-2].[N+](=O)[O-]", "uncharge") == "O.O=[N+][O-]"
    assert standard_form("[N-3]") == "N"


def test_mesoionic_rings_are_not_hydrogenated():
    """As RDKit's own clean-up does, which takes a sydnone to `O=C1CN(C)NO1`."""
    sydnone = "C[n+]1cc([O-])on1"
    assert standard_form(sydnone) == canonical(sydnone)


@pytest.mark.parametrize("mode", ["parent", "uncharge", "none"])
@given(smiles=rows)
@on_real_molecules
def test_standard_form_is_a_fixed_point(mode, smiles):
    once = standard_form(smiles, mode)
    assert standard_form(once, mode) == once == canonical(once)


@given(smiles=rows)
@on_real_molecules
def test_what_is_written_is_what_is_left_but_for_protons(smiles):
    """No atom but hydrogen comes or goes, and hydrogens go with charges."""
    before, after = require(smiles), require(standard_form(smiles))
    assert before.GetNumHeavyAtoms() == after.GetNumHeavyAtoms()

    def protons(mol: Chem.Mol) -> int:
        return int(mol.GetNumAtoms(onlyExplicit=False) - Chem.GetFormalCharge(mol))

    assert protons(before) == protons(after)
    assert abs(Chem.GetFormalCharge(after)) <= abs(Chem.GetFormalCharge(before))


@given(smiles=rows, seed=st.integers(0, 2**31 - 1))
@on_real_molecules
def test_another_writing_of_a_molecule_is_the_same(smiles, seed):
    (other,) = Chem.MolToRandomSmilesVect(require(smiles), 1, seed)
    assert standard_form(other) == standard_form(smiles)


AMINE = Chem.MolFromSmarts("[NX3;!$(N-[#6]=*);!$(N-[S,P,N]);!$(N-a);!$(N-C#N)]")
ACID = Chem.MolFromSmarts("[OX2H1]C=O")


@given(smiles=rows)
@on_real_molecules
def test_protonated_and_deprotonated_twins_are_one(smiles):
    neutral = standard_form(smiles)
    for group, charge in ((AMINE, 1), (ACID, -1)):
        for index, *_ in require(neutral).GetSubstructMatches(group):
            twin = Chem.RWMol(require(neutral))
            atom = twin.GetAtomWithIdx(index)
            atom.SetFormalCharge(charge)
            atom.SetNumExplicitHs(max(0, atom.GetTotalNumHs() + charge))
            atom.SetNoImplicit(True)
            Chem.SanitizeMol(twin)
            written = Chem.MolToSmiles(twin)
            assert ("+]" in written) or ("-]" in written)
            assert standard_form(written) == neutral


@given(
    smiles=rows,
    partner=st.sampled_from(["Cl", "[Na+]", "[K+]", "Br", "OS(=O)(=O)O", "O", "OC(=O)C(F)(F)F", "CS(=O)(=O)O"]),
)
@on_real_molecules
def test_salts_are_their_parent(smiles, partner):
    assert standard_form(f"{smiles}.{partner}") == standard_form(f"{partner}.{smiles}") == standard_form(smiles)


def _methylated(smiles: str) -> list[str]:
    """With a methyl group on the first aromatic CH, and on the last: isomers, if there are two."""
    made = []
    places = [place for (place,) in require(smiles).GetSubstructMatches(Chem.MolFromSmarts("[cH]"))]
    for place in places[:1] + places[1:][-1:]:
        molecule = Chem.RWMol(require(smiles))
        molecule.AddBond(place, molecule.AddAtom(Chem.Atom(6)), Chem.BondType.SINGLE)
        Chem.SanitizeMol(molecule)
        made.append(Chem.MolToSmiles(molecule))
    return made


@given(smiles=rows, seed=st.integers(1, 2**31 - 1), turned=st.booleans())
@on_real_molecules
def test_of_isomers_the_same_one_is_the_parent_however_they_are_written(smiles, seed, turned):
    """Their weights are the same number, which a sum of floating-point numbers in another order is not."""
    isomers = _methylated(standard_form(smiles))
    parent = standard_form(".".join(isomers)) if isomers else ""
    anew = [Chem.MolToRandomSmilesVect(require(isomer), 1, seed)[0] for isomer in isomers]
    assert (standard_form(".".join(anew[::-1] if turned else anew)) if anew else "") == parent
    assert not isomers or parent in map(standard_form, isomers)


def test_the_isomers_of_verteporfin_are_one_in_any_order():
    one = "C=CC1=C(C)c2cc3[nH]c(cc4nc(cc5[nH]c(cc1n2)c(C)c5CCC(=O)OC)C(CCC(=O)O)=C4C)C1(C)C3=CC=C(C(=O)OC)C1C(=O)OC"
    other = one.replace("CCC(=O)OC)", "CCC(=O)O])").replace("CCC(=O)O)", "CCC(=O)OC)").replace("O])", "O)")
    assert canonical(one) != canonical(other)
    forms = set()
    for seed in range(1, 9):
        pair = [Chem.MolToRandomSmilesVect(require(isomer), 1, seed)[0] for isomer in (one, other)]
        forms |= {standard_form(".".join(pair)), standard_form(".".join(pair[::-1]))}
    assert len(forms) == 1


@given(smiles=rows)
@on_real_molecules
def test_isotopes_and_atom_maps_do_not_matter(smiles):
    marked = Chem.Mol(require(smiles))
    for atom in marked.GetAtoms():
        atom.SetAtomMapNum(atom.GetIdx() + 1)
        if atom.GetAtomicNum() == 6:
            atom.SetIsotope(13)
    assert without_stereo(standard_form(Chem.MolToSmiles(marked))) == without_stereo(standard_form(smiles))


@given(smiles=rows)
@on_real_molecules
def test_the_fast_path_leaves_out_nothing(smiles):
    """What needs no step would not be changed by any."""
    standard = standard_form(smiles)
    molecule = standardize._uncharge(standardize._parent(standard, require(standard)))
    assert Chem.MolToSmiles(molecule) == standard


SULFOXIDE = Chem.MolFromSmarts("[#16X3]=O")
MESOIONIC = Chem.MolFromSmarts("[#6]-[O-]")


def test_rdkits_own_steps_agree_but_for_two_known_differences():
    """It draws sulfoxides with charges, and takes the anion of an amide drawn O-C=N to an imidic acid."""
    compared = 0
    for smiles in zinc()[:1000]:
        mol = require(smiles)
        with rdBase.BlockLogs():
            theirs = rdMolStandardize.Cleanup(mol)
            theirs = rdMolStandardize.LargestFragmentChooser(preferOrganic=True).choose(theirs)
            theirs = rdMolStandardize.Uncharger().uncharge(theirs)
        if mol.HasSubstructMatch(SULFOXIDE) or mol.HasSubstructMatch(MESOIONIC):
            continue
        compared += 1
        assert canonical(Chem.MolToSmiles(theirs)) == standard_form(smiles)
    assert compared > 900


def test_nearly_all_of_zinc_is_neutral_in_standard_form():
    forms = [standard_form(smiles) for smiles in zinc()[::250]]
    protonated = sum(Chem.GetFormalCharge(require(smiles)) != 0 for smiles in zinc()[::250])
    charged = sum(Chem.GetFormalCharge(require(form)) != 0 for form in forms)
    assert protonated > 0.2 * len(forms)
    assert charged < 0.01 * len(forms)


def test_modes():
    salt = "C[NH2+][13CH3].[Cl-]"
    assert standard_form(salt, "none") == canonical(salt)
    assert standard_form(salt, "uncharge") == "CN[13CH3].Cl"
    assert standard_form(salt, "parent") == "CNC"


@pytest.mark.parametrize("smiles", ["", "C1CC", "N(C)(C)(C)(C)C", "CCO ethanol"])
@pytest.mark.parametrize("mode", ["parent", "uncharge", "none"])
def test_no_molecule_no_standard_form(smiles, mode):
    with pytest.raises(MoleculeError, match="expected a valid SMILES"):
        standard_form(smiles, mode)
    assert standard_forms(["CCO", smiles, "C[NH3+]"], "parent") == ["CCO", None, "CN"]


def test_stereo():
    left, right = "C[C@H](O)c1ccccc1", "C[C@@H](O)c1ccccc1"
    assert identity(left, "keep") != identity(right, "keep")
    assert identity(left, "ignore") == identity(right, "ignore") == "CC(O)c1ccccc1"
    assert without_stereo("C/C=C/C") == without_stereo("C/C=C\\C") == "CC=CC"
    assert without_stereo("C[C@H](O)[2H]") == "[2H]C(C)O"


@given(smiles=rows)
@on_real_molecules
def test_without_stereo_is_a_fixed_point_and_the_flat_molecule(smiles):
    flat = Chem.Mol(require(smiles))
    Chem.RemoveStereochemistry(flat)
    text = without_stereo(smiles)
    assert text == Chem.MolToSmiles(flat) == without_stereo(text) == canonical(text)
    assert identity(standard_form(smiles)) == without_stereo(standard_form(smiles))


def test_counterions_are_written_neutral_and_named():
    from importlib.resources import files

    lines = (files("designloop.molecules") / "counterions.smi").read_text("utf-8").splitlines()
    entries = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    assert len(entries) > 80
    for smiles, _, name in entries:
        assert name, smiles
        assert parse(smiles) is not None, smiles
        assert without_stereo(standard_form(smiles, "uncharge")) == without_stereo(smiles), name
    assert len({without_stereo(smiles) for smiles, _, _ in entries}) == len(entries)


def test_the_standard_form_costs_little_more_than_reading_the_molecule() -> None:
    """At most four times parse and canonicalise; measured 2.2.

    In a process of its own: the caches and the memory of other tests slow our many small objects, not RDKit's.
    """
    script = Path(__file__).with_name("time_standard_form.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, cwd=script.parents[2])
    assert float(done.stdout) < 4


def test_a_check_inside_rdkit_that_a_random_string_trips_is_no_crash() -> None:
    strange = "[B+]/[N+]=[PH2]/C=[S]\\[NH2+][N+]=[S][O-]"
    with pytest.raises(MoleculeError, match=r"has no standard form \(RDKit: Pre-condition Violation.*; leave it out"):
        standard_form(strange)
    assert standard_forms([strange, "CCO"]) == [None, "CCO"]
