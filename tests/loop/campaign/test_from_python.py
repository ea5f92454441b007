"""Campaigns that are built in Python: of a mapping, with oracles in hand."""

from __future__ import annotations

import functools
import math
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem

import designloop
from designloop import display
from designloop.loop import passing
from designloop.loop.campaign.campaign import CampaignError
from designloop.oracles import load
from designloop.oracles.in_hand import reference_of, source_of
from designloop.oracles.physchem import qed
from designloop.tables import TableError
from designloop.tables.errors import QueryError
from tests.campaigns import write_campaign

CARBONS = 10
TABLE = {"C": 1, "N": [2, 3]}
NOT_WRITABLE = object()


def _count(smiles: str) -> int:
    return smiles.upper().count("C")


def tenths(smiles: Sequence[str], factor: float = 1.0) -> dict[str, float]:
    """Carbon atoms, in tens."""
    return {molecule: math.floor(factor * _count(molecule)) / CARBONS for molecule in smiles}


def uses_an_object(smiles: Sequence[str]) -> dict[str, float]:
    return {molecule: float(hash(NOT_WRITABLE)) for molecule in smiles}


mol, values = object(), {"LEFT_OVER": 1}  # as an earlier cell of a notebook leaves them
scale, title, read = functools.partial(math.pow, 2.0), str.title, Chem.MolFromSmiles


def has_locals_of_such_names(smiles: Sequence[str]) -> dict[str, float]:
    values = {}
    for mol in smiles:
        values[mol] = float(math.floor(len(mol)))
    return values


class HasLocals:
    def __call__(self, smiles: Sequence[str], values: float = 1.0) -> dict[str, float]:
        return {mol: math.floor(values) for mol in smiles}


def uses_a_partial(smiles: Sequence[str]) -> dict[str, float]:
    return {molecule: scale(len(molecule)) for molecule in smiles}


def uses_a_method(smiles: Sequence[str]) -> dict[str, float]:
    return {molecule: float(len(title(molecule))) for molecule in smiles}


def uses_a_renamed_function(smiles: Sequence[str]) -> dict[str, float]:
    return {molecule: float(read(molecule).GetNumAtoms()) for molecule in smiles}


def mapping(model: Path, oracle: Any) -> dict[str, Any]:
    return {
        "name": "mine",
        "model": str(model),
        "objective": {
            "properties": [
                {"name": "carbons", "oracle": oracle, "transform": {"type": "linear", "low": 0, "high": 3}},
            ]
        },
        "strategy": {"name": "random", "source": "molecules.smi"},
        "evaluation": {"backend": "inline"},
        "batch_size": 4,
        "budget": {"oracle_calls": 8},
    }


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path) -> Path:
    write_campaign(tmp_path, tiny_model)
    (tmp_path / "small.yaml").unlink()
    return tmp_path


def test_a_mapping_is_a_campaign(folder: Path, tiny_model: Path) -> None:
    given = mapping(tiny_model, "./my_oracle.py:score")
    campaign = designloop.load_campaign(given, {"budget.oracle_calls": 4}, folder=folder)
    assert (campaign.name, campaign.folder, campaign.output_folder) == ("mine", folder, folder / "mine")
    assert campaign.budget.oracle_calls == 4
    assert given["budget"] == {"oracle_calls": 8}, "what was given is left as it is"
    assert designloop.run(campaign).summary.calls == 4
    assert designloop.run(designloop.load_campaign(given, folder=folder)).summary.calls == 8, "it is resumed"


def test_all_that_is_wrong_with_a_mapping_is_told_by_key(folder: Path, tiny_model: Path) -> None:
    wrong = mapping(tiny_model, "./my_oracle.py:score") | {"batch_size": 0, "bugdet": 3, "starting_molecules": ["C1CC"]}
    with pytest.raises(CampaignError) as caught:
        designloop.load_campaign(wrong, folder=folder)
    assert {problem.key for problem in caught.value.problems} == {"batch_size", "bugdet", "starting_molecules[0]"}
    assert all(problem.line is None for problem in caught.value.problems)


def test_no_message_names_a_file_that_a_mapping_never_had(
    folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(passing, "SAMPLE", 20)
    given = mapping(tiny_model, "./my_oracle.py:score")
    given["starting_molecules"] = {"smiles": ["C1CC", "CC(=O)Nc1ccc(O)cc1", *["xx"] * 10], "skip_bad": True}
    campaign = designloop.load_campaign(given, folder=folder)
    said: list[str] = []
    with pytest.raises(QueryError) as caught:
        designloop.status(campaign)
    said.append(str(caught.value))
    display.plan(designloop.validate(campaign))
    designloop.run(campaign, say=said.append)
    for change in ({"batch_size": 7}, {"objective": mapping(tiny_model, "./gone.py:f")["objective"]}):
        with pytest.raises((TableError, CampaignError)) as refused:
            designloop.run(designloop.load_campaign({**given, **change}, folder=folder))
        said.append(str(refused.value))
    display.status(designloop.status(campaign))
    text = "\n".join([*said, capsys.readouterr().out, (folder / "mine" / "campaign.log").read_text()])
    assert "mine.yaml" not in text
    assert "None" not in text
    assert "the campaign 'mine' has not run yet" in text
    assert "Ready: designloop.run(campaign)" in text
    assert "starting_molecules: 11 entries that are no molecule left out (starting_molecules.smiles[0]: " in text
    assert "; and starting_molecules.smiles[11])" in text
    with pytest.raises(
        QueryError, match=rf"there is no file .*mine\.yaml; the results .* are in {folder / 'mine'}: give"
    ):
        designloop.status(folder / "mine.yaml")


@pytest.mark.parametrize(("name", "found"), [({}, "nothing"), ({"name": 3}, "3")])
def test_a_mapping_needs_a_name(name: dict[str, Any], found: str) -> None:
    with pytest.raises(CampaignError, match=rf"name: found {found}.*, expected a name"):
        designloop.load_campaign({**name, "budget": {}})


def test_a_function_of_a_module_is_named(tmp_path: Path) -> None:
    assert reference_of(qed, tmp_path, "oracles") == "designloop.oracles.physchem:qed"
    assert not list(tmp_path.iterdir())


def test_a_function_in_hand_runs_and_resumes(folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenths, "__module__", "__main__")
    monkeypatch.setattr(_count, "__module__", "__main__")
    monkeypatch.setitem(sys.modules, "__main__", sys.modules[__name__])
    given = mapping(tiny_model, tenths)
    first = designloop.run(designloop.load_campaign(given, {"budget.oracle_calls": 4}, folder=folder))
    then = designloop.run(designloop.load_campaign(given, folder=folder))
    assert (first.summary.calls, then.summary.calls) == (4, 8)
    assert all(best.properties["carbons"].value == tenths([best.smiles])[best.smiles] for best in then.best)
    source = (folder / "mine.oracles" / "tenths.py").read_text()
    assert "import math\n" in source
    assert "CARBONS = 10\n" in source
    assert "TABLE" not in source, "what it does not use is left out"
    assert load("./tenths.py:tenths", {"factor": 2.0}, folder / "mine.oracles").score(["CCO"]) == {"CCO": 0.4}


def test_a_lambda_and_a_function_in_a_function_are_refused_with_the_remedy(folder: Path, tiny_model: Path) -> None:
    def inner(smiles: Sequence[str]) -> dict[str, float]:
        return dict.fromkeys(smiles, 1.0)

    for oracle, message in ((lambda smiles: {}, "write def score"), (inner, "move it there")):
        with pytest.raises(CampaignError, match=message) as caught:
            designloop.load_campaign(mapping(tiny_model, oracle), folder=folder)
        assert [problem.key for problem in caught.value.problems] == ["objective.properties[carbons].oracle"]


def test_an_object_that_no_source_can_say_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"uses 'NOT_WRITABLE', which is object .* inside the function, or write it"):
        source_of(uses_an_object)


def test_names_that_a_function_has_of_its_own_are_no_globals() -> None:
    for function in (has_locals_of_such_names, HasLocals):
        source = source_of(function)
        assert "LEFT_OVER" not in source
        assert "import math\n" in source


def test_what_an_other_module_does_not_hold_is_no_import_from_it() -> None:
    for function, name, kind in ((uses_a_partial, "scale", "partial"), (uses_a_method, "title", "method_descriptor")):
        with pytest.raises(ValueError, match=rf"uses '{name}', which is {kind} and cannot be written down"):
            source_of(function)
    assert "from rdkit.Chem.rdmolfiles import MolFromSmiles as read\n" in source_of(uses_a_renamed_function)


def test_a_script_runs_its_own_function_once(folder: Path, tiny_model: Path) -> None:
    script = folder / "script.py"
    script.write_text(
        "import designloop\nfrom designloop.oracles import oracle\n\nSCALE = 10\n\n\n@oracle(each=True)\n"
        "def carbons(smiles: str) -> float:\n    return smiles.upper().count('C') / SCALE\n\n\n"
        f"given = {mapping(tiny_model, None)!r}\n"
        "given['objective']['properties'][0]['oracle'] = carbons\n"
        "print('calls', designloop.run(designloop.load_campaign(given)).summary.calls)\n"
    )
    done = subprocess.run([sys.executable, script.name], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("calls 8") == 1
    assert callable(runpy.run_path(str(folder / "mine.oracles" / "carbons.py"))["carbons"])
