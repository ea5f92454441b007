from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import yeojohnson, yeojohnson_normmax
from torch import Tensor

from designloop.vae.anomaly.bends import best_powers, yeo_johnson
from designloop.vae.anomaly.kinds import Binary, Counts, Numbers, kind_of
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.linear.linear_gaussian import LinearGaussian, ppca


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("power", [0.0, 0.3, 1.0, 1.7, 2.0])
def test_the_transform_is_scipys(power: float) -> None:
    x = 3 * normal(200)
    result = yeo_johnson(x[:, None], torch.tensor([power], dtype=torch.float64))[:, 0]
    np.testing.assert_allclose(result, yeojohnson(x.numpy(), power), rtol=1e-9, atol=1e-12)


def test_the_powers_are_the_likeliest_as_scipy_finds_them() -> None:
    x = torch.stack([normal(400), (0.6 * normal(400, seed=1)).exp(), -normal(400, seed=2).exp()], 1)
    x = (x - x.mean(0)) / x.std(0)
    wanted = [min(max(yeojohnson_normmax(feature.numpy()), 0), 2) for feature in x.T]
    np.testing.assert_allclose(best_powers(x), wanted, atol=0.026)
    assert best_powers(torch.ones(9, 1, dtype=torch.float64)).tolist() == [1.0]


def test_it_hardly_matters_whether_a_feature_is_written_as_its_logarithm() -> None:
    log = 0.5 * normal(500, 1)
    x = torch.cat([log, normal(500, 1, seed=1)], 1)
    other = torch.cat([log.exp(), 1e6 * x[:, 1:] - 5], 1)
    first, second = (Numbers.of(of).prepare(of) for of in (x, other))
    torch.testing.assert_close(first[:, 1], second[:, 1])
    assert float(torch.corrcoef(torch.stack([first[:, 0], second[:, 0]]))[0, 1]) > 0.995
    assert float(torch.corrcoef(torch.stack([x[:, 0], other[:, 0]]))[0, 1]) < 0.96


def test_numbers_are_standardised_and_constants_left_in_peace() -> None:
    x = torch.cat([normal(100, 2) * 50 + 1000, torch.full((100, 1), 7.0, dtype=torch.float64)], 1)
    result = Numbers.of(x).prepare(x)
    torch.testing.assert_close(result.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(result[:, :2].std(0, correction=0), torch.ones(2, dtype=torch.float64))
    assert bool((result[:, 2] == 0).all())


def test_log_means_of_counts_start_with_the_right_means() -> None:
    """E exp(w z + b) over z ~ N(0, 1) is each feature's mean."""
    x = torch.poisson((1 + 0.5 * normal(2000, 4)).exp(), generator=torch.Generator().manual_seed(0))
    kind = Counts.of(x)
    weights, offset = kind.decoder(ppca(kind.view(x), 2))
    log_means = normal(400_000, 2, seed=3) @ weights.T + offset
    torch.testing.assert_close(log_means.exp().mean(0), x.mean(0), rtol=0.01, atol=0)
    assert kind.prepare(x) is x
    assert 0.1 <= float(kind.likelihood(ppca(kind.view(x), 2)).log_dispersion.detach().exp()[0]) <= 100


def test_logits_start_with_the_slope_of_probabilities() -> None:
    x = (normal(500, 3) > 0.5).double()
    kind = Binary.of(x)
    model = LinearGaussian(torch.ones(3, 1).double(), torch.zeros(3).double(), torch.ones(1).double())
    weights, offset = kind.decoder(model)
    small = 1e-4
    change = (offset + small * weights[:, 0]).sigmoid() - offset.sigmoid()
    views = kind.view(torch.stack([offset.sigmoid(), offset.sigmoid() + change]))
    torch.testing.assert_close((views[1] - views[0]) / small, torch.ones(3).double(), rtol=1e-3, atol=0)


def test_the_kind_of_data_is_seen() -> None:
    assert kind_of(normal(5, 3)) == "numbers"
    assert kind_of((normal(5, 3) > 0).float()) == "binary"
    assert kind_of(normal(9, 3).abs().mul(5).floor()) == "counts"
    assert kind_of(normal(9, 3).mul(5).floor()) == "numbers"


def test_whole_numbers_that_are_measured_are_no_counts() -> None:
    counts = torch.poisson(torch.full((200, 3), 4.0), generator=torch.Generator().manual_seed(0)).double()
    assert kind_of(counts) == "counts"
    assert kind_of(counts / 2) == "numbers"  # measured in halves
    assert kind_of(2 * counts) == "numbers"  # halves that were doubled
    assert kind_of(10 * counts) == "numbers"
    assert kind_of((2000 + 5 * normal(200, 3)).round()) == "numbers"  # years, whose variance is below their mean


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ShapeError, match=r"x has shape \(5, 1\), expected \(at least 4 rows, at least 2 features\)"):
        kind_of(normal(5, 1))
    with pytest.raises(VAEError, match=r"x is of torch.int64, expected floating point"):
        kind_of(torch.ones(5, 3, dtype=torch.long))
    with pytest.raises(VAEError, match="1 entries that are NaN"):
        kind_of(torch.where(torch.arange(15).view(5, 3) == 4, torch.nan, normal(5, 3)))
    with pytest.raises(VAEError, match="entries that are no counts"):
        Counts.of(normal(5, 3))
    with pytest.raises(VAEError, match="entries that are not between 0 and 1"):
        Binary.of(normal(5, 3))
