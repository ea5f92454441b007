"""Every molecule of the corpus and every drug comes back as it was; what cannot be written is told, with the token."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np
import pytest
import selfies
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from designloop.molecules import corpus
from designloop.molecules.codec import END, PAD, Codec
from designloop.molecules.errors import MoleculeError

CODEC = corpus.zinc_codec()

DRUGS = {
    "atorvastatin": ("CC(C)c1c(C(=O)Nc2ccccc2)c(-c2ccccc2)c(-c2ccc(F)cc2)n1CC[C@@H](O)C[C@@H](O)CC(=O)O", 68),
    "ritonavir": (
        "CC(C)c1nc(CN(C)C(=O)N[C@H](C(=O)N[C@@H](Cc2ccccc2)C[C@H](O)[C@H](Cc2ccccc2)NC(=O)OCc2cncs2)C(C)C)cs1",
        83,
    ),
    "venetoclax": (
        "CC1(C)CCC(CN2CCN(c3ccc(C(=O)NS(=O)(=O)c4ccc(NCC5CCOCC5)c([N+](=O)[O-])c4)c(Oc4cnc5[nH]ccc5c4)c3)CC2)="
        "C(c2ccc(Cl)cc2)C1",
        109,
    ),
    "bortezomib": ("CC(C)C[C@H](NC(=O)[C@H](Cc1ccccc1)NC(=O)c1cnccn1)B(O)O", 45),
}


def canonical(smiles: str) -> str:
    with rdBase.BlockLogs():
        return str(Chem.MolToSmiles(Chem.MolFromSmiles(smiles)))


def random_rows(n: int, seed: int) -> list[int]:
    return [int(row) for row in np.random.default_rng(seed).choice(len(corpus.zinc()), n, replace=False)]


# ---- molecules -> SELFIES -> tokens


def test_corpus_comes_back_and_its_shipped_tokens_are_what_the_codec_makes_now() -> None:
    """2,000 random rows of ZINC; written in another order of atoms they have the same SELFIES."""
    lines, shipped = corpus.zinc(), corpus.zinc_tokens()
    lost, other_tokens, other_writing = [], [], []
    for row in random_rows(2000, seed=0):
        written = CODEC.to_selfies(lines[row])
        if CODEC.to_smiles(written) != canonical(lines[row]):
            lost.append(lines[row])
        fresh = CODEC.tokens(written)
        if not np.array_equal(fresh, shipped.flat[shipped.starts[row] : shipped.starts[row + 1]]):
            other_tokens.append(lines[row])
        if row % 10 == 0:
            mol = Chem.MolFromSmiles(lines[row])
            again = Chem.MolToSmiles(mol, rootedAtAtom=mol.GetNumAtoms() - 1, canonical=False)
            if CODEC.to_selfies(again) != written:
                other_writing.append(lines[row])
    assert (lost, other_tokens, other_writing) == ([], [], [])


@pytest.mark.parametrize("name", DRUGS)
def test_drugs_are_expressible(name: str) -> None:
    smiles, length = DRUGS[name]
    written = CODEC.to_selfies(smiles)
    assert len(CODEC.tokens(written)) == length + 1
    assert CODEC.to_smiles(written) == canonical(smiles)


def test_stereo_and_charge_are_kept() -> None:
    for smiles in (
        "C[C@H](N)C(=O)O",
        "C[C@@H](N)C(=O)O",
        "C/C=C/C",
        "C/C=C\\C",
        "C[NH3+]",
        "CC(=O)[O-]",
        "C[S@](=O)CC",
    ):
        assert CODEC.to_smiles(CODEC.to_selfies(smiles)) == canonical(smiles)


def test_nitro_groups_written_with_five_bonds_are_mended() -> None:
    with pytest.raises(selfies.EncoderError):
        selfies.encoder("O=N(=O)c1ccccc1")
    assert CODEC.to_selfies("O=N(=O)c1ccccc1") == CODEC.to_selfies("[O-][N+](=O)c1ccccc1")


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("", "'' is not a molecule that RDKit can read; check the SMILES"),
        ("C1CC", "'C1CC' is not a molecule that RDKit can read"),
        ("CN(C)(C)(C)C", "is not a molecule that RDKit can read"),
        (
            "C[Si](C)(C)C",
            r"needs the SELFIES symbol \[Si\], which is not in the model's alphabet of 139; it can be scored",
        ),
        ("[Na+].[Cl-]", r"needs the SELFIES symbol \[Cl-1\]"),
        ("C.C", r"needs the SELFIES symbol \."),
        ("[2H]C", r"needs the SELFIES symbol \[2H\]"),
        ("*CC", r"cannot be written as SELFIES \(unrecognized symbol '\*'\); it can be scored"),
        (
            "FI(F)(F)(F)F",
            r"cannot be written as SELFIES \(\[I with 5 bond\(s\) - a max. of 1 bond\(s\) was specified\]\)",
        ),
        ("C" * 129, "takes 129 SELFIES symbols, the model holds at most 128; it can be scored"),
    ],
)
def test_what_cannot_be_expressed_is_told_with_the_reason(smiles: str, message: str) -> None:
    with pytest.raises(MoleculeError, match=message):
        CODEC.to_selfies(smiles)


@pytest.mark.parametrize("text", ["CCO", "[C][C", "[C]CO", "CO[C]", "[C]] [C]"])
def test_what_is_no_selfies_is_told(text: str) -> None:
    with pytest.raises(
        MoleculeError, match=r"is not SELFIES, which is symbols in brackets like|needs the SELFIES symbol"
    ):
        CODEC.tokens(text)


def test_empty_selfies_is_told_and_a_symbol_that_selfies_does_not_know() -> None:
    with pytest.raises(MoleculeError, match="'' is empty; give a molecule with at least one atom"):
        CODEC.tokens("")
    with pytest.raises(MoleculeError, match=r"'\[Foo\]' is not SELFIES \(invalid symbol '\[Foo\]'\)"):
        CODEC.to_smiles("[Foo]")
    with pytest.raises(MoleculeError, match="hanging"):
        CODEC.to_smiles("[C][C")
    assert CODEC.to_smiles("") is None


def test_greatest_length_is_the_last_that_fits() -> None:
    assert len(CODEC.tokens("[C]" * 128)) == 129
    assert CODEC.to_smiles(CODEC.to_selfies("C" * 128)) == "C" * 128
    short = Codec(CODEC.symbols, greatest_length=3)
    assert short.tokens("[C][C][O]").tolist()[-1] == END
    with pytest.raises(MoleculeError, match="takes 4 SELFIES symbols, the model holds at most 3"):
        short.to_selfies("CCCO")


# ---- tokens -> SELFIES -> molecules


@given(st.lists(st.lists(st.sampled_from(CODEC.symbols), min_size=1, max_size=30), min_size=1, max_size=4))
@settings(max_examples=150)
def test_any_string_of_symbols_has_its_tokens_and_is_a_molecule_or_nothing(rows: list[list[str]]) -> None:
    strings = ["".join(row) for row in rows]
    tokens = CODEC.pad([CODEC.tokens(string) for string in strings])
    assert tokens.shape == (len(rows), max(map(len, rows)) + 1)
    assert CODEC.selfies_of(tokens) == strings
    for string in strings:
        smiles = CODEC.to_smiles(string)
        assert smiles is None or canonical(smiles) == smiles


def test_rows_end_at_their_first_end_mark_or_where_they_stop() -> None:
    c = CODEC.tokens("[C]")[0]
    rows = np.array([[c, c, c], [c, END, c], [END, c, c], [c, c, END], [c, END, PAD]])
    assert CODEC.selfies_of(rows) == ["[C][C][C]", "[C]", "", "[C][C]", "[C]"]
    assert CODEC.pad([]).shape == (0, 0)
    assert CODEC.selfies_of(np.zeros((0, 3), int)) == []


def test_many_strings_are_decoded_alike_in_a_pool() -> None:
    strings = ["[C]" * (1 + n % 7) + "[O]" for n in range(250)] + [""]
    with ThreadPoolExecutor(2) as pool:
        assert CODEC.to_smiles_many(strings, pool) == [CODEC.to_smiles(string) for string in strings]
    assert CODEC.to_smiles_many(strings[:2]) == ["CO", "CCO"]


# ---- the alphabet, the semantics and the file


def test_alphabet_is_wider_than_the_corpus() -> None:
    assert selfies.get_semantic_robust_alphabet() <= set(CODEC.symbols)
    used = set(np.unique(corpus.zinc_tokens().flat).tolist()) - {END}
    assert len(used) < len(CODEC.symbols) == CODEC.size - 2
    assert "[B]" in CODEC.symbols


def test_codec_is_what_its_json_says() -> None:
    again = Codec.from_json(CODEC.to_json())
    assert again == CODEC
    assert hash(again) == hash(CODEC)
    assert Codec.from_json(Codec(("[C]",), 5, {"C": 2, "?": 1}).to_json()) == Codec(("[C]",), 5, {"C": 2, "?": 1})
    assert Codec(("[C]",)) != Codec(("[C]",), 5)


def test_codec_names_the_release_of_selfies() -> None:
    """The shipped tokens were made by the release that is pinned; the library's own ``__version__`` lags behind."""
    assert Codec(("[C]",)).selfies_version == version("selfies")


def test_an_alphabet_fits_a_byte_and_has_no_symbol_twice() -> None:
    assert Codec(tuple(f"[C{n}]" for n in range(254))).size == 256
    with pytest.raises(MoleculeError, match="has 255 symbols, 255 of them distinct; give at most 254 distinct ones"):
        Codec(tuple(f"[C{n}]" for n in range(255)))
    with pytest.raises(MoleculeError, match="has 2 symbols, 1 of them distinct"):
        Codec(("[C]", "[C]"))


@pytest.fixture
def other_constraints() -> Iterator[dict[str, int]]:
    """Somebody else's settings of selfies, in force while a test runs."""
    before = selfies.get_semantic_constraints()
    selfies.set_semantic_constraints("octet_rule")
    yield selfies.get_semantic_constraints()
    selfies.set_semantic_constraints(before)


def test_constraints_are_the_codecs_own_and_those_of_others_come_back(other_constraints: dict[str, int]) -> None:
    sulfone = "CS(C)(=O)=O"
    with pytest.raises(selfies.EncoderError):
        selfies.encoder(sulfone)
    written = CODEC.to_selfies(sulfone)
    assert CODEC.to_smiles(written) == sulfone
    assert selfies.get_semantic_constraints() == other_constraints
    with pytest.raises(MoleculeError):
        CODEC.to_selfies("FI(F)(F)(F)F")
    with pytest.raises(MoleculeError):
        CODEC.to_smiles("[Foo]")
    assert selfies.get_semantic_constraints() == other_constraints
    lenient = Codec(CODEC.symbols, constraints=other_constraints)
    assert lenient.to_smiles(written) != sulfone
