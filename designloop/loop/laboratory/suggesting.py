"""What to measure next: the strategy's choice, screened as in a run, and kept as pending."""

from __future__ import annotations

from collections.abc import Sequence

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.laboratory.expectations import expected_values, nearest_of
from designloop.loop.laboratory.readings import measured_properties, told_in
from designloop.loop.runner import build_strategy, starting
from designloop.loop.screening.screening import Screening, Take
from designloop.records import START, Candidate
from designloop.tables import CandidateTable, open_candidates
from designloop.tables.suggestions import Suggestion, write_suggestions


class Known:
    """The table as screening sees it: what is pending is as good as charged."""

    def __init__(self, table: CandidateTable, given: Sequence[Suggestion]) -> None:
        self._smiles = list(dict.fromkeys([*table.charged(), *(item.candidate.smiles for item in given)]))

    def charged(self) -> list[str]:
        """Standard forms of all molecules that are charged or suggested."""
        return self._smiles


def suggest_molecules(
    *, campaign: Campaign, table: CandidateTable, given: Sequence[Suggestion], wanted: int
) -> tuple[list[Suggestion], Take]:
    """Chooses at most so many molecules, writes them down as pending, and tells what became of those drawn.

    Starting molecules come first. The choice follows from the table and from what was given before, so that a call
    that was cut off before anything was written gives the same molecules again.

    Args:
        given: all that was suggested before, in that order.
    """
    known = Known(table, given)
    allowed = Screening(campaign, known)
    strategy = build_strategy(campaign, table.last_state(), allowed)
    before = set(known.charged())
    own = [item for item in starting(campaign) if item.proposer == START and item.smiles not in before]
    chosen = allowed.take(own, wanted, keep_refused=not campaign.only_allowed) if own else []
    if left := wanted - len(chosen):
        chosen += allowed.take(strategy.ask(left), left)
    new = _explained(campaign, table, given, chosen)
    if new:
        write_suggestions(table.folder, table.campaign_id, [*given, *new])
    return new, allowed.last_take


def _explained(
    campaign: Campaign, table: CandidateTable, given: Sequence[Suggestion], chosen: Sequence[Candidate]
) -> list[Suggestion]:
    """The chosen as suggestions, with what is expected of them."""
    smiles = [candidate.smiles for candidate in chosen]
    expected = expected_values(known_values(table), smiles)
    measured = [
        known
        for known, of_molecule in told_in(table.rounds()).items()
        if any(reading.values for name, reading in of_molecule.items() if name in measured_properties(campaign))
    ]
    batch = max((item.batch for item in given), default=0) + 1
    described = zip(chosen, nearest_of(smiles, measured), expected, strict=True)
    return [
        Suggestion(f"M{number:04}", candidate, batch, nearest, similarity, predicted)
        for number, (candidate, (nearest, similarity), predicted) in enumerate(described, len(given) + 1)
    ]


def known_values(table: CandidateTable) -> dict[str, dict[str, float]]:
    """Property -> molecule -> its value, of all that the table holds values of."""
    if not table.rounds():
        return {}
    rows = open_candidates(table.folder).to_arrow().select(["smiles", *table.properties]).to_pylist()
    return {name: {row["smiles"]: row[name] for row in rows if row[name] is not None} for name in table.properties}
