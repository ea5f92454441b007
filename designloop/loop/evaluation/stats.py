"""Counts of what one call of an evaluator took, which become metrics of its round."""

from __future__ import annotations

from dataclasses import dataclass

from designloop.tables.ledger_records import Finished


@dataclass(slots=True)
class EvaluationStats:
    """What one call of an evaluator took, and what befell it."""

    worker_seconds: float = 0.0
    """The oracles' own time, summed over workers; of what came to nothing, the time waited for it."""
    oracle_runs: int = 0
    """Molecules times oracles run, repeated ones included."""
    wanted_results: int = 0
    """Molecules times oracles asked about."""
    known_results: int = 0
    """Molecules times oracles that the ledger knew."""
    repeated_runs: int = 0
    """Runs that followed one that failed or timed out."""
    oracle_failures: int = 0
    """Molecules times oracles that failed for good."""
    oracle_timeouts: int = 0
    """Molecules times oracles that timed out for good."""
    resent_chunks: int = 0
    """Chunks sent again because their worker died or fell silent."""

    def count(self, run: Finished) -> None:
        """Adds a run that is over, whatever came of it."""
        self.worker_seconds += run.seconds
        self.oracle_runs += 1
        self.repeated_runs += run.again is not None
        self.oracle_failures += run.again is None and run.status == "failed"
        self.oracle_timeouts += run.again is None and run.status == "timeout"
