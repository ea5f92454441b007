from __future__ import annotations

import numpy as np
import pytest
import sklearn.mixture
import torch
from torch import Tensor

from designloop.testing import check_prior
from designloop.testing.draws import generator
from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.mixture import GaussianMixture, VampPrior
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO


def mixture(latent: int = 2) -> GaussianMixture:
    prior = GaussianMixture(latent, 3, generator(), spread=2.0)
    prior.logits.data.copy_(torch.tensor([0.0, 1.0, -0.7]))
    prior.log_scales.data.copy_(0.4 * torch.randn(3, latent, generator=generator(1)))
    return prior


def encoder(features: int = 3, latent: int = 2) -> MLPEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return MLPEncoder(features, latent, [6])


def pseudo() -> Tensor:
    return 3 * torch.randn(4, 3, generator=generator(3))


@pytest.mark.parametrize(
    "prior",
    [
        mixture(1),
        mixture(),
        mixture(3),
        VampPrior(encoder(), pseudo(), 2),
        VampPrior(encoder(), pseudo(), 2, torch.tanh, True),
    ],
)
def test_keeps_the_contract(prior: GaussianMixture | VampPrior) -> None:
    assert "sampling" in check_prior(prior).passed


def test_density_is_scikit_learns() -> None:
    prior = mixture(3).double()
    known = sklearn.mixture.GaussianMixture(3, covariance_type="diag")
    known.weights_ = prior.logits.detach().softmax(0).numpy()
    known.means_ = prior.means.detach().numpy()
    known.covariances_ = prior.log_scales.detach().mul(2).exp().numpy()
    known.precisions_cholesky_ = known.covariances_**-0.5
    z = torch.randn(7, 3, dtype=torch.float64, generator=generator(4))
    np.testing.assert_allclose(prior.log_prob(z).detach(), known.score_samples(z.numpy()), rtol=1e-12)
    np.testing.assert_allclose(prior.log_joint(z).softmax(-1).detach(), known.predict_proba(z.numpy()), rtol=1e-10)


def test_draws_for_each_row_of_a_context() -> None:
    context = {"anything": torch.zeros(5)}
    for prior in (mixture(), VampPrior(encoder(), pseudo(), 2)):
        assert prior.sample(4, context, generator()).shape == (4, 5, 2)
        assert prior.sample(4, None, generator()).shape == (4, 2)


def test_vamp_prior_is_the_mean_of_its_posteriors() -> None:
    own, z = encoder(), torch.randn(6, 2, generator=generator(5))
    prior = VampPrior(own, pseudo(), 2)
    densities = torch.stack([own(row.unsqueeze(0)).log_prob(z) for row in pseudo()])
    torch.testing.assert_close(prior.log_prob(z), densities.exp().mean(0).log())


def test_pseudo_inputs_and_components_are_learned_within_a_vae() -> None:
    """A few steps move every parameter of the prior, the encoder that it shares included, and there is an evidence."""
    side = torch.sign(torch.randn(200, 1, generator=generator(6)))
    x = 4 * side * torch.ones(1, 3) + 0.3 * torch.randn(200, 3, generator=generator(7))
    own = encoder()
    for prior in (VampPrior(own, x[:4], 2), GaussianMixture(2, 4, generator())):
        before = {name: value.clone() for name, value in prior.state_dict().items()}
        vae = VAE(own, MLPDecoder(2, 3, [6]), Gaussian(3), prior)
        fit(vae, ELBO(), [Batch(x)] * 3, torch.optim.Adam(vae.parameters(), lr=0.01), generator=generator())
        moved = {name for name, value in prior.named_parameters() if not torch.equal(value, before[name])}
        assert moved == {name for name, _ in prior.named_parameters()}
        assert bool(importance_evidence(vae, x[:5], k=3, generator=generator()).log_evidence.isfinite().all())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(VAEError, match="there are 0 components, expected at least 1"):
        GaussianMixture(2, 0, generator())
    with pytest.raises(VAEError, match="there are 0 components, expected at least 1"):
        VampPrior(encoder(), torch.zeros(0, 3), 2)
