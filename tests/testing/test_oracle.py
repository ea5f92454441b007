"""check_oracle passes what keeps the contract, and each of its checks fires on what breaks it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent, indent

import pytest
import yaml

from designloop import testing
from designloop.oracles import OracleError, available, load
from designloop.testing import NonConformance, check_oracle
from designloop.testing.oracle import CHECKS, MOLECULES, ODD

NAMES = tuple(check.__name__ for check in CHECKS)


@pytest.mark.parametrize("card", [card for card in available() if card.name != "measured"], ids=lambda card: card.name)
def test_every_built_in_keeps_the_contract(card: object) -> None:
    (entry,) = yaml.safe_load(card.example)  # type: ignore[attr-defined]
    report = check_oracle(entry["oracle"], entry.get("params"), skip=["elsewhere", "side_by_side"])
    assert report.passed == NAMES[:-2]
    assert report.skipped == ("elsewhere", "side_by_side")


def test_a_built_in_is_the_same_elsewhere() -> None:
    assert check_oracle(load("similarity", {"reference": "CCO", "fingerprint": "fcfp4"})).passed == NAMES


def file(folder: Path, body: str, head: str = "", signature: str = "smiles") -> str:
    """Writes an oracle of one function and gives its reference."""
    text = f"{dedent(head)}\ndef score({signature}):\n{indent(dedent(body).strip(), '    ')}\n"
    (folder / "my_oracle.py").write_text(text)
    return "./my_oracle.py:score"


STOCHASTIC = "from random import Random\nfrom designloop.oracles import oracle\n\n@oracle(stochastic=True)"


def test_a_users_file_keeps_the_contract(tmp_path: Path) -> None:
    reference = file(
        tmp_path, "return {molecule: molecule.count('C') * weight for molecule in smiles}", "", "smiles, weight: float"
    )
    assert check_oracle(reference, {"weight": 2}, folder=tmp_path).passed == NAMES


def test_a_stochastic_oracle_keeps_the_contract_by_its_seeds(tmp_path: Path) -> None:
    body = "return {molecule: Random(seed).random() for molecule, seed in zip(smiles, seeds)}"
    assert check_oracle(file(tmp_path, body, STOCHASTIC, "smiles, seeds"), folder=tmp_path).passed == NAMES


def carbons(smiles: Sequence[str]) -> dict[str, float]:
    return {molecule: float(molecule.count("C")) for molecule in smiles}


def test_a_function_in_hand_is_checked_too() -> None:
    assert check_oracle(carbons).passed == NAMES


def failing(folder: Path, reference: str, *checks: str) -> str:
    """The message, once it is sure that just these checks fail."""
    with pytest.raises(NonConformance) as caught:
        check_oracle(reference, folder=folder)
    assert tuple(caught.value.problems) == checks
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return [1.0 for _ in smiles]", r"raised OracleError: the oracle returned a list.*dict(zip(smiles, values))"),
        ("raise RuntimeError('no GPU')", "raised RuntimeError: no GPU"),
        ("return {m: 1.0 for m in smiles[1:]}", "CC(=O)Nc1ccc(O)cc1: no answer for this molecule"),
        (
            "return {m: float('nan') if 'Cl' in m else 1.0 for m in smiles}",
            "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21: answered nan",
        ),
        ("return {m: {'a': 1.0, 'b': None} for m in smiles}", "CC(=O)Nc1ccc(O)cc1: output 'b' answered None"),
        ("return {m: 1.0 for m in [*smiles, 'C1CC']}", "it answers for 'C1CC', which was not asked"),
    ],
)
def test_what_is_no_answer_stops_all_else(tmp_path: Path, body: str, message: str) -> None:
    problems = failing(tmp_path, file(tmp_path, body), "answers")
    assert problems.startswith("oracle 'score' fails 1 of 12 checks:\n- answers: ")
    for part in message.split(".*"):
        assert part in problems


@pytest.mark.parametrize(
    ("head", "body", "message"),
    [
        (
            "from designloop.oracles import oracle\n@oracle(outputs=['a', 'b'])",
            "return {m: {'a': 1.0} for m in smiles}",
            "CC(=O)Nc1ccc(O)cc1 has the outputs a, and declared are the outputs a, b; write @oracle(outputs=['a'])",
        ),
        (
            "",
            "return {m: {'a': 1.0} for m in smiles}",
            "has the outputs a, and declared are one number without outputs; write @oracle(outputs=['a'])",
        ),
        (
            "from designloop.oracles import oracle\n@oracle(outputs=['a'])",
            "return {m: 1.0 for m in smiles}",
            "has one number without outputs, and declared are the outputs a",
        ),
    ],
)
def test_outputs_that_are_not_the_declared_ones(tmp_path: Path, head: str, body: str, message: str) -> None:
    assert message in failing(tmp_path, file(tmp_path, body, head), "outputs")


def test_values_on_the_wrong_molecules(tmp_path: Path) -> None:
    body = "return dict(zip(sorted(set(smiles)), [float(m.count('C')) for m in smiles]))"
    message = failing(tmp_path, file(tmp_path, body), "order", "neighbours", "duplicates", "side_by_side")
    assert "when the batch is reversed; answer by molecule, as in dict(zip(smiles, values))" in message
    assert "when the batch is shuffled; answer by molecule" in message


def test_values_that_depend_on_the_neighbours(tmp_path: Path) -> None:
    body = "most = max((m.count('C') for m in smiles), default=1) or 1\nreturn {m: m.count('C') / most for m in smiles}"
    message = failing(tmp_path, file(tmp_path, body), "neighbours")
    assert "CC(=O)Nc1ccc(O)cc1 has 0.13" in message
    assert "and 1.0 alone; compute each molecule by itself" in message


def test_a_small_dependence_on_the_batch_is_seen_and_may_be_tolerated(tmp_path: Path) -> None:
    reference = file(tmp_path, "return {m: m.count('C') * (1 + 1e-12 * len(smiles)) for m in smiles}")
    failing(tmp_path, reference, "neighbours", "duplicates")
    assert check_oracle(reference, folder=tmp_path, tolerance=1e-9).passed == NAMES


def test_a_molecule_that_may_not_come_twice(tmp_path: Path) -> None:
    body = "assert len(set(smiles)) == len(smiles), 'twice'\nreturn dict.fromkeys(smiles, 1.0)"
    assert "- duplicates: raised AssertionError: twice" in failing(tmp_path, file(tmp_path, body), "duplicates")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "return dict.fromkeys(smiles, float(len(smiles[0]) > 0))",
            "- empty: raised IndexError: list index out of range",
        ),
        (
            "return dict.fromkeys(smiles, 1.0) or None",
            "- empty: an empty batch is answered with None; return an empty map",
        ),
    ],
)
def test_an_empty_batch_that_is_not_borne(tmp_path: Path, body: str, message: str) -> None:
    assert message in failing(tmp_path, file(tmp_path, body), "empty")


def test_a_value_that_depends_on_the_calls_before(tmp_path: Path) -> None:
    reference = file(tmp_path, "calls.append(1)\nreturn dict.fromkeys(smiles, float(len(calls)))", "calls = []")
    with pytest.raises(NonConformance, match=r"repeats: .* when asked again; declare @oracle\(stochastic=True\)"):
        check_oracle(reference, folder=tmp_path)


def test_a_stochastic_oracle_that_draws_past_its_seeds(tmp_path: Path) -> None:
    reference = file(tmp_path, "return {m: Random().random() for m in smiles}", STOCHASTIC, "smiles, seeds")
    with pytest.raises(NonConformance, match=r"repeats: .* when asked again; draw from the seed given for it alone"):
        check_oracle(reference, folder=tmp_path)


@pytest.mark.parametrize("marks", ["@", "/"])
def test_stereo_that_is_seen_in_silence(tmp_path: Path, marks: str) -> None:
    body = f"return {{m: float(m.count('@@') if {marks!r} == '@' else m.count('/')) for m in smiles}}"
    assert "; declare @oracle(sees_stereo=True)" in failing(tmp_path, file(tmp_path, body), "stereo")
    declared = file(tmp_path, body, "from designloop.oracles import oracle\n@oracle(sees_stereo=True)")
    assert "stereo" in check_oracle(declared, folder=tmp_path).passed


def test_a_fall_over_an_odd_molecule(tmp_path: Path) -> None:
    message = failing(
        tmp_path, file(tmp_path, "return {m: 1.0 / m.count('c') if m == 'C' else 1.0 for m in smiles}"), "bears_odd"
    )
    assert (
        "- bears_odd: C raises ZeroDivisionError: float division by zero; leave out its answer, or answer None"
        in message
    )


def test_an_odd_molecule_may_be_left_out(tmp_path: Path) -> None:
    body = f"return {{m: float('nan') if m in {ODD!r}[:9] else 1.0 for m in smiles if m not in {ODD!r}[9:]}}"
    assert check_oracle(file(tmp_path, body), folder=tmp_path).passed == NAMES


def test_a_value_that_depends_on_the_process(tmp_path: Path) -> None:
    message = failing(tmp_path, file(tmp_path, "return {m: float(hash(m[0]) % 10**6) for m in smiles}"), "elsewhere")
    assert "in another process; leave nothing to the order of a set, to the folder" in message


def test_a_file_that_was_not_declared(tmp_path: Path) -> None:
    (tmp_path / "factor.txt").write_text("2")
    body = "return dict.fromkeys(smiles, float((Path(__file__).parent / 'factor.txt').read_text()))"
    message = failing(tmp_path, file(tmp_path, body, "from pathlib import Path"), "elsewhere")
    assert "raised RuntimeError: FileNotFoundError" in message
    assert "(in another process, loaded by its recipe)" in message
    declared = file(
        tmp_path, body, "from pathlib import Path\nfrom designloop.oracles import oracle\n@oracle(files=['factor.txt'])"
    )
    assert check_oracle(declared, folder=tmp_path).passed == NAMES


def test_a_process_that_dies(tmp_path: Path) -> None:
    body = f"if os.getpid() != {os.getpid()}:\n    os._exit(3)\nreturn dict.fromkeys(smiles, 1.0)"
    assert "raised RuntimeError: exit code 3" in failing(tmp_path, file(tmp_path, body, "import os"), "elsewhere")


def test_one_that_takes_too_long_elsewhere(tmp_path: Path) -> None:
    body = "return dict.fromkeys(smiles, 1.0)"
    head = f"import os, time\nif os.getpid() != {os.getpid()}:\n    time.sleep(3)"
    with pytest.raises(NonConformance, match=r"elsewhere: raised TimeoutExpired: .* timed out after 0\.5 seconds"):
        check_oracle(file(tmp_path, body, head), folder=tmp_path, timeout=0.5, skip=["side_by_side"])


def test_one_that_prints(tmp_path: Path) -> None:
    body = "print('scoring', len(smiles))\nreturn dict.fromkeys(smiles, 1.0)"
    assert "it prints 'scoring 12'; a campaign's workers print for nobody" in failing(
        tmp_path, file(tmp_path, body), "elsewhere"
    )


def test_a_costly_oracle_is_asked_little(tmp_path: Path) -> None:
    head = "asked = set()\nfrom designloop.oracles import oracle\n@oracle(costly=True)"
    reference = file(tmp_path, f"assert set(smiles) <= set({MOLECULES[:3]!r})\nreturn dict.fromkeys(smiles, 1.0)", head)
    report = check_oracle(reference, folder=tmp_path)
    assert report.skipped == ("stereo", "bears_odd", "reads", "side_by_side")
    assert {*report.passed, *report.skipped} == set(NAMES)


def test_molecules_of_ones_own(tmp_path: Path) -> None:
    reference = file(tmp_path, "return {m: 1.0 for m in smiles if m == 'CCO'}")
    assert check_oracle(reference, folder=tmp_path, molecules=["CCO"], odd=["C"]).passed == NAMES


def test_what_cannot_be_loaded_cannot_be_checked() -> None:
    with pytest.raises(OracleError, match="no oracle is called 'qde'"):
        check_oracle("qde")


def test_a_check_that_is_none_cannot_be_skipped() -> None:
    with pytest.raises(ValueError, match="skip='elswhere' is no check; the checks are answers, outputs, order, "):
        check_oracle("qed", skip=["elswhere"])


def test_an_unknown_public_name_is_an_error() -> None:
    assert "check_oracle" in dir(testing)
    with pytest.raises(AttributeError, match=r"module 'designloop\.testing' has no attribute 'check_oracel'; it of"):
        _ = testing.check_oracel


def test_a_fixed_path_in_a_shared_place(tmp_path: Path) -> None:
    body = "return {m: count(m) for m in smiles}"
    head = (
        "from pathlib import Path\nPLACE = Path({place!r}, 'ligand.smi')\ndef count(molecule):\n"
        "    PLACE.write_text(molecule)\n    return float(PLACE.read_text().count('C'))\n"
    )
    message = failing(tmp_path, file(tmp_path, body, head.format(place=str(tmp_path))), "side_by_side")
    assert f"while another process scores others (both write to {tmp_path}/ligand.smi); what it writes by a" in message
    private = file(tmp_path, body, head.format(place="."))
    assert check_oracle(private, folder=tmp_path).passed == NAMES


def test_what_it_declares_is_found_by_relative_names_and_nothing_is_left_in_the_users_folder(tmp_path: Path) -> None:
    (tmp_path / "factor.txt").write_text("2")
    body = "Path('out.txt').touch()\nreturn dict.fromkeys(smiles, float(Path('factor.txt').read_text()))"
    head = "from pathlib import Path\nfrom designloop.oracles import oracle\n@oracle(files=['factor.txt'])"
    reference = file(tmp_path, body, head)
    here = Path.cwd()
    assert check_oracle(reference, folder=tmp_path).passed == NAMES
    assert Path.cwd() == here
    assert sorted(path.name for path in tmp_path.iterdir()) == ["factor.txt", "my_oracle.py"]
