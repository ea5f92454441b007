"""How the model's own samples do, round after round."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from designloop.molecules.chemistry import parse_all, sa_score
from designloop.randomness import generators_of
from designloop.strategies.archive.archive import Archive
from designloop.strategies.base import CampaignView
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.proposers.latents import PriorDraws

_DRAWS = 50


@dataclass(frozen=True)
class SampleHealth:
    """Draws from the prior that nobody pays for."""

    campaign: CampaignView
    prior: PriorDraws
    share: Callable[[Archive], float] = lambda archive: 1.0
    """The share of its thought that a campaign spends now; the less it is, the less often it looks."""

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Share of the samples that the campaign allows, and their mean SA score; about every ``_DRAWS`` calls."""
        calls = _DRAWS / self.share(told_round.archive)
        if (told_round.number - 1) % math.ceil(calls / max(len(told_round.scored), 1)):
            return {}
        device = self.prior.model().device
        drawn = self.prior.propose((), _DRAWS, generators_of(device, self.campaign.seed, told_round.number, "health"))
        scores = [sa_score(mol) for mol in parse_all([candidate.smiles for candidate in drawn]) if mol is not None]
        metrics = {"prior_allowed": len(self.campaign.allowed(drawn)) / _DRAWS}
        return metrics | ({"prior_sa": float(np.mean(scores))} if scores else {})
