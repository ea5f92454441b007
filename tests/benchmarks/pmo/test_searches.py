from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from mol_ga import default_ga
from mol_ga.graph_ga.gen_candidates import graph_ga_blended_generation
from mol_ga.sample_population import uniform_quantile_sampling

from designloop.benchmarks.common import gp_search, machine, seeds
from designloop.benchmarks.common.breeding import bred, canonical_children, quantile_sample
from designloop.benchmarks.common.gp_search import Sizes, gp_bo, zinc_screen
from designloop.benchmarks.common.machine import cpu_name, ran_on
from designloop.benchmarks.common.records import RecordError
from designloop.benchmarks.pmo import arms
from designloop.benchmarks.pmo import door as door_module
from designloop.benchmarks.pmo.door import BudgetSpent, Door
from designloop.benchmarks.pmo.ga_search import mol_ga
from designloop.benchmarks.pmo.outcome import outcome
from designloop.molecules.chemistry import canonical, require
from designloop.molecules.corpus import zinc
from designloop.molecules.count_prints import Bank, prints_of

SMALL = Sizes(start=5, single=7, drawn=30, generations=1, children=4)

Search = Callable[[Door, Bank, int], None]


class Nitrogens:
    """An oracle that counts what it is asked: the share of nitrogen among the heavy atoms."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, smiles: list[str]) -> Mapping[str, float]:
        self.asked += smiles
        return {text: sum(atom.GetAtomicNum() == 7 for atom in mol.GetAtoms()) / mol.GetNumAtoms()
                for text in smiles if (mol := require(text)).GetNumAtoms() > 1}  # fmt: skip


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Nitrogens:
    """The oracle of every task."""
    oracle = Nitrogens()
    monkeypatch.setattr(door_module, "oracle_of", lambda task: oracle)
    return oracle


@pytest.fixture(scope="module")
def bank() -> Bank:
    smiles = tuple(dict.fromkeys(form for text in zinc()[:150] if (form := canonical(text)) is not None))
    return Bank(smiles, prints_of(smiles))


def gp_bo_small(door: Door, bank: Bank, seed: int) -> None:
    gp_bo(door, bank, seed, SMALL)


def gp_bo_in_batches(door: Door, bank: Bank, seed: int) -> None:
    gp_bo(door, bank, seed, replace(SMALL, single=12, batch=4, each=2))


def zinc_screen_small(door: Door, bank: Bank, seed: int) -> None:
    zinc_screen(door, bank, seed, SMALL)


def mol_ga_small(door: Door, bank: Bank, seed: int) -> None:
    mol_ga(door, bank, seed, start=10)


SEARCHES = (gp_bo_small, gp_bo_in_batches, zinc_screen_small, mol_ga_small)


# --- the door -------------------------------------------------------------------------------------------------------


def test_each_molecule_is_charged_once_however_it_is_written(oracle: Nitrogens, tmp_path: Path) -> None:
    door = Door("qed", 3, tmp_path / "calls.jsonl")
    assert door(["OCC", "CCO", "C(", "", "CN"]) == [0.0, 0.0, None, None, 0.5]
    assert door(["NC"]) == [0.5]
    assert oracle.asked == ["CCO", "CN"]
    assert door.calls == [("CCO", 0.0), ("CN", 0.5)]
    assert door.left == 1


def test_what_has_no_answer_scores_nothing(oracle: Nitrogens, tmp_path: Path) -> None:
    assert Door("qed", 3, tmp_path / "calls.jsonl")(["C"]) == [0.0]


def test_a_batch_beyond_the_budget_is_charged_as_far_as_it_goes(oracle: Nitrogens, tmp_path: Path) -> None:
    door = Door("qed", 2, tmp_path / "calls.jsonl")
    with pytest.raises(BudgetSpent):
        door(["CO", "CN", "CF"])
    assert list(door.paid) == ["CO", "CN"]
    assert door(["OC"]) == [0.0], "what was paid for stays free"


def test_an_interrupted_search_need_not_ask_again(oracle: Nitrogens, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    Door("qed", 9, file)(["CO", "CN"])
    with file.open("a") as broken:
        broken.write('{"smiles": "CF", "sco')  # as a kill leaves it
    again = Door("qed", 9, file)
    assert again.calls == []
    assert again(["NC"]) == [0.5]
    again.take_up()
    assert again.calls == [("CO", 0.0), ("CN", 0.5)]
    again(["CF"])
    assert oracle.asked == ["CO", "CN", "CF"]
    assert len(file.read_text().splitlines()) == 3


@pytest.mark.parametrize("cut_off_after", [None, 4])
def test_what_a_search_took_is_not_told_where_it_went_on(
    oracle: Nitrogens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_off_after: int | None
) -> None:
    """It has thought twice of what it had paid for before, and of what the oracle took it knows the last part alone."""
    smiles = [f"{'C' * length}N" for length in range(1, 9)]
    cuts = [cut_off_after]

    def one_by_one(door: Door, bank: Bank, seed: int) -> None:
        for count, text in enumerate(smiles):
            if cuts == [count]:
                cuts.clear()
                raise KeyboardInterrupt
            door([text])

    monkeypatch.setattr(arms, "zinc_bank", lambda: None)
    work = partial(arms.run_peer, one_by_one, Door, "qed", len(smiles), 0, tmp_path)
    if cut_off_after is not None:
        with pytest.raises(KeyboardInterrupt):
            work()
    result = work()
    assert [text for text, _ in result["paid"]] == smiles == oracle.asked
    measured = outcome(result, len(smiles))
    assert result["machine"] == measured["machine"] == cpu_name()
    for name in ("seconds", "oracle_seconds", "cpu_seconds"):
        assert (result[name] is None) is (cut_off_after is not None)
        assert (measured[f"{name}_a_call"] is None) is (cut_off_after is not None)


def test_a_search_that_went_on_with_another_cpu_is_of_no_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ran_on(tmp_path / "machines") == ran_on(tmp_path / "machines") == cpu_name()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(machine, "cpu_name", lambda: "another")
        assert ran_on(tmp_path / "machines") is None
    assert ran_on(tmp_path / "machines") is None


def test_a_broken_file_of_calls_is_told(oracle: Nitrogens, tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").write_text("nonsense\n")
    with pytest.raises(RecordError, match=r"calls.jsonl, line 1: found 'nonsense', expected a call as JSON; delete"):
        Door("qed", 9, tmp_path / "calls.jsonl")


# --- breeding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [10, 400])
def test_parents_are_drawn_as_the_package_draws_them(seed: int, n: int) -> None:
    rng = random.Random(seed)
    population = sorted(((round(rng.random(), 2), str(number)) for number in range(300)), reverse=True)
    theirs = uniform_quantile_sampling(population, n, random.Random(seed))
    assert quantile_sample(population, n, random.Random(seed)) == theirs


def test_a_genetic_search_values_its_stock_and_what_it_bred(bank: Bank) -> None:
    stock = list(bank.smiles[:40])

    def sizes(smiles: object) -> list[float]:
        return [float(len(text)) for text in smiles]  # type: ignore[attr-defined]

    scored = bred(stock, sizes, 2, 10, 30, random.Random(0))
    assert scored == bred(stock[::-1], sizes, 2, 10, 30, random.Random(0))
    assert set(stock) < set(scored)
    assert all(value == len(text) == len(canonical(text) or "") for text, value in scored.items())
    assert set(bred(stock, sizes, 0, 10, 30, random.Random(0))) == set(stock)


def test_a_genetic_search_is_the_packages_own(bank: Bank) -> None:
    def sizes(smiles: Sequence[str]) -> list[float]:
        return [float(len(text) % 20) for text in smiles]

    def package_children(parents: list[str], n: int, rng: random.Random, parallel: object) -> set[str]:
        return {form for text in graph_ga_blended_generation(parents, n, rng) if (form := canonical(text)) is not None}

    theirs = default_ga(
        starting_population_smiles=list(bank.smiles[:40]),
        scoring_function=sizes,
        max_generations=3,
        offspring_size=20,
        population_size=30,
        offspring_gen_func=package_children,
        rng=random.Random(1),
    )
    assert bred(bank.smiles[:40], sizes, 3, 20, 30, random.Random(1)) == theirs.scoring_func_evals


def test_what_is_no_molecule_is_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("designloop.benchmarks.common.breeding.blended_children", lambda *_: {"OCC", "C("})
    assert canonical_children(["CC"], 2, random.Random(0)) == {"CCO"}


# --- searches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [8, 20])  # while it learns, and in the batch that it ends with
@pytest.mark.parametrize("search", SEARCHES)
def test_a_search_spends_its_budget_and_goes_on_after_a_kill(
    search: Search, cut: int, oracle: Nitrogens, bank: Bank, tmp_path: Path
) -> None:
    whole = Door("qed", 24, tmp_path / "whole.jsonl")
    search(whole, bank, 0)
    assert len(whole.paid) == 24
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_text("".join(lines[:cut]))
    oracle.asked.clear()
    rest = Door("qed", 24, tmp_path / "cut.jsonl")
    search(rest, bank, 0)
    assert rest.calls == whole.calls
    assert len(oracle.asked) == 24 - cut


def test_the_screen_and_the_genetic_search_begin_alike_and_part_ways(
    oracle: Nitrogens, bank: Bank, tmp_path: Path
) -> None:
    screened, genetic = Door("qed", 18, tmp_path / "s.jsonl"), Door("qed", 18, tmp_path / "g.jsonl")
    zinc_screen(screened, bank, 0, SMALL)
    gp_bo(genetic, bank, 1, SMALL)
    assert screened.calls[:5] != genetic.calls[:5], "another seed has another start"
    genetic = Door("qed", 18, tmp_path / "again.jsonl")
    gp_bo(genetic, bank, 0, SMALL)
    assert screened.calls[:5] == genetic.calls[:5]
    assert set(screened.paid) <= set(bank.smiles)
    assert set(genetic.paid) - set(bank.smiles), "something was bred"


def test_a_batch_is_chosen_by_what_was_known_before_it(
    oracle: Nitrogens, bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each search of a batch has a κ of its own, gives its share, and is over what the last batch left."""
    asked: list[tuple[int, str]] = []

    def seed_of(*parts: int | str) -> int:
        asked.append((int(parts[2]), str(parts[4:]))) if parts[1] == "pick" else None
        return seeds.seed_of(*parts)

    monkeypatch.setattr(gp_search, "seed_of", seed_of)
    door = Door("qed", 18, tmp_path / "calls.jsonl")
    gp_bo_in_batches(door, bank, 0)
    assert asked == [*((known, rest) for known in (5, 9, 13) for rest in ("()", "(1,)")), (17, "()")]


def test_only_what_is_admitted_is_paid_for_and_in_that_form(oracle: Nitrogens, bank: Bank, tmp_path: Path) -> None:
    door, start = Door("qed", 12, tmp_path / "calls.jsonl"), bank.smiles[:5]

    def admit(smiles: str) -> str | None:
        return smiles.replace("F", "Cl") if "S" not in smiles else None

    gp_bo(door, bank, 0, SMALL, start, admit)
    assert [molecule for molecule, _ in door.calls[:5]] == list(start)
    assert len(door.paid) == 12
    assert not any("S" in molecule or "F" in molecule for molecule in list(door.paid)[5:])


def test_a_screen_is_better_than_chance_and_ends_with_the_bank(oracle: Nitrogens, bank: Bank, tmp_path: Path) -> None:
    door = Door("qed", len(bank) + 50, tmp_path / "calls.jsonl")
    zinc_screen(door, bank, 0, Sizes(start=5, single=35))
    assert sorted(door.paid) == sorted(bank.smiles)
    scores = list(door.paid.values())
    picked, rest = scores[5:40], scores[40:]
    assert sum(picked) / len(picked) > 1.15 * sum(rest) / len(rest)


def test_what_is_too_large_is_never_paid_for(
    oracle: Nitrogens, bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gp_search, "MOST_ATOMS", 22)
    door = Door("qed", 16, tmp_path / "calls.jsonl")
    gp_bo(door, bank, 0, SMALL)
    assert max(require(text).GetNumHeavyAtoms() for text in list(door.paid)[SMALL.start :]) <= 22
