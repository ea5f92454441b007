from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from designloop.oracles import OracleError, oracle
from designloop.oracles.declaration import Declaration, declaration_of


def plain(smiles: Sequence[str]) -> dict[str, float]:
    return {}


def test_a_plain_function_has_the_defaults() -> None:
    assert declaration_of(plain) == Declaration()


def test_the_decorator_with_nothing_to_say_needs_no_parentheses() -> None:
    @oracle
    def score(smiles: Sequence[str]) -> dict[str, float]:
        return dict.fromkeys(smiles, 1.0)

    assert score(["CCO"]) == {"CCO": 1.0}
    assert declaration_of(score) == Declaration()


def test_a_class_declares_by_attributes_of_the_same_names() -> None:
    class Score:
        version = "3"
        costly = True
        files = ("model.pkl",)

    assert declaration_of(Score) == Declaration(version="3", costly=True, files=("model.pkl",))


def test_outputs_named_without_units_have_the_oracles_unit() -> None:
    assert Declaration(outputs=["a", "b"], unit="kcal/mol").outputs == {"a": "kcal/mol", "b": "kcal/mol"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"versoin": "2"}, r"@oracle\(versoin=…\) is no declaration; did you mean 'version'\?"),
        ({"version": 2}, r"declared version=2, which is int; expected str"),
        ({"costly": "yes"}, r"declared costly='yes', which is str; expected bool"),
        ({"sees_stereo": None}, r"declared sees_stereo=None, which is NoneType; expected bool or str"),
        ({"files": "model.pkl"}, r"declared files='model\.pkl'; expected file names, as files=\['model\.pkl'\]"),
        ({"files": [1]}, r"declared files=\[1\]; expected file names"),
        ({"outputs": "a"}, r"declared outputs='a'; expected names"),
    ],
)
def test_a_wrong_declaration_is_refused_where_it_is_written(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(OracleError, match=message):
        oracle(**declared)


def test_a_class_may_not_declare_a_thing_twice() -> None:
    with pytest.raises(OracleError, match=r"Score declares 'version' as an attribute beside @oracle\(…\); keep one"):

        @oracle(costly=True)
        class Score:
            version = "2"
