from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from designloop.testing import check_prior
from designloop.vae.conditional import ConditionalDecoder
from designloop.vae.errors import MissingContextError, ShapeError, VAEError
from designloop.vae.networks import mlp
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.conditional import ConditionalNormal

DOSE = {"dose": torch.tensor([[0.0], [0.5], [-2.0]])}
LABELS = {"condition": torch.tensor([0, 2, 1])}


def of_dose() -> ConditionalNormal:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ConditionalNormal(2, mlp([1, 5, 4]), "dose")


def of_labels() -> ConditionalNormal:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = nn.Embedding(3, 4)
    network.weight.data.mul_(0.5)
    return ConditionalNormal(2, network)


@pytest.mark.parametrize(("prior", "context"), [(of_dose(), DOSE), (of_labels(), LABELS)])
def test_keeps_the_contract(prior: ConditionalNormal, context: dict[str, torch.Tensor]) -> None:
    assert "divergence" in check_prior(prior, context=context).passed


def test_density_and_divergence_are_torchs() -> None:
    prior = of_labels().double()
    assert isinstance(prior.network, nn.Embedding)
    table = prior.network.weight.detach()[LABELS["condition"]]
    known = Normal(table[:, :2], table[:, 2:].exp())
    z = torch.randn(4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(prior.log_prob(z, LABELS), known.log_prob(z).sum(-1))
    q = DiagonalNormal(z[0], z[1].exp())
    wanted = kl_divergence(Normal(q.mean, q.scale), known).sum(-1)
    torch.testing.assert_close(prior.kl(q, z[0], LABELS), wanted)


def test_what_it_reads_has_to_be_there() -> None:
    with pytest.raises(MissingContextError, match=r"ConditionalNormal reads context\['dose'\], the context holds noth"):
        of_dose().sample(3)
    with pytest.raises(MissingContextError, match=r"the context holds condition; pass context=\{'dose'"):
        of_dose().log_prob(torch.zeros(3, 2), LABELS)
    with pytest.raises(ShapeError, match=r"network's output has shape \(3, 3\), expected \(batch, 2 × 2\)"):
        ConditionalNormal(2, mlp([1, 3]), "dose").sample(1, DOSE)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_not_in_the_table_is_told(label: int) -> None:
    context = {"line": torch.tensor([0, label])}
    message = rf"context\['line'\] has the label {label}, expected 0 to 2; number the labels from 0"
    for network in (nn.Embedding(3, 4), nn.Sequential(nn.Embedding(3, 5), nn.Linear(5, 4))):
        with pytest.raises(VAEError, match=message):
            ConditionalNormal(2, network, "line").log_prob(torch.zeros(2, 2), context)
    with pytest.raises(VAEError, match=message):
        ConditionalDecoder(nn.Linear(6, 3), nn.Embedding(3, 4), "line")(torch.zeros(2, 2), context)
