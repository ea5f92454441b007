"""A loop in small around latent_bo: what the strategy sees, what is told to it, and what is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from designloop.molecules.chemistry import canonical, parse, standard_forms
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.records import Candidate, Evaluation, Result, Scored, State
from designloop.strategies.base import CampaignView, build
from designloop.strategies.latent_bo import Settings
from designloop.strategies.search.machine import Search
from designloop.strategies.search.regions import Regions
from designloop.strategies.search.trust_region import RegionSettings

SOME = """
CCO c1ccccc1 CC(=O)Nc1ccc(O)cc1 CC(C)Cc1ccc(cc1)C(C)C(=O)O CN1CCC(O)CC1 O=C(O)c1ccccc1O NCCc1ccccc1 CCOC(=O)c1ccncc1
C1CCNCC1 CS(=O)(=O)c1ccccc1 Cc1ccc(N)cc1 O=C1CCCN1 FC(F)(F)c1ccccc1 CC(N)C(=O)O COc1ccccc1OC c1ccc2ccccc2c1 CCN(CC)CC
CC#N c1ccsc1 c1ccoc1 OCC1CCCO1 Clc1ccccc1Cl CCCCCC Cc1ncc[nH]1 NC(=O)c1cccnc1
""".split()

SMALL = Settings(start=10, dimensions=6, effort="low", screen=False, elites=20)

SEARCHED = SMALL.model_copy(update={"chains": 2.0, "regions": RegionSettings(decoded=2, count=2)})
"""With both searches in latent space."""


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


def regions_of(strategy: Search) -> Regions:
    regions = strategy.learners["regions"]
    assert isinstance(regions, Regions)
    return regions


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
