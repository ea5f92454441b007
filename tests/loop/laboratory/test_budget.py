"""No more is suggested than the budget pays for, whichever of its caps leaves least."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from designloop import api
from designloop.loop.campaign.campaign import Budget
from designloop.loop.ends import what_is_left
from tests.laboratory import POTENCY, SOLUBILITY, write_measured, write_results

COUNTS = st.integers(0, 40)


@given(COUNTS, COUNTS, st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(1, 40), COUNTS)))
def test_what_is_left_is_the_least_that_any_cap_leaves(
    calls: int, pending: int, caps: dict[str, tuple[int, int]]
) -> None:
    budget = Budget(oracle_calls=30, per_oracle={name: most for name, (most, _) in caps.items()})
    asked = {name: spent for name, (_, spent) in caps.items() if spent}
    left = what_is_left(budget, calls, asked, pending)
    rests = {"": 30 - calls - pending} | {name: most - spent - pending for name, (most, spent) in caps.items()}
    assert left.molecules == max(0, min(rests.values()))
    assert max(0, rests[left.name]) == left.molecules
    assert left.key == ("budget.per_oracle" if left.name else "budget.oracle_calls")


def test_a_cap_on_one_oracle_limits_what_is_suggested_and_what_is_pending_counts(
    tmp_path: Path, tiny_model: Path
) -> None:
    path = write_measured(tmp_path, tiny_model, {"budget.per_oracle": {"carbons": 5}})
    first = api.suggest(path, 3)
    assert (len(first.suggestions), first.remark) == (3, "")
    second = api.suggest(path, 4)
    assert len(second.suggestions) == 2
    expected = "`budget.per_oracle` gives 'carbons' 5 calls, of which 0 are spent and 3 wait for results; raise"
    assert second.remark.startswith(expected)
    assert api.suggest(path, 1).suggestions == []
    lines = [f"M000{number},5" for number in range(1, 6)]
    api.tell(path, write_results(tmp_path / "r.csv", "id,potency", *lines[:2]))
    assert "of which 2 are spent and 3 wait" in api.suggest(path, 1).remark
    api.tell(path, write_results(tmp_path / "r.csv", "id,potency", *lines))
    summary = api.status(path)
    assert sum(info.asked["carbons"] for info in summary.rounds) == 5
    assert summary.end is not None
    assert summary.end.reason == "per_oracle"
    assert "has ended" in api.suggest(path, 1).remark


def test_what_a_laboratory_tells_later_of_a_molecule_counts_for_its_own_cap(tmp_path: Path, tiny_model: Path) -> None:
    changes = {"budget.per_oracle": {"solubility": 3}}
    path = write_measured(tmp_path, tiny_model, changes, measured=[POTENCY, SOLUBILITY])
    api.suggest(path, 3)
    api.tell(path, write_results(tmp_path / "a.csv", "id,potency", "M0001,5", "M0002,6", "M0003,7"))
    assert len(api.suggest(path, 1).suggestions) == 1, "no solubility was measured yet"
    api.tell(path, write_results(tmp_path / "b.csv", "id,solubility", "M0001,5"))
    api.tell(path, write_results(tmp_path / "b.csv", "id,solubility", "M0001,5.5"))  # once more, and no call more
    assert "of which 1 are spent and 1 wait for results" in api.suggest(path, 2).remark
    api.tell(path, write_results(tmp_path / "b.csv", "id,solubility", "M0002,5", "M0003,6"))
    summary = api.status(path)
    assert summary.end is not None
    assert (summary.end.reason, summary.calls) == ("per_oracle", 3)
