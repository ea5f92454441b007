"""The benchmark of odd molecules: its lists, and a drug judged without itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from designloop.benchmarks.odd_molecules import benchmark
from designloop.benchmarks.odd_molecules.benchmark import DATA, passes_without_itself, read_odd, refusals_of_odd
from designloop.loop.screening.filters import FilterContext, Filters, build
from designloop.molecules.chemistry import require, standard_form
from designloop.molecules.count_parts import count
from designloop.molecules.known_parts import Known


@pytest.mark.parametrize(("file", "least"), [("odd_molecules.smi", 150), ("odd_molecules_later.smi", 50)])
def test_the_lists_name_molecules_each_once_with_a_reason(file: str, least: int) -> None:
    lines = [line.split("\t") for line in (DATA / file).read_text().splitlines() if not line.startswith("#")]
    assert all(len(cells) == 3 and all(cells) for cells in lines)
    assert len({standard_form(smiles) for smiles, *_ in lines}) == len(lines) == len(read_odd(DATA / file)) >= least


def test_a_drug_is_judged_without_itself() -> None:
    known = Known(count(["Cc1ccccc1"]), count(["Oc1ccccc1", "OC1CCC1"]))
    assert not passes_without_itself(require("OC1CCC1"), known)  # its ring is in no other
    assert passes_without_itself(require("Oc1ccccc1"), known)


def test_shares_of_odd_molecules() -> None:
    filters = build(Filters(), FilterContext(Path()))
    shares = refusals_of_odd(["CC=C1C=CC(OCc2cccc(NC(=O)NC3CC3)c2C)=C1", "O=C(NCCc1ccccc1)C1CCOCC1"], filters)
    assert shares["refused_by_tables_and_patterns"] == shares["refused_by_all"] == 0.5
    assert shares["by_filter"]["reactive"] == 1


def test_the_report_names_each_bar() -> None:
    odd = {"molecules": 2, "refused_by_tables": 0.5, "refused_by_tables_and_patterns": 0.5}
    odd |= {"refused_by_all": 1.0, "let_pass_by_the_rest": 1, "of_these_refused": 1.0}
    results = {
        "drugs": {
            "molecules": 3,
            "pass_tables": 0.9,
            "of_usual_elements_size_and_charge": 2,
            "of_these_pass_tables": 1.0,
            "pass_tables_and_patterns": 0.8,
            "pass_all": 0.7,
            "refused_by": {"elements": 0.0, "alerts": 0.125},
        },
        "held_out_zinc": {
            "pass_tables": 0.99,
            "pass_tables_and_patterns": 0.95,
            "pass_all": 0.9,
            "refused_by": {"known_rings": 0.01},
        },
        "odd": odd,
        "odd_later": odd,
        "per_second": {"known_rings": 4000.0},
    }
    bars = benchmark.bars(results)
    assert [bar["holds"] for bar in bars] == [False, True, False, False]
    report = benchmark.report({**results, "bars": bars})
    assert all(bar["what"] in report for bar in bars)
    assert "known_rings 4,000" in report
    assert "| drugs | 80.0% | 70.0% | alerts 12.5% |" in report
    assert "| held-out ZINC | 95.0% | 90.0% | known_rings 1.0% |" in report
