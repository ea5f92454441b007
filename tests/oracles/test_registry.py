from __future__ import annotations

import sys

import pytest
import yaml

from designloop import oracles
from designloop.oracles import OracleCard, OracleError, available, describe, load, registry
from tests.oracles.conftest import Write
from tests.oracles.record_values import GUACAMOL

BUILT_INS = (
    "acid alerts base esol hba hbd isomer logp measured molecular_weight qed rings rotatable_bonds sa_score similarity "
    "strong_acid substructure tpsa"
)


RUN = [card for card in available() if card.name != "measured"]
"""All but the one that a laboratory answers for."""


def test_the_built_ins_are_found_by_name() -> None:
    names = [card.name for card in available()]
    assert names == sorted({*names, *BUILT_INS.split(), *GUACAMOL}), "these at least, each once"


@pytest.mark.parametrize("card", RUN, ids=lambda card: card.name)
def test_a_card_says_all_that_one_needs(card: OracleCard) -> None:
    assert card.summary.endswith(".")
    assert card.description.startswith(card.summary)
    assert all(item.meaning.endswith(".") for item in card.parameters)
    declared = load(card.reference, yaml.safe_load(card.example)[0].get("params"))
    assert declared.uses_rdkit
    assert card.unit == declared.unit


@pytest.mark.parametrize("card", RUN, ids=lambda card: card.name)
def test_the_example_of_a_card_works_as_it_stands(card: OracleCard) -> None:
    (entry,) = yaml.safe_load(card.example)
    oracle = load(entry["oracle"], entry.get("params"))
    assert set(entry) <= {"name", "oracle", "params", "transform"}
    assert set(entry["transform"]) == {"type", "low", "high"}
    assert oracle.answers(["CC(=O)Nc1ccc(O)cc1"])["CC(=O)Nc1ccc(O)cc1"].error is None


def test_what_is_measured_cannot_be_run_and_says_what_to_do() -> None:
    oracle = load("measured", {"assay": "hERG patch clamp"})
    assert oracle.costly, "so that nothing tries it on a few molecules"
    assert oracle.score([]) == {}
    with pytest.raises(OracleError, match="`designloop tell` takes the values"):
        oracle.score(["CCO"])
    assert oracle.fingerprint != load("measured").fingerprint


def test_parameters_are_told_in_words() -> None:
    (card,) = [card for card in available() if card.name == "similarity"]
    parameters = {item.name: (item.kind, item.required, item.default) for item in card.parameters}
    assert parameters == {
        "reference": ("SMILES or list of SMILES", True, None),
        "fingerprint": ("ecfp4 | ecfp6 | fcfp4 | fcfp6 | atom_pair | pharmacophore", False, "ecfp4"),
        "aggregate": ("max | mean | min", False, "max"),
        "chirality": ("true | false", False, False),
    }
    assert card.source.startswith("Rogers & Hahn 2010")


def test_a_users_oracle_has_a_card_too(write: Write) -> None:
    folder = write('''
        from designloop.oracles import oracle

        @oracle(name="vina affinity", outputs=["affinity"], unit="kcal/mol")
        def dock(smiles, receptor: str, box: list[float] = [20.0, 20.0, 20.0]):
            """Affinity to a receptor.

            Args:
                receptor: Name of
                    the receptor.
            """
    ''')
    card = describe("./my_oracle.py:dock", folder)
    assert [(item.name, item.kind, item.meaning) for item in card.parameters] == [
        ("receptor", "text", "Name of the receptor."),
        ("box", "list of numbers", ""),
    ]
    assert card.example.splitlines() == [
        "- name: vina_affinity",
        "  oracle: ./my_oracle.py:dock",
        '  params: {receptor: "…"}',
        "  output: affinity",
        "  transform: {type: linear, low: 0, high: 1}",
    ]
    with pytest.raises(OracleError, match="no oracle is called 'qde'; did you mean 'qed'"):
        describe("qde")


@pytest.fixture
def fresh_registry() -> None:
    registry.built_ins.cache_clear()


@pytest.mark.usefixtures("fresh_registry")
def test_a_new_file_in_the_package_is_all_that_a_new_built_in_needs(
    write: Write, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(registry.built_ins.cache_clear)
    folder = (
        write(
            """
        from designloop.oracles import oracle
        from designloop.oracles.chemical import score_each

        @oracle(unit="atoms")
        def brand_new(smiles):
            return score_each(smiles, lambda mol: mol.GetNumAtoms())
    """,
            "more/new_one.py",
        )
        / "more"
    )
    monkeypatch.setattr(oracles, "__path__", [*oracles.__path__, str(folder)])
    assert load("brand_new").score(["CCO"]) == {"CCO": 3.0}
    monkeypatch.delitem(sys.modules, "designloop.oracles.new_one")


@pytest.mark.usefixtures("fresh_registry")
def test_two_built_ins_of_one_name_are_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(registry.built_ins.cache_clear)
    folder = (
        write("from designloop.oracles import oracle\n@oracle\ndef qed(smiles):\n    return {}", "more/second.py")
        / "more"
    )
    monkeypatch.setattr(oracles, "__path__", [*oracles.__path__, str(folder)])
    with pytest.raises(
        OracleError, match=r"oracles\.second and designloop\.oracles\.physchem both have 'qed'; rename one"
    ):
        load("qed")
    monkeypatch.delitem(sys.modules, "designloop.oracles.second")
