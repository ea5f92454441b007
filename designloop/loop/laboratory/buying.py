"""What a sum buys of what a strategy gives out, its uniform draws no more often than their share.

    uniform draws bought <= owed + share * molecules bought,    |owed| <= 1 + share * molecules wanted

A strategy that judges its foresight gives out what it drew uniformly before its favourites, as many as a whole batch is
to have. Where a sum buys less than that batch, these would come first still, and at a random molecule's price keep the
favourites out. So how many of them are bought goes by how many molecules are, and not by their places. What an earlier
batch had too few or too many of is owed, but hardly more than a whole batch is to have: whoever changes the share, or
finds none at his price for long, does not get batches of nothing else. A draw that has no price within the sum is lost
where the strategy gives out no other one, so that small batches may have fewer than their share.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from designloop.loop.laboratory.pricing import affordable, is_within
from designloop.records import UNIFORM, Candidate
from designloop.tables.suggestions import Suggestion

_ROUNDING = 1e-9
"""What sums of shares may fall short of a whole number by."""


def draws_owed(given: Sequence[Suggestion], wanted: int, share: float) -> float:
    """How many uniform draws all earlier batches had too few, or, below 0, too many.

    Args:
        given: all that was suggested before, in that order.
        wanted: molecules of a whole batch.
        share: of what is chosen, that is to be drawn uniformly.
    """
    owed, most = 0.0, 1 + share * wanted
    for _, batch in groupby(given, key=lambda item: item.batch):
        ranked = [item.candidate.chosen for item in batch if item.candidate.chosen is not None]
        owed = min(most, max(-most, owed + share * len(ranked) - ranked.count(UNIFORM)))
    return owed


def bought(
    candidates: Sequence[Candidate],
    prices: Sequence[float | None],
    wanted: int,
    spend: float,
    *,
    share: float,
    owed: float,
) -> list[int]:
    """The rows that a sum buys: as many uniform draws as there may be, and the batch of greatest value beside them.

    Which of the draws are bought goes by their order alone, so that they are as good as drawn from all affordable ones.

    Args:
        candidates: in the strategy's order.
        share: of what is bought, that is drawn uniformly.
        owed: uniform draws that earlier batches had too few.
    """
    priced = [(row, price) for row, price in enumerate(prices) if price is not None and price <= spend]
    uniform = [(row, price) for row, price in priced if candidates[row].chosen == UNIFORM]
    others = [row for row, candidate in enumerate(candidates) if candidate.chosen != UNIFORM]

    @lru_cache(None)
    def batch_with(draws: int) -> list[int]:
        sure = uniform[:draws]
        joined = affordable([prices[row] for row in others], wanted, spend, sure=[price for _, price in sure])
        return [row for row, _ in sure] + [others[place] for place in joined]

    def may_be(draws: int) -> bool:
        if not is_within([price for _, price in uniform[:draws]], spend):
            return False
        ranked = sum(candidates[row].chosen is not None for row in batch_with(draws))
        return draws <= owed + share * ranked + _ROUNDING

    # The more draws, the fewer molecules a sum buys: bisection finds the most that may be.
    fewest, most = 0, min(len(uniform), max(0, int(owed + share * wanted + _ROUNDING)))
    while fewest < most:
        middle = (fewest + most + 1) // 2
        fewest, most = (middle, most) if may_be(middle) else (fewest, middle - 1)
    return sorted(batch_with(fewest))
