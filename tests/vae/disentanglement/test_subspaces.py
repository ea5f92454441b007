"""Priors side by side against their sums, and counterfactuals of a model that is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from designloop.testing import check_prior
from designloop.vae.disentanglement.subspaces import Subspaces, counterfactual, move
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import FullEncoder, MLPDecoder
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.conditional import ConditionalNormal
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.priors.structural.linear import StructuralCausal

CONTEXT = {"line": torch.tensor([0, 1, 1, 0]), "drug": torch.tensor([2, 0, 1, 1])}


def by_label(units: int, labels: int, key: str, seed: int) -> ConditionalNormal:
    table = nn.Embedding(labels, 2 * units)
    with torch.no_grad():
        table.weight.copy_(torch.randn(table.weight.shape, generator=torch.Generator().manual_seed(seed)))
    return ConditionalNormal(units, table, key)


def prior() -> Subspaces:
    return Subspaces([by_label(2, 2, "line", 0), by_label(1, 3, "drug", 1), StandardNormal(1)])


class Same(nn.Module):
    """An encoder that takes the row for the latent."""

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        return DiagonalNormal(x, torch.ones_like(x))


class Product(nn.Module):
    """A decoder with an interaction: the first unit times the third, and the units themselves."""

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        return torch.cat([z, z[..., :1] * z[..., 2:3]], -1)


def test_keeps_the_contract() -> None:
    small = Subspaces([by_label(1, 2, "line", 0), by_label(1, 3, "drug", 1)])
    assert {"divergence", "normalised"} <= set(check_prior(small, context=CONTEXT).passed)
    assert "divergence" in check_prior(prior(), context=CONTEXT).passed


def test_density_and_divergence_are_the_sums_of_the_subspaces_own() -> None:
    both = prior().double()
    z = torch.randn(5, 4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    line, drug, rest = both.priors
    parts = (line, z[..., :2]), (drug, z[..., 2:3]), (rest, z[..., 3:])
    wanted = torch.stack([part_prior.log_prob(part, CONTEXT) for part_prior, part in parts]).sum(0)  # type: ignore[operator]
    torch.testing.assert_close(both.log_prob(z, CONTEXT), wanted)
    q = DiagonalNormal(z[0], z[1].exp())
    given = [line.given(CONTEXT), drug.given(CONTEXT)]  # type: ignore[operator]
    mean = torch.cat([*(part_prior.mean for part_prior in given), torch.zeros(4, 1)], 1)
    scale = torch.cat([*(part_prior.scale for part_prior in given), torch.ones(4, 1)], 1)
    normal = torch.distributions.kl_divergence(
        torch.distributions.Normal(q.mean, q.scale), torch.distributions.Normal(mean, scale)
    )
    torch.testing.assert_close(both.kl(q, z[0], CONTEXT), normal.sum(1))
    assert both.units == [[0, 1], [2], [3]]
    assert len(list(both.parameters())) == 2  # both tables are trained


def test_a_move_keeps_the_noise_and_all_that_does_not_read_the_cause() -> None:
    both = prior()
    z = torch.randn(4, 4, generator=torch.Generator().manual_seed(2))
    other = {"drug": torch.tensor([0, 2, 1, 2])}
    result = move(both, z, CONTEXT, other)
    torch.testing.assert_close(result[:, [0, 1, 3]], z[:, [0, 1, 3]])
    drug = both.priors[1]
    own, new = (drug.given(cause) for cause in (CONTEXT, other))  # type: ignore[operator]
    torch.testing.assert_close((result[:, 2:3] - new.mean) / new.scale, (z[:, 2:3] - own.mean) / own.scale)
    torch.testing.assert_close(result[2], z[2])  # its drug stays
    torch.testing.assert_close(move(both, result, {**CONTEXT, **other}, CONTEXT), z)  # there and back


def test_a_counterfactual_is_the_decoded_move() -> None:
    vae = VAE(Same(), Product(), Gaussian(5), prior())
    x, other = torch.randn(4, 4, generator=torch.Generator().manual_seed(3)), {"drug": torch.tensor([0, 2, 1, 2])}
    here, moved = counterfactual(vae, x, context=CONTEXT, to=other)
    torch.testing.assert_close(here, vae.reconstruct(x, context=CONTEXT))
    torch.testing.assert_close(moved, Product()(move(vae.prior, x, CONTEXT, other)))  # type: ignore[arg-type]
    effect = moved - here
    torch.testing.assert_close(effect[:, 4], x[:, 0] * effect[:, 2])  # a drug's effect depends on the cell
    with torch.no_grad():  # encoded in its own context, decoded in both
        torch.testing.assert_close(moved[2], here[2])


def test_what_cannot_be_is_told() -> None:
    x, to = torch.zeros(4, 4), {"drug": torch.tensor([0, 2, 1, 2])}
    with pytest.raises(VAEError, match="the prior is StandardNormal, expected Subspaces; build the VAE with one"):
        counterfactual(VAE(Same(), Product(), Gaussian(5), StandardNormal(4)), x, context=CONTEXT, to=to)
    vae = VAE(Same(), Product(), Gaussian(5), prior())
    with pytest.raises(ShapeError, match=r"to\['drug'\] has shape \(2,\), expected \(4, …\); give one value a row"):
        counterfactual(vae, x, context=CONTEXT, to={"drug": torch.tensor([0, 2])})
    with pytest.raises(VAEError, match=r"no subspace reads any of \['dose'\]; give one that a ConditionalNormal"):
        counterfactual(vae, x, context=CONTEXT, to={"dose": torch.zeros(4)})


def test_interventions_are_those_of_the_subspace_whatever_the_posterior() -> None:
    """A structural subspace behind another: its units are set, in draws and densities, or the posterior is refused."""
    structural = StructuralCausal(torch.tensor([[0, 0], [1, 0]]))
    both, context = Subspaces([StandardNormal(1), structural]), {"do": structural.interventions({0: 2.0}, 4)}
    z = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(1))
    settled = both.settle(z, context)
    assert bool((settled[..., 1] == 2).all())
    assert torch.equal(settled[..., [0, 2]], z[..., [0, 2]])
    torch.testing.assert_close(both.log_prob(settled, context), both.log_prob(z, context))
    q = both.condition(DiagonalNormal(z[0], z[1].exp()), context)
    assert torch.equal(q.mean, settled[0])
    assert both.condition(q.free, {}) is q.free  # type: ignore[attr-defined]
    full = VAE(FullEncoder(4, 3), MLPDecoder(3, 4), Gaussian(4), both)
    full.encode(torch.zeros(4, 4))
    with pytest.raises(VAEError, match=r"an intervention asks for the scale of each unit by itself, .* is FullNormal"):
        full.encode(torch.zeros(4, 4), context=context)


def test_a_cause_keeps_its_fractions_beside_counts() -> None:
    class Counts(nn.Module):
        def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
            return DiagonalNormal(x[:, :2].float(), torch.ones(len(x), 2))

    slope = nn.Linear(1, 2, bias=False)
    slope.weight.data = torch.tensor([[1.0], [0.0]])
    vae = VAE(
        Counts(), MLPDecoder(2, 2), Gaussian(2), Subspaces([ConditionalNormal(1, slope, "dose"), StandardNormal(1)])
    )
    x, dose = torch.tensor([[3, 1], [0, 2]]), torch.tensor([[1.0], [0.5]])
    answers = [
        counterfactual(vae, rows, context={"dose": dose}, to={"dose": torch.tensor([[2.9], [0.1]])})[1]
        for rows in (x, x.float())
    ]
    torch.testing.assert_close(*answers)
