"""Campaigns side by side: only what has one objective is measured with one measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from designloop import display
from designloop.records import MEASURED, Candidate, Round
from designloop.report.comparison import compare
from designloop.report.top import top_molecules
from designloop.tables import QueryError, open_candidates
from tests.tables.fakes import FakeCampaign, molecule, open_table, scored, unscored


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Three campaigns: two of one objective, of 10 and 4 calls, and between them one of another, of 20."""
    made = []
    for name, weight, calls in (("long", 1, 10), ("other", 2, 20), ("short", 1, 4)):
        campaign = FakeCampaign(tmp_path, name, {"seed": 1, "objective": {"weight": weight}})
        with open_table(campaign) as table:
            table.commit(Round(1, [scored(molecule(number), 0.5 if number else 0.0) for number in range(calls)]))
        made.append(campaign.output_folder)
    return made


def test_campaigns_of_one_objective_stand_together_and_share_their_area(folders: list[Path]) -> None:
    rows = compare(open_candidates(folders))
    assert [(row.campaign, row.calls) for row in rows] == [("long", 10), ("short", 4), ("other", 20)]
    assert rows[0].objective == rows[1].objective != rows[2].objective
    # All but the first score 0.5; so after k calls, up to ten, the mean is (k - 1) / 2k, and over eleven it is 0.5.
    assert rows[0].auc_top_10 == pytest.approx(sum((k - 1) / (2 * k) for k in range(1, 11)) / 10)
    assert rows[1].auc_top_10 == pytest.approx((sum((k - 1) / (2 * k) for k in range(1, 4)) + 7 * 3 / 8) / 10)
    assert rows[2].auc_top_10 == pytest.approx((sum((k - 1) / (2 * k) for k in range(1, 11)) + 10 * 0.5) / 20)
    assert compare(open_candidates(folders[::2])) == rows[:2], "whatever else is opened"


def test_a_starting_molecule_that_was_measured_before_is_no_call_that_failed(tmp_path: Path) -> None:
    campaign = FakeCampaign(tmp_path)
    with open_table(campaign) as table:
        given = unscored("CO")
        measured = replace(given.evaluation, candidate=Candidate("CO", MEASURED))
        table.commit(Round(0, [replace(given, evaluation=measured)], kind="start"))
        table.commit(Round(1, [unscored("CCO"), scored("CCC", 0.5)]))
    (row,) = compare(open_candidates(campaign.output_folder))
    assert (row.calls, row.failed) == (2, 1)


def test_what_is_printed_says_that_they_do_not_compare(folders: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    display.comparison(compare(open_candidates(folders)))
    output = capsys.readouterr().out
    assert "2 different objectives. Scores compare within each" in output
    assert output.index("long") < output.index("short") < output.index("other")
    display.comparison(compare(open_candidates(folders[::2])))
    assert "objective" not in capsys.readouterr().out


def test_the_best_of_different_objectives_are_refused(folders: list[Path]) -> None:
    for ask in (top_molecules, lambda candidates: candidates.top(3)):
        with pytest.raises(QueryError, match=r"2 different objectives.*: long, short \(objective \w+\); other \(obj"):
            ask(open_candidates(folders))
    assert len(top_molecules(open_candidates(folders[::2]))) == 10


def test_an_accepted_oracle_makes_another_objective(tmp_path: Path) -> None:
    from tests.tables.fakes import FakeOracle

    campaign = FakeCampaign(tmp_path)
    open_table(campaign).close()
    (before,) = open_candidates(campaign.output_folder).campaigns()
    changed = replace(campaign, oracles={**campaign.oracles, "weight": FakeOracle("newer")})
    open_table(changed, accept_changed_oracles=True).close()
    (after,) = open_candidates(campaign.output_folder).campaigns()
    assert before.objective != after.objective
    assert before.record.id == after.record.id
