from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

from designloop.molecules.corpus import held_out_smiles
from designloop.molecules.count_prints import Bank, prints_of
from designloop.records import START, Candidate, Evaluation, Scored
from designloop.strategies import latent_bo, property_loss
from designloop.strategies.acquisition.upper_bound import UpperBound
from designloop.strategies.acquisition.votes import Voter, Votes
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.base import LATE, LATE_SHARE, LEAST_SHARE, SCORE_ALONE, CampaignView, share_of_thought
from designloop.strategies.search.breeding import BreedByBound
from designloop.strategies.search.pool import Bred, Pool, Turn
from designloop.strategies.search.screen import ZincScreen
from designloop.strategies.search.voting import BreedByVote, Stock, considered_of
from designloop.strategies.surrogates.base import Posterior
from designloop.strategies.surrogates.committee import Committee, CommitteeModel
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.kernels import KERNELS, MoleculeFeatures
from designloop.strategies.surrogates.views import MoleculeView
from designloop.testing.rehearsal import through_files
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

PAID, BANK, BRED = held_out_smiles()[:30], held_out_smiles()[100:300], held_out_smiles()[400:600]

VIEW = MoleculeView(lambda smiles: smiles)


@pytest.fixture(autouse=True)
def small_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = Bank(tuple(BANK), prints_of(BANK))
    monkeypatch.setattr("designloop.strategies.search.screen.zinc_bank", lambda size: bank)


def archive() -> Archive:
    scores = np.random.default_rng(0).random(len(PAID))
    return Archive().add(
        [Member(name, "[C]", float(score), (float(score),)) for name, score in zip(PAID, scores, strict=True)]
    )


def breed(
    draws: float = 20,
    allowed: Callable[[str], bool] = lambda smiles: True,
    spent: int = 0,
    seen: int = 3,
    written: Callable[[str], str] = str,
    view: MoleculeView = VIEW,
    breeds: bool = True,
) -> tuple[Bred, list[tuple[list[str], int]]]:
    """A block for a batch of five, and the parents and the number of children of each generation."""
    asked: list[tuple[list[str], int]] = []
    campaign = CampaignView(
        seed=1,
        allowed=lambda candidates: [c for c in candidates if allowed(c.smiles)],
        standard_forms=lambda smiles: smiles,
        load_model=tiny_vae,
        load_replay=lambda: pytest.fail("nothing is learned here"),
    )

    def propose(parents: Sequence[Member], n: int, turn: Turn, generation: int) -> list[Candidate]:
        asked.append(([parent.name for parent in parents], n))
        return [Candidate(written(name), "bred") for name in BRED[len(asked) * n : (len(asked) + 1) * n]]

    class AsTheyAre(Transcriber):
        def member(self, candidate: Candidate, score: float = 0.0) -> Member | None:
            return Member(candidate.smiles, "[C]", score)

    by_vote = BreedByVote(
        campaign=campaign,
        transcriber=AsTheyAre(tiny_vae().codec),
        view=view,
        propose=propose,
        screen=ZincScreen(fresh=5, best=20),
        breeds=breeds,
        draws=draws,
        share=lambda archive: share_of_thought(spent, len(archive)),
    )
    belief = Committee(VIEW, SCORE_ALONE).fit(archive(), 0)
    assert belief is not None
    bred = by_vote(archive(), belief, 5, Turn(1, seen))
    assert bred is not None
    return bred, asked


def test_what_was_paid_for_is_bred_from_and_never_considered() -> None:
    bred, asked = breed()
    assert set(bred.pool.names) > set(PAID)
    assert {name for parents, _ in asked for name in parents} & set(PAID)
    considered = {bred.pool.names[row] for row in bred.considered}
    assert considered
    assert not considered & set(PAID)
    assert not {candidate.smiles for candidate in bred.free} & set(PAID)
    assert isinstance(bred.acquisition, Votes)
    assert len(bred.acquisition.voters) == 5


def test_the_screen_and_what_was_bred_are_both_considered() -> None:
    bred, _ = breed()
    proposers = {bred.pool.candidates[row].proposer for row in bred.considered}
    assert proposers == {"screen", "bred"}


def test_a_large_batch_is_chosen_from_fewer_for_each_molecule() -> None:
    """Of batches to 500 no surrogate holds the joint law of more than 2,000 candidates."""
    assert [considered_of(wanted) for wanted in (1, 20, 200, 300, 500)] == [10, 200, 2000, 2000, 2000]
    assert considered_of(2000) == 6000, "a batch has to be chosen from more than itself"


def test_generations_share_the_free_molecules_and_have_what_came_before_as_parents() -> None:
    _, asked = breed(draws=20)
    assert [n for _, n in asked] == [20] * 5
    assert not set(asked[0][0]) & set(BRED), "the first generation knows nothing that was bred"
    assert {name for parents, _ in asked[1:] for name in parents} & set(BRED)


def test_a_long_campaign_thinks_of_fewer() -> None:
    """Of half as many where the search has begun anew, as one of so few molecules must have."""
    assert [n for _, n in breed(draws=100, spent=LATE - 1)[1]] == [100] * 5
    assert [n for _, n in breed(draws=100, spent=100 * LATE)[1]] == [50] * 5
    assert [n for _, n in breed(draws=2, spent=LATE)[1]] == [8] * 5, "never fewer"


def test_a_search_that_goes_on_thinks_of_fewer_and_fewer() -> None:
    shares = [share_of_thought(paid, LATE) for paid in range(100 * LATE)]
    assert shares[:LATE] == [1.0] * LATE
    assert shares == sorted(shares, reverse=True)
    assert (shares[LATE], shares[2 * LATE], shares[4 * LATE], shares[-1]) == (LATE_SHARE, 0.5, 0.25, LEAST_SHARE)
    third, fourth = sum(shares[2 * LATE : 3 * LATE]), sum(shares[3 * LATE : 4 * LATE])
    assert third == pytest.approx(LATE * math.log(3 / 2), rel=1e-2)
    assert fourth == pytest.approx(LATE * math.log(4 / 3), rel=1e-2)


def test_a_search_that_has_begun_anew_thinks_as_much_however_long_the_campaign_is() -> None:
    assert {share_of_thought(paid, LATE - 1) for paid in range(LATE, 100 * LATE, 99)} == {LATE_SHARE}
    assert {share_of_thought(paid, 0) for paid in range(LATE)} == {1.0}


@pytest.mark.parametrize(("spent", "rounds"), [(0, 1), (LATE - 1, 1), (LATE, 2), (100 * LATE, 2)])
def test_in_a_long_campaign_zinc_is_looked_through_every_so_many_rounds(spent: int, rounds: int) -> None:
    for seen in range(3, 13):
        pool = breed(spent=spent, seen=seen)[0].pool
        assert any(candidate.proposer == "screen" for candidate in pool.candidates) == (seen % rounds == 0)


@pytest.mark.parametrize("judged", [0.0, 0.5])
@pytest.mark.parametrize("module", [property_loss, latent_bo])
def test_strategies_count_what_was_paid_for(module: Any, judged: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether any of it is drawn at random or not; and go on counting after an interruption."""
    monkeypatch.setattr("designloop.strategies.base.LATE", 10)
    view = CampaignView(
        seed=0, allowed=list, standard_forms=lambda smiles: smiles, load_model=tiny_vae, load_replay=tiny_corpus
    )
    search, paid = module.build(module.Settings(judged=judged), view, None), 0
    for first in range(0, 20, 10):
        rows = [Candidate(name, "mutation" if first else START) for name in small_molecules(20)[first : first + 10]]
        search.tell([Scored(Evaluation(row, {}), {}, 0.5) for row in rows])
        paid += 10 if first else 0
        assert search.judged.paid == paid, "of what was proposed"
        assert search.breed.share(Archive()) == (1.0 if paid < 10 else LATE_SHARE)
        search = module.build(module.Settings(judged=judged), view, through_files(search.state()))
        assert search.judged.paid == paid
        assert search.breed.share(Archive()) == (1.0 if paid < 10 else LATE_SHARE)


def test_what_was_paid_for_is_not_free_where_it_is_bred_by_bound_either() -> None:
    belief, paid = Committee(VIEW, SCORE_ALONE).fit(archive(), 0), archive()
    campaign = CampaignView(
        seed=1,
        allowed=list,
        standard_forms=lambda smiles: smiles,
        load_model=tiny_vae,
        load_replay=lambda: pytest.fail("nothing is learned here"),
    )

    def propose(parents: Sequence[Member], n: int, turn: Turn, generation: int) -> list[Candidate]:
        return [Candidate(name, "bred") for name in (*PAID[:5], *BRED[10 * generation :][:10])]

    by_bound = BreedByBound(
        campaign=campaign,
        transcriber=Transcriber(tiny_vae().codec),
        view=VIEW,
        propose=propose,
        elites=lambda known: known.best(10, 10),
        bound=UpperBound(1.0),
    )
    assert belief is not None
    bred = by_bound(paid, belief, 5, Turn(1, 3))
    assert bred is not None
    assert set(PAID[:5]) < set(bred.pool.names)
    assert {candidate.smiles for candidate in bred.free} == set(bred.pool.names) - set(PAID)


def test_where_nothing_is_bred_no_parents_are_looked_for() -> None:
    """Of the screen alone only what it gives is screened."""
    questions = dict[bool, int]()
    for breeds in (True, False):
        screened = list[str]()

        def allowed(smiles: str, screened: list[str] = screened) -> bool:
            screened.append(smiles)
            return True

        bred, asked = breed(allowed=allowed, breeds=breeds)
        questions[breeds] = len(screened)
        assert bool(asked) is breeds
        assert bred.considered
    assert questions[False] < questions[True]


def test_what_the_filters_refuse_is_not_bred_from() -> None:
    refused = set(BANK[::2]) | set(BRED[::2])
    _, asked = breed(allowed=lambda smiles: smiles not in refused)
    parents = {name for names, _ in asked for name in names}
    assert parents & (set(BANK) | set(BRED))
    assert not parents & refused


def test_parents_are_known_by_their_standard_forms() -> None:
    """As tables have them: what is bred from may be written otherwise."""
    view = MoleculeView(lambda smiles: [Chem.CanonSmiles(text) for text in smiles])
    asked = breed(written=lambda name: Chem.MolToSmiles(Chem.MolFromSmiles(name), canonical=False), view=view)[1]
    parents = {name for names, _ in asked for name in names}
    assert parents & {Chem.CanonSmiles(name) for name in BRED}
    assert parents <= {Chem.CanonSmiles(name) for name in (*PAID, *BANK, *BRED)} | set(PAID)


def test_a_block_follows_from_its_turn() -> None:
    first, again = breed()[0], breed()[0]
    assert first.pool.names == again.pool.names
    assert first.considered == again.considered


def test_nothing_is_bred_of_one_molecule() -> None:
    one = archive().members[:1]
    by_vote = BreedByVote(
        campaign=None,  # type: ignore[arg-type]
        transcriber=None,  # type: ignore[arg-type]
        view=VIEW,
        propose=lambda *_: [],
        screen=ZincScreen(),
        draws=1,
    )
    assert by_vote(Archive(one), lambda features: pytest.fail("not asked"), 5, Turn(1, 1)) is None


def test_a_stock_believes_what_was_paid_for_to_be_what_it_is() -> None:
    paid = archive()
    belief = Committee(VIEW, SCORE_ALONE).fit(paid, 0)
    assert belief is not None
    stock = Stock(Pool(VIEW), paid, belief)
    stock.add([Candidate(BANK[0], "screen")])
    for number, member in enumerate(belief.members):
        means, doubts = stock.moments(number)
        assert means[:30] == pytest.approx(paid.scores)
        assert not doubts[:30].any()
        of_new = member(VIEW.features(BANK[:1]).tolist()).moments()
        assert (means[30], doubts[30]) == (pytest.approx(of_new[0][0]), pytest.approx(of_new[1][0]))
        assert doubts[30] > 0.1
    assert stock.ranking(Voter(0, 0.0))[:1] == [int(np.argmax(stock.moments(0)[0]))]
    assert stock.favourites([Voter(0, 0.0), Voter(1, 1.0)], 3) == [30]
    stock.refuse(30)
    assert 30 not in stock.ranking(Voter(2, 1.0))
    assert stock.favourites([Voter(0, 0.0)], 3) == []


def test_a_campaign_is_gone_on_with_as_if_it_had_not_been_interrupted(tmp_path: Path) -> None:
    from designloop.api import load_campaign, open_candidates, run
    from tests.tiny import tiny_corpus

    tiny_vae().save(tmp_path / "tiny.safetensors", {"corpus": "small molecules"})
    tiny_corpus().save(tmp_path / "tiny.corpus.npz")
    text = (
        "name: {name}\nseed: 1\nmodel: tiny.safetensors\nbatch_size: 8\nbudget: {{oracle_calls: {calls}}}\n"
        "starting_molecules: [CC(=O)Nc1ccc(O)cc1, CC(C)Cc1ccc(cc1)C(C)C(=O)O, CCOC(=O)c1ccccc1C]\n"
        "strategy: {{name: property_loss, effort: low, learning: {{steps: 0}}}}\nevaluation: {{backend: inline}}\n"
        "objective: {{properties: [{{name: qed, oracle: qed, transform: {{type: linear, low: 0, high: 1}}}}]}}\n"
    )
    tables = []
    for name, budgets in (("whole", [40]), ("parts", [27, 40])):
        for calls in budgets:
            (tmp_path / f"{name}.yaml").write_text(text.format(name=name, calls=calls))
            campaign = load_campaign(tmp_path / f"{name}.yaml", {"ledger": str(tmp_path / f"{name}.sqlite")})
            run(campaign)
        columns = ["smiles", "chosen", "predicted_mean", "predicted_sd", "round"]
        tables.append(open_candidates(campaign.output_folder).to_arrow().select(columns).to_pylist())
    assert len(tables[0]) == 40
    assert tables[0] == tables[1]
    foreseen = [row for row in tables[0] if row["round"] > 1]
    assert [row["chosen"] for row in foreseen].count("uniform") == 3, "of 37 that were proposed"
    assert all(row["predicted_mean"] is not None and row["predicted_sd"] > 0 for row in foreseen)
    of_first = {(row["chosen"], row["predicted_mean"], row["predicted_sd"]) for row in tables[0] if row["round"] < 2}
    assert of_first == {(None, None, None)}, "there was nothing yet to foresee by"


def test_a_surrogate_without_a_voter_is_not_asked() -> None:
    paid = archive()
    belief = Committee(VIEW, SCORE_ALONE).fit(paid, 0)
    assert belief is not None
    asked: list[tuple[int, int]] = []

    def member(number: int) -> Callable[[Sequence[MoleculeFeatures]], Posterior]:
        def ask(molecules: Sequence[MoleculeFeatures]) -> Posterior:
            asked.append((number, len(molecules)))
            return belief.members[number](molecules)

        return ask

    stock = Stock(Pool(VIEW), paid, replace(belief, members=[member(number) for number in range(4)]))
    stock.add([Candidate(name, "screen") for name in BANK[:7]])
    stock.ranking(Voter(2, 0.1))
    stock.ranking(Voter(2, 1.0))
    stock.add([Candidate(name, "screen") for name in BANK[:9]])
    stock.ranking(Voter(2, 1.0))
    assert asked == [(2, 7), (2, 2)]


def test_rows_of_the_screen_are_those_of_what_is_paid_for_now() -> None:
    bank, screen, rng = Bank(tuple(BANK), prints_of(BANK)), ZincScreen(), np.random.default_rng(0)
    for _ in range(3):
        molecules = VIEW.features(rng.permutation(PAID)[:20].tolist()).tolist()
        process = FixedGP.fit(KERNELS["ecfp6"], molecules, rng.random(20))
        similarity = np.stack([bank.similarity(molecule.units["ecfp6"]) for molecule in molecules])
        assert screen.means(bank, process) == pytest.approx(process.weights @ similarity, abs=0.02)
        assert screen.means(bank, process).tolist() == ZincScreen().means(bank, process).tolist()


def test_those_who_vote_choose_what_they_would_choose_among_all() -> None:
    belief = Committee(VIEW, SCORE_ALONE).fit(archive(), 0)
    assert belief is not None
    features, voters = VIEW.features(BANK[:25]), [Voter(3, 0.5), Voter(1, 0.1), Voter(3, 1.0)]
    among_all = list(Votes(voters).select(belief(features), 6, 0))
    renumbered = [Voter([1, 3].index(voter.member), voter.kappa) for voter in voters]
    alone = belief.only([1, 3])
    assert list(Votes(renumbered).select(alone(features), 6, 0)) == among_all
    assert alone.shares.sum() == pytest.approx(1)
    assert len(set(among_all)) == 25


def test_the_better_half_is_what_the_voters_expect_more_of_than_of_the_other() -> None:
    bred, _ = breed()
    acquisition, belief = bred.acquisition, bred.belief
    assert isinstance(acquisition, Votes)
    assert isinstance(belief, CommitteeModel)
    free = [row for row, name in enumerate(bred.pool.names) if name not in PAID]
    members = [member(bred.pool.features(free).tolist()).moments()[0] for member in belief.members]
    numbers = [number for voter in acquisition.voters for number in voter.members]
    expected = dict(zip(free, np.mean([members[number] for number in numbers], axis=0), strict=True))
    assert set(bred.better) <= set(free)
    assert len(bred.better) == (len(free) + 1) // 2
    others = [expected[row] for row in free if row not in bred.better]
    assert min(expected[row] for row in bred.better) >= max(others) - 1e-9


def test_the_members_that_vote_are_those_that_the_batch_is_chosen_by() -> None:
    bred, _ = breed()
    assert isinstance(bred.acquisition, Votes)
    assert isinstance(bred.belief, CommitteeModel)
    voting = {member for voter in bred.acquisition.voters for member in voter.members}
    assert voting == set(range(len(bred.belief.members)))
