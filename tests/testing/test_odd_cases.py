"""The tables of odd inputs in small, and that what is wrong with an answer is seen.

``designloop benchmark robustness`` tries all of them. Files of molecules are in ``tests/molecules/test_reading.py``,
odd SMILES in ``tests/molecules/test_standardize.py``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast, get_args, get_origin, get_type_hints

import pytest

from designloop.cli import app
from designloop.exit_codes import BAD_INPUT
from designloop.testing.odd_campaigns import CampaignCase, campaign_faults, with_text
from designloop.testing.odd_cases import campaign_cases, file_cases, oracle_cases
from designloop.testing.odd_commands import COMMANDS, ODD_VALUES, CommandCase, command_faults
from designloop.testing.odd_files import FileCase
from designloop.testing.odd_oracles import OracleCase, oracle_faults
from designloop.testing.small_campaign import write_campaign
from tests.commands import designloop_

EACH = 5
"""Of the campaign files every so manieth is tried: which one moves with the tables, and all are in the benchmark."""

LENGTHS = "def score(smiles):\n    return {m: float(len(m)) for m in smiles}\n"


def test_there_are_many_cases_each_of_a_name_of_its_own() -> None:
    cases: list[CampaignCase | OracleCase | FileCase] = [*campaign_cases(), *oracle_cases(), *file_cases(repeats=1)]
    assert len(cases) > 900
    names = Counter((type(case), case.name, getattr(case, "label", "")) for case in cases)
    assert {name: count for name, count in names.items() if count > 1} == {}
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


def test_campaign_files_with_mistakes_are_told_key_by_key(tmp_path: Path) -> None:
    faults = {}
    for number, case in enumerate(campaign_cases()[::EACH]):
        folder = tmp_path / str(number)
        folder.mkdir()
        faults[case.name] = campaign_faults(case, folder)
    assert {name: wrong for name, wrong in faults.items() if wrong} == {}


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        (CampaignCase("silent", with_text(""), ["something"]), "silent: it is read"),
        (CampaignCase("no warning", with_text(""), says="something"), "silent: it warns ''"),
        (CampaignCase("another", with_text("seed: -1\n"), ["seed: something else"]), "message: nothing says"),
        (CampaignCase("more", with_text("seed: -1\nnope: 1\n"), ["seed: found -1"]), "message: it says more"),
    ],
)
def test_what_is_wrong_with_a_campaign_files_reading_is_seen(tmp_path: Path, case: CampaignCase, kind: str) -> None:
    faults = campaign_faults(case, tmp_path)
    assert faults
    assert faults[0].startswith(kind)


def test_an_oracle_that_is_right_or_says_why_has_no_fault(tmp_path: Path) -> None:
    right = OracleCase("right", LENGTHS)
    assert oracle_faults(right, tmp_path) == []
    assert oracle_faults(replace(right, told="an error"), tmp_path) == [
        f"silent: {molecule} has {float(len(molecule))}, expected the error 'an error'" for molecule in right.molecules
    ]


def test_texts_that_are_no_utf8_reach_the_ledger(tmp_path: Path) -> None:
    cases = [case for case in oracle_cases() if "surrogates" in case.name]
    assert len(cases) > 2
    assert {case.name: oracle_faults(case, tmp_path) for case in cases} == {case.name: [] for case in cases}


def test_a_value_of_another_molecule_and_another_error_are_seen(tmp_path: Path) -> None:
    wrong = OracleCase("wrong", "LAST = []\n" + LENGTHS.replace("len(m)", "len((LAST.append(m), LAST[0])[1])"))
    assert oracle_faults(wrong, tmp_path) == ["silent: CC has 3.0, expected 2.0 or an error"]
    (fault,) = oracle_faults(OracleCase("unreadable", "def score(", "no licence"), tmp_path)
    assert fault.startswith("message: it says ")


def test_a_command_is_judged_by_its_exit_code_and_its_words(tmp_path: Path) -> None:
    wrong = CommandCase(["validate", "gone.yaml"], 0, "Ready")
    first, second = command_faults(wrong, tmp_path)
    assert first.startswith("exit code: 2, expected 0")
    assert second.startswith("message: it does not say 'Ready'")
    assert command_faults(replace(wrong, code=2, told="gone.yaml"), tmp_path) == []


def test_paths_and_numbers_that_are_none_are_told_by_commands(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of them; the benchmark tries all, each in a process of its own, beside a campaign that has ended."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    write_campaign(tmp_path, tiny_model)
    (tmp_path / "circle").symlink_to("circle")
    needs_results = {"--csv", "--smi", "--sdf", "--svg"}
    for case in [case for case in ODD_VALUES if not needs_results & {*case.arguments}][::5]:
        done = designloop_(*case.arguments)
        assert done.exit_code == BAD_INPUT, done.output
        assert re.search(case.told, done.output)


def test_every_number_that_a_command_takes_is_tried() -> None:
    tried = {(case.arguments[0], case.arguments[-2]) for case in ODD_VALUES}
    numbers = {
        (command.name, f"--{name}")
        for command in app.registered_commands
        for name, hint in get_type_hints(cast("Callable[..., object]", command.callback), include_extras=True).items()
        if get_origin(hint) is Annotated and int in (hint.__origin__, *get_args(hint.__origin__))
    }
    assert len(numbers) > 9
    assert numbers <= tried
