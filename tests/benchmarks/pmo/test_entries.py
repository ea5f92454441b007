"""What a record of PMO holds seed by seed, and when searches of several codes count as one."""

from __future__ import annotations

from dataclasses import replace

from designloop.benchmarks.pmo import tables
from designloop.benchmarks.pmo.bars import OURS
from designloop.benchmarks.pmo.benchmark import merge
from designloop.benchmarks.pmo.entries import Runs, by_seed, common_codes, entry_of, joined, unequal_runs
from designloop.benchmarks.pmo.outcome import first_calls
from designloop.benchmarks.pmo.tasks import CALLS
from tests.benchmarks.pmo.test_report import run, runs_of

# --- entries --------------------------------------------------------------------------------------------------------


def test_a_record_of_before_has_its_calls_once_for_all_seeds_and_no_code() -> None:
    old = {"calls": 1000, "seeds": [0, 1], "auc_top10": [0.5, 0.6]}
    assert by_seed(old) == {0: {"calls": 1000, "auc_top10": 0.5}, 1: {"calls": 1000, "auc_top10": 0.6}}
    both = joined(old, {"calls": [CALLS], "seeds": [1], "code": ["c"], "model": [None], "auc_top10": [0.7]})
    assert both == {
        "seeds": [0, 1],
        "calls": [1000, CALLS],
        "auc_top10": [0.5, 0.7],
        "code": [None, "c"],
        "model": [None, None],
    }
    assert [made.made_by for made in Runs.of_record({"qed": {"random": both}}).all] == ["", "c"]
    assert joined(both, old)["calls"] == [1000, CALLS], "fewer calls replace none"
    assert joined(None, old)["auc_top10"] == [0.5, 0.6]


def test_searches_of_both_budgets_stand_in_one_record() -> None:
    record = {"calls": CALLS, "arms": {"property_loss": "ours"}, "seeds": [0]}
    whole = {**record, "tasks": {"qed": {"property_loss": entry_of({0: run(0.9)})}}}
    early = {**record, "tasks": {"qed": {"property_loss": entry_of({s: run(0.8, 1000) for s in range(3)})}}}
    both = Runs.of_record(merge(whole, early)["tasks"])
    assert both.values("qed", "property_loss", "auc_at_1000") == [0.9, 0.8, 0.8]
    assert both.values("qed", "property_loss", "auc_top10", CALLS) == [0.9]
    assert both.values("qed", "property_loss", "auc_top10", 1000) == [0.8, 0.8]


# --- codes that are the same search --------------------------------------------------------------------------------


def test_codes_that_paid_for_the_same_first_molecules_count_as_one() -> None:
    """Two tasks are of code a, another of code b, which was run shortly on both of a's."""

    def record(on_qed: str, on_deco_hop: str) -> Runs:
        whole = {
            task: {OURS: entry_of({0: run(0.9, code="a", first_calls={"a": "1"})})} for task in ("qed", "deco_hop")
        }
        whole["median1"] = {OURS: entry_of({0: run(0.9, code="b", first_calls={"b": "3"})})}
        for task, digest in (("qed", on_qed), ("deco_hop", on_deco_hop)):
            short = entry_of({0: run(0.1, 300, code="b", first_calls={"b": digest})})
            whole[task] = {OURS: joined(whole[task][OURS], short)}
            assert by_seed(whole[task][OURS])[0]["calls"] == CALLS
        return Runs.of_record(whole)

    same = record("1", "1")
    assert unequal_runs(same.all) == []
    assert common_codes(same.all) == {"b"}
    assert tables.codes(same.all) == (
        f" {OURS} is of code a (2), b (1), and counts as searches of b: wherever another code's stand, both paid for "
        "the same first 300 molecules, with one seed on one machine."
    )
    other = record("1", "2")
    assert unequal_runs(other.all) == ["code"]
    assert "This mixes codes" in tables.codes(other.all)
    of_another_model = [*same.all[:2], replace(same.all[2], of={**same.all[2].of, "model": "n"})]
    assert unequal_runs(of_another_model) == ["model"]
    assert "This mixes codes" in tables.codes(of_another_model)


def test_what_else_makes_a_search_is_compared_among_those_of_one_code() -> None:
    """Of code b the releases of packages count as well, so that its digest of the same search is another one."""
    first = run(0.9, code="a", search="s", first_calls={"a": "1", "b": "1"})
    second = run(0.9, code="b", search="t", first_calls={"b": "2"})
    assert unequal_runs(runs_of({"qed": {OURS: {0: first, 1: second}}}).all) == []
    of_other_releases = run(0.9, code="b", search="u", first_calls={"b": "3"})
    assert unequal_runs(runs_of({"qed": {OURS: {0: first, 1: second, 2: of_other_releases}}}).all) == ["search"]


def test_codes_are_the_same_by_way_of_a_third() -> None:
    seeds = {
        0: run(0.9, code="a", first_calls={"a": "1", "b": "1"}),
        1: run(0.9, code="b", first_calls={"c": "2", "b": "2"}),
    }
    assert runs_of({"qed": {OURS: seeds}}).all[0].codes == {"a", "b", "c"}
    assert runs_of({"qed": {OURS: {0: run(0.9, code="a")}}}).all[0].codes == {"a"}


def test_codes_that_differ_with_one_seed_are_not_the_same_whatever_another_seed_says() -> None:
    seeds = {
        0: run(0.9, code="a", first_calls={"a": "1", "b": "1"}),
        1: run(0.9, code="b", first_calls={"a": "2", "b": "3"}),
    }
    of_qed = runs_of({"qed": {OURS: seeds}}).all
    assert [of.codes for of in of_qed] == [{"a"}, {"b"}]
    assert unequal_runs(of_qed) == ["code"]


def test_a_digest_of_the_first_calls_tells_another_molecule_or_score_and_nothing_later() -> None:
    paid = [["C" * (place + 1), place / 1000] for place in range(400)]
    (digest,) = first_calls({"paid": paid}, 400, "a").values()
    assert first_calls({"paid": [*paid[:300], ["N", 0.5]]}, 400, "b") == {"b": digest}
    others = [[["O", 0.0], *paid[1:]], [["C", 1e-9], *paid[1:]], paid[:299]]
    assert digest not in [first_calls({"paid": other}, 400, "a")["a"] for other in others]
    assert first_calls({"paid": paid[:299]}, 299, "a") == {}
