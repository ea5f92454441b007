"""What a reply means for the molecules that were asked about: settled, to be run alone, or to be tried once more.

A chunk that came to nothing says nothing about any one of its molecules, nor does an answer in a chunk that leaves one
out: those molecules run alone. Only a run alone counts as an attempt, of which each has 1 + ``retries``. So one
molecule never costs its neighbours. An oracle that cannot be loaded fails on all molecules alike; there it is the chunk
that is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from designloop.loop.evaluation.child.exchange import Reply
from designloop.oracles import Answer
from designloop.tables.ledger_records import Finished, Intent, LedgerResult, RunStatus, StoredValue

Chunk = tuple[Intent, ...]
"""Intents of one oracle that run in one call; one alone is a run that counts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a reply."""

    finished: list[Finished]
    """One for each molecule of the chunk."""
    again: list[Chunk]
    """What is to be run now, in place of what is not settled."""


def cut(intents: Mapping[str, Intent], smiles: Sequence[str], size: int) -> list[Chunk]:
    """Chunks of the molecules that are to be run, cut from the order of all.

    Where all are cut, not only those left to run, a chunk has the same molecules whatever is known already. What is to
    be tried again runs alone.

    Args:
        intents: molecule -> intent, of those to be run.
        smiles: all molecules, in the order admitted.
        size: molecules a chunk.
    """
    chunks: list[Chunk] = []
    for start in range(0, len(smiles), size):
        block = [intents[molecule] for molecule in smiles[start : start + size] if molecule in intents]
        chunks += [(intent,) for intent in block if intent.attempt > 1]
        together = tuple(intent for intent in block if intent.attempt == 1)
        chunks += [together] if together else []
    return chunks


def judge(chunk: Chunk, reply: Reply, outputs: Iterable[str | None], retries: int) -> Verdict:
    """Decides what follows from the reply to a chunk.

    Args:
        chunk: what was asked.
        reply: what came of it.
        outputs: the outputs of the oracle that the objective wants; None is its only value.
        retries: how often a molecule that failed alone is tried again.
    """
    wanted = tuple(outputs)
    alone = len(chunk) == 1
    whole = reply.failure == "unloaded"
    answers = reply.answers or ((None, reply.error),) * len(chunk)
    failure: RunStatus = "timeout" if reply.failure == "timeout" else "failed"
    finished, again = [], []
    for intent, (value, error) in zip(chunk, answers, strict=True):
        seconds = reply.seconds / len(chunk)
        problem = _missing(value, error, wanted)
        if problem is None:
            finished.append(Finished(intent, "ok", value, None, seconds, intent.attempt))
            continue
        counts = alone or whole
        following = _following(intent, counts, retries)
        attempt = intent.attempt if counts else 0
        finished.append(Finished(intent, failure, value, problem, seconds, attempt, following))
        again += [following] if following else []
    return Verdict(finished, [tuple(again)] if whole and again else [(intent,) for intent in again])


def read_value(value: StoredValue | None, error: str | None, output: str | None) -> Answer:
    """Reads one property's answer from what a run gave."""
    if value is None:
        return Answer(None, error or "no answer for this molecule")
    if not isinstance(value, Mapping):
        return Answer(value).pick(output)
    numbers = {name: number for name, number in value.items() if not isinstance(number, str)}
    return Answer(numbers, None, {name: why for name, why in value.items() if isinstance(why, str)}).pick(output)


def result_of(finished: Finished) -> LedgerResult:
    """Returns the run as the ledger gives it back."""
    return LedgerResult(finished.status, finished.value, finished.error, finished.seconds, finished.attempt)


def _missing(value: StoredValue | None, error: str | None, outputs: Iterable[str | None]) -> str | None:
    """Why one of the outputs wanted has no value; None if all have."""
    answers = (read_value(value, error, output) for output in outputs)
    return next((answer.error for answer in answers if answer.value is None), None)


def _following(intent: Intent, counts: bool, retries: int) -> Intent | None:
    """The run that is to follow one that failed; None if that was the last."""
    if not counts:
        return Intent(intent.fingerprint, intent.smiles, intent.number + 1, intent.attempt)
    if intent.attempt > retries:
        return None
    return Intent(intent.fingerprint, intent.smiles, intent.number + 1, intent.attempt + 1)
