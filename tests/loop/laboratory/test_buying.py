"""What a sum buys: of what nobody chose no more and no less than its share, whatever it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest

from designloop import api
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.laboratory import suggesting
from designloop.loop.laboratory.buying import bought, draws_owed
from designloop.loop.laboratory.pricing import WINDOW
from designloop.loop.screening.screening import Screening
from designloop.molecules.corpus import zinc
from designloop.records import ACQUISITION, UNIFORM, Candidate, Chosen, State
from designloop.strategies.search.judged import Judged
from designloop.tables.suggestions import Suggestion
from tests.loop.laboratory.test_prices import write_priced

SPEND = 100.0

Price = Callable[[np.random.Generator, Candidate], float | None]

PRICES: Mapping[str, Price] = {
    "the sum buys two of any": lambda rng, _: 50.0,
    "it buys one of any": lambda rng, _: 100.0,
    "they are drawn": lambda rng, _: float(rng.lognormal(3.5, 1.0)),
    "some have none": lambda rng, _: None if rng.random() < 0.5 else 30.0,
    "uniform draws are dear": lambda rng, item: 90.0 if item.chosen == UNIFORM else 20.0,
    "uniform draws cost nothing": lambda rng, item: 0.0 if item.chosen == UNIFORM else 40.0,
    "it buys the whole batch": lambda rng, _: 1.0,
}


CASES = [
    *((prices, 0.1, 10) for prices in PRICES),
    *((prices, 0.1, 4) for prices in ("the sum buys two of any", "uniform draws are dear")),
    ("uniform draws are dear", 0.3, 10),
]


class Lists:
    """A strategy that gives out what is on a list: uniform draws first, as many as judging takes, then favourites."""

    def __init__(self, names: Iterator[str], share: float, pending: int = 0) -> None:
        self._names, self._judged, self._pending = names, Judged(share), pending

    def ask(self, wanted: int) -> Iterator[Candidate]:
        uniform = self._judged.wanted(wanted, self._pending)
        for number, name in enumerate(self._names):
            chosen: Chosen = UNIFORM if number < uniform else ACQUISITION
            yield Candidate(name, "screen", chosen=chosen)


def suggested(share: float, wanted: int, price: Price, calls: int) -> list[Suggestion]:
    """What so many calls suggest of a list without an end, at such prices, while nothing is told."""
    rng, names = np.random.default_rng(0), map(str, count())
    given: list[Suggestion] = []
    for call in range(calls):
        drawn = list(islice(Lists(names, share, len(given)).ask(wanted), WINDOW * wanted))
        prices = [price(rng, item) for item in drawn]
        rows = bought(drawn, prices, wanted, SPEND, share=share, owed=draws_owed(given, wanted, share))
        assert rows == sorted(set(rows))
        assert len(rows) <= wanted
        assert sum(prices[row] or 0.0 for row in rows) <= SPEND
        assert None not in [prices[row] for row in rows]
        given += [Suggestion(drawn[row].smiles, drawn[row], call) for row in rows]
    return given


@pytest.mark.parametrize(("prices", "share", "wanted"), CASES)
def test_over_many_calls_uniform_draws_are_their_share_of_what_is_bought(
    prices: str, share: float, wanted: int
) -> None:
    given = suggested(share, wanted, PRICES[prices], 30)
    uniform = sum(item.candidate.chosen == UNIFORM for item in given)
    owed = share * len(given) - uniform
    assert owed >= -1e-6, "never more than their share"
    assert owed <= 1 + share * wanted + 0.1 * share * len(given), "fewer by what is owed still, and what little is lost"


def test_what_is_owed_is_little_more_than_a_batch_is_to_have() -> None:
    def batches(*of: tuple[int, int, int]) -> list[Suggestion]:
        """A batch each of so many uniform draws, favourites, and molecules that nothing ranked."""
        kinds = [(number, kind) for number, counts in enumerate(of)
                 for kind, n in zip((UNIFORM, ACQUISITION, None), counts, strict=True) for _ in range(n)]  # fmt: skip
        return [Suggestion("", Candidate("C", "screen", chosen=kind), number) for number, kind in kinds]

    assert draws_owed([], 10, 0.1) == 0
    assert draws_owed(batches((0, 4, 0)), 10, 0.1) == pytest.approx(0.4)
    assert draws_owed(batches((1, 4, 0)), 10, 0.1) == pytest.approx(-0.5)
    assert draws_owed(batches((1, 4, 0), (0, 5, 0)), 10, 0.1) == pytest.approx(0)
    assert draws_owed(batches((0, 0, 50)), 10, 0.1) == 0, "molecules that nothing ranked owe nothing"
    assert draws_owed(batches((0, 90, 0)), 10, 0.1) == 2, "as after the share was raised"
    assert draws_owed(batches((9, 1, 0)), 10, 0.1) == -2, "as after it was lowered"


def test_starting_molecules_keep_their_places_and_a_strategy_that_does_not_judge_buys_its_favourites() -> None:
    start, uniform, *favourites = (
        Candidate(str(number), "screen", chosen=chosen)
        for number, chosen in enumerate((None, UNIFORM, ACQUISITION, ACQUISITION))
    )
    assert bought([start, uniform, *favourites], [50.0] * 4, 4, 100, share=0.1, owed=0.0) == [0, 2]
    assert bought([start, uniform, *favourites], [50.0] * 4, 4, 100, share=0.1, owed=0.9) == [0, 1]
    assert bought([start, uniform, *favourites], [1.0] * 4, 4, 100, share=0.0, owed=0.0) == [0, 2, 3]
    assert bought([uniform], [None], 4, 100, share=1.0, owed=0.0) == []
    assert bought([uniform, uniform], [60.0, 60.0], 4, 100, share=1.0, owed=0.0) == [0], "the sum buys one of them"


def test_suggesting_within_a_sum_buys_as_many_uniform_draws_as_of_whole_batches(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(_: Campaign, __: State | None, allowed: Screening, pending: Sequence[Candidate]) -> Lists:
        return Lists((smiles for smiles in names if allowed([Candidate(smiles, "screen")])), 0.1, len(pending))

    names = iter(zinc()[1_000:])
    monkeypatch.setattr(suggesting, "build_strategy", listed)
    changes = {"strategy": {"name": "property_loss"}, "budget.oracle_calls": 100}
    path = write_priced(tmp_path, tiny_model, {"otherwise": 5, "spend": 10}, **changes)
    chosen = [item.candidate.chosen for _ in range(5) for item in api.suggest(path, 10).suggestions]
    assert (len(chosen), chosen.count(UNIFORM)) == (10, 1)
