"""The functions that are searched: on the unit cube, to be maximised, the optimum known and elsewhere on each seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from botorch.test_functions import Ackley, Hartmann, Levy, SyntheticTestFunction
from scipy.stats.qmc import Sobol

from designloop.molecules.chemistry import MoleculeError
from designloop.molecules.corpus import held_out_smiles
from designloop.molecules.sequence_vae import SequenceVAE, load
from designloop.randomness import rng_of, seed_of

MARGIN = 0.1
"""Of each axis, at either end, where no optimum is moved to."""

REACH = 6.0
"""Of the box of latents that is searched, to either side: a number of a latent may be five times its usual size."""

LOST = 0.0
"""What a latent is worth that no molecule comes of."""


@dataclass(frozen=True)
class Seen:
    """What became of some calls."""

    points: np.ndarray
    """(n, dims) where what was asked for turned out to lie: elsewhere, where a decoder writes what it can."""
    values: np.ndarray
    """(n,), the greater the better."""


@dataclass(frozen=True)
class Problem:
    """A function on the unit cube."""

    optimum: np.ndarray
    """(dims,) where it is greatest."""
    best: float
    """Its value there."""
    ask: Callable[[np.ndarray], Seen]
    """(n, dims) points to what they are worth."""
    draw: Callable[[int, int], np.ndarray]
    """(number, seed) to (number, dims) points as chance has them; what comes first does not depend on the number."""

    @property
    def dims(self) -> int:
        """Of its points."""
        return len(self.optimum)


@dataclass(frozen=True)
class Case:
    """A kind of problem, and what is spent on it."""

    what: str
    """In a few words."""
    calls: int
    start: int
    """Of these, points that are drawn before anything is known; all searches of a seed have the same."""
    batch: int
    """Points of a round after it."""
    make: Callable[[int, str], Problem]
    """(seed, model) to the problem."""


def evenly(n: int, dims: int, seed: int) -> np.ndarray:
    """(n, dims) points of the unit cube, scrambled Sobol's; the first do not depend on their number."""
    drawn = Sobol(dims, seed=np.random.default_rng(seed_of(seed, "sobol"))).random_base2(
        math.ceil(math.log2(max(n, 1)))
    )
    return np.asarray(drawn[:n])


def moved(kind: type[SyntheticTestFunction], dims: int, seed: int) -> Problem:
    """A test function, shifted so that its optimum lies anywhere in the middle of its box, uniformly on each axis."""
    return _of_function(kind, dims, rng_of(seed, "optimum").uniform(MARGIN, 1 - MARGIN, dims))


def unmoved(kind: type[SyntheticTestFunction], dims: int) -> Problem:
    """A test function as it is."""
    return _of_function(kind, dims, None)


def _of_function(kind: type[SyntheticTestFunction], dims: int, optimum: np.ndarray | None) -> Problem:
    """The problem of a function of BoTorch's, which are to be minimised.

    Args:
        optimum: (dims,) where on the cube it is moved to; None: where it is.
    """
    plain = kind(dim=dims)
    low, high = plain.bounds.double().numpy()
    own = plain.optimizers[0].double().numpy()
    shift = np.zeros(dims) if optimum is None else own - (low + optimum * (high - low))
    # A moved function is asked beyond its box, where it goes on as it does within.
    wide = list(zip((low - (high - low)).tolist(), (high + (high - low)).tolist(), strict=True))
    function = kind(dim=dims, bounds=wide)

    def ask(points: np.ndarray) -> Seen:
        x = low + points * (high - low) + shift
        return Seen(points, -function.evaluate_true(torch.from_numpy(x)).numpy())

    place = (own - low) / (high - low) if optimum is None else optimum
    return Problem(place, -float(plain.optimal_value), ask, lambda n, seed: evenly(n, dims, seed))


# ---- a peak in latent space


@cache
def _model(name: str) -> SequenceVAE:
    return load(name)


def planted(seed: int, model: str) -> Problem:
    """A smooth peak over latent space, read through the decoder and the encoder.

        f(z) = exp(-|e(d(z)) - e(m)|² / dims)

    m a held-out molecule of ZINC that the model writes again, d(z) the molecule that a latent is decoded to, on the
    sphere where latents lie, and e(…) the latent that the encoder gives a molecule: a random one has about exp(-2).
    """
    vae = _model(model)
    radius = vae.architecture.latent**0.5
    latents = Latents(vae)
    target = latents.of_some_molecule(seed)

    def ask(points: np.ndarray) -> Seen:
        asked = to_latents(points)
        seen, written = latents.read(asked * radius / np.maximum(np.linalg.norm(asked, axis=1, keepdims=True), 1e-9))
        values = np.exp(-np.square(seen - target).sum(1) / len(target))
        return Seen(np.where(written[:, None], to_cube(seen), points), np.where(written, values, LOST))

    def draw(n: int, seed: int) -> np.ndarray:
        return to_cube(rng_of(seed, "latents").standard_normal((n, len(target))))

    return Problem(to_cube(target), 1.0, ask, draw)


class Latents:
    """Latents, by way of the molecules that they are decoded to."""

    def __init__(self, vae: SequenceVAE) -> None:
        self._vae = vae

    def of_some_molecule(self, seed: int) -> np.ndarray:
        """(latent,) of a held-out molecule that its latent is decoded to."""
        smiles = held_out_smiles()
        for row in rng_of(seed, "molecule").permutation(len(smiles)):
            latent = self._vae.latents([self._vae.codec.to_selfies(smiles[row])]).double().numpy()
            again, written = self.read(latent)
            if written[0] and np.allclose(again, latent, atol=1e-4):
                return np.asarray(latent[0])
        raise ValueError("found no held-out molecule that the model writes again; take a model that was trained")

    def read(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, latent) that the encoder gives the molecules of (n, latent) latents, and (n,) whether there is one."""
        selfies = [self._canonical(text) for text in self._vae.write(torch.from_numpy(z).float())]
        written = np.array([text is not None for text in selfies], dtype=bool)
        seen = z.copy()
        if written.any():
            seen[written] = self._vae.latents([text for text in selfies if text is not None]).double().numpy()
        return seen, written

    def _canonical(self, selfies: str) -> str | None:
        """The SELFIES of the molecule that some SELFIES stand for; None of none, or of one beyond the alphabet."""
        smiles = self._vae.codec.to_smiles(selfies)
        try:
            return None if smiles is None else self._vae.codec.to_selfies(smiles)
        except MoleculeError:
            return None


def to_cube(z: np.ndarray) -> np.ndarray:
    """Points of the unit cube that stand for latents; what lies beyond the box, on its faces."""
    return np.clip((z + REACH) / (2 * REACH), 0.0, 1.0)


def to_latents(points: np.ndarray) -> np.ndarray:
    """Latents that points of the unit cube stand for."""
    return REACH * (2 * points - 1)


CASES: Mapping[str, Case] = {
    "ackley": Case(
        "Ackley's function in 10 dimensions on ±32.8, the optimum moved", 300, 20, 10,
        lambda seed, model: moved(Ackley, 10, seed),
    ),
    "levy": Case(
        "Levy's function in 10 dimensions on ±10, the optimum moved", 300, 20, 10,
        lambda seed, model: moved(Levy, 10, seed),
    ),
    "hartmann": Case(
        "Hartmann's function in 6 dimensions", 100, 10, 5,
        lambda seed, model: unmoved(Hartmann, 6),
    ),
    "planted": Case(
        "a peak around a molecule in the 128 dimensions of latent space, through decoder and encoder", 300, 20, 10,
        planted,
    ),
}  # fmt: skip
"""The cases there are, by name."""
