"""Whether the latent is used, and what is near in it is near in chemistry."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import RidgeCV
from torch import Tensor

from designloop.molecules import corpus
from designloop.molecules.chemistry import count_fingerprints, descriptor, fingerprints, parse_all, tanimoto
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.vae.priors.learned import LearnedPrior

PROPERTIES = ("logp", "tpsa", "qed", "fraction_csp3")
"""What a linear model on z has to tell; no head of the model was trained on any of them."""

LEVELS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


@torch.no_grad()
def bounds(vae: SequenceVAE, rows: np.ndarray, prior: LearnedPrior, seed: int, batch: int = 500) -> dict[str, Any]:
    """−log p(x | z) and KL by noise level, −ELBO under both priors, what shuffled latents cost, units in use.

    Args:
        rows: held-out row numbers of ZINC 250k.
    """
    generator = torch.Generator(vae.device).manual_seed(seed)
    parts: dict[str, list[Tensor]] = {}

    def keep(name: str, values: Tensor) -> None:
        parts.setdefault(name, []).append(values)

    for at in range(0, len(rows), batch):
        x = torch.from_numpy(corpus.zinc_tokens().take(rows[at : at + batch])).to(vae.device)
        for level in LEVELS:
            context = {"noise": torch.full((len(x),), level, device=vae.device)}
            out = vae(x, None, context, vae.draw_noise(len(x), generator))
            keep(f"nats {level:g}", -out.log_prob)
            keep(f"kl {level:g}", out.kl)
            keep(f"learned {level:g}", prior.kl(out.posterior, out.z, context))
            if level == 0:
                keep("means", out.posterior.mean)
                order = torch.randperm(len(x), generator=generator, device=vae.device)
                shuffled = vae.likelihood.log_prob(vae.decode(out.z[order], context), x)
                keep("shuffle", out.log_prob - shuffled)
    mean = {name: float(torch.cat(values).mean()) for name, values in parts.items() if name != "means"}
    by_level = {
        f"{level:g}": {
            "nats_given_z": mean[f"nats {level:g}"],
            "kl_nats": mean[f"kl {level:g}"],
            "negative_elbo": mean[f"nats {level:g}"] + mean[f"kl {level:g}"],
            "negative_elbo_learned_prior": mean[f"nats {level:g}"] + mean[f"learned {level:g}"],
        }
        for level in LEVELS
    }
    return {
        "kl_nats": mean["kl 0"],
        "active_units": float((torch.cat(parts["means"]).var(0) > 0.01).float().mean()),
        "shuffle_cost_nats": mean["shuffle"],
        "by_noise_level": by_level,
    }


def encoded(vae: SequenceVAE, rows: np.ndarray) -> tuple[list[str], np.ndarray]:
    """SMILES and latents (n, latent) of rows of ZINC 250k."""
    selfies = vae.codec.selfies_of(corpus.zinc_tokens().take(rows))
    smiles = [one or "C" for one in vae.codec.to_smiles_many(selfies)]
    return smiles, vae.latents(selfies).cpu().numpy()


def ridge(vae: SequenceVAE, train: np.ndarray, test: np.ndarray) -> dict[str, Any]:
    """R² of ridge models on z and on count fingerprints (ECFP4, 1,024 wide) for each property, and their ratio."""
    (smiles, z), (test_smiles, test_z) = encoded(vae, train), encoded(vae, test)
    counts, test_counts = (count_fingerprints(one, "ecfp4", 1024) for one in (smiles, test_smiles))
    found = {}
    for name in PROPERTIES:
        y, test_y = (np.array([descriptor(name)(m) for m in parse_all(one)]) for one in (smiles, test_smiles))
        of_z = RidgeCV(np.logspace(-2, 4, 13)).fit(z, y).score(test_z, test_y)
        of_counts = RidgeCV(np.logspace(-2, 4, 13)).fit(counts, y).score(test_counts, test_y)
        found[name] = {"z": of_z, "fingerprints": of_counts, "ratio": of_z / of_counts}
    return found


def similarity_ranks(vae: SequenceVAE, drugs: Sequence[str], train: np.ndarray, test: np.ndarray) -> list[float]:
    """Spearman's correlation, a drug, of a GP's mean on z with ECFP4 similarity to the drug, on rows not fitted."""
    (smiles, z), (test_smiles, test_z) = encoded(vae, train), encoded(vae, test)
    of_drugs = fingerprints(drugs)
    y, test_y = tanimoto(of_drugs, fingerprints(smiles)), tanimoto(of_drugs, fingerprints(test_smiles))
    width = float(np.sqrt(z.shape[1]))
    found = []
    for own, test_own in zip(y, test_y, strict=True):
        kernel = ConstantKernel(1.0) * RBF(width, (0.3 * width, 30 * width)) + WhiteKernel(0.3, (1e-3, 10))
        gp = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a scale at the end of its range is an answer, too
            gp.fit(z, own)
        found.append(float(spearmanr(gp.predict(test_z), test_own).statistic))
    return found


def fitted_prior(vae: SequenceVAE, rows: np.ndarray, components: int = 1) -> LearnedPrior:
    """The prior that is learned from the latents of rows of ZINC 250k."""
    return LearnedPrior.fit(torch.from_numpy(encoded(vae, rows)[1]), components)
