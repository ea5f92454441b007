"""Functions of one SMILES: told where they are not declared, called with each molecule by itself where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

import designloop
from designloop.loop.campaign.campaign import CampaignError
from designloop.oracles import OracleError, load
from tests.campaigns import write_campaign

HEAD = "from collections.abc import Sequence\nfrom designloop.oracles import oracle\n"
FUTURE = "from __future__ import annotations\n"


def written(folder: Path, body: str) -> str:
    (folder / "mine.py").write_text(HEAD + body)
    return "./mine.py:score"


@pytest.mark.parametrize("future", ["", FUTURE])
@pytest.mark.parametrize(
    "body",
    [
        "def score(smiles: str) -> float:\n    return 1.0\n",
        "def score(smiles: str):\n    return 1.0\n",
        "def score(smiles) -> float:\n    return 1.0\n",
        "def score(mol, weight=2.0) -> int:\n    return 1\n",
        "def score(mol) -> bool:\n    return True\n",
        "class score:\n    def score(self, smiles: str) -> float:\n        return 1.0\n",
    ],
)
def test_a_function_of_one_smiles_is_recognised_by_its_annotations(body: str, future: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(future + HEAD + body)
    with pytest.raises(OracleError, match=r"oracle 'score' .* write @oracle\(each=True\) above it"):
        load("./mine.py:score", folder=tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "@oracle(each=True)\ndef score(smiles: str, factor: float = 2.0) -> float:\n    return factor * len(smiles)\n",
        "@oracle(each=True)\ndef score(mol, factor=2.0):\n    return factor * len(mol)\n",
        "class score:\n    each = True\n    def score(self, smiles: str) -> float:\n        return 2.0 * len(smiles)\n",
        "@oracle(each=True, stochastic=True)\ndef score(mol, seed):\n    return 2.0 * len(mol) + seed\n",
    ],
)
def test_a_declared_one_is_called_with_each_molecule(body: str, tmp_path: Path) -> None:
    loaded = load(written(tmp_path, body), folder=tmp_path)
    answers = loaded.answers(["CCO", "C"], [0, 0])
    assert {molecule: answer.value for molecule, answer in answers.items()} == {"CCO": 6.0, "C": 2.0}


def test_each_molecule_has_its_own_seed(tmp_path: Path) -> None:
    body = "@oracle(each=True, stochastic=True)\ndef score(mol, seed):\n    return seed\n"
    loaded = load(written(tmp_path, body), folder=tmp_path)
    assert {key: answer.value for key, answer in loaded.answers(["CCO", "C"], [5, 7]).items()} == {"CCO": 5.0, "C": 7.0}


def test_outputs_of_each_molecule_are_a_mapping(tmp_path: Path) -> None:
    body = "@oracle(each=True, outputs=['a', 'b'])\ndef score(mol):\n    return {'a': len(mol), 'b': 1}\n"
    (answer,) = load(written(tmp_path, body), folder=tmp_path).answers(["CCO"], output="a").values()
    assert answer.value == 3.0


@pytest.mark.parametrize("annotation", ["list[str]", "Sequence[str]", "list"])
def test_each_of_a_list_is_a_contradiction(annotation: str, tmp_path: Path) -> None:
    body = f"@oracle(each=True)\ndef score(smiles: {annotation}) -> float:\n    return 1.0\n"
    with pytest.raises(OracleError, match=r"declares each=True, and its first parameter 'smiles' is a list"):
        load(written(tmp_path, body), folder=tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "def score(mol):\n    return len(mol) / 10\n",
        "def score(mol):\n    return mol.count('C')\n",
        "def score(mol):\n    return mol.upper()\n",
        "from rdkit import Chem\ndef score(mol):\n    return Chem.MolFromSmiles(mol).GetNumAtoms()\n",
        "import re\ndef score(mol):\n    return len(re.findall('C', mol))\n",
    ],
)
def test_an_unannotated_one_is_told_at_its_first_failure(body: str, tmp_path: Path) -> None:
    loaded = load(written(tmp_path, body), folder=tmp_path)
    with pytest.raises(OracleError, match=r"declare @oracle\(each=True\)"):
        loaded.answers(["CCO", "C"])


def test_another_type_error_is_left_as_it_is(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, "def score(mol):\n    return {m: None + 1 for m in mol}\n"), folder=tmp_path)
    with pytest.raises(TypeError, match="NoneType"):
        loaded.answers(["CCO"])


def test_a_campaign_is_told_at_its_line_and_runs_once_it_is_declared(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    plain = "from designloop.oracles import oracle\n\n\ndef score(smiles: str) -> float:\n    return len(smiles) / 60\n"
    (tmp_path / "my_oracle.py").write_text(plain)
    with pytest.raises(CampaignError, match=r"@oracle\(each=True\)") as caught:
        designloop.load_campaign(path)
    assert [problem.key for problem in caught.value.problems] == ["objective.properties[carbons].oracle"]
    (tmp_path / "my_oracle.py").write_text(plain.replace("def score", "@oracle(each=True)\ndef score"))
    outcome = designloop.run(designloop.load_campaign(path, {"budget.oracle_calls": 8, "batch_size": 4}))
    assert outcome.summary.calls == 8
    assert not outcome.summary.failures
    assert all(best.properties["carbons"].value == len(best.smiles) / 60 for best in outcome.best)
