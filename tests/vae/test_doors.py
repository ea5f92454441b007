"""The door of all calls on data: what it converts, what it refuses, and that every call goes through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from torch import Tensor, nn

from designloop.testing.draws import generator
from designloop.vae.anomaly import scores
from designloop.vae.conditional import aggregate_prior, label_log_probs, transfer
from designloop.vae.disentanglement.beta import rate_and_error
from designloop.vae.doors import as_tensor, label_codes
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.inference.active_units import active_units
from designloop.vae.inference.evidence import annealed_evidence, importance_evidence
from designloop.vae.inference.imputation import impute, sample_missing
from designloop.vae.inference.refinement import refine
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.tables import MixedTable
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO


def small_vae() -> VAE:
    torch.manual_seed(0)
    return VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2)).eval()


def train(vae: VAE, x: Any) -> Tensor:
    torch.manual_seed(0)
    copy = small_vae()
    fit(copy, ELBO(), [Batch(x)], torch.optim.SGD(copy.parameters(), lr=0.1), generator=generator())
    return copy.reconstruct(torch.ones(2, 3))


def with_labels(x: Any) -> dict[str, Tensor]:
    return {"condition": torch.arange(len(x)) % 2}


ALL = torch.ones(8, 3, dtype=torch.bool)
DOORS: dict[str, Callable[[VAE, Any], Any]] = {
    "encode": lambda vae, x: vae.encode(x).mean,
    "forward": lambda vae, x: vae(x).log_prob,
    "elbo": lambda vae, x: vae.elbo(x, noise=torch.zeros(8, 2)),
    "reconstruct": lambda vae, x: vae.reconstruct(x),
    "fit": train,
    "importance_evidence": lambda vae, x: importance_evidence(vae, x, k=3, generator=generator()).log_evidence,
    "annealed_evidence": lambda vae, x: (
        annealed_evidence(vae, x, generator=generator(), chains=2, temperatures=2, leaps=1).log_evidence
    ),
    "active_units": lambda vae, x: active_units(vae, x),
    "impute": lambda vae, x: impute(vae, x, ALL, k=3, generator=generator()).mean,
    "sample_missing": lambda vae, x: sample_missing(vae, x, ALL, n=1, k=3, generator=generator()),
    "refine": lambda vae, x: refine(vae, x, torch.zeros(8, 2), steps=1, length=0.1),
    "transfer": lambda vae, x: transfer(vae, x, to={"dose": torch.ones(8)}),
    "label_log_probs": lambda vae, x: label_log_probs(vae, x, classes=2, k=3, generator=generator()),
    "aggregate_prior": lambda vae, x: aggregate_prior(
        vae, x, None, with_labels(range(8)), classes=2, generator=generator()
    ).log_prob(torch.zeros(8, 2), with_labels(range(8))),
    "rate_and_error": lambda vae, x: rate_and_error(vae, x, generator=generator())[1],
    **{
        name: lambda vae, x, score=score: score(vae, x)  # type: ignore[misc]
        for name, score in scores.SCORES.items()
    },
    "Pearson residuals": lambda vae, x: scores.pearson_residuals(vae, x),
}
X = torch.randn(8, 3, generator=generator(4))
KINDS: dict[str, Callable[[Tensor], Any]] = {
    "array": lambda x: x.numpy(),
    "float64 tensor": lambda x: x.double(),
    "float64 array": lambda x: x.double().numpy(),
    "frame": lambda x: pd.DataFrame(x.numpy(), columns=["a", "b", "c"]),
    "lists": lambda x: x.tolist(),
    "sparse": lambda x: scipy.sparse.csr_array(x.numpy()),
    "rows that are not contiguous": lambda x: np.asfortranarray(x.numpy())[::1],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", DOORS)
def test_every_door_takes_every_kind_of_table(door: str, kind: str) -> None:
    vae = small_vae()
    torch.testing.assert_close(DOORS[door](vae, KINDS[kind](X)), DOORS[door](vae, X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_a_number_that_is_none_and_what_has_no_rows(door: str) -> None:
    vae, x = small_vae(), X.clone()
    x[2, 1] = torch.nan
    with pytest.raises(VAEError, match="x has 1 entries that are NaN or infinite, the first in row 2; give a mask"):
        DOORS[door](vae, x)
    with pytest.raises(VAEError, match=r"x holds \['a'\] of type .*, expected numbers; number what is text"):
        DOORS[door](vae, [["a", "b", "c"]] * 8)
    with pytest.raises(ShapeError, match=r"x has shape \(8,\), expected \(batch, …\); give rows"):
        DOORS[door](vae, X[:, 0])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("abc", "x is of type str, expected a tensor, an array, a data frame or lists of numbers"),
        ({1: 2}, "x is of type dict, expected a tensor"),
        ([[1.0], [2.0, 3.0]], "x has rows of different lengths"),
        ([torch.zeros(3)], r"x is a list of tensors, expected one tensor; give torch.stack\(x\)"),
        (np.array([[1.0, "b"]], dtype=object), "x holds 'b', expected numbers; number what is text"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "x holds .*2020, 1, 1.* of type datetime64"),
        (np.array([[1j]]), r"x holds .*1j.* of type complex128, expected numbers"),
    ],
)
def test_what_holds_no_numbers_is_told(value: Any, message: str) -> None:
    with pytest.raises(VAEError, match=message):
        as_tensor(value, None)


def test_numbers_keep_what_they_are() -> None:
    like = torch.zeros(1)
    assert as_tensor(np.array([[1, 2]], dtype=np.uint16), like).dtype == torch.int64
    assert as_tensor(np.array([[1, 2]], dtype=np.int32), like).dtype == torch.int32
    assert as_tensor(np.array([[1.0]], dtype=np.longdouble), like).dtype == torch.float32
    assert as_tensor(np.array([[1, 2.5]], dtype=object), like).tolist() == [[1, 2.5]]
    assert as_tensor(pd.DataFrame({"a": [1], "b": [0.5]}), None).tolist() == [[1, 0.5]]
    given = np.zeros((2, 2))
    as_tensor(given, None)[0] = 1
    assert (given == 0).all()
    assert as_tensor(given, None).dtype == torch.float64


def test_counts_and_classes_may_be_integers_and_booleans_are_zeros_and_ones() -> None:
    torch.manual_seed(0)
    counts = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), NegativeBinomial(3, size=None), StandardNormal(2))
    classes = VAE(MLPEncoder(3, 2), MLPDecoder(2, 6), Categorical(2), StandardNormal(2))
    x = np.array([[0, 1, 1], [1, 0, 0]])
    for vae in (counts, classes):
        for form in (x, x.astype(np.uint8), x.astype(bool), x.astype(float)):
            torch.testing.assert_close(vae(form).log_prob, vae(torch.from_numpy(x).float()).log_prob)


def test_masks_and_contexts_come_in_by_the_same_door() -> None:
    vae = small_vae()
    mask = X > -1
    x = X.masked_fill(~mask, torch.nan)
    torch.testing.assert_close(vae(x.numpy(), mask.numpy()).log_prob, vae(x, mask).log_prob)
    torch.testing.assert_close(vae(x.tolist(), mask.tolist()).log_prob, vae(x, mask).log_prob)
    with pytest.raises(
        ShapeError, match=r"context\['dose'\] has shape \(3,\), expected \(8, …\); give one value a row"
    ):
        vae(X, context={"dose": torch.zeros(3)})
    with pytest.raises(ShapeError, match=r"context\['dose'\] has shape \(\), expected \(8, …\)"):
        vae.encode(X, context={"dose": torch.tensor(1.0)})
    with pytest.raises(ShapeError, match=r"targets\['t'\] has shape \(1, 1\), expected \(8, …\)"):
        vae(X, targets={"t": torch.zeros(1, 1)})
    with pytest.raises(VAEError, match="mask is None, so that nothing is missing"):
        impute(vae, X, None, k=2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.ones(8, 1), r"weights has shape \(8, 1\), expected \(8,\); give one number a row; weights.flatten"),
        (torch.ones(3), r"weights has shape \(3,\), expected \(8,\)"),
        (torch.tensor([1.0] * 7 + [-1.0]), "weights has entries that are negative or no numbers"),
        (torch.tensor([1.0] * 7 + [torch.nan]), "weights has entries that are negative or no numbers"),
    ],
)
def test_weights_are_one_a_row(weights: Tensor, message: str) -> None:
    with pytest.raises(VAEError, match=message):
        small_vae()(X, weights=weights)


def test_an_encoder_and_a_prior_of_different_widths_do_not_broadcast() -> None:
    torch.manual_seed(0)
    vae = VAE(MLPEncoder(3, 1), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2))
    with pytest.raises(
        ShapeError, match=r"the encoder's mean has shape \(8, 1\), expected \(8, 2\), a row of the prior"
    ):
        vae.elbo(X, noise=torch.zeros(8, 2))

    def one_for_all(x: Tensor, mask: object = None, context: object = None) -> DiagonalNormal:
        return DiagonalNormal(torch.zeros(1, 2), torch.ones(1, 2))

    with pytest.raises(ShapeError, match=r"the encoder's mean has shape \(1, 2\), expected \(8, 2\)"):
        VAE(one_for_all, MLPDecoder(2, 3), Gaussian(3), StandardNormal(2)).encode(X)


def test_samples_are_as_many_as_asked_for() -> None:
    class Reads(nn.Module):
        def forward(self, z: Tensor, context: Any = None) -> Tensor:
            dose: Tensor = context["dose"]
            return dose.unsqueeze(-1) + 0 * z

    vae = VAE(MLPEncoder(2, 2), Reads(), Gaussian(2, 1e-8, learned=False), StandardNormal(2))
    some = vae.sample(3, {"dose": np.array([1.0, 2.0, 3.0])}, generator())  # type: ignore[dict-item]
    torch.testing.assert_close(some[:, 0], torch.tensor([1.0, 2.0, 3.0]), atol=1e-2, rtol=0)
    alike = vae.sample(5, {"dose": torch.tensor([2.0])}, generator())
    assert alike.shape == (5, 2)
    with pytest.raises(
        ShapeError, match=r"context\['dose'\] has shape \(3,\), expected \(5, …\); give one value a row"
    ):
        vae.sample(5, {"dose": torch.ones(3)}, generator())


def test_labels_become_numbers() -> None:
    codes, names = label_codes(["T", "B", "T"])
    assert (codes.tolist(), names) == ([1, 0, 1], ["B", "T"])
    assert label_codes(pd.Series(["T", "B"], dtype="category"))[0].tolist() == [1, 0]
    assert label_codes(torch.tensor([7, 3]))[1] == [3, 7]
    with pytest.raises(VAEError, match="labels has none in row 1; leave such rows out"):
        label_codes(["a", None])
    with pytest.raises(ShapeError, match=r"labels has shape \(1, 1\), expected \(rows,\)"):
        label_codes([["a"]])


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA, pd.NaT], ids=repr)
def test_labels_and_columns_without_a_value_are_told_or_masked(nothing: object) -> None:
    with pytest.raises(VAEError, match="labels has none in row 1; leave such rows out, or give them a label of their"):
        label_codes(["a", nothing, "b"])
    with pytest.raises(VAEError, match="labels has none in row 1"):
        label_codes(pd.Series(["a", nothing, "b"], dtype=object))
    for wards in (["a", nothing, "b", "c"], np.array(["a", nothing, "b", "c"], dtype=object)):
        _, mask = MixedTable.of({"ward": wards}).rows({"ward": wards})
        assert mask[:, 0].tolist() == [True, False, True, True]
