from __future__ import annotations

import pytest
import torch

from designloop.testing import check_prior
from designloop.vae.errors import MissingContextError, VAEError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.by_label import ByLabel
from designloop.vae.priors.learned import LearnedPrior
from designloop.vae.priors.mixture import GaussianMixture
from designloop.vae.priors.standard_normal import StandardNormal

LABELS = {"condition": torch.tensor([1, 0, 2, 1])}
MEAN = torch.tensor([2.0, -1.0], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.0, 0.6], [0.6, 0.8]], dtype=torch.float64)


def prior() -> ByLabel:
    """A standard normal, a full-covariance normal and a mixture."""
    mixture = GaussianMixture(2, 3, torch.Generator().manual_seed(0), spread=2.0)
    normal = LearnedPrior(torch.ones(1), MEAN.float()[None], COVARIANCE.float()[None])
    return ByLabel([StandardNormal(2), normal, mixture])


def test_keeps_the_contract() -> None:
    assert "divergence" in check_prior(prior(), context=LABELS).passed


def test_each_row_has_the_density_and_divergence_of_its_own_label() -> None:
    both = prior().double()
    z = torch.randn(5, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    result = both.log_prob(z, LABELS)
    normal = torch.distributions.MultivariateNormal(MEAN, COVARIANCE)
    torch.testing.assert_close(result[:, 0], normal.log_prob(z[:, 0]), atol=1e-6, rtol=1e-6)  # stored in float32
    torch.testing.assert_close(result[:, 1], torch.distributions.Normal(0.0, 1.0).log_prob(z[:, 1]).sum(-1))
    posterior = DiagonalNormal(z[0], z[1].exp())
    own = torch.distributions.MultivariateNormal(posterior.mean[3], posterior.scale[3].square().diag())
    wanted = torch.distributions.kl_divergence(own, normal)
    torch.testing.assert_close(both.kl(posterior, z[0], LABELS)[3], wanted, atol=1e-6, rtol=1e-6)


def test_draws_are_those_of_the_label() -> None:
    z = prior().sample(20_000, LABELS, torch.Generator().manual_seed(2)).double()
    assert z.shape == (20_000, 4, 2)
    for row in (0, 3):
        torch.testing.assert_close(z[:, row].mean(0), MEAN, atol=0.04, rtol=0)
        torch.testing.assert_close(torch.cov(z[:, row].T), COVARIANCE, atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(z[:, 1].T), torch.eye(2).double(), atol=0.05, rtol=0)


def test_one_label_stands_for_all_rows() -> None:
    z = torch.randn(4, 2, generator=torch.Generator().manual_seed(3))
    alone, together = ({"condition": torch.full((n,), 2)} for n in (1, 4))
    assert torch.equal(prior().log_prob(z, alone), prior().log_prob(z, together))


def test_compiles_whole() -> None:
    z = torch.randn(4, 2, generator=torch.Generator().manual_seed(4))
    own = prior()
    compiled = torch.compile(lambda point: own.log_prob(point, LABELS), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(z), own.log_prob(z, LABELS))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 3]), r"context\['condition'\] has the label 3, expected 0 to 2; number the labels from 0"),
        (torch.tensor([-1, 0]), "has the label -1, expected 0 to 2"),
        (torch.tensor([0.0, 1.0]), r"is of torch.float32, expected integer labels; give labels.long\(\)"),
        (torch.zeros(2, 3, dtype=torch.long), r"has shape \(2, 3\), expected \(batch,\); give one label a row"),
    ],
)
def test_labels_have_to_be_labels(labels: torch.Tensor, message: str) -> None:
    with pytest.raises(VAEError, match=message):
        prior().log_prob(torch.zeros(2, 2), {"condition": labels})


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(MissingContextError, match=r"ByLabel reads context\['condition'\], the context holds nothing"):
        prior().sample(3)
    with pytest.raises(VAEError, match=r"priors have widths \[2, 3\], expected one width"):
        ByLabel([StandardNormal(2), StandardNormal(3)])
    with pytest.raises(VAEError, match=r"priors have widths \[\]"):
        ByLabel([])
