"""The unit cube that peers search: the coordinates that a model's latents use, and molecules to and from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.molecules.chemistry import canonical
from designloop.molecules.corpus import held_out_smiles
from designloop.molecules.errors import MoleculeError
from designloop.molecules.reconstruction import REFINE
from designloop.molecules.sequence_networks import on_sphere
from designloop.molecules.sequence_vae import SequenceVAE

MEASURED = 500
"""Held-out molecules of ZINC whose latents say which coordinates are used, and how widely."""

USED = 0.5
"""Variance of the posterior means from which on a coordinate counts as used, as a share of the mean over all."""

HALF_WIDTH = 3.0
"""Of the cube, in standard deviations of a coordinate."""


@dataclass(frozen=True)
class LatentCube:
    """Molecules as points of a cube, by way of a sequence VAE.

    Latents lie on a sphere, and so does what is placed. A model leaves many coordinates to the noise (of the shipped
    one's 128 about a third carry the molecule): moves along the others are lost, so that peers are not asked to make
    them.
    """

    vae: SequenceVAE
    used: Tensor
    """(d,) numbers of the coordinates."""
    low: Tensor
    """(d,) where the cube begins."""
    width: Tensor
    """(d,) of its sides, in the latent's own units."""
    noise: float = 0.0
    """Level that the decoder is told; latents are scaled to the radius that they have under it."""

    @classmethod
    def of(cls, vae: SequenceVAE, noise: float = 0.0, every: bool = False) -> LatentCube:
        """The cube of a model.

        Args:
            every: whether all coordinates are searched, used or not.
        """
        molecules = held_out_smiles()[:MEASURED]
        latents = vae.latents([vae.codec.to_selfies(text) for text in molecules]).double().cpu()
        spread = latents.std(0)
        carries = spread.square() > USED * spread.square().mean()
        used = torch.arange(latents.shape[1]) if every else carries.nonzero().squeeze(-1)
        half = HALF_WIDTH * spread[used]
        return cls(vae, used, latents.mean(0)[used] - half, 2 * half, noise)

    def expressed(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Scores of the molecules that the model's alphabet can express."""
        return {text: score for text, score in scores.items() if _expresses(self.vae, text)}

    def encode(self, smiles: Sequence[str], refine: int = REFINE) -> Tensor:
        """(n, latent) posterior means, refined where they would not decode to their own molecule."""
        return self.vae.latents([self.vae.codec.to_selfies(text) for text in smiles], refine).cpu()

    def decode(self, latents: Tensor) -> list[str | None]:
        """The molecule of each latent, decoded greedily; None where a string is none."""
        scaled = latents.to(self.vae.device) * (1 + self.noise**2) ** 0.5
        return self.vae.codec.to_smiles_many(self.vae.write(scaled, self.noise))

    def reconstruction(self, molecules: int = MEASURED) -> float:
        """Share of held-out molecules of ZINC that come back from their refined latents, as peers decode them."""
        smiles = held_out_smiles()[-molecules:]
        back = self.decode(self.encode(smiles))
        return sum(canonical(text) == other for text, other in zip(smiles, back, strict=True)) / len(smiles)

    def points(self, latents: Tensor) -> Tensor:
        """(n, d) double: where latents lie in the cube, or beside it; gradients pass."""
        return (latents[:, self.used].double() - self.low) / self.width

    def place(self, points: Tensor, centre: Tensor) -> Tensor:
        """(n, latent) latents of points, on the sphere; coordinates that are not searched are the centre's.

        Args:
            centre: (latent,)
        """
        latents = centre.expand(len(points), -1).clone()
        latents[:, self.used] = (self.low + points * self.width).to(latents)
        return on_sphere(latents)


def _expresses(vae: SequenceVAE, smiles: str) -> bool:
    try:
        vae.codec.to_selfies(smiles)
    except MoleculeError:
        return False
    return True
