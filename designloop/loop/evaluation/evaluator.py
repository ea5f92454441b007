"""Scoring: every oracle of the objective, asked of every molecule admitted, whatever befalls oracles and workers.

What the ledger knows is not run again. The rest is cut into chunks, which a backend scores in any order on any number
of workers; results are written down as they come, and put together in the order asked, so nothing depends on when
something arrived.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from statistics import median
from typing import TYPE_CHECKING

from designloop.loop.evaluation.attempts import Chunk, cut, judge, read_value, result_of
from designloop.loop.evaluation.backends import Backend, InlineBackend, WorkerLoss
from designloop.loop.evaluation.child.exchange import PortableOracle, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.missing_files import advised
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.loop.evaluation.errors import EvaluationError, NoWorkers
from designloop.loop.evaluation.incidents import date_metrics, describe_losses, loss_metrics
from designloop.loop.evaluation.ray.backend import RayBackend
from designloop.loop.evaluation.stats import EvaluationStats
from designloop.loop.evaluation.tally import Tally
from designloop.pieces import P, R, S
from designloop.records import Candidate, Evaluation, Result, Status
from designloop.tables.ledger import Ledger
from designloop.tables.ledger_records import Finished, Intent, LedgerResult, Purpose, StoredValue
from designloop.words import silent

if TYPE_CHECKING:
    from designloop.loop.evaluation.settings import EvaluatedCampaign
    from designloop.oracles import Oracle

__all__ = ["EvaluationStats", "EvaluationError", "Evaluator", "NoWorkers"]

_RECENT = 200
"""Runs of an oracle that its median seconds are taken of."""

Given = Mapping[str, Mapping[str, Result]]
"""Molecule in standard form -> property -> what is known of it without any oracle."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One oracle with its parameters, however many properties are read from it."""

    oracle: Oracle
    chunk: int
    outputs: list[str | None] = field(default_factory=list)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    """Seconds a molecule of its last good runs."""


class Evaluator:
    """Scores candidates with a campaign's oracles; a context manager, which ends on leaving what it started.

    Workers begin to start on entering, in the background. Used by one thread at a time.
    """

    def __init__(self, campaign: EvaluatedCampaign, ledger: Ledger | None = None) -> None:
        """Prepare to score for a campaign.

        Args:
            campaign: its objective says what is asked, its ``evaluation`` how.
            ledger: what runs are written to; without one they are forgotten.
        """
        self.stats = EvaluationStats()
        """Of the last call."""
        self._known_dates: list[float] = []
        self._losses: Sequence[WorkerLoss] = ()
        self._remarks: dict[tuple[str, str], str] = {}
        self._remarked: set[tuple[str, str]] = set()
        self._settings = campaign.evaluation
        self._folder = campaign.folder
        self._ledger = Ledger(None) if ledger is None else ledger
        self._asked: dict[str, _Asked] = {}
        self._reads: dict[str, tuple[str, str | None]] = {}
        for wanted in campaign.objective.properties:
            oracle = campaign.oracles[wanted.name]
            # Two properties of one oracle with the same parameters are one run.
            asked = self._asked.setdefault(oracle.fingerprint, _Asked(oracle, self._settings.chunk_of(oracle)))
            asked.outputs.append(wanted.output)
            self._reads[wanted.name] = (oracle.fingerprint, wanted.output)
        for fingerprint, asked in self._asked.items():
            asked.recent.extend(self._ledger.seconds(fingerprint, _RECENT))
        self._backend: Backend | None = None
        self._keys = itertools.count()

    def __enter__(self) -> Evaluator:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End workers and oracles; the next call starts others."""
        if self._backend is not None:
            backend, self._backend = self._backend, None
            backend.close()

    def __call__(
        self, candidates: Sequence[Candidate], on_tally: Callable[[Tally], None] = silent, given: Given | None = None
    ) -> list[Evaluation]:
        """Returns what each oracle gave for each candidate, in their order.

        Args:
            candidates: what is asked about.
            on_tally: told how many molecules are answered, at first and whenever some are.
            given: what no oracle is asked for.
        Raises:
            EvaluationError: workers do not start or keep dying; what has come so far is in the ledger.
            LedgerError: the ledger cannot be written.
        """
        return self._evaluate(candidates, "round", on_tally=on_tally, given=given)

    def again(self, candidates: Sequence[Candidate], given: Given | None = None) -> list[Evaluation]:
        """Does the same, but for runs of this campaign that failed: they are made again, with all their attempts."""
        return self._evaluate(candidates, "round", failures_settle=False, given=given)

    def checks(self, smiles: Sequence[str]) -> list[Evaluation]:
        """Does the same for molecules outside the campaign's budget and table; recorded as checks.

        A failure among them is no verdict: it is tried anew by the next check, and if the campaign asks for it.
        """
        return self._evaluate([Candidate(molecule, "check") for molecule in smiles], "check")

    def spread(self, work: Callable[[S, P], R], shared: S, pieces: Sequence[P]) -> list[R]:
        """Does a strategy's pieces of work, over the workers where there are some; it is a ``Spread``."""
        return self._start().spread(work, shared, pieces)

    def cannot_load(self) -> list[str]:
        """Says for each oracle and node where it cannot be loaded why; one worker on each node is asked."""
        backend = self._start()
        return [
            f"oracle {asked.oracle.name!r} on {node}: {error}"
            for fingerprint, asked in self._asked.items()
            for node, error in backend.load(fingerprint).items()
        ]

    def remarks(self) -> list[str]:
        """Lists what costs no molecule and should be mended all the same, a line each; each is given once."""
        new = [remark for key, remark in self._remarks.items() if key not in self._remarked]
        self._remarked |= self._remarks.keys()
        return new

    def losses(self) -> list[str]:
        """Lists the workers that were lost in the last call, a line a node and kind."""
        return describe_losses(self._losses)

    def report(self, say: Callable[[str], None]) -> list[str]:
        """Says the remarks and losses of the last call, and returns the remarks, which the round's metrics keep."""
        remarks = self.remarks()
        for line in [*remarks, *self.losses()]:
            say(line)
        return remarks

    @property
    def metrics(self) -> dict[str, float | str]:
        """The counts of the last call, by name; where there were any, the dates of what was known, and the losses."""
        return asdict(self.stats) | date_metrics(self._known_dates) | loss_metrics(self._losses)

    def _start(self) -> Backend:
        if self._backend is None:
            oracles = [
                PortableOracle(fingerprint, asked.oracle.recipe(), dict(asked.oracle.file_bytes))
                for fingerprint, asked in self._asked.items()
            ]
            process_environment = ProcessEnvironment.of_driver(self._folder)
            if self._settings.backend == "inline":
                self._backend = InlineBackend(OracleProcess(oracles, process_environment))
            else:
                # A cluster may have other cores than this machine.
                joined, settings = self._settings.address, self._settings
                workers = settings.workers if joined else settings.worker_count
                self._backend = RayBackend(oracles, process_environment, workers, joined)
        return self._backend

    def _evaluate(
        self,
        candidates: Sequence[Candidate],
        purpose: Purpose,
        failures_settle: bool = True,
        on_tally: Callable[[Tally], None] = silent,
        given: Given | None = None,
    ) -> list[Evaluation]:
        self.stats, self._known_dates, self._losses = EvaluationStats(), [], ()
        given = given or {}
        try:
            results = self._results(self._to_ask(candidates, given), purpose, failures_settle, on_tally)
        except BaseException:
            self.close()  # with whatever is still running, of which nobody wants to hear
            raise
        return [
            Evaluation(
                candidate,
                {
                    name: of_molecule[name]
                    if name in (of_molecule := given.get(candidate.smiles, {}))
                    else _result(results[fingerprint][candidate.smiles], output)
                    for name, (fingerprint, output) in self._reads.items()
                },
            )
            for candidate in candidates
        ]

    def _to_ask(self, candidates: Sequence[Candidate], given: Given) -> dict[str, list[str]]:
        """Oracle fingerprint -> the molecules, each once, of which something that it gives is not known already."""
        smiles = list(dict.fromkeys(candidate.smiles for candidate in candidates))
        names: dict[str, list[str]] = {}
        for name, (fingerprint, _) in self._reads.items():
            names.setdefault(fingerprint, []).append(name)
        return {
            fingerprint: [m for m in smiles if any(name not in given.get(m, {}) for name in read)]
            for fingerprint, read in names.items()
        }

    def _results(
        self,
        to_ask: Mapping[str, Sequence[str]],
        purpose: Purpose,
        failures_settle: bool,
        on_tally: Callable[[Tally], None],
    ) -> dict[str, dict[str, LedgerResult]]:
        """Oracle fingerprint -> molecule -> result, of the ledger or of a run now."""
        results = {
            fingerprint: self._known(fingerprint, smiles, purpose, failures_settle)
            for fingerprint, smiles in to_ask.items()
        }
        unknown = {
            fingerprint: [molecule for molecule in to_ask[fingerprint] if molecule not in known]
            for fingerprint, known in results.items()
        }
        oracles_of = Counter(itertools.chain.from_iterable(to_ask.values()))
        smiles, tally = list(oracles_of), Tally(oracles_of)
        for molecule, result in (item for known in results.values() for item in known.items()):
            tally.settle(molecule, result.status)
        on_tally(tally)
        wanted = {fingerprint: molecules for fingerprint, molecules in unknown.items() if molecules}
        if wanted:
            names = {fingerprint: asked.oracle.name for fingerprint, asked in self._asked.items()}
            intents = self._ledger.record_intents(wanted, names, purpose)

            def settle(run: Finished) -> None:
                results[run.intent.fingerprint][run.intent.smiles] = result_of(run)
                tally.settle(run.intent.smiles, run.status)

            self._run(self._chunks(intents, smiles), purpose, settle, lambda: on_tally(tally))
        return results

    def _known(
        self, fingerprint: str, smiles: Sequence[str], purpose: Purpose, failures_settle: bool
    ) -> dict[str, LedgerResult]:
        outputs = self._asked[fingerprint].outputs

        def is_enough(value: StoredValue | None) -> bool:
            """Another campaign may have wanted other outputs, and taken for good what lacks one of ours."""
            return all(read_value(value, None, output).value is not None for output in outputs)

        known = self._ledger.known(fingerprint, smiles, purpose, failures_settle=failures_settle, is_enough=is_enough)
        self.stats.wanted_results += len(smiles)
        self.stats.known_results += len(known)
        self._known_dates += self._ledger.dates(fingerprint, list(known), purpose)
        return known

    def _chunks(self, intents: Sequence[Intent], smiles: Sequence[str]) -> deque[Chunk]:
        """What is to be run; costly oracles first, so that none of them runs last and alone."""
        chunks: deque[Chunk] = deque()
        for fingerprint, asked in sorted(self._asked.items(), key=lambda item: not item[1].oracle.costly):
            intents_by_smiles = {intent.smiles: intent for intent in intents if intent.fingerprint == fingerprint}
            chunks.extend(cut(intents_by_smiles, smiles, asked.chunk))
        return chunks

    def _run(
        self, queue: deque[Chunk], purpose: Purpose, settle: Callable[[Finished], None], on_some: Callable[[], None]
    ) -> None:
        """Run chunks until every molecule is settled, by its last run; ``on_some`` is called when some are."""
        backend = self._start()
        resent_before, losses_before = backend.resent, len(backend.losses)
        running: dict[int, Chunk] = {}
        self._submit(backend, queue, running)
        while queue or running:
            finished: list[Finished] = []
            following: list[Chunk] = []
            for key, reply in backend.wait():
                chunk = running.pop(key)
                asked = self._asked[chunk[0].fingerprint]
                reply = advised(reply, asked.oracle.reference, self._folder)
                verdict = judge(chunk, reply, asked.outputs, self._settings.retries)
                finished += verdict.finished
                following += verdict.again
                if reply.unasked:
                    remark = f"oracle {asked.oracle.name!r} answered for {reply.unasked}; such answers are dropped"
                    self._remarks.setdefault((chunk[0].fingerprint, "unasked"), remark)
                if reply.reads:
                    remark = f"oracle {asked.oracle.name!r} {reply.reads}"
                    self._remarks.setdefault((chunk[0].fingerprint, "reads"), remark)
                if reply.failure is None:
                    asked.recent.append(reply.seconds / len(chunk))
            # Workers go on while the disk is waited for; what follows waits until its intent is written.
            self._submit(backend, queue, running)
            if finished:
                self._ledger.record(finished, purpose)
            for run in finished:
                self.stats.count(run)
                if run.again is None:
                    settle(run)
            if finished:
                on_some()
            queue.extendleft(reversed(following))
            self._submit(backend, queue, running)
        self.stats.resent_chunks = backend.resent - resent_before
        self._losses = backend.losses[losses_before:]

    def _submit(self, backend: Backend, queue: deque[Chunk], running: dict[int, Chunk]) -> None:
        """Hand the backend as much as it takes."""
        while queue and backend.takes(request := self._request(queue[0])):
            key = next(self._keys)
            running[key] = queue.popleft()
            backend.submit(key, request)

    def _request(self, chunk: Chunk) -> Request:
        asked = self._asked[chunk[0].fingerprint]
        usual = median(asked.recent) if asked.recent else None
        # A run alone has the time that the campaign file says; a chunk as much more as it has molecules.
        extra_seconds = 3 * len(chunk) * (usual or 0.0) if len(chunk) > 1 else 0.0
        return Request(
            fingerprint=chunk[0].fingerprint,
            smiles=tuple(intent.smiles for intent in chunk),
            seeds=tuple(seed_of(intent) for intent in chunk) if asked.oracle.stochastic else None,
            deadline=self._settings.timeout + extra_seconds,
            expected=inf if usual is None else usual * len(chunk),
        )


def seed_of(intent: Intent) -> int:
    """Seeds a stochastic oracle for a molecule: 32 bits of the ledger's key, so every run of it draws alike."""
    key = f"{intent.fingerprint} {intent.smiles}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:4], "little")


def _result(result: LedgerResult, output: str | None) -> Result:
    """One property's part of a run; a value that came is kept, also where another output of the run failed."""
    answer = read_value(result.value, result.error, output)
    if isinstance(answer.value, float):
        return Result(answer.value, "ok", None, result.seconds, result.attempt)
    status: Status = "timeout" if result.status == "timeout" else "failed"
    return Result(None, status, answer.error, result.seconds, result.attempt)
