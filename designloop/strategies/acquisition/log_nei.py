"""A greedy batch by expected improvement where what was measured is noisy: nobody knows which of it is best.

    gain(x) = E[ (f(x) - max_{measured, chosen} f)_+ ],    f jointly drawn at candidates and at what was measured

A single lucky measurement would else be a bar that nothing true comes up to. Every draw has a best of its own, and each
choice is taken, draw by draw, for what that draw says of it. The gain is smoothed and its logarithm taken as in qLogEI,
so that what is all but hopeless has an order, too.
Sources: Letham et al. 2019, "Constrained Bayesian optimization with noisy experiments"; Ament et al. 2023 (logarithms).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp

from designloop.strategies.acquisition.base import Admissible, Chances, anything
from designloop.strategies.surrogates.base import Posterior

_DRAWS = 512

_SMOOTH = 1e-6
"""Width within which an improvement of 0 is smoothed, as in qLogEI."""


@dataclass(frozen=True)
class LogNoisyExpectedImprovement:
    """Of a posterior that is not Gaussian it sees joint draws, as of any other."""

    most: int = 128
    """Candidates, of the best alone, that a small batch is chosen from; the rest follow as they stood alone."""

    def select(
        self,
        posterior: Posterior,
        wanted: int,
        seed: int,
        admissible: Admissible = anything,
        chances: Chances = None,
    ) -> Iterator[int]:
        """Rows of the batch, then the rest.

        Raises:
            ValueError: the posterior is not over what was measured, too.
        """
        if not posterior.measured:
            raise ValueError(
                "found a posterior over candidates alone, expected one over what was measured, too: "
                "append the features of these, and say so by `measured`"
            )
        n = posterior.free
        if not n:
            return
        draws = posterior.samples(_DRAWS, seed)
        best, log_chances = draws[:, n:].max(1), np.zeros(n) if chances is None else np.log(np.maximum(chances, 1e-300))

        def gains(rows: np.ndarray) -> np.ndarray:
            return np.asarray(log_gains(draws[:, rows], best) + log_chances[rows])

        alone = np.argsort(-gains(np.arange(n)), kind="stable")
        considered, rest = np.split(alone, [max(self.most, 2 * wanted)])
        chosen, values = 0, gains(considered)
        while considered.size and chosen < wanted:
            place = int(np.argmax(values))
            row, considered, values = int(considered[place]), np.delete(considered, place), np.delete(values, place)
            if admissible(row):
                yield row
                best, chosen = np.maximum(best, draws[:, row]), chosen + 1
                values = gains(considered)
        yield from filter(admissible, [*considered.tolist(), *rest.tolist()])

    def reason(self, place: int) -> str:
        """The improvement, which chooses all."""
        return "highest expected improvement over the best so far, whichever of the measured that is"


def log_gains(draws: np.ndarray, best: np.ndarray) -> np.ndarray:
    """(m,) logarithms of the mean improvements of draws (draws, m) over a best (draws,)."""
    improvements = torch.from_numpy(draws - best[:, None])
    return np.asarray(logmeanexp(log_fatplus(improvements, _SMOOTH), dim=0).numpy())
