"""What the command line prints. It renders what ``designloop.api`` gives, and computes nothing."""

from designloop.display.before import estimate, plan, scores
from designloop.display.catalogue import oracle, oracles, part, parts, reconstructions
from designloop.display.laboratory import suggested, told
from designloop.display.results import comparison, outcome, rows, status, top
from designloop.display.running import RunDisplay, training
from designloop.display.tables import grid, say

__all__ = [
    "RunDisplay",
    "comparison",
    "estimate",
    "grid",
    "oracle",
    "oracles",
    "outcome",
    "part",
    "parts",
    "plan",
    "reconstructions",
    "rows",
    "say",
    "scores",
    "status",
    "suggested",
    "told",
    "top",
    "training",
]
