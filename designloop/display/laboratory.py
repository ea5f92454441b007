"""What is printed of molecules to measure, and of results that were told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from designloop.display.tables import grid, say
from designloop.tables.suggestions import describe_pending
from designloop.words import counted

if TYPE_CHECKING:
    from designloop.api.laboratory import Suggested, Told


SEEN_BY = {
    "ecfp6": "its circular fragments",
    "features": "which donors, acceptors, rings and charges it has, and how far apart",
    "pairs": "pairs of its atoms, and numbers of the whole (size, polarity, rings, …)",
    "composition": "its fragments, features and numbers together",
    "latent": "where the model encodes it",
    "latent_composition": "where the model encodes it, and its composition",
    "composite": "its fragments, by processes that are fitted to each property",
}
"""Surrogates that vote, by name, and what each sees, in words."""


def suggested(chosen: Suggested) -> None:
    """Prints what is to be measured, what the strategy expects of it, and why each was chosen."""
    names = list(dict.fromkeys(name for item in chosen.suggestions for name in item.predicted))
    rows, priced = [], ["price"] if chosen.cost is not None else []
    for item in chosen.suggestions:
        expected = [item.predicted.get(name) for name in names]
        rows.append(
            (
                item.id,
                *("" if pair is None else f"{pair[0]:.3g} ± {pair[1]:.2g}" for pair in expected),
                item.candidate.proposer,
                item.reason,
                "" if item.similarity is None else f"{item.similarity:.2f}",
                *("" if item.price is None else f"{item.price:,.10g}" for _ in priced),
                item.candidate.smiles,
            )
        )
    if rows:
        grid(("id", *names, "from", "why", "nearest", *priced, "smiles"), rows)
        if names:
            say("What the strategy expects to be measured, and its standard deviation by how far off it was so far.")
        if computed := [name for name in names if name not in (*chosen.measured, "score")]:
            say(f"Foreseen until results are told, and computed then: {', '.join(computed)} (`score` does it now).")
        if legend := _legend([item.reason for item in chosen.suggestions]):
            say(legend)
        say("nearest: ECFP4 similarity to the nearest measured molecule.")
    if chosen.cost is not None:
        say(f"They cost {chosen.cost:,.10g} {chosen.unit}".rstrip() + " together.")
    say(f"To be measured: {', '.join(chosen.measured)}. {describe_pending(chosen.pending)}.")
    if chosen.remark:
        say(chosen.remark)


def _legend(reasons: Sequence[str]) -> str:
    """What the surrogates see that reasons name; empty where they name none."""
    # As `highest by pairs at 1.2 sd of doubt`; of several goals with the property of each: `pairs (potency)`.
    voters = " ".join(part for reason in reasons for part in re.findall(r"\bby (.*) at \S+ sd of doubt", reason))
    words = set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", voters)))
    seen = [f"{name}, {what}" for name, what in SEEN_BY.items() if name in words]
    return (
        f"why: a surrogate's mean and so many sd of its doubt. Each sees of a molecule: {'; '.join(seen)}."
        if seen
        else ""
    )


def told(results: Told) -> None:
    """Prints what became of a file of results; each row that was refused has a line."""
    for refused in results.refused:
        say(f"refused: {refused}")
    for correction in results.corrections:
        say(f"corrected: {correction}")
    for remark in results.remarks:
        say(f"Note: {remark}.")
    if results.unread:
        say(f"Columns that are not read: {', '.join(results.unread)}.")
    if results.blank:
        say(f"{counted(results.blank, 'row says', 'rows say')} nothing yet.")
    say(str(results))
    if results.pictures:
        say(f"Pictures: {', '.join(path.name for path in results.pictures)} in {results.folder}")
