"""Runs a campaign unchanged, with a stopwatch held to its parts from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel
from rdkit import Chem, rdBase

from designloop import api
from designloop.benchmarks.overhead.stopwatch import Stopwatch
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.loop.progress import Progress
from designloop.loop.screening.crowding import Charged
from designloop.loop.screening.filters import Filter, FilterContext, Filters, build
from designloop.loop.screening.screening import Screening
from designloop.records import Candidate, Evaluation, Round, State
from designloop.strategies import base
from designloop.tables import CandidateTable
from designloop.tables.durable import FileRecord, Piece, write_file
from designloop.tables.manifest import RoundInfo
from designloop.tables.state_files import state_pieces

BOOK_KEEPING = ("screening", "pool_screening", "dispatch_and_ledger", "commit", "rest")
"""Parts of a round that are neither model, oracle, filter nor state."""

PARTS = ("propose", "learn", "oracle", "filters", "state", *BOOK_KEEPING)
"""All parts of a round."""


@dataclass(frozen=True, slots=True)
class StateFile:
    """The arrays of a strategy's state as a file."""

    seconds: float
    """Until it is on the disk."""
    bytes: int


@dataclass
class WatchedRun:
    """The measurements of a run; all lists have an item for each round."""

    laps: list[dict[str, float]] = field(default_factory=list)
    """Seconds by part."""
    scored: list[list[str]] = field(default_factory=list)
    """Molecules scored."""
    counts: list[Counter[str]] = field(default_factory=list)
    """``screened`` of those drawn by the loop, ``pool_screened`` of those that the strategy asked about."""
    state_files: list[StateFile] = field(default_factory=list)


def watch_run(campaign: Campaign) -> WatchedRun:
    """Runs the campaign to its end and returns its measurements."""
    watched, watch, counts = WatchedRun(), Stopwatch(), Counter[str]()
    workers = campaign.evaluation.worker_count if campaign.evaluation.backend == "ray" else 1

    def on_round(progress: Progress) -> None:
        watched.laps.append(watch.lap())
        watched.scored.append([row.smiles for row in progress.round.scored])
        watched.counts.append(Counter(counts))
        counts.clear()

    with _screening(watch, counts), _evaluation(watch, workers), _strategy(watch), _commit(watch, watched.state_files):
        api.run(campaign, on_round=on_round)
    return watched


def parse_and_canonicalise_seconds(smiles: Sequence[str]) -> float:
    """Times RDKit's parsing of molecules and its canonical writing, without any cache."""
    with rdBase.BlockLogs():
        began = perf_counter()
        for molecule in smiles:
            Chem.MolToSmiles(Chem.MolFromSmiles(molecule))
        return perf_counter() - began


@contextmanager
def _screening(watch: Stopwatch, counts: Counter[str]) -> Iterator[None]:
    """Counts the loop's own screening, what the strategy asks of it, and the filters' predicates, each apart."""
    take, ask = Screening.take, Screening.__call__

    def timed_take(self: Screening, drawn: Iterable[Candidate], wanted: int, keep_refused: bool) -> list[Candidate]:
        with watch("screening"):
            admitted = take(self, watch.iterate("propose", drawn), wanted, keep_refused)
        counts["screened"] += self.last_take.drawn
        return admitted

    def timed_ask(self: Screening, candidates: Sequence[Candidate]) -> list[Candidate]:
        with watch("pool_screening"):
            allowed = ask(self, candidates)
        counts["pool_screened"] += len(candidates)
        return allowed

    def timed_build(filters: Filters, context: FilterContext) -> list[Filter]:
        return [
            Filter(predicate.name, watch.wrap("filters", predicate.refuses)) for predicate in build(filters, context)
        ]

    with (
        patch.object(Screening, "take", timed_take),
        patch.object(Screening, "__call__", timed_ask),
        patch("designloop.loop.screening.screening.build", timed_build),
        patch.object(Charged, "crowds", watch.wrap("filters", Charged.crowds)),
    ):
        yield


@contextmanager
def _evaluation(watch: Stopwatch, workers: int) -> Iterator[None]:
    """Counts the oracles' own time, spread evenly over the workers, and apart from it the rest of an evaluation."""
    evaluate = Evaluator.__call__

    def timed(self: Evaluator, candidates: Sequence[Candidate], *listener: Any) -> list[Evaluation]:
        with watch("dispatch_and_ledger"):
            evaluations = evaluate(self, candidates, *listener)
        watch.move(self.stats.worker_seconds / workers, "dispatch_and_ledger", "oracle")
        return evaluations

    with patch.object(Evaluator, "__call__", timed):
        yield


@contextmanager
def _strategy(watch: Stopwatch) -> Iterator[None]:
    """Counts learning, and the making of the state; proposing is counted where the stream is drawn from."""
    build = base.build

    def timed_build(name: str, settings: BaseModel, view: base.CampaignView, state: State | None) -> base.Strategy:
        strategy = build(name, settings, view, state)
        patch.object(strategy, "tell", watch.wrap("learn", strategy.tell)).start()
        patch.object(strategy, "state", watch.wrap("state", strategy.state)).start()
        return strategy

    with patch.object(base, "build", timed_build):
        yield


@contextmanager
def _commit(watch: Stopwatch, files: list[StateFile]) -> Iterator[None]:
    """Counts the commit of a round, and apart from it what its state adds: its making, and the wait for its file."""
    commit = CandidateTable.commit
    ended: dict[str, float] = {}

    def timed_write(path: Path, pieces: Iterable[Piece]) -> FileRecord:
        began = perf_counter()
        record = write_file(path, pieces)  # in a thread of its own, to which no stopwatch is held
        if path.suffix == ".safetensors":
            files.append(StateFile(perf_counter() - began, record.size))
        kind = "state" if path.parent.name == "states" else "others"
        ended[kind] = max(ended.get(kind, 0.0), perf_counter())
        return record

    def timed_commit(self: CandidateTable, done: Round) -> RoundInfo:
        with watch("commit"):
            info = commit(self, done)
        watch.move(max(0.0, ended["state"] - ended["others"]), "commit", "state")
        return info

    with (
        patch.object(CandidateTable, "commit", timed_commit),
        patch("designloop.tables.candidate_table.write_file", timed_write),
        patch("designloop.tables.candidate_table.state_pieces", watch.wrap("state", state_pieces)),
    ):
        yield
