"""The product of likelihoods: the sum of its blocks in all that it is asked, doors for blocks, and what it refuses."""

from __future__ import annotations

import copy
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from designloop.testing import check_likelihood
from designloop.testing.draws import generator
from designloop.vae.capabilities import offers, require
from designloop.vae.errors import CapabilityError, ShapeError, VAEError
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.likelihoods.product import Product
from designloop.vae.likelihoods.self_masking import SelfMasking
from designloop.vae.likelihoods.student_t import StudentT
from designloop.vae.likelihoods.tokens import TokenSequence


def table() -> Product:
    """Numbers beside counts beside zeros and ones beside classes."""
    blocks = {
        "numbers": (HeteroscedasticGaussian(), 2),
        "counts": (NegativeBinomial(2, size="depth"), 2),
        "binary": (Bernoulli(), 1),
        "items": (Categorical(3), 2),
    }
    return Product(blocks).double()


PARAMS = torch.randn(4, 4 + 2 + 1 + 6, generator=generator(), dtype=torch.float64)
CONTEXT = {"depth": torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)}


def test_a_product_is_a_likelihood() -> None:
    """Two of numbers, of which one is listed as a whole; and one of classes, counts, zeros and ones."""
    numbers = Product({"a": (Gaussian(2, 0.5, per_feature=True), 2), "b": (StudentT(1, 8.0), 1)})
    check_likelihood(numbers, torch.randn(3, 3, generator=generator()))
    rows = torch.tensor(list(product(range(6), range(3), range(2))), dtype=torch.float64)
    mixed = Product({"n": (Poisson("depth"), 1), "class": (Categorical(3), 1), "bit": (Bernoulli(), 1)})
    context = {"depth": torch.tensor([0.5, 1.0, 0.7])}
    check_likelihood(mixed, 0.5 * torch.randn(3, 5, generator=generator()), rows, context=context)


def test_every_answer_is_that_of_the_blocks_side_by_side() -> None:
    likelihood = table()
    x = likelihood.sample(PARAMS, generator(1), CONTEXT)
    mask = torch.rand(x.shape, generator=generator(2)) < 0.6
    parts, params = likelihood.split(x), [slice(0, 4), slice(4, 6), slice(6, 7), slice(7, 13)]
    each = [
        part.log_prob(PARAMS[:, own], rows, seen, CONTEXT)  # type: ignore[operator]
        for part, own, rows, seen in zip(
            likelihood.parts, params, parts.values(), likelihood.split(mask).values(), strict=True
        )
    ]
    torch.testing.assert_close(likelihood.log_prob(PARAMS, x, mask, CONTEXT), torch.stack(each).sum(0))
    tangents = torch.randn(4, 3, 13, generator=generator(3), dtype=torch.float64)
    forms = [
        part.fisher(PARAMS[:, own], tangents[..., own], None, CONTEXT)  # type: ignore[operator]
        for part, own in zip(likelihood.parts, params, strict=True)
    ]
    torch.testing.assert_close(likelihood.fisher(PARAMS, tangents, None, CONTEXT), torch.stack(forms).sum(0))
    first = HeteroscedasticGaussian().sample(PARAMS[:, :4], generator(1))
    torch.testing.assert_close(x[:, :2], first)  # blocks draw from one generator, one behind the other
    assert [block.features for block in likelihood.blocks.values()] == [2, 2, 1, 2]
    assert (likelihood.features, likelihood.params) == (7, 13)


def test_a_block_that_hides_itself_says_so_of_what_is_missing() -> None:
    hiding = SelfMasking(Gaussian(2, 0.5), torch.tensor([1, -1]), steepness=3.0)
    likelihood, params = (
        Product({"plain": (Gaussian(1), 1), "hiding": (hiding, 2)}),
        torch.randn(4, 3, generator=generator()),
    )
    for name in ("mean", "variance"):
        told = getattr(likelihood, f"{name}_of_missing")(params)
        torch.testing.assert_close(told[:, 1:], getattr(hiding, f"{name}_of_missing")(params[:, 1:]))
        torch.testing.assert_close(told[:, :1], getattr(likelihood, name)(params)[:, :1])
        assert not torch.allclose(told, getattr(likelihood, name)(params))
    drawn = likelihood.sample_missing(params.repeat(4000, 1), generator(1)).view(4000, 4, 3)
    error = (likelihood.variance_of_missing(params) / 4000).sqrt()
    assert bool(((drawn.mean(0) - likelihood.mean_of_missing(params)).abs() < 5 * error).all())


def test_it_offers_what_all_blocks_offer() -> None:
    likelihood = table()
    assert offers(likelihood, "fisher")
    assert offers(likelihood, "entry_log_prob")
    sentence = r"Product offers no mean; its 'items', a Categorical, has none: draw from it by sample"
    for ask in (lambda: require(likelihood, "mean"), lambda: likelihood.mean(PARAMS, CONTEXT)):
        with pytest.raises(CapabilityError, match=sentence):
            ask()
    with pytest.raises(CapabilityError, match="Product offers no variance; its 'items'"):
        likelihood.variance(PARAMS, CONTEXT)
    assert not offers(likelihood, "logits")


def test_a_network_sees_counts_by_logarithms_and_classes_as_a_one() -> None:
    x = torch.tensor([[0.5, -1.0, 0.0, 3.0, 1.0, 2.0, 0.0], [torch.nan, 2.0, 7.0, torch.nan, 0.0, 1.0, torch.nan]])
    mask = ~x.isnan()
    seen, observed = table().view(x, mask)
    assert observed is not None
    np.testing.assert_allclose(seen[0], [0.5, -1, 0, np.log(4), 1, 0, 0, 1, 1, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(seen[1, observed[1]], [2, np.log(8), 0, 0, 1, 0], rtol=1e-6)
    assert observed[1].tolist() == [False, True, True, False, True, True, True, True, False, False, False]
    assert bool(seen.isfinite().all())
    assert table().view(x[:1])[1] is None
    with pytest.raises(VAEError, match="x has 1 entries that are no class, the first is 5"):
        Categorical(3).view(torch.tensor([[5.0]]))


def test_blocks_are_joined_with_what_each_row_has_of_them() -> None:
    likelihood = Product({"a": (Gaussian(2), 2), "b": (Poisson(), 1), "c": (Bernoulli(), 2)})
    x, mask = likelihood.join(
        {"c": np.array([[True, False], [True, True]]), "a": [[0.5, np.nan], [1.0, 2.0]]},
        {"c": np.array([True, False])},
    )
    assert x.tolist() == [[0.5, 0.0, 0.0, 1.0, 0.0], [1.0, 2.0, 0.0, 0.0, 0.0]]
    assert mask.tolist() == [[True, False, False, True, True], [True, True, False, False, False]]
    assert {name: list(part.shape) for name, part in likelihood.split(x).items()} == {
        "a": [2, 2],
        "b": [2, 1],
        "c": [2, 2],
    }
    only, seen = likelihood.join({"b": torch.tensor([[3], [4]])}, {"b": torch.tensor([[True], [False]])})
    assert only[:, 2].tolist() == [3, 0]
    assert seen.sum() == 1


def test_copies_are_of_their_own() -> None:
    likelihood = Product({"a": (Gaussian(1), 1)})
    other = copy.deepcopy(likelihood).double()
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    zero: Tensor = torch.zeros(1, 1, dtype=torch.float64)
    assert float(other.variance(zero).detach()) == pytest.approx(np.e)
    assert float(likelihood.variance(zero).detach()) == pytest.approx(1.0)
    assert len(list(likelihood.parameters())) == 1


def test_what_cannot_be_is_told() -> None:
    likelihood = Product({"a": (Gaussian(2), 2), "b": (Poisson(), 1)})
    two, tokens = torch.zeros(2, 2), TokenSequence(4, 2, 3, 2)
    for wrong, error, message in (
        (lambda: Product({}), VAEError, r"blocks is empty, expected name -> \(likelihood, number of columns\)"),
        (lambda: Product({"a": (Poisson(), 0)}), VAEError, "block 'a' has 0 columns, expected at least one"),
        (lambda: Product({"s": (tokens, 5)}), VAEError, "TokenSequence does not derive from Entrywise"),
        (lambda: likelihood["c"], VAEError, "there is no block 'c', there are a, b; give one of them"),
        (lambda: likelihood.join({"c": two}), VAEError, "there is no block 'c'"),
        (lambda: likelihood.join({}), VAEError, r"blocks are \[\], masks \[\]; give at least one block"),
        (lambda: likelihood.join({"a": two}, {"b": two}), VAEError, r"blocks are \['a'\], masks \['b'\]"),
        (lambda: likelihood.join({"a": two, "b": two}), ShapeError, r"block 'b' has shape \(2, 2\), expected \(2, 1\)"),
        (lambda: likelihood.join({"a": two}, {"a": two}), ShapeError, r"masks\['a'\] .* it is of torch.float32"),
        (lambda: likelihood.sample(two), ShapeError, r"params has shape \(2, 2\), expected \(…, 3\): 2 a \+ 1 b"),
        (lambda: likelihood.log_prob(torch.zeros(2, 3), two), ShapeError, r"x has shape \(2, 2\), .* 2 a \+ 1 b"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            wrong()
    with pytest.raises(VAEError, match="x has 1 entries that are no counts, the first is -1"):
        likelihood.log_prob(torch.zeros(1, 3), torch.tensor([[0.0, 0.0, -1.0]]))
