"""What a proposer is: a source of free candidates. None costs an oracle call, none knows more than its parents' order.

A proposer does not say after which round's learning its model stands: the search stamps that on what it gives out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from designloop.molecules.codec import Codec
from designloop.molecules.radicals import has_radical
from designloop.randomness import Generators
from designloop.records import Candidate, Origin
from designloop.strategies.archive.archive import Member

MODEL_PROPOSERS = frozenset({"prior", "posterior", "mixing"})
"""Names of those that decode latents, which say so by ``decodes``; the others are genetic steps."""


class Proposer(Protocol):
    """Proposes free candidates.

    One that decodes latents of the model has an attribute ``decodes = True``: what it gives comes on top of what
    genetic steps give, and takes none of them away.
    """

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """Makes at most ``n`` distinct candidates of parents, of each as many; none where it makes none.

        Who is to have more children than another stands there more often (``archive.deal``).

        Each is marked with the proposer's name, and names its parents by ``Member.name``. All that is drawn comes from
        ``rng``; the parents, of which there may be one or none, stay as they are.
        """
        ...


def decodes(proposer: Proposer) -> bool:
    """Whether a proposer decodes latents of the model; a genetic step does not."""
    return bool(getattr(proposer, "decodes", False))


def candidates_of(
    codec: Codec,
    written: Sequence[str],
    proposer: str,
    parents: Sequence[tuple[str, ...]] | None = None,
    origins: Sequence[Origin] | None = None,
) -> list[Candidate]:
    """Candidates of written SELFIES; strings that hold no atom, and repetitions, are dropped.

    Args:
        parents: names of the parents of each; None where they have none.
        origins: where each was written from; None where no model wrote them.
    """
    candidates: dict[str, Candidate] = {}
    for row, selfies in enumerate(written):
        smiles = codec.to_smiles(selfies)
        if smiles is not None and smiles not in candidates:
            candidates[smiles] = Candidate(
                smiles,
                proposer,
                selfies,
                parents=parents[row] if parents is not None else (),
                origin=origins[row] if origins is not None else None,
            )
    return list(candidates.values())


def without_new_radicals(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that have no unpaired electrons, or have them of a parent."""
    return [
        candidate
        for candidate in candidates
        if not has_radical(candidate.smiles) or any(map(has_radical, candidate.parents))
    ]
