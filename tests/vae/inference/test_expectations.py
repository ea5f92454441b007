"""Expectations of anything that is decoded, against sums over a grid of z."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import importance_draws
from designloop.vae.inference.expectations import expectations, mean_and_variance
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.model import VAE
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.standard_normal import StandardNormal


def model() -> VAE:
    """Three counts of one rate, log rate = z."""

    def encode(x: Tensor, mask: Tensor | None, context: object) -> DiagonalNormal:
        return DiagonalNormal(torch.zeros(len(x), 1).double(), torch.full((len(x), 1), 1.2).double())

    return VAE(encode, lambda z, context: z.expand(-1, 3), Poisson(), StandardNormal(1).double())


X = torch.tensor([[0.0, 1.0, 2.0], [4.0, 7.0, 5.0]]).double()


def statistics(params: Tensor, context: object) -> list[Tensor]:
    return [params.exp().sum(1), params.exp(), (params > 0).double()]


def test_totals_entries_and_chances_are_those_of_the_sum_over_z() -> None:
    (total, rate, chance), evidence = expectations(model(), statistics, X, k=40_000, generator=generator())
    assert total.shape == evidence.log_evidence.shape == (2,)
    assert rate.shape == chance.shape == (2, 3)
    z = np.linspace(-8, 8, 20_001)
    for row, counted in enumerate((3, 16)):
        log_joint = counted * z - 3 * np.exp(z) - z**2 / 2
        weights = np.exp(log_joint - log_joint.max())
        weights /= weights.sum()
        assert float(total[row]) == pytest.approx((weights * 3 * np.exp(z)).sum(), rel=0.02)
        assert float(rate[row, 1]) == pytest.approx((weights * np.exp(z)).sum(), rel=0.02)
        assert float(chance[row, 0]) == pytest.approx(weights[z > 0].sum(), abs=0.02)


def test_pieces_change_nothing_and_draws_without_weight_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    def reckless(params: Tensor, context: object) -> list[Tensor]:
        return [torch.where(params > 7, torch.inf, params)]  # a rate of 1,100 has no weight beside these counts

    def careful(params: Tensor, context: object) -> list[Tensor]:
        return [params.clamp_max(3)]

    x = torch.tensor([[0.0, 1.0, 0.0]]).double()
    (whole,), _ = expectations(model(), careful, x, k=40, generator=generator(5))
    monkeypatch.setattr("designloop.vae.inference.evidence.ROWS_AT_ONCE", 7)
    (parts,), _ = expectations(model(), careful, x, k=40, generator=generator(5))
    torch.testing.assert_close(parts, whole)
    monkeypatch.setattr("designloop.vae.inference.evidence.ROWS_AT_ONCE", 1)
    far = VAE(
        lambda rows, mask, context: DiagonalNormal(torch.full((1, 1), 3.0).double(), torch.full((1, 1), 3.0).double()),
        lambda z, context: 3 * z.expand(-1, 3), Poisson(), StandardNormal(1).double(),
    )  # fmt: skip
    for seed in range(6):  # some of which begin with such a draw, which is the best for as long as it is alone
        (value,), _ = expectations(far, reckless, x, k=20, generator=generator(seed))
        assert bool(value.isfinite().all())


def test_no_draw_is_refused() -> None:
    with pytest.raises(VAEError, match="k is 0, expected at least one draw"):
        expectations(model(), statistics, X, k=0)


@pytest.mark.parametrize("level", [0.0, 1e3, 1e4])
def test_a_small_spread_about_a_large_mean_is_that_of_the_draws_themselves(
    level: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 a mean square of 1e8 is known to 8: against weighted moments in float64, at once and in pieces."""

    def encode(x: Tensor, mask: Tensor | None, context: object) -> DiagonalNormal:
        return DiagonalNormal(torch.zeros(len(x), 1), torch.full((len(x), 1), 1.2))

    vae = VAE(encode, lambda z, context: z.expand(-1, 3), Poisson(), StandardNormal(1))
    drawn = list(importance_draws(vae, X.float(), k=300, generator=generator(3)))
    z, weight = (torch.cat(parts).double() for parts in zip(*drawn, strict=True))
    values, shares = (level + z.squeeze(-1).float()).double(), weight.softmax(0)
    wanted = (shares * (values - (shares * values).sum(0)).square()).sum(0)

    def at_level(params: Tensor, context: object) -> list[Tensor]:
        return [level + params, torch.full_like(params, 0.25)]

    for rows_at_once in (2**14, 14):
        monkeypatch.setattr("designloop.vae.inference.evidence.ROWS_AT_ONCE", rows_at_once)
        mean, variance, _ = mean_and_variance(vae, at_level, X.float(), k=300, generator=generator(3))
        np.testing.assert_allclose(mean[:, 0], (shares * values).sum(0), rtol=1e-6)
        np.testing.assert_allclose(variance[:, 1], 0.25 + wanted, rtol=1e-3)


def test_what_no_draw_can_say_is_no_number() -> None:
    def nowhere(params: Tensor, context: object) -> list[Tensor]:
        return [params]

    vae = model()
    hopeless = VAE(vae.encoder, lambda z, context: z.expand(-1, 3) - torch.inf, Poisson(), vae.prior)
    (value,), evidence = expectations(hopeless, nowhere, X, k=5, generator=generator())
    assert not bool(evidence.log_evidence.isfinite().any())
    assert bool(value.isnan().all())
