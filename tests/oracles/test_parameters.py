from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from designloop.oracles import OracleError, ParameterError, load
from designloop.oracles.parameters import kind
from tests.oracles.conftest import Write


def problems(reference: str, params: dict[str, Any], folder: Path | None = None) -> list[str]:
    with pytest.raises(ParameterError) as caught:
        load(reference, params, folder)
    assert str(caught.value).startswith(f"oracle {caught.value.oracle_name!r}: parameter ")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("reference", "params", "expected"),
    [
        (
            "similarity",
            {},
            "parameter 'reference': found nothing, expected SMILES or list of SMILES; "
            "give it under params, as reference: …",
        ),
        (
            "similarity",
            {"refrence": "CCO"},
            "parameter 'refrence': found 'refrence', expected one of reference, fingerprint, aggregate, chirality; "
            "did you mean 'reference'?",
        ),
        ("similarity", {"reference": "C1CC"}, "parameter 'reference': found 'C1CC', expected a valid SMILES"),
        ("similarity", {"reference": ["CCO", "C1CC"]}, "parameter 'reference': found 'C1CC', expected a valid SMILES"),
        (
            "similarity",
            {"reference": "CCO", "fingerprint": "ecfp_4"},
            "parameter 'fingerprint': found 'ecfp_4', expected 'ecfp4', 'ecfp6', 'fcfp4', 'fcfp6', 'atom_pair' "
            "or 'pharmacophore'; did you mean 'ecfp4'?",
        ),
        (
            "similarity",
            {"reference": "CCO", "chirality": "no"},
            "parameter 'chirality': found 'no', expected a valid boolean",
        ),
        ("substructure", {"smarts": "[C"}, "parameter 'smarts': found '[C', expected a valid SMARTS"),
        ("isomer", {"formula": "C9h10"}, "parameter 'formula': found 'C9h10', expected a formula such as"),
        ("isomer", {"formula": "Xx2"}, "parameter 'formula': found 'Xx2', expected a formula such as"),
        ("alerts", {"sets": "PAIN"}, "parameter 'sets': found 'PAIN', expected 'ALL', 'BRENK', "),
        ("qed", {"x": 1}, "parameter 'x': found 'x', expected no parameter: it takes none"),
        ("alerts", {"sets": float("nan")}, "parameter 'sets': found nan, expected a value that JSON can hold"),
        ("alerts", {"sets": {1}}, "parameter 'sets': found {1}, expected a value that JSON can hold"),
    ],
)
def test_a_wrong_parameter_of_a_built_in_is_named(reference: str, params: dict[str, Any], expected: str) -> None:
    (problem,) = problems(reference, params)
    assert problem.startswith(expected)


def test_all_problems_come_at_once() -> None:
    sentences = problems("similarity", {"fingerprint": "ecfp9", "agregate": "max"})
    assert [problem.split(":")[0] for problem in sentences] == [
        "parameter 'fingerprint'",
        "parameter 'agregate'",
        "parameter 'reference'",
    ]


TYPED = """
    from __future__ import annotations
    from typing import Literal

    def score(smiles, model: str, weight: float = 1, depth: int = 3, *, mode: Literal["a", "b"] = "a",
              limits: list[float] | None = None, anything=None):
        return dict.fromkeys(smiles, weight)
"""


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"model": 3}, "found 3, expected a valid string"),
        ({"model": "m", "weight": "2"}, "found '2', expected a valid number"),
        ({"model": "m", "weight": True}, "found True, expected a valid number"),
        ({"model": "m", "depth": 2.5}, "found 2.5, expected a valid integer"),
        ({"model": "m", "limits": [1, "2"]}, "found '2', expected a valid number"),
        ({"model": "m", "mode": "c"}, "found 'c', expected 'a' or 'b'"),
    ],
)
def test_types_are_strict_where_they_are_annotated(write: Write, params: dict[str, Any], expected: str) -> None:
    (problem,) = problems("./my_oracle.py:score", params, write(TYPED))
    assert expected in problem


def test_defaults_are_filled_in_and_numbers_are_of_the_annotated_kind(write: Write) -> None:
    loaded = load("./my_oracle.py:score", {"model": "m", "weight": 2, "anything": [1, {"a": None}]}, write(TYPED))
    assert dict(loaded.params) == {
        "model": "m",
        "weight": 2.0,
        "depth": 3,
        "mode": "a",
        "limits": None,
        "anything": [1, {"a": None}],
    }
    assert type(loaded.params["weight"]) is float
    assert loaded.score(["CCO"]) == {"CCO": 2.0}


def test_annotations_of_an_inherited_constructor_are_read_where_it_is_written(write: Write) -> None:
    write(
        """
        from __future__ import annotations
        from typing import Literal as OneOf

        class Base:
            def __init__(self, mode: OneOf["a", "b"]):
                self.mode = mode
    """,
        "base_of_mine.py",
    )
    folder = write("""
        from designloop.oracles import oracle
        from base_of_mine import Base

        @oracle(files=["base_of_mine.py"])
        class Score(Base):
            def score(self, smiles):
                return dict.fromkeys(smiles, 1.0)
    """)
    (problem,) = problems("./my_oracle.py:Score", {"mode": "c"}, folder)
    assert "found 'c', expected 'a' or 'b'" in problem


def test_a_list_of_files_is_refused(write: Write) -> None:
    folder = write("from pathlib import Path\ndef score(smiles, models: list[Path]):\n    return {}")
    (problem,) = problems("./my_oracle.py:score", {"models": ["a.pkl", "b.pkl"]}, folder)
    assert problem.endswith("found ['a.pkl', 'b.pkl'], expected one file; give each file a parameter of its own")


def test_any_parameter_goes_where_the_signature_takes_any(write: Write) -> None:
    folder = write("def score(smiles, **params):\n    return dict.fromkeys(smiles, params['weight'])")
    assert load("./my_oracle.py:score", {"weight": 3}, folder).score(["CCO"]) == {"CCO": 3}


def test_a_class_takes_the_parameters_of_its_constructor(write: Write) -> None:
    folder = write("""
        from __future__ import annotations
        from dataclasses import dataclass

        @dataclass
        class Score:
            weight: float

            def score(self, smiles):
                return dict.fromkeys(smiles, self.weight)
    """)
    assert load("./my_oracle.py:Score", {"weight": 3}, folder).score(["CCO"]) == {"CCO": 3.0}
    (problem,) = problems("./my_oracle.py:Score", {"weight": "3"}, folder)
    assert "found '3', expected a valid number" in problem


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def score():\n    return {}", r"'score': it is called with \(smiles\); put these parameters first"),
        (
            "from designloop.oracles import oracle\n@oracle(stochastic=True)\ndef score(smiles):\n    return {}",
            r"'score': it declares stochastic=True, so it is called with \(smiles, seeds\)",
        ),
        ("class score:\n    pass", r"class score has no method 'score'; give it score\(self, smiles\)"),
        ("class score:\n    def score(self):\n        return {}", r"it is called with \(smiles\)"),
        (
            "import io\ndef score(smiles, log: io.StringIO):\n    return {}",
            "which no campaign file can hold; annotate it",
        ),
        (
            "from __future__ import annotations\ndef score(smiles, model: Model):\n    return {}",
            r"parameter 'model' is annotated Model, which gives NameError: .*; import what it names outside",
        ),
    ],
)
def test_an_oracle_that_cannot_be_called_as_one_is_refused(write: Write, source: str, message: str) -> None:
    with pytest.raises(OracleError, match=message):
        load("./my_oracle.py:score", {"model": "m", "log": "l"}, write(source))


def test_a_parameter_named_seeds_without_the_declaration_gets_the_hint(write: Write) -> None:
    folder = write("def score(smiles, seeds):\n    return {}")
    (problem,) = problems("./my_oracle.py:score", {}, folder)
    assert "an oracle that takes a seed for each molecule declares @oracle(stochastic=True)" in problem


def test_a_default_that_is_no_json_stays_the_oracles_own_business(write: Write) -> None:
    folder = write("NOTHING = object()\ndef score(smiles, model=NOTHING):\n    return dict.fromkeys(smiles, 1.0)")
    assert dict(load("./my_oracle.py:score", folder=folder).params) == {}


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (float, "number"),
        (str | None, "text or null"),
        (list[float], "list of numbers"),
        (dict[str, int], "mapping of text to integer"),
        (Path, "file"),
        (Any, "anything"),
        (bool, "true | false"),
    ],
)
def test_kinds_are_told_in_words(annotation: Any, words: str) -> None:
    assert kind(annotation) == words
