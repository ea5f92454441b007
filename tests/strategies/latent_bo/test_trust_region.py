from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from rdkit import Chem

from designloop.molecules.chemistry import parse
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.records import Candidate
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.search.region import RegionSearch, centre_of
from designloop.strategies.search.trust_region import RegionSettings, TrustRegion, within
from tests.strategies.latent_bo.small_loop import SMALL, Campaign, Make, all_scored, region_of, scored, starting

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
