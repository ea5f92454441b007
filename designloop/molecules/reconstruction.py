"""Molecules by way of a model's latent space and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from designloop.molecules.chemistry import canonical, fingerprints, tanimoto
from designloop.molecules.errors import MoleculeError

if TYPE_CHECKING:
    from designloop.molecules.sequence_vae import SequenceVAE

REFINE = 16
"""Steps of refinement of a latent that is to decode to its own molecule."""


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """A molecule, and what a model made of it."""

    smiles: str
    """RDKit's canonical form; as written where RDKit cannot read it."""
    decoded: str | None
    """None where the molecule cannot be encoded."""
    similarity: float | None
    """ECFP4 Tanimoto of the two."""
    error: str | None = None
    """Why it cannot be encoded."""

    @property
    def exact(self) -> bool:
        """Whether the very same molecule came back."""
        return self.decoded == self.smiles


def reconstruct(vae: SequenceVAE, smiles: Sequence[str], refine: int = REFINE) -> list[Reconstruction]:
    """Each molecule encoded to its posterior's mean and decoded greedily, in the same order.

    Args:
        refine: steps of refinement of those that would not come back (``SequenceVAE.latents``); 0 does without.
    """
    errors: dict[str, str] = {}
    selfies: dict[str, str] = {}
    for molecule in smiles:
        try:
            selfies[molecule] = vae.codec.to_selfies(molecule)
        except MoleculeError as error:
            errors[molecule] = str(error)
    written = vae.write(vae.latents(list(selfies.values()), refine))
    decoded = {molecule: vae.codec.to_smiles(back) for molecule, back in zip(selfies, written, strict=True)}
    reconstructions = []
    for molecule in smiles:
        shown, back = canonical(molecule) or molecule, decoded.get(molecule)
        similarity = float(tanimoto(fingerprints([shown]), fingerprints([back]))[0, 0]) if back else None
        reconstructions.append(Reconstruction(shown, back, similarity, errors.get(molecule)))
    return reconstructions
