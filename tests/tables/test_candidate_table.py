"""The candidate table: what is committed comes back, bit for bit, and nothing else does."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from designloop.records import Candidate, Evaluation, Result, Round, Scored, State
from designloop.tables import open_candidates
from designloop.tables.errors import TableError
from designloop.tables.files import STATES_KEPT
from designloop.tables.manifest import EMPTY_DIGEST
from tests.tables.fakes import FakeCampaign, FakeOracle, a_round, molecule, open_table, scored, unscored

pytestmark = pytest.mark.usefixtures("quick_disk")


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_new_table_is_empty(campaign):
    with open_table(campaign) as table:
        assert (table.rounds(), table.charged(), table.calls(), table.next_round()) == ([], [], 0, 0)
        assert table.last_state() is None
        assert table.finished is None
        assert table.digest() == EMPTY_DIGEST
        assert table.per_oracle_calls() == {"weight": 0, "logP": 0}


def test_what_is_committed_is_there_after_opening_again(campaign):
    with open_table(campaign) as table:
        for number in range(3):
            table.commit(a_round(number))
        content = (table.rounds(), table.scores(), table.calls(), table.next_round(), table.digest(), table.campaign_id)
    with open_table(campaign) as table:
        assert content == (
            table.rounds(),
            table.scores(),
            table.calls(),
            table.next_round(),
            table.digest(),
            table.campaign_id,
        )
        assert table.calls() == 9
        assert table.charged() == [molecule(10 * number + row) for number in range(3) for row in range(3)]
        state = table.last_state()
        assert state is not None
        assert state.data == {"round": 2, "best": 2.1}
        np.testing.assert_array_equal(state.arrays["weights"], np.arange(2, 10, dtype=np.float32))
        assert table.rounds()[1].metrics == {"drawn": 10.0, "note": "of round 1"}


def test_a_campaign_without_starting_molecules_begins_at_round_1(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(1))
        table.commit(a_round(2))
    with open_table(campaign) as table:
        assert [info.number for info in table.rounds()] == [1, 2]


def test_an_empty_round_is_a_round(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(0, rows=0))
    with open_table(campaign) as table:
        assert (table.next_round(), table.calls()) == (1, 0)
        assert table.rounds()[0].rows == 0


def test_the_last_two_states_are_kept(campaign):
    with open_table(campaign) as table:
        for number in range(5):
            table.commit(a_round(number))
            kept = {f"states/{n:05d}.{s}" for n in range(number + 1)[-STATES_KEPT:] for s in ("safetensors", "json")}
            assert {name for name in files_of(table.folder) if name.startswith("states/")} == kept


def test_calls_are_counted_by_property_where_it_was_asked(campaign):
    skipped = Scored(
        Evaluation(Candidate("CCO", "prior"), {"weight": Result(1.0), "logP": Result(None, "not_run")}),
        {"weight": 1.0, "logP": None},
        None,
    )
    with open_table(campaign) as table:
        table.commit(Round(0, [skipped, unscored("CCN"), scored("CCC")]))
        assert table.per_oracle_calls() == {"weight": 3, "logP": 2}
        assert table.calls() == 3


def test_what_is_not_allowed_stays_so_whatever_comes_after_and_moves_no_digest(campaign):
    start = [scored("CCO", 0.9, proposer="start", allowed=False), scored("CCN", 0.5, proposer="start")]
    with open_table(campaign) as table:
        table.commit(Round(0, start, kind="start"))
        digest = table.digest()
        table.commit(Round(1, [scored("CCO", 0.8, proposer="retry")], kind="amendment"))
        assert table.ranked_scores() == {"CCN": 0.5}
    with open_table(campaign) as table:
        assert table.ranked_scores() == {"CCN": 0.5}
        assert table.scores() == {"CCO": 0.8, "CCN": 0.5}
    candidates = open_candidates(campaign.output_folder)
    assert candidates.query("SELECT smiles, allowed, score FROM candidates ORDER BY call").to_pylist() == [
        {"smiles": "CCO", "allowed": False, "score": 0.8},
        {"smiles": "CCN", "allowed": True, "score": 0.5},
    ]
    allowed = replace(campaign, name="allowed")
    with open_table(allowed) as table:
        rows = [scored(smiles, score, proposer="start") for smiles, score in (("CCO", 0.9), ("CCN", 0.5))]
        table.commit(Round(0, rows, kind="start"))
        assert table.digest() == digest


def test_an_amendment_supersedes_and_charges_nothing(campaign):
    with open_table(campaign) as table:
        table.commit(Round(0, [scored("CCC", 0.25), unscored("CCN")], kind="start"))
        table.commit(Round(1, [scored("CCN", 0.75, proposer="retry")], kind="amendment"))
        table.commit(Round(2, [scored("CCO", 0.5)]))
        assert table.calls() == 3
        assert table.per_oracle_calls() == {"weight": 3, "logP": 3}
        assert table.scores() == {"CCC": 0.25, "CCN": 0.75, "CCO": 0.5}
    rows = open_candidates(campaign.output_folder).to_arrow().to_pylist()
    assert [(row["call"], row["round"], row["smiles"], row["status"], row["score"]) for row in rows] == [
        (1, 0, "CCC", "ok", 0.25),
        (2, 0, "CCN", "ok", 0.75),
        (3, 2, "CCO", "ok", 0.5),
    ]
    assert (rows[1]["proposer"], rows[1]["logP"], rows[1]["logP_desirability"]) == ("crossover", -0.75, 0.25)
    with open_table(campaign) as table:
        assert table.scores() == {"CCC": 0.25, "CCN": 0.75, "CCO": 0.5}


def test_the_end_holds_until_a_later_round(campaign):
    def end() -> tuple[str, int] | None:
        return (table.finished.reason, table.finished.after_round) if table.finished else None

    with open_table(campaign) as table:
        table.finish("exhausted")
        assert end() == ("exhausted", -1)
        table.commit(a_round(0))
        assert end() is None
        table.finish("budget spent")
    with open_table(campaign) as table:
        assert end() == ("budget spent", 0)


# ---- identity


def test_equal_rounds_give_equal_digests_whatever_lies_beside(tmp_path):
    digests = []
    for name, seconds in (("one", 0.1), ("other", 99.0)):
        with open_table(FakeCampaign(tmp_path, name)) as table:
            done = a_round(0)
            slow = [
                replace(row, evaluation=replace(row.evaluation, results={
                    key: replace(result, seconds=seconds, attempt=int(seconds) + 1)
                    for key, result in row.evaluation.results.items()
                }))
                for row in done.scored
            ]  # fmt: skip
            table.commit(replace(done, scored=slow, metrics={"seconds": seconds}, state=State(data={"s": seconds})))
            digests.append(table.digest())
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "other",
    [
        scored("CO", math.nextafter(0.5, 1)),
        scored("CO", 0.5, proposer="mutation"),
        scored("CO", 0.5, selfies=None),
        scored("CO", 0.5, parents=("C",)),
        scored("CN", 0.5),
        unscored("CO"),
    ],
    ids=["a last bit", "proposer", "selfies", "parents", "smiles", "status"],
)
def test_every_part_of_a_row_counts_in_the_digest(tmp_path, other):
    digests = []
    for name, row in (("one", scored("CO", 0.5)), ("other", other)):
        with open_table(FakeCampaign(tmp_path, name)) as table:
            table.commit(Round(0, [row]))
            digests.append(table.digest())
    assert digests[0] != digests[1]


def test_the_digest_depends_on_the_order_of_rows(tmp_path):
    digests = []
    for name, order in (("one", (0, 1)), ("other", (1, 0))):
        with open_table(FakeCampaign(tmp_path, name)) as table:
            table.commit(Round(0, [scored(molecule(number), 0.5) for number in order]))
            digests.append(table.digest())
    assert digests[0] != digests[1]


def test_the_digest_is_what_it_was_in_schema_version_1(campaign):
    """A change here breaks the comparison with every table that was ever written."""
    with open_table(campaign) as table:
        table.commit(Round(0, [scored("CCO", 0.1, parents=("C", "O")), unscored("CCN")]))
        digest = table.digest()
    lines = (
        '[0, 0, "CCO", "[C]", "prior", ["C", "O"], "ok", "0x1.999999999999ap-4", "0x1.999999999999ap-4", '
        '"-0x1.999999999999ap-4", "0x1.1111111111111p-5", "0x1.999999999999ap-4"]\n'
        '[0, 1, "CCN", null, "crossover", ["CO", "CN"], "timeout", "0x1.0000000000000p-1", "0x1.0000000000000p-1", '
        "null, null, null]\n"
    )
    assert digest == hashlib.sha256((EMPTY_DIGEST + lines).encode()).hexdigest()


# ---- refusals


def test_a_molecule_is_charged_once(campaign):
    with open_table(campaign) as table:
        with pytest.raises(TableError, match="round 0 holds CCO twice"):
            table.commit(Round(0, [scored("CCO"), scored("CCO")]))
        table.commit(Round(0, [scored("CCO")]))
        with pytest.raises(TableError, match="round 1 of kind round holds CCO, which was charged before"):
            table.commit(Round(1, [scored("CCO")]))
        with pytest.raises(TableError, match="never charged"):
            table.commit(Round(1, [scored("CCN")], kind="amendment"))
        table.commit(Round(1, [scored("CCN")]))


def test_rounds_come_in_turn(campaign):
    with open_table(campaign) as table:
        with pytest.raises(TableError, match="found round 2, expected 0 or 1"):
            table.commit(a_round(2))
        table.commit(a_round(0))
        for number in (0, 2):
            with pytest.raises(TableError, match=f"found round {number}, expected 1"):
                table.commit(a_round(number))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Scored(scored("CO").evaluation, {"weight": 0.5, "logP": 0.5}, None), "found status ok with score None"),
        (replace(unscored("CO"), score=0.0), "found status timeout with score 0.0"),
        (Scored(scored("CO").evaluation, {"weight": 0.5}, 0.5), "Give a result"),
        (scored("CO", math.nan), "found the number nan, expected a finite one"),
        (scored("CO", math.inf), "found the number inf, expected a finite one"),
        (scored("CO", predicted_mean=0.5, predicted_sd=math.nan), "predicted score 0.5 ± nan, expected finite numbers"),
        (scored("C(", 0.5), "found 'C\\('"),
    ],
)  # fmt: skip
def test_a_row_that_breaks_a_rule_is_refused(campaign, row, message):
    with open_table(campaign) as table, pytest.raises(TableError, match=message):
        table.commit(Round(0, [row]))
    with open_table(campaign) as table:
        assert table.rounds() == []


def test_a_row_that_is_no_molecule_is_refused_and_the_next_commit_taken(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(0))
        before = files_of(campaign.output_folder)
        with pytest.raises(TableError, match="round 1 holds what is no molecule"):
            table.commit(Round(1, [scored("no molecule")]))
        assert files_of(campaign.output_folder) == before, "nothing was written"
        table.commit(a_round(1))
        assert table.next_round() == 2


def test_a_value_goes_with_status_ok_only(campaign):
    results = {"weight": Result(0.0, "failed"), "logP": Result(0.5)}
    row = Scored(Evaluation(Candidate("CO", "prior"), results), {"weight": None, "logP": 0.5}, None)
    with (
        open_table(campaign) as table,
        pytest.raises(TableError, match="property weight: found status failed with value 0"),
    ):
        table.commit(Round(0, [row]))


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"Round": 1.0}, "metric is called 'Round'"),
        ({"loss": 1.0, "LOSS": 2.0}, "metric is called 'LOSS'"),
        ({"loss": None}, "metric 'loss' is None, expected a number or text"),
    ],
)
def test_a_metric_that_cannot_be_a_column_is_refused(campaign, metrics, message):
    with open_table(campaign) as table, pytest.raises(TableError, match=message):
        table.commit(Round(0, [], metrics))


def test_a_property_that_cannot_be_a_column_is_refused(tmp_path):
    with pytest.raises(TableError, match="property 'Score' makes a column 'Score'"):
        open_table(FakeCampaign(tmp_path, oracles={"Score": FakeOracle("x")}))
