"""Measured values that a transform tells not apart, as where a column of nM is read by a transform made for pIC50."""

from __future__ import annotations

from designloop.loop.campaign.campaign import Campaign

FEWEST = 5
"""Values of which something can be said."""

MOST_BETWEEN = 0.15
"""Share of values between the ends of a transform up to which it is remarked."""

_END = 1e-3


def find_flat_values(campaign: Campaign) -> list[str]:
    """A sentence for each property of whose measured values hardly any lies between the ends of its transform."""
    known = campaign.known_values()
    sentences = []
    for item in campaign.objective.properties:
        readings = [of_molecule[item.name] for of_molecule in known.values() if item.name in of_molecule]
        values = [reading.mean for reading in readings if reading.values]
        if len(values) < FEWEST or item.transform.type == "step":
            continue
        desirabilities = item.transform(values)
        useless, best = int((desirabilities <= _END).sum()), int((desirabilities >= 1 - _END).sum())
        if useless + best >= (1 - MOST_BETWEEN) * len(values):
            sentences.append(
                f"{item.name}: of {len(values):,} measured values, {min(values):g} to {max(values):g}, {useless:,} "
                f"have desirability 0 and {best:,} have 1; is the column in the unit of the transform?"
            )
    return sentences
