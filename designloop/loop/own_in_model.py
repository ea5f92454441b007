"""Which of the user's own molecules the campaign's model writes again, asked before anything is paid for.

A molecule that does not come back is scored and learned from all the same; the model's draws around it are those around
another one, which the user should know.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.user_molecules import UserMolecule
from designloop.loop.pretrained import Pretrained
from designloop.molecules.reconstruction import Reconstruction, reconstruct

MOST = 100
"""Molecules that are asked of, the first of them: a hundred take some seconds."""

_EXAMPLES = 5


def describe_own_in_model(campaign: Campaign) -> list[str]:
    """How many of the user's own molecules come back from the model's latent space; empty where there are none."""
    own = {molecule.smiles: molecule for molecule in (*campaign.references(), *campaign.starting())}
    asked = list(own)[:MOST]
    if not asked:
        return []
    # Without refinement, as a campaign encodes what it breeds from.
    back = reconstruct(Pretrained.of(campaign).load(), asked, refine=0)
    return describe(campaign.model, list(own.values())[:MOST], back, len(own))


def describe(model: str, molecules: Sequence[UserMolecule], back: Sequence[Reconstruction], all_own: int) -> list[str]:
    """What came back of the first of the user's molecules, in lines.

    Args:
        back: what the model made of each.
        all_own: how many the user has in all.
    """
    exact = sum(result.exact for result in back)
    which = f"{len(back):,}" if all_own == len(back) else f"the first {len(back):,}"
    lines = [f"{exact:,} of {which} come back exactly from {model}'s latent space"]
    named = [(molecule.name or molecule.written, result) for molecule, result in zip(molecules, back, strict=True)]
    others = [(name, result.similarity) for name, result in named if not result.exact and result.similarity is not None]
    if others:
        mean = fmean(similar for _, similar in others)
        lines[0] += f", {len(others):,} as another molecule (mean ECFP4 similarity {mean:.2f})"
        lines.append(f"  as another: {_few([f'{name} ({similar:.2f})' for name, similar in others])}")
    if unwritten := [f"{name} ({result.error})" for name, result in named if result.error]:
        lines.append(f"  cannot be written, {len(unwritten):,}: {_few(unwritten)}")
    if exact + len(unwritten) < len(back):
        lines.append(
            "  What does not come back is scored and learned from all the same, and genetic steps breed from it as "
            "it is; what the model draws around it is around what it wrote instead"
        )
    if unwritten:
        lines.append("  What cannot be written is scored, and not learned from")
    return lines


def _few(texts: Sequence[str]) -> str:
    more = ", …; `designloop reconstruct FILE --no-refine` lists all" if len(texts) > _EXAMPLES else ""
    return ", ".join(texts[:_EXAMPLES]) + more
