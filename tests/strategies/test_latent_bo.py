from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from rdkit import Chem

from designloop.molecules.chemistry import canonical, parse, standard_forms
from designloop.molecules.corpus import TokenRows, zinc_codec
from designloop.molecules.sequence_vae import SequenceVAE, load
from designloop.molecules.training_corpus import Corpus
from designloop.records import Candidate, Evaluation, Result, Scored, State
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import CampaignView, available, build, settings_of
from designloop.strategies.latent_bo import Settings
from designloop.strategies.search.machine import Search
from designloop.strategies.search.region import RegionSearch, centre_of
from designloop.strategies.search.trust_region import RegionSettings, TrustRegion, within
from tests.test_randomness import global_state

SOME = """
CCO c1ccccc1 CC(=O)Nc1ccc(O)cc1 CC(C)Cc1ccc(cc1)C(C)C(=O)O CN1CCC(O)CC1 O=C(O)c1ccccc1O NCCc1ccccc1 CCOC(=O)c1ccncc1
C1CCNCC1 CS(=O)(=O)c1ccccc1 Cc1ccc(N)cc1 O=C1CCCN1 FC(F)(F)c1ccccc1 CC(N)C(=O)O COc1ccccc1OC c1ccc2ccccc2c1 CCN(CC)CC
CC#N c1ccsc1 c1ccoc1 OCC1CCCO1 Clc1ccccc1Cl CCCCCC Cc1ncc[nH]1 NC(=O)c1cccnc1
""".split()

SMALL = Settings(points=6, decodes=2, generations=2, start=10, dimensions=6)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    codec = zinc_codec()
    rows = TokenRows.of_flat(np.concatenate([codec.tokens(codec.to_selfies(smiles)) for smiles in SOME]))
    return Corpus(rows, np.arange(len(SOME) - 3), np.arange(len(SOME) - 3, len(SOME)))


@pytest.fixture(scope="module")
def vae(tiny_model: Path) -> SequenceVAE:
    return load(tiny_model)


class Campaign:
    """What a strategy sees: molecules with 2 to 60 atoms are allowed once; the score is the share of carbon."""

    def __init__(self, vae: SequenceVAE, corpus: Corpus, seed: int = 0, keep: tuple[str, ...] = ()) -> None:
        self.charged: set[str] = set()
        self.view = CampaignView(
            seed=seed,
            allowed=self.allowed,
            standard_forms=standard_forms,
            load_model=lambda: vae,
            load_replay=lambda: corpus,
            keep=keep,
        )

    def strategy(self, settings: Settings = SMALL, state: State | None = None) -> Search:
        strategy = build("latent_bo", settings, self.view, state)
        assert isinstance(strategy, Search)
        return strategy

    def allowed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        admissible: dict[str, Candidate] = {}
        for candidate in candidates:
            smiles = canonical(candidate.smiles)
            mol = parse(smiles) if smiles else None
            if smiles and mol and smiles not in self.charged and 2 <= mol.GetNumAtoms() <= 60:
                admissible.setdefault(smiles, replace(candidate, smiles=smiles))
        return list(admissible.values())

    def take(self, strategy: Search, wanted: int) -> list[Candidate]:
        """As the loop takes them: admitted one by one."""
        admitted: list[Candidate] = []
        for drawn in islice(strategy.ask(wanted), 50 * wanted):
            new = self.allowed([drawn])
            self.charged |= {candidate.smiles for candidate in new}
            admitted += new
            if len(admitted) == wanted:
                break
        return admitted


def region_of(strategy: Search) -> TrustRegion:
    region = strategy.learners["region"]
    assert isinstance(region, RegionSearch)
    return region.region


def score_of(smiles: str) -> float:
    mol = parse(smiles)
    assert mol is not None
    return float(sum(atom.GetSymbol() == "C" for atom in mol.GetAtoms()) / mol.GetNumAtoms())


def scored(candidate: Candidate, score: float | None) -> Scored:
    result = Result(score, "ok") if score is not None else Result(None, "failed", "no answer")
    return Scored(Evaluation(candidate, {"carbon": result}), {"carbon": score}, score)


def all_scored(candidates: Sequence[Candidate]) -> list[Scored]:
    return [scored(candidate, score_of(candidate.smiles)) for candidate in candidates]


def starting(n: int) -> list[Candidate]:
    """The first of some known molecules, as starting molecules."""
    return [Candidate(smiles, "start") for smiles in map(canonical, SOME[:n]) if smiles]


def facts(candidates: Sequence[Candidate]) -> list[tuple[object, ...]]:
    return [(candidate.smiles, candidate.selfies, candidate.proposer, candidate.parents) for candidate in candidates]


Make = Callable[..., Campaign]


@pytest.fixture
def campaign(vae: SequenceVAE, corpus: Corpus) -> Make:
    return lambda **settings: Campaign(vae, corpus, **settings)


# ---- settings


def test_settings_are_found_by_name_without_loading_torch() -> None:
    assert "latent_bo" in available()
    assert settings_of("latent_bo") is Settings
    code = "import sys, designloop.strategies.latent_bo; print(*{'torch', 'botorch', 'rdkit'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"acquisition": "ei"}, "acquisition"),
        ({"remembered": 1001}, "remembered"),
        ({"region": {"lenght": 1}}, "lenght"),
        ({"region": {"shortest": 1.0, "length": 0.5}}, "shortest"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings.model_validate(wrong)


# ---- the region


REGION = RegionSettings(length=0.8, shortest=0.4, longest=1.2, factor=1.5, successes=2, failures=2)


def lengths(region: TrustRegion, improved: Sequence[bool]) -> list[float]:
    values = []
    for improvement in improved:
        region = region.after(improvement, "C", REGION)
        values.append(round(region.length, 3))
    return values


def test_the_region_grows_after_successes_and_shrinks_after_failures() -> None:
    region = TrustRegion(0.8)
    assert lengths(region, [True, True, True, True]) == [0.8, 1.2, 1.2, 1.2]
    assert lengths(region, [False, False, True]) == [0.8, 0.533, 0.533]
    assert lengths(region, [True, False, True, False]) == [0.8, 0.8, 0.8, 0.8], "they have to come running"


def test_a_region_that_shrinks_to_nothing_is_closed_and_another_one_opened() -> None:
    region = TrustRegion(0.8)
    for _ in range(4):
        region = region.after(False, "CCO", REGION)
    assert region == TrustRegion(0.8, closed=("CCO",))


def archive_of(scores: Sequence[float]) -> Archive:
    """Molecules on the axes of latent space, of norm 2."""
    latents = 2 * np.eye(len(scores), dtype=np.float32)
    return Archive(tuple(Member("C" * (i + 1), "", score, (score,), latents[i]) for i, score in enumerate(scores)))


def test_the_centre_is_the_best_molecule_outside_closed_regions() -> None:
    archive = archive_of([0.1, 0.9, 0.9, 0.5])
    assert centre_of(archive, (), 0.8) == 1
    assert centre_of(archive, ("CC",), 0.8) == 2
    assert centre_of(archive, ("CC", "CCC"), 0.8) == 3
    assert centre_of(archive, ("CC", "forgotten"), 0.8) == 2
    assert centre_of(archive, archive.smiles, 0.8) is None
    assert centre_of(Archive(), (), 0.8) is None


def test_within_measures_the_angle_that_noise_of_a_level_turns_a_latent_by() -> None:
    centre = np.array([3.0, 0.0])
    latents = np.array([[9.0, 4.4], [9.0, 4.6], [-1.0, 0.0], [0.1, 0.0]])
    assert within(latents, centre, 0.5).tolist() == [True, False, False, True]


# ---- what is remembered


def test_a_long_campaign_remembers_no_more_than_it_may(campaign: Make) -> None:
    strategy = campaign().strategy(SMALL.model_copy(update={"remembered": 20}))
    strategy.tell(all_scored(starting(15)))
    strategy.tell(all_scored(starting(25)))
    state = strategy.state()
    assert len(state.data["archive"]) == len(state.arrays["archive/latents"]) == 20
    best = sorted((score_of(candidate.smiles) for candidate in starting(25)), reverse=True)[:10]
    assert sorted((row[2] for row in state.data["archive"]), reverse=True)[:10] == best


# ---- ask


def test_before_there_is_enough_to_fit_the_prior_is_drawn_from(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    first = loop.take(strategy, 5)
    assert [candidate.proposer for candidate in first] == ["prior"] * 5
    metrics = strategy.tell(all_scored(first))
    assert "rank_correlation" not in metrics
    assert {candidate.proposer for candidate in loop.take(strategy, 5)} == {"prior"}


def test_scores_that_are_all_alike_are_nothing_to_fit(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell([scored(candidate, 0.0) for candidate in starting(15)])
    assert {candidate.proposer for candidate in loop.take(strategy, 3)} == {"prior"}


def test_then_candidates_come_from_the_trust_region(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    batch = loop.take(strategy, 5)
    known = {candidate.smiles for candidate in starting(20)}
    assert {candidate.proposer for candidate in batch} == {"trust_region"}
    assert all(
        candidate.selfies and len(candidate.parents) == 1 and candidate.parents[0] in known for candidate in batch
    )
    metrics = strategy.tell(all_scored(batch))
    assert metrics["surrogate_molecules"] == 20
    assert metrics["fit_seconds"] > 0
    assert metrics["trust_region"] > 0
    assert -1 <= metrics.get("rank_correlation", 0) <= 1


def test_the_stream_goes_on_beyond_its_first_block(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    block = SMALL.points * SMALL.decodes * SMALL.generations
    assert len(loop.take(strategy, block + 10)) == block + 10


def test_the_stream_holds_what_is_allowed_only(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    loop.charged |= {candidate.smiles for candidate in islice(strategy.ask(4), 6)}
    drawn = list(islice(strategy.ask(4), 10))
    assert len(loop.allowed(drawn)) == len(drawn)


def test_where_nothing_is_allowed_the_stream_gives_what_was_drawn(campaign: Make) -> None:
    """The loop counts refusals and ends; a stream that searched in silence would hang it."""
    loop = campaign()
    strategy = loop.strategy()
    strategy.campaign = replace(loop.view, allowed=lambda candidates: [])
    strategy.tell(all_scored(starting(20)))
    assert len(list(islice(strategy.ask(4), 30))) == 30


@pytest.mark.parametrize("acquisition", ["thompson", "qlogei"])
def test_asking_twice_gives_the_same_and_changes_nothing(campaign: Make, acquisition: str) -> None:
    loop = campaign()
    strategy = loop.strategy(SMALL.model_copy(update={"acquisition": acquisition}))
    strategy.tell(all_scored(starting(20)))
    before = strategy.state()
    first = list(islice(strategy.ask(4), 30))
    torch.rand(3)  # whatever the global generator stood at
    assert facts(first) == facts(list(islice(strategy.ask(4), 30)))
    after = strategy.state()
    assert after.data == before.data
    assert all(np.array_equal(after.arrays[name], before.arrays[name]) for name in before.arrays)


def test_another_seed_gives_another_stream(campaign: Make) -> None:
    streams = []
    for seed in (0, 1):
        strategy = campaign(seed=seed).strategy()
        strategy.tell(all_scored(starting(20)))
        streams.append(facts(list(islice(strategy.ask(4), 10))))
    assert streams[0] != streams[1]


def test_a_round_leaves_the_global_generators_as_they_were(campaign: Make) -> None:
    loop = campaign()
    before = global_state()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    strategy.tell(all_scored(loop.take(strategy, 5)))
    assert global_state() == before


# ---- tell


def test_a_failure_is_never_learned_from(campaign: Make) -> None:
    good = all_scored(starting(20))
    failed = [scored(Candidate("N#N", "trust_region"), None), scored(good[0].candidate, None)]
    states = []
    for rows in (good, [*failed, *good], [*good, *failed]):
        strategy = campaign().strategy()
        strategy.tell(rows)
        states.append(strategy.state())
    assert all(same_state(state, states[0]) for state in states)


def test_failures_alone_neither_shrink_the_region_nor_count_as_bad(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    for _ in range(6):
        strategy.tell([scored(candidate, None) for candidate in loop.take(strategy, 3)])
    assert region_of(strategy) == TrustRegion(SMALL.region.length)
    assert len(strategy.archive.smiles) == 20


def test_rows_told_late_or_twice_are_harmless(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    first, late = np.array_split(np.array(all_scored(loop.take(strategy, 6)), dtype=object), 2)
    strategy.tell(list(first))
    second = all_scored(loop.take(strategy, 3))
    strategy.tell([*second, *late, *first, *second])
    assert len(strategy.archive.smiles) == len(set(strategy.archive.smiles)) == 29
    region = region_of(strategy)
    strategy.tell([*late, *first])
    assert region_of(strategy) == region
    assert len(strategy.archive.smiles) == 29


def test_of_two_scores_of_a_molecule_the_last_one_counts(campaign: Make) -> None:
    strategy = campaign().strategy()
    strategy.tell(all_scored(starting(20)))
    amended = starting(20)[3]
    strategy.tell([scored(amended, 0.123)])
    assert dict(zip(strategy.archive.smiles, strategy.archive.scores, strict=True))[amended.smiles] == 0.123
    assert len(strategy.archive.smiles) == 20


def test_what_the_alphabet_cannot_express_is_not_learned_from(campaign: Make) -> None:
    strategy = campaign().strategy()
    strategy.tell([*all_scored(starting(20)), scored(Candidate("C" * 200, "start"), 1.0)])
    assert "C" * 200 not in strategy.archive.smiles
    assert len(strategy.archive.smiles) == 20


# ---- state


def same_state(a: State, b: State) -> bool:
    return a.data == b.data and all(np.array_equal(a.arrays[name], b.arrays[name]) for name in b.arrays)


def through_files(state: State) -> State:
    return State(dict(state.arrays), json.loads(json.dumps(state.data)))


def test_a_resumed_strategy_goes_on_as_the_one_that_never_stopped(campaign: Make) -> None:
    histories = []
    for resumed in (False, True):
        loop = campaign()
        strategy = loop.strategy()
        history: list[object] = []
        for _ in range(4):
            batch = loop.take(strategy, 6)
            metrics = dict(strategy.tell(all_scored(batch)))
            metrics.pop("fit_seconds", None)
            history.append((facts(batch), metrics))
            if resumed:
                strategy = loop.strategy(state=through_files(strategy.state()))
        histories.append(history)
        last = strategy.state()
    assert histories[0] == histories[1]
    assert {"version", "rounds_seen", "archive", "parts"} == set(last.data)


# ---- a core to keep

PHENYL = "c1ccccc1"


class CoreCampaign(Campaign):
    """One that allows only what holds a phenyl ring."""

    def allowed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [c for c in super().allowed(candidates) if holds(c.smiles, PHENYL)]


def holds(smiles: str, smarts: str) -> bool:
    mol = parse(smiles)
    return mol is not None and mol.HasSubstructMatch(Chem.MolFromSmarts(smarts))


@pytest.mark.parametrize("molecules", [6, 20])
def test_graph_steps_keep_a_core_that_decoded_molecules_lack(vae: SequenceVAE, corpus: Corpus, molecules: int) -> None:
    """With and without a GP: without graph steps nothing is admitted."""
    start = [candidate for candidate in starting(25) if holds(candidate.smiles, PHENYL)]
    admitted: dict[bool, list[Candidate]] = {}
    for graph_steps in (False, True):
        loop = CoreCampaign(vae, corpus, keep=(PHENYL,))
        settings = SMALL.model_copy(update={"start": 8 if molecules == 20 else 15, "graph_steps": graph_steps})
        strategy = loop.strategy(settings)
        strategy.tell(all_scored(start[:molecules]))
        loop.charged |= {candidate.smiles for candidate in start}
        admitted[graph_steps] = loop.take(strategy, 5)
    assert len(admitted[True]) == 5 > len(admitted[False])
    assert {candidate.proposer for candidate in admitted[True]} <= {"graph_mutation", "graph_crossover"}
    assert all(parent in {c.smiles for c in start} for c in admitted[True] for parent in c.parents)


def test_graph_steps_propose_unless_said_where_there_is_a_core(campaign: Make) -> None:
    def steps(keep: tuple[str, ...], wish: bool | None) -> set[str]:
        region = campaign(keep=keep).strategy(SMALL.model_copy(update={"graph_steps": wish})).learners["region"]
        assert isinstance(region, RegionSearch)
        return set(region.others)

    both = {"graph_mutation", "graph_crossover"}
    assert [steps((), None), steps((PHENYL,), None)] == [set(), both]
    assert [steps((), True), steps((PHENYL,), False)] == [both, set()]


def test_what_graph_steps_bring_moves_the_region_too(campaign: Make) -> None:
    strategy = campaign(keep=(PHENYL,)).strategy()
    strategy.tell(all_scored(starting(20)))
    before = region_of(strategy)
    strategy.tell([scored(Candidate("CCCCCCCCCc1ccccc1", "graph_mutation"), 2.0)])
    assert region_of(strategy).successes == before.successes + 1
    strategy.tell([scored(Candidate("CCCCCCCCCCc1ccccc1", "start"), 3.0)])
    assert region_of(strategy).successes == before.successes + 1, "the user's own molecule is none of the region's"
