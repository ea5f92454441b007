"""What would broadcast into rows that nobody has, or end in an error of torch's: every such width is told by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from designloop.testing.draws import generator
from designloop.vae.conditional import label_log_probs
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.image_networks import ConvDecoder, ConvEncoder
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.inference.refinement import refine
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.likelihoods.student_t import StudentT
from designloop.vae.model import VAE
from designloop.vae.networks import FullEncoder, MarkovEncoder, MLPDecoder, MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO

X = torch.ones(4, 3)


def small_vae() -> VAE:
    return VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2))


WIDE: dict[str, tuple[Callable[[], Any], str]] = {
    "MLPEncoder": (lambda: MLPEncoder(5, 2)(X), r"x has shape \(4, 3\), expected \(batch, 5\)"),
    "with a mask": (lambda: MLPEncoder(5, 2, reads_mask=True)(X), r"expected \(batch, 5\)"),
    "FullEncoder": (lambda: FullEncoder(2, 2, [8])(X), r"expected \(batch, 2\)"),
    "MarkovEncoder": (lambda: MarkovEncoder(5, 3)(X), r"expected \(batch, 5\)"),
    "ConvEncoder": (lambda: ConvEncoder((1, 8, 8), 2)(torch.ones(4, 1, 4, 8)), r"expected \(batch, 1, 8, 8\)"),
    "MLPDecoder": (lambda: small_vae().decode(torch.ones(4, 3)), r"z has shape \(4, 3\), expected \(…, 2\)"),
    "ConvDecoder": (lambda: ConvDecoder(2, (1, 8, 8))(torch.ones(4, 3)), r"z has shape \(4, 3\), expected \(…, 2\)"),
    "Gaussian": (lambda: Gaussian(1).entry_log_prob(X, X), r"x has shape \(4, 3\), expected \(batch, 1\)"),
    "StudentT": (lambda: StudentT(1, per_feature=True).log_prob(X, X), r"expected \(batch, 1\)"),
    "NegativeBinomial": (lambda: NegativeBinomial(1, size=None).log_prob(X, X), r"expected \(batch, 1\)"),
    "noise, one unit": (lambda: small_vae()(X, noise=torch.ones(4, 1)), r"noise has shape \(4, 1\), expected \(4, 2\)"),
    "noise, one row": (lambda: small_vae().elbo(X, noise=torch.ones(1, 2)), r"expected \(4, 2\), or \(draws, 4, 2\)"),
    "noise, draws": (lambda: small_vae()(X, noise=torch.ones(3, 4, 1)), r"noise has shape \(3, 4, 1\)"),
    "starts": (
        lambda: refine(small_vae(), X, torch.ones(1, 2), steps=1, length=0.1),
        r"start has shape \(1, 2\), expected \(4, 2\)",
    ),
    "shares": (
        lambda: label_log_probs(small_vae(), X, classes=2, k=1, shares=torch.ones(3)),
        r"shares has shape \(3,\), expected \(2,\)",
    ),
}


@pytest.mark.parametrize("case", WIDE)
def test_another_width_is_told(case: str) -> None:
    call, message = WIDE[case]
    with pytest.raises(ShapeError, match=message):
        call()


def test_noise_takes_the_models_precision() -> None:
    vae = small_vae()
    noise = torch.randn(4, 2, generator=generator(), dtype=torch.float64)
    assert torch.equal(vae.elbo(X, noise=noise), vae.elbo(X, noise=noise.float()))


def test_shares_are_positive_and_may_be_a_list() -> None:
    vae = small_vae()
    with pytest.raises(VAEError, match="shares has entries that are not positive"):
        label_log_probs(vae, X, classes=2, k=1, shares=torch.tensor([0.5, -0.5]))
    said = label_log_probs(vae, X, classes=2, k=1, shares=[1, 3], generator=generator())  # type: ignore[arg-type]
    alike = label_log_probs(vae, X, classes=2, k=1, generator=generator())
    expected = (alike + torch.tensor([1.0, 3.0]).log()).log_softmax(-1)
    torch.testing.assert_close(said, expected)


def test_no_rows_have_no_evidence() -> None:
    evidence = importance_evidence(small_vae(), X[:0], k=3)
    assert evidence.log_evidence.shape == evidence.effective_samples.shape == evidence.pareto_k.shape == (0,)


def test_one_table_is_no_stream_of_batches_and_weights_of_nothing_teach_nothing() -> None:
    vae = small_vae()
    optimizer = torch.optim.SGD(vae.parameters(), lr=0.1)
    for table in (X, X.numpy()):
        with pytest.raises(VAEError, match=r"batches is one table, expected a stream of batches; give \[x\] \* steps"):
            fit(vae, ELBO(), table, optimizer, generator=generator())
    with pytest.raises(VAEError, match="weights are all 0, so that no row of the batch teaches anything"):
        (1.0 * ELBO())(vae(X, weights=torch.zeros(4)))
