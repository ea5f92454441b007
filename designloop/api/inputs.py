"""What every verb takes: a campaign or its file, and whom it tells; and the error of what cannot be done as asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from designloop.loop.campaign.campaign import Campaign, load_campaign

Say = Callable[[str], None]


class InputError(ValueError):
    """Something that was asked for cannot be done as asked; the message ends in what to do."""


def load_if_file(campaign: Campaign | Path | str) -> Campaign:
    """Loads a campaign that is named by its file; one that is loaded is returned as it is."""
    return campaign if isinstance(campaign, Campaign) else load_campaign(campaign)
