"""The one function that puts a model of counts together: its parts, its units, and what samples of it are like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from torch import nn

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.expression import cells_of, expression_vae, library_sizes
from designloop.vae.priors.conditional import ConditionalNormal
from designloop.vae.simulators.neurons import cells, population
from designloop.vae.training.batches import Batch
from designloop.vae.training.epochs import fit_epochs
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_library_sizes_are_mean_counts_of_a_gene_of_any_table() -> None:
    counts = np.array([[1, 0, 5], [2, 2, 2]])
    for table in (counts, scipy.sparse.csr_array(counts), counts.tolist(), torch.from_numpy(counts)):
        assert library_sizes(table).tolist() == [2, 2]
    with pytest.raises(VAEError, match="cell 1 has no counts, so that its library size is 0; leave such cells out"):
        library_sizes([[1, 0], [0, 0]])
    with pytest.raises(ShapeError, match=r"counts has shape \(2,\), expected \(cells, genes\)"):
        library_sizes([1, 2])


@pytest.mark.parametrize("types", [0, 3])
@pytest.mark.parametrize("linear", [True, False])
def test_means_are_shares_and_raw_totals_are_told(types: int, linear: bool) -> None:
    torch.manual_seed(0)
    vae = expression_vae(20, 4, [16], types=types, linear=linear)
    counts = torch.poisson(torch.full((8, 20), 3.0), generator=rng())
    context = {"library_size": library_sizes(counts), "condition": torch.arange(8) % 3}
    means = vae.likelihood.mean(vae.decode(torch.randn(8, 4, generator=rng()), context), context)
    torch.testing.assert_close(means.sum(-1), counts.sum(-1))
    assert isinstance(vae.prior, ConditionalNormal)
    assert bool(vae(counts, context=context, generator=rng()).log_prob.isfinite().all())
    for wrong in (counts.sum(-1), counts.sum(-1) / 20 / 20):
        with pytest.raises(VAEError, match=r"the cells have .* times the counts that context\['library_size'\] says"):
            vae(counts, context={**context, "library_size": wrong})
    seen = torch.rand(8, 20, generator=rng()) < 0.1  # cells of which little was read say nothing of their totals
    seen[:, 0] = True
    assert bool(vae(counts.where(seen, 0.0), seen, context, generator=rng()).log_prob.isfinite().all())


def test_samples_go_together_as_cells_do_and_their_totals_are_their_sizes() -> None:
    source = np.random.default_rng(0)
    truth = population(source, types=1, genes=60, factors=2)
    seen, held = (cells(truth, np.zeros(1500, dtype=int), source) for _ in range(2))
    x, new = (torch.from_numpy(some.counts).float() for some in (seen, held))
    sizes, new_sizes = library_sizes(x), library_sizes(new)
    torch.manual_seed(0)
    vae, generator = expression_vae(60, 4, [64]), rng(1)
    parts = (torch.randint(1500, (128,), generator=generator) for _ in range(300))
    batches = (Batch(x[rows], context={"library_size": sizes[rows]}) for rows in parts)
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.02)
    fit(vae, ELBO(), batches, optimizer, generator=generator, schedule=cosine(300, 20))
    drawn = vae.sample(1500, {"library_size": new_sizes}, rng(3))
    upper = torch.triu_indices(60, 60, 1)
    real, made = (torch.log1p(some / library_sizes(some.clip(1e-3))[:, None]).T.corrcoef() for some in (new, drawn))
    assert float(torch.stack([real[*upper], made[*upper]]).corrcoef()[0, 1]) > 0.8
    assert float((drawn.mean(1) / new_sizes).mean()) == pytest.approx(1, abs=0.02)


def test_the_prior_learns_from_the_logarithm_of_the_size() -> None:
    vae = expression_vae(5, 2)
    prior = vae.prior
    assert isinstance(prior, ConditionalNormal)
    linear = prior.network[1][0]  # type: ignore[index]
    assert isinstance(linear, nn.Linear)
    of_one, of_e = (prior.given({"library_size": torch.tensor([size])}).mean for size in (1.0, math.e))
    torch.testing.assert_close(of_e - of_one, linear.weight[:2].T)


@dataclass
class LikeAnnData:
    """What anndata.AnnData has of it."""

    X: Any
    obs: pd.DataFrame
    layers: dict[str, Any]


def test_cells_of_annotated_data_are_a_batch() -> None:
    counts = np.array([[1, 0, 5], [2, 2, 2], [0, 3, 0]])
    obs = pd.DataFrame({"type": pd.Categorical(["T", "B", "T"])})
    data = LikeAnnData(np.log1p(counts), obs, {"counts": scipy.sparse.csr_matrix(counts)})
    batch, names = cells_of(data, "type", "counts")
    assert batch.x.tolist() == counts.tolist()
    assert batch.context["library_size"].tolist() == [2, 2, 1]
    assert batch.context["condition"].tolist() == [1, 0, 1]
    assert names == ["B", "T"]
    assert set(cells_of(data, layer="counts")[0].context) == {"library_size"}
    history = fit_epochs(expression_vae(3, 2, [4], types=2), ELBO(), batch, epochs=1)
    assert math.isfinite(history.best.loss)
    with pytest.raises(VAEError, match=r"x has .* entries that are no counts"):
        cells_of(data)
    with pytest.raises(VAEError, match="obs has no 'kind', it has type; give one of them"):
        cells_of(data, "kind", "counts")
    with pytest.raises(VAEError, match="layers has no 'raw', it has counts; give one of them"):
        cells_of(data, layer="raw")
