"""Counterfactual consistency as a penalty: the model's own encoder reads what its decoded interventions changed."""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.capabilities import require
from designloop.vae.causal.counterfactuals import require_structural
from designloop.vae.causal.graph import descendants
from designloop.vae.forward_pass import ForwardPass
from designloop.vae.model import VAE
from designloop.vae.training.losses import Term


class Consistency(Term):
    """A counterfactual is decoded and encoded again: squared distance of its z from what was decoded, over s².

    Of each row one unit, drawn evenly, is set to what it is in another row of the batch. What does not descend from it
    has to come back as it was, which is what the consistency score counts; the unit and its descendants have to come
    back as they were changed to, so that an intervention that does nothing is no way out. Units that the row's context
    sets stay set, but for the one that is drawn.

    Args:
        vae: the model that is trained, with a structural prior and a likelihood that has a mean. Its conditions, if it
            has any, are the row's.
        outside: weight of the units that do not descend from the one that is set, beside 1 of the others.

    Raises:
        VAEError: the prior is no structural causal model.
        CapabilityError: the likelihood has no ``mean``.
    """

    def __init__(self, vae: VAE, outside: float = 1.0) -> None:
        super().__init__()
        prior = require_structural(vae, "Consistency")
        require(vae.likelihood, "mean")
        self._models = (vae,)  # outside the module tree: a loss does not own the model that it is taken of
        self.outside = outside
        self.register_buffer("behind", descendants(prior.causes).T | torch.eye(prior.latent, dtype=torch.bool))

    behind: Tensor
    """(units, units) True at [j, i] where i is j, or descends from it."""

    def forward(self, out: ForwardPass) -> Tensor:
        """(batch,) at the draws of the pass."""
        (vae,) = self._models
        prior, z = require_structural(vae, "Consistency"), out.z
        rows, latent = z.shape
        unit = torch.randint(latent, (rows,), generator=out.generator, device=z.device)
        other = torch.randperm(rows, generator=out.generator, device=z.device)
        is_set = torch.nn.functional.one_hot(unit, latent).bool()
        do = {i: z[other, i].where(is_set[:, i], torch.nan) for i in range(latent)}
        wanted, context = prior.counterfactual(z, do, out.context), dict(out.context)
        if prior.key in context:  # else a unit that was set already would come back as it was, whatever is decoded
            context[prior.key] = context[prior.key].masked_fill(is_set, torch.nan)
        again = vae.encode(vae.likelihood.mean(vae.decode(wanted, context), context), None, context).mean
        weights = torch.where(self.behind[unit], 1.0, self.outside)
        return (weights * ((again - wanted) / prior.log_scale.detach().exp()).square()).mean(-1)
