"""What stops scoring through no fault of an oracle. The campaign can be resumed; nothing recorded is lost."""

from __future__ import annotations


class EvaluationError(RuntimeError):
    """Scoring cannot go on; the same command resumes it."""


class NoWorkers(EvaluationError):
    """There is nowhere to run oracles: no worker starts, or workers keep dying."""
