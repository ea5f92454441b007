from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from designloop.oracles import OracleError, ParameterError, load
from tests.oracles.conftest import Write


def test_an_unknown_public_name_is_an_error() -> None:
    from designloop import oracles

    assert "read_answers" in dir(oracles)
    with pytest.raises(AttributeError, match=r"'designloop\.oracles' has no attribute 'lod'; it offers "):
        _ = oracles.lod


def test_importing_the_decorator_loads_neither_rdkit_nor_pydantic() -> None:
    code = (
        "from designloop.oracles import oracle, read_answers; import sys; "
        "print({'rdkit', 'pydantic', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


STOCHASTIC = """
    from random import Random
    from designloop.oracles import oracle

    @oracle(stochastic=True)
    def score(smiles, seeds, scale: float = 1.0):
        return {molecule: scale * Random(seed).random() for molecule, seed in zip(smiles, seeds)}
"""


def test_a_stochastic_oracle_is_given_a_seed_for_each_molecule(write: Write) -> None:
    loaded = load("./my_oracle.py:score", {"scale": 2.0}, write(STOCHASTIC))
    first, again, other = (loaded.score(["CCO", "CCN"], seeds) for seeds in ([1, 2], [1, 2], [2, 1]))
    assert first == again == {"CCO": other["CCN"], "CCN": other["CCO"]}


@pytest.mark.parametrize(("seeds", "found"), [(None, "none"), ([1], "1")])
def test_a_stochastic_oracle_without_its_seeds_is_refused(write: Write, seeds: list[int] | None, found: str) -> None:
    loaded = load("./my_oracle.py:score", folder=write(STOCHASTIC))
    with pytest.raises(OracleError, match=f"'score' is stochastic and got {found} of 2 seeds; give one a molecule"):
        loaded.score(["CCO", "CCN"], seeds)


def test_an_oracle_that_is_not_stochastic_is_not_given_seeds() -> None:
    assert load("hbd").score(["CCO"], [1]) == {"CCO": 1.0}


COUNTED_CLASS = """
    made = []

    class Counted:
        \"\"\"How often it was made.\"\"\"

        def __init__(self, start: int = 0):
            made.append(self)
            self.start = start

        def score(self, smiles):
            return dict.fromkeys(smiles, self.start + len(made))
"""


def test_a_class_is_constructed_once_and_not_by_loading(write: Write) -> None:
    loaded = load("./my_oracle.py:Counted", {"start": 10}, write(COUNTED_CLASS))
    assert loaded.summary == "How often it was made."
    assert loaded.score(["CCO"]) == loaded.score(["CCO"]) == {"CCO": 11}
    loaded.prepare()
    assert loaded.score(["CCO"]) == {"CCO": 11}


def test_an_oracle_cannot_change_the_batch_of_its_caller(write: Write) -> None:
    folder = write("""
        def score(smiles):
            answer = dict.fromkeys(smiles, 1.0)
            smiles.clear()
            return answer
    """)
    asked = ["CCO"]
    load("./my_oracle.py:score", folder=folder).score(asked)
    assert asked == ["CCO"]


OUTPUTS = """
    from designloop.oracles import oracle

    @oracle(outputs={"affinity": "kcal/mol", "strain": "kcal/mol"})
    def dock(smiles):
        return {molecule: {"affinity": -7.0, "strain": 1.0} for molecule in smiles}
"""


def test_declared_outputs_are_checked_before_anything_runs(write: Write) -> None:
    dock = load("./my_oracle.py:dock", folder=write(OUTPUTS))
    dock.check_output("strain")
    with pytest.raises(OracleError, match=r"'dock' has several outputs \(affinity, strain\); name one of them"):
        dock.check_output(None)
    with pytest.raises(OracleError, match="'dock' has no output 'afinity'; did you mean 'affinity'"):
        dock.check_output("afinity")
    load("qed").check_output(None)


def test_oracles_are_equal_by_fingerprint_and_pickle_as_recipes(write: Write) -> None:
    dock = load("./my_oracle.py:dock", folder=write(OUTPUTS))
    copy = pickle.loads(pickle.dumps(dock))
    assert copy == dock
    assert hash(copy) == hash(dock)
    assert copy != load("qed")
    assert copy.answers(["CCO"], output="strain")["CCO"].value == 1.0


def test_a_parameter_error_survives_the_way_between_processes() -> None:
    with pytest.raises(ParameterError) as caught:
        load("rings", {"kind": "aromatics", "size": 6})
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.problems == caught.value.problems
