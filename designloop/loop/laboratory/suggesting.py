"""What to measure next: the strategy's choice, screened as in a run, and kept as pending."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from time import perf_counter

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.laboratory.buying import bought, draws_owed
from designloop.loop.laboratory.pricing import WINDOW, prices_of
from designloop.loop.laboratory.readings import measured_properties, measured_results, readings_in, waiting_of
from designloop.loop.runner import build_strategy, starting, with_prediction
from designloop.loop.screening.screening import Screening, Take
from designloop.molecules.chemistry import fingerprints, tanimoto
from designloop.paths import exists
from designloop.records import START, UNIFORM, Candidate
from designloop.strategies.base import Explaining, Foreseeing, Foreseen, Strategy, Timed
from designloop.tables import CandidateTable, TableError
from designloop.tables.manifest import read_campaign
from designloop.tables.opening import places_aside
from designloop.tables.suggestions import Suggestion, read_seconds, read_suggestions, write_suggestions


class Known:
    """The table as screening sees it: what is pending is as good as charged."""

    def __init__(self, table: CandidateTable, given: Sequence[Suggestion]) -> None:
        self._smiles = list(dict.fromkeys([*table.charged(), *(item.candidate.smiles for item in given)]))

    def charged(self) -> list[str]:
        """Standard forms of all molecules that are charged or suggested."""
        return self._smiles


def suggest_molecules(
    *,
    campaign: Campaign,
    table: CandidateTable,
    given: Sequence[Suggestion],
    wanted: int,
    spend: float | None = None,
) -> tuple[list[Suggestion], Take]:
    """Chooses at most so many molecules, writes them down as pending, and tells what became of those drawn.

    Starting molecules come first. The choice follows from the table and from what was given before, so that a call
    that was cut off before anything was written gives the same molecules again.

    Args:
        given: all that was suggested before, in that order.
        spend: the most that they may cost together; None: no matter what.
    Raises:
        PriceError: the campaign's prices cannot be used.
    """
    began, known = perf_counter(), Known(table, given)
    allowed = Screening(campaign, known)
    pending = [item.candidate for item in waiting_of(given, table, campaign)]
    before = set(known.charged())
    own = [item for item in starting(campaign) if item.proposer == START and item.smiles not in before]
    # Where a sum limits what is bought, those that are too dear leave room for the ones behind them.
    looked_at = wanted if spend is None else WINDOW * wanted
    chosen = allowed.take(own, looked_at, keep_refused=not campaign.only_allowed) if own else []
    strategy = build_strategy(campaign, table.last_state(), allowed, [*pending, *chosen])
    left = wanted - len(chosen)
    if left and spend is None:
        chosen += allowed.take(strategy.ask(left), left)
    elif spend is not None:
        chosen += allowed.take(strategy.ask(max(left, 1)), max(WINDOW * wanted - len(chosen), wanted))
    prices = prices_of(campaign, table.ledger, [candidate.smiles for candidate in chosen])
    if spend is not None:
        share = float(getattr(campaign.strategy.settings, "judged", 0.0))
        rows = bought(chosen, prices, wanted, spend, share=share, owed=draws_owed(given, wanted, share))
        chosen, prices = [chosen[row] for row in rows], [prices[row] for row in rows]
    new = [
        replace(item, price=price, reason=_why(item.candidate, campaign, strategy, spend))
        for item, price in zip(_expected(campaign, table, given, chosen, strategy), prices, strict=True)
    ]
    if new:
        parts = strategy.seconds() if isinstance(strategy, Timed) else {}
        seconds = read_seconds(table.folder, table.campaign_id)
        seconds[new[0].batch] = {"propose": perf_counter() - began, **parts}
        write_suggestions(table.folder, table.campaign_id, [*given, *new], seconds)
    return new, allowed.last_take


def describe_measured(campaign: Campaign, table: CandidateTable, new: Sequence[Suggestion]) -> Iterator[str]:
    """Says of suggestions what the ledger knows: another campaign on it, or this one before --fresh, was told it."""
    results = measured_results(campaign, table.ledger, [item.candidate.smiles for item in new])
    for item in new:
        known = {name: of[item.candidate.smiles] for name, of in results.items()}
        if said := ", ".join(f"{name} {result.value:g}" for name, result in known.items() if result.value is not None):
            yield f"{item.id} was measured before: {said}; tell that again, if it holds, and nothing has to be measured"


def nearest_of(smiles: Sequence[str], known: Sequence[str]) -> list[tuple[str | None, float | None]]:
    """Of each molecule the most similar one known, the first of equals, and their ECFP4 similarity."""
    if not known or not smiles:
        return [(None, None)] * len(smiles)
    similar = tanimoto(fingerprints(smiles), fingerprints(known))
    best = similar.argmax(1)
    return [(known[column], float(similar[row, column])) for row, column in enumerate(best)]


def _expected(
    campaign: Campaign,
    table: CandidateTable,
    given: Sequence[Suggestion],
    chosen: Sequence[Candidate],
    strategy: Strategy,
) -> list[Suggestion]:
    """The chosen as suggestions, with what the strategy expects of them, and what they are near to."""
    expected: Sequence[Foreseen] = [{} for _ in chosen]
    if isinstance(strategy, Foreseeing):
        expected = strategy.foresee(chosen)
    properties = measured_properties(campaign)
    measured = [
        smiles
        for smiles, of_molecule in readings_in(table.rounds()).items()
        if any(reading.values for name, reading in of_molecule.items() if name in properties)
    ]
    batch = max((item.batch for item in given), default=0) + 1
    first = 1 + (_number_of(given[-1]) if given else _numbered_before(table.folder))
    described = zip(chosen, nearest_of([item.smiles for item in chosen], measured), expected, strict=True)
    return [
        Suggestion(f"M{number:04}", with_prediction(candidate, foreseen), batch, nearest, similarity, foreseen)
        for number, (candidate, (nearest, similarity), foreseen) in enumerate(described, first)
    ]


def _numbered_before(folder: Path) -> int:
    """The greatest number that an id had in what --fresh has moved aside; a file of results may name them still."""
    numbers = [0]
    for aside in takewhile(exists, places_aside(folder)):
        with suppress(TableError):  # what is damaged hinders nobody
            if (record := read_campaign(aside)) is not None:
                numbers += map(_number_of, read_suggestions(aside, record.id))
    return max(numbers)


def _number_of(given: Suggestion) -> int:
    return int(given.id.removeprefix("M"))


def _why(candidate: Candidate, campaign: Campaign, strategy: Strategy, spend: float | None) -> str:
    """By what a molecule was chosen: by the strategy, and of what that gave by prices and distance."""
    if candidate.proposer == START:
        parts = ["a starting molecule of yours"]
    elif isinstance(strategy, Explaining):
        parts = [strategy.why(candidate)]
    elif isinstance(strategy, Foreseeing):
        parts = [f"the strategy {campaign.strategy.name} does not say why"]
    else:
        parts = [f"the strategy {campaign.strategy.name} foresees nothing"]
    if campaign.diversity.penalty and candidate.proposer != START:
        parts.append("weighed with its distance")
    if spend is not None and candidate.chosen != UNIFORM:
        parts.append("worth its price")
    return "; ".join(parts)
