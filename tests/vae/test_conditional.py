"""Conditional VAEs against linear-Gaussian models, in which everything that is asked has a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from torch import Tensor, nn

from designloop.testing.draws import generator
from designloop.vae.conditional import (
    ConditionalDecoder,
    ConditionalEncoder,
    LogExpression,
    LogSize,
    OneHot,
    SoftmaxScale,
    aggregate_prior,
    label_log_probs,
    transfer,
)
from designloop.vae.errors import CapabilityError, MissingContextError, ShapeError, VAEError
from designloop.vae.geometry import pullback_metric
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.inference.imputation import impute
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.linear.linear_gaussian import LinearGaussian
from designloop.vae.linear.linear_vae import as_vae
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.conditional import ConditionalNormal
from designloop.vae.priors.learned import LearnedPrior
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO

NOISE = 0.3
WEIGHTS = torch.tensor([[1.2, 0.0], [0.0, 0.7], [0.8, 0.0], [0.0, -0.5]], dtype=torch.float64)
OFFSETS = torch.tensor([[0.0, 1.0, -1.0, 2.0], [0.5, 0.0, 0.0, -1.0], [-1.5, 0.3, 0.7, 0.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 2, 1, 1, 0])
X = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
COVARIANCE = (WEIGHTS @ WEIGHTS.T + NOISE * torch.eye(4, dtype=torch.float64)).numpy()


def linear(embed: nn.Module | None, offsets: Tensor, widen: float = 1.0) -> VAE:
    """x | z, c ~ N(W z + offsetsᵀ e(c), NOISE), with the posterior that is exact, or as many times as wide."""
    width = len(offsets)
    alone = as_vae(LinearGaussian(WEIGHTS, torch.zeros(4).double(), torch.tensor([NOISE]).double()), widen)
    encoder, decoder = MLPEncoder(4 + width, 2).double(), MLPDecoder(2 + width, 4).double()
    own, ours = alone.encoder.state_dict(), alone.decoder.state_dict()  # type: ignore[attr-defined]  # modules both
    moved = -own["net.0.weight"] @ offsets.T  # so that it encodes x − offset
    encoder.load_state_dict({**own, "net.0.weight": torch.cat([own["net.0.weight"], moved], 1)})
    decoder.load_state_dict({**ours, "net.0.weight": torch.cat([ours["net.0.weight"], offsets.T], 1)})
    parts = ConditionalEncoder(encoder, embed), ConditionalDecoder(decoder, embed)
    return VAE(*parts, alone.likelihood, StandardNormal(2).double())


def by_label() -> VAE:
    return linear(OneHot(3), OFFSETS)


def known(x: Tensor, offset: Tensor) -> np.ndarray:
    return np.atleast_1d(multivariate_normal(cov=COVARIANCE).logpdf((x - offset).numpy()))


@pytest.mark.parametrize("k", [1, 7])
def test_the_evidence_given_a_label_is_the_closed_form(k: int) -> None:
    result = importance_evidence(by_label(), X, None, {"condition": LABELS}, k=k, generator=generator()).log_evidence
    np.testing.assert_allclose(result.numpy(), known(X, OFFSETS[LABELS]), atol=1e-6)


@settings(max_examples=20)
@given(dose=st.floats(-3, 3))
def test_the_evidence_given_an_attribute_is_the_closed_form(dose: float) -> None:
    vae = linear(None, OFFSETS[:1])
    column = torch.full((5,), dose, dtype=torch.float64)
    wanted = known(X, dose * OFFSETS[0])
    for condition in (column, column.unsqueeze(1)):
        result = importance_evidence(vae, X, None, {"condition": condition}, k=1, generator=generator()).log_evidence
        np.testing.assert_allclose(result.numpy(), wanted, atol=1e-6)


def test_draws_of_a_label_have_its_mean_and_covariance() -> None:
    labels = torch.tensor([2, 0]).repeat_interleave(20_000)
    x = by_label().sample(len(labels), {"condition": labels}, generator(1))
    for label in (0, 2):
        own = x[labels == label]
        torch.testing.assert_close(own.mean(0), OFFSETS[label], atol=0.05, rtol=0)
        np.testing.assert_allclose(torch.cov(own.T).numpy(), COVARIANCE, atol=0.05)


def test_the_label_of_a_row_by_bayes_rule() -> None:
    shares = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    joint = np.stack([known(X, offset) for offset in OFFSETS], -1)
    for weights in (None, shares):
        total = joint if weights is None else joint + weights.log().numpy()
        wanted = total - np.logaddexp.reduce(total, -1, keepdims=True)
        result = label_log_probs(by_label(), X, classes=3, k=2, shares=weights, generator=generator())
        np.testing.assert_allclose(result.numpy(), wanted, atol=1e-6)
    with pytest.raises(ShapeError, match=r"shares has shape \(2,\), expected \(3,\)"):
        label_log_probs(by_label(), X, classes=3, k=2, shares=shares[:2])


def test_a_row_under_another_label_moves_by_the_difference_of_offsets() -> None:
    vae, context, to = by_label(), {"condition": LABELS}, {"condition": (LABELS + 1) % 3}
    same = vae.reconstruct(X, None, context)
    moved = transfer(vae, X, context=context, to=to)
    torch.testing.assert_close(moved - same, OFFSETS[to["condition"]] - OFFSETS[LABELS])
    torch.testing.assert_close(transfer(vae, X, context=context, to={}), same)
    classes = VAE(vae.encoder, vae.decoder, Categorical(2), vae.prior)
    with pytest.raises(CapabilityError, match="Categorical offers no mean; draw from"):
        transfer(classes, X, context=context, to=to)


def test_a_mask_covers_features_and_never_the_condition() -> None:
    """What is masked does not matter, the label does; imputation is the conditional normal's mean."""
    mask = torch.tensor([True, False, True, True]).expand(5, -1)
    encoder = ConditionalEncoder(MLPEncoder(4 + 3, 2, [5], reads_mask=True).double(), OneHot(3))
    other = X.clone()
    other[:, 1] = math.nan
    first, second = (encoder(x, mask, {"condition": LABELS}).mean for x in (X, other))
    assert torch.equal(first, second)
    assert not torch.allclose(first, encoder(X, mask, {"condition": (LABELS + 1) % 3}).mean)
    vae, seen = linear(OneHot(3), OFFSETS, widen=3.0), [0, 2, 3]  # an encoder that misses nothing
    gain = COVARIANCE[1, seen] @ np.linalg.inv(COVARIANCE[np.ix_(seen, seen)])
    offset = OFFSETS[LABELS]
    wanted = offset[:, 1].numpy() + (X - offset)[:, seen].numpy() @ gain
    result = impute(vae, other, mask, {"condition": LABELS}, k=20_000, generator=generator(2)).mean
    np.testing.assert_allclose(result[:, 1].numpy(), wanted, atol=0.03)


def test_the_aggregate_prior_is_the_posterior_of_each_labels_rows() -> None:
    """Latents of a label that has another law than the prior says: its draws come out as its data are."""
    labels = torch.tensor([0, 1]).repeat_interleave(4000)
    moments = {0: torch.tensor([1.5, -1.0]), 1: torch.tensor([-0.5, 0.2])}
    z = torch.cat(
        [moments[label] + 0.4 * torch.randn(4000, 2, generator=generator(label)) for label in (0, 1)]
    ).double()
    x = z @ WEIGHTS.T + OFFSETS[labels] + math.sqrt(NOISE) * torch.randn(8000, 4, generator=generator(3)).double()
    vae, context = by_label(), {"condition": labels}
    prior = aggregate_prior(vae, x, None, context, classes=2, draws=3, generator=generator(4))
    own = vae.encode(x, None, context)
    for label, label_prior in enumerate(prior.priors):
        rows = labels == label
        assert isinstance(label_prior, LearnedPrior)
        torch.testing.assert_close(label_prior.means[0], own.mean[rows].mean(0), atol=0.03, rtol=0)
        covariance = (label_prior.axes[0] * label_prior.variances[0]) @ label_prior.axes[0].T
        wanted = torch.cov(own.mean[rows].T) + own.variance[rows].mean(0).diag()
        torch.testing.assert_close(covariance, wanted, atol=0.03, rtol=0)

    def apart(vae: VAE) -> float:
        drawn = vae.sample(8000, context, generator(5))
        return float((drawn[labels == 0].mean(0) - x[labels == 0].mean(0)).abs().max())

    assert apart(vae.with_prior(prior)) < 0.2 * apart(vae)
    with pytest.raises(ShapeError, match="encode more rows or ask for fewer components"):
        aggregate_prior(vae, x, None, context, classes=3, generator=generator())
    with pytest.raises(MissingContextError, match=r"aggregate_prior reads context\['condition'\]"):
        aggregate_prior(vae, x, classes=2)


def test_a_prior_that_reads_the_condition_learns_where_a_labels_latents_lie() -> None:
    """With the decoder held and blind to the label, only the prior tells labels apart: N(mean_c, I)."""
    vae = linear(OneHot(3), torch.zeros(3, 4).double())
    network = nn.Embedding(3, 4).double()
    nn.init.zeros_(network.weight)
    vae.prior = ConditionalNormal(2, network)
    labels = torch.arange(3).repeat(1000)
    means = torch.tensor([[1.0, 0.0], [0.0, -1.0], [-0.5, 0.5]], dtype=torch.float64)
    z = means[labels] + torch.randn(3000, 2, generator=generator()).double()
    x = z @ WEIGHTS.T + math.sqrt(NOISE) * torch.randn(3000, 4, generator=generator(1)).double()
    batches = [Batch(x, context={"condition": labels})] * 150
    parts = [*vae.encoder.parameters(), *network.parameters()]  # type: ignore[attr-defined]  # a module
    fit(vae, ELBO(), batches, torch.optim.Adam(parts, lr=0.05), generator=generator())
    torch.testing.assert_close(network.weight[:, :2].detach(), means, atol=0.1, rtol=0)
    torch.testing.assert_close(network.weight[:, 2:].detach(), torch.zeros(3, 2).double(), atol=0.1, rtol=0)


def test_metric_of_a_conditional_decoder_under_a_condition() -> None:
    z = torch.randn(3, 2, dtype=torch.float64, generator=generator())
    result = pullback_metric(by_label(), z, {"condition": torch.tensor([1])})
    torch.testing.assert_close(result, (WEIGHTS.T @ WEIGHTS / NOISE).expand(3, -1, -1))


def test_log_expression_takes_the_library_size_out() -> None:
    x, size = torch.tensor([[0.0, 3.0], [8.0, 2.0]]), torch.tensor([0.5, 2.0])
    torch.testing.assert_close(
        LogExpression()(x, {"library_size": size}), torch.tensor([[0.0, math.log(7)], [math.log(5), math.log(2)]])
    )
    torch.testing.assert_close(LogExpression("depth")(x.long(), {"depth": size}), torch.log1p(x / size[:, None]))
    with pytest.raises(MissingContextError, match=r"LogExpression reads context\['library_size'\]"):
        LogExpression()(x, {})


def test_shares_make_a_library_size_the_mean_of_a_rows_counts() -> None:
    """Whatever z is: a row's means average to its size, keep their ratios, and leave what stands behind them alone."""
    plain, size = ConditionalDecoder(MLPDecoder(2 + 3, 8), OneHot(3)), torch.tensor([0.5, 1.0, 2.0, 30.0, 1.0])
    context = {"condition": LABELS, "library_size": size}
    z = 3 * torch.randn(6, 5, 2, generator=generator())
    params, before = SoftmaxScale(plain, 4)(z, context), plain(z, context)
    means = NegativeBinomial(4, dispersion=2.0, decoded=True).mean(params, context)
    torch.testing.assert_close(means.mean(-1), size.expand(6, -1))
    torch.testing.assert_close(params[..., :3].diff(dim=-1), before[..., :3].diff(dim=-1))
    assert torch.equal(params[..., 4:], before[..., 4:])
    with pytest.raises(ShapeError, match=r"expected \(…, 9 or more\)"):
        SoftmaxScale(plain, 9)(z, context)


def test_a_prior_of_the_log_amount_learns_what_the_size_says_of_the_latent() -> None:
    """With z ~ N(a log s, I) and the decoder held, the slope is a, and it is drawn under any size that is asked for."""
    vae = as_vae(LinearGaussian(WEIGHTS, torch.zeros(4).double(), torch.tensor([NOISE]).double()))
    torch.manual_seed(0)
    slope, network = torch.tensor([0.8, -0.5], dtype=torch.float64), nn.Linear(1, 4).double()
    vae.prior = ConditionalNormal(2, nn.Sequential(LogSize(), network), key="size")
    log = torch.randn(3000, generator=generator(2)).double()
    z = slope * log.unsqueeze(1) + torch.randn(3000, 2, generator=generator()).double()
    x = z @ WEIGHTS.T + math.sqrt(NOISE) * torch.randn(3000, 4, generator=generator(1)).double()
    batches = [Batch(x, context={"size": log.exp()})] * 150
    parts = [*vae.encoder.parameters(), *network.parameters()]  # type: ignore[attr-defined]  # a module
    fit(vae, ELBO(), batches, torch.optim.Adam(parts, lr=0.05), generator=generator())
    torch.testing.assert_close(network.weight[:2, 0].detach(), slope, atol=0.1, rtol=0)
    assert LogSize()(torch.tensor([1.0, math.e])).flatten().tolist() == pytest.approx([0, 1])
    with pytest.raises(VAEError, match="an amount is not positive, so it has no logarithm; leave that row out"):
        LogSize()(torch.tensor([1.0, 0.0]))


def test_one_hot_and_its_precision() -> None:
    assert OneHot(3)(torch.tensor([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    single = linear(OneHot(3), OFFSETS).float()
    assert single.sample(5, {"condition": LABELS}, generator()).dtype == torch.float32
    assert by_label().sample(5, {"condition": LABELS.int()}, generator()).dtype == torch.float64


@pytest.mark.parametrize(
    ("condition", "embed", "message"),
    [
        (None, OneHot(3), r"ConditionalDecoder reads context\['condition'\], the context holds other"),
        (LABELS, OneHot(2), r"has the label 2, expected 0 to 1"),
        (LABELS, None, r"is of torch.int64 and ConditionalDecoder has no embed, .* give embed=OneHot\(classes\)"),
        (torch.rand(4, 3), None, r"embedded, has shape \(4, 3\), expected \(5, width\), a row of numbers"),
        (torch.rand(5, 3, 2), None, r"embedded, has shape \(5, 3, 2\), expected \(5, width\)"),
    ],
)
def test_conditions_that_cannot_be_are_told(condition: Tensor | None, embed: nn.Module | None, message: str) -> None:
    context = {"other": torch.ones(5)} if condition is None else {"condition": condition}
    with pytest.raises(VAEError, match=message):
        ConditionalDecoder(MLPDecoder(5, 4), embed)(torch.zeros(5, 2), context)
