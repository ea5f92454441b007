from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from designloop.testing import check_likelihood
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical

PARAMS = torch.randn(4, 2 * 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
X = torch.tensor([[0, 1], [2, 2], [1, 0], [0, 0]])


def test_pmf_against_its_definition() -> None:
    odds = np.exp(PARAMS.numpy()).reshape(4, 2, 3)
    chances = odds / odds.sum(-1, keepdims=True)
    wanted = [np.log([chances[row, i, X[row, i]] for i in range(2)]).sum() for row in range(4)]
    np.testing.assert_allclose(Categorical(3).log_prob(PARAMS, X), wanted, rtol=1e-12)
    np.testing.assert_allclose(Categorical(3).log_prob(PARAMS, X.double()), wanted, rtol=1e-12)
    torch.testing.assert_close(Categorical(3).probabilities(PARAMS), torch.from_numpy(chances))


def test_keeps_the_contract() -> None:
    every = torch.tensor(list(itertools.product(range(3), repeat=2)))
    assert "fisher" in check_likelihood(Categorical(3), PARAMS, every).passed


def test_two_classes_are_bernoulli() -> None:
    logits = PARAMS[:, :2]
    both = torch.stack([torch.zeros_like(logits), logits], -1).flatten(1)
    x, tangents = X.clamp_max(1), torch.randn(4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(Categorical(2).log_prob(both, x), Bernoulli().log_prob(logits, x.double()))
    ways = torch.stack([torch.zeros_like(tangents), tangents], -1).flatten(2)
    torch.testing.assert_close(Categorical(2).fisher(both, ways), Bernoulli().fisher(logits, tangents))


@pytest.mark.parametrize("wrong", [3.0, -1.0, 0.5, float("nan")])
def test_what_is_no_class_is_refused_unless_masked(wrong: float) -> None:
    x = X.double()
    x[1, 0] = wrong
    with pytest.raises(VAEError, match=r"1 entries that are no class, the first is .*; number the classes 0 to 2"):
        Categorical(3).log_prob(PARAMS, x)
    assert bool(Categorical(3).log_prob(PARAMS, x, X != 2).isfinite().all())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(VAEError, match="classes is 1, expected at least 2"):
        Categorical(1)
    with pytest.raises(ShapeError, match=r"params has shape \(4, 6\), expected \(…, 4 × 2 = 8\)"):
        Categorical(4).log_prob(PARAMS, X)
