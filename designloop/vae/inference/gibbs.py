"""What is missing of a row, given what is observed, by chains that fill in and look again: Metropolis within Gibbs.

    z'    ~ q(z | x_obs, x_mis)                                     the encoder reads the row as it is completed now
    z    <- z'  with chance min(1, p(x, z') q(z | x) / p(x, z) q(z' | x)),   x = (x_obs, x_mis)
    x_mis ~ p(x_mis | z)                                            and the row is completed anew

Its stationary law is p(z, x_mis | x_obs), however rough the encoder is. Without the second step, where every z' is
taken (*pseudo-Gibbs*, Rezende et al. 2014), it is only where the encoder is the posterior itself. The encoder sees
complete rows alone, on which it may be better than on masked ones; where importance weights come down to a few draws,
chains go on. Entries are independent given z, as everywhere in imputation.

Source: Mattei & Frellsen 2018, "Leveraging the exact likelihood of deep latent variable models".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.capabilities import require
from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import repeat_rows
from designloop.vae.inference.imputation import filled_with, take_incomplete
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE


@dataclass(frozen=True, slots=True)
class GibbsDraws:
    """Completed rows at the end of their chains."""

    rows: Tensor
    """(n, batch, …) x where observed, else a draw given what is observed."""
    accepted: Tensor
    """(batch,) share of the proposals that were taken; near 0 the chains have not moved from where they began."""


@torch.no_grad()
def gibbs_missing(
    vae: VAE, x: Tensor, mask: Tensor, context: Context | None = None, *, n: int, sweeps: int, metropolis: bool = True,
    generator: torch.Generator | None = None,
) -> GibbsDraws:  # fmt: skip
    """Rows with what is missing drawn given what is observed, each at the end of a chain of its own.

    Chains begin where the encoder puts the masked row. The n draws of a row are independent of each other (multiple
    imputation; Rubin 1987), and from the exact law once ``sweeps`` are many; ``sample_missing`` does the same by
    importance weights.

    Args:
        x: (batch, …); what is masked may hold anything. mask: True where an entry is observed.
        n: chains a row. sweeps: steps of each; 20 are a start, more where few proposals are accepted.
        metropolis: False takes every proposal: pseudo-Gibbs, biased by whatever the encoder is off.

    Raises:
        CapabilityError: the prior has no ``log_prob``, and ``metropolis`` asks for it.
        VAEError: ``n`` or ``sweeps`` is not positive, the mask is None, a row observes nothing, or an observed entry is
            no number.
    """
    for name, value in (("n", n), ("sweeps", sweeps)):
        if value < 1:
            raise VAEError(f"{name} is {value}, expected at least 1; 20 are a start")
    x, observed, context = take_incomplete(vae, x, mask, context)
    if metropolis:
        require(vae.prior, "log_prob")
    batch, rows, seen = len(x), repeat_rows(x, n), repeat_rows(observed, n)
    wide = {name: repeat_rows(value, n) for name, value in context.items()}

    def fill_in(z: Tensor) -> Tensor:
        drawn = vae.likelihood.sample_missing(vae.decode(z, wide), generator, wide)
        return filled_with(rows, seen, drawn)

    z = vae.encode(rows, seen, wide).rsample(generator)
    filled = fill_in(z)
    accepted = z.new_zeros(batch)
    for _ in range(sweeps):
        q = vae.encode(filled, None, wide)
        proposed = q.rsample(generator)
        if metropolis:
            gain = _log_joint(vae, proposed, filled, wide) - q.log_prob(proposed)
            gain = gain - _log_joint(vae, z, filled, wide) + q.log_prob(z)
            chance = torch.rand(gain.shape, dtype=gain.dtype, device=gain.device, generator=generator)
            taken = chance.log() < gain
            z = torch.where(taken.unsqueeze(-1), proposed, z)
            accepted += taken.view(n, batch).to(accepted).mean(0)
        else:
            z = proposed
            accepted += 1
        filled = fill_in(z)
    return GibbsDraws(filled.unflatten(0, (n, batch)), accepted / sweeps)


def _log_joint(vae: VAE, z: Tensor, x: Tensor, context: Context) -> Tensor:
    """(rows,) log p(x, z) of completed rows; what a mask's own law adds does not depend on z."""
    return vae.likelihood.log_prob(vae.decode(z, context), x, None, context) + vae.prior.log_prob(z, context)
