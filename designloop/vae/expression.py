"""Counts of genes in cells, put together rightly by one function.

    s = total / genes,     z ~ N(m(log s), σ(log s)²),     x_g ~ NB(mean s · genes · softmax_g(decoder(z, type)), r)

A library size s is a cell's own total, and what is in z moves the total too. So the means are shares of s
(``SoftmaxScale``), s is in units of a mean count a gene, and the prior reads s: z of a cell with many counts is not
that of one with few. Each of the three left out is a quiet loss: raw totals for s make every mean too great by the
number of genes (some tens of nats a cell), and under N(0, I) samples have the z of any cell whatever their size.

Source: Lopez et al. 2018, "Deep generative modeling for single-cell transcriptomics" (scVI).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from designloop.vae.conditional import (
    ConditionalDecoder,
    ConditionalEncoder,
    LogExpression,
    LogSize,
    OneHot,
    SoftmaxScale,
)
from designloop.vae.doors import as_tensor, label_codes
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import require_counts, values_can_be_read
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder, mlp
from designloop.vae.posteriors.base import Posterior
from designloop.vae.priors.conditional import ConditionalNormal
from designloop.vae.training.batches import Batch

UNITS = 5.0
"""Factor by which a batch's totals may differ from what their library sizes say, before these are refused."""


def library_sizes(counts: Any) -> Tensor:
    """(cells,) total counts of each cell over the number of genes: the sizes that ``SoftmaxScale`` means.

    Args:
        counts: (cells, genes), a tensor, an array, a data frame or a sparse matrix; all genes that the model has.

    Raises:
        ShapeError: they are no table.
        VAEError: a cell has no count at all.
    """
    table = as_tensor(counts, None, "counts")
    if table.ndim != 2:
        raise ShapeError("counts", table.shape, "(cells, genes)", "give one row a cell")
    totals = table.sum(1).to(torch.get_default_dtype())
    if not bool((totals > 0).all()):
        empty = int((totals <= 0).nonzero()[0])
        raise VAEError(f"cell {empty} has no counts, so that its library size is 0; leave such cells out")
    return totals / table.shape[1]


def cells_of(data: Any, label: str | None = None, layer: str | None = None) -> tuple[Batch, list[Any]]:
    """All cells of an ``AnnData`` as a batch for ``fit_epochs``, and the labels that its conditions stand for.

    Args:
        data: with ``X``, ``obs`` and ``layers``, as the package anndata has it; it is not imported here.
        label: column of ``obs`` that becomes ``context["condition"]``; None for none.
        layer: that holds the raw counts; None for ``X``.

    Raises:
        VAEError: there is no such column or layer, or the counts are none.
    """
    for name, held, kind in ((label, data.obs, "obs"), (layer, data.layers, "layers")):
        if name is not None and name not in held:
            known = ", ".join(map(str, held.keys())) or "nothing"
            raise VAEError(f"{kind} has no {name!r}, it has {known}; give one of them")
    x = as_tensor(data.X if layer is None else data.layers[layer], None, "counts").to(torch.get_default_dtype())
    require_counts(x)
    context = {"library_size": library_sizes(x)}
    names: list[Any] = []
    if label is not None:
        context["condition"], names = label_codes(data.obs[label])
    return Batch(x, context=context), names


def expression_vae(
    genes: int, latent: int = 10, hidden: Sequence[int] = (128,), *, types: int = 0, dispersion: float = 4.0,
    linear: bool = True,
) -> VAE:  # fmt: skip
    """A VAE of counts of genes that reads ``context["library_size"]`` (``library_sizes(counts)``), and a cell's type.

    Args:
        genes: width of a row.
        latent: width of z.
        hidden: widths between x and z, and back if not ``linear``.
        types: labels in ``context["condition"]``, from 0; 0 for a model that knows of none.
        dispersion: to start from; the decoder gives each gene's.
        linear: let the decoder's log means be linear in z and the type, so that types share factors.
    """
    encoder = MLPEncoder(genes + types, latent, hidden)
    decoder = MLPDecoder(latent + types, 2 * genes, () if linear else tuple(reversed(hidden)))
    one_hot = OneHot(types) if types else None
    by_size = nn.Sequential(LogSize(), mlp([1, 2 * latent]))
    return VAE(
        _OfCounts(ConditionalEncoder(encoder, one_hot) if one_hot else encoder),
        SoftmaxScale(ConditionalDecoder(decoder, one_hot) if one_hot else decoder, genes),
        NegativeBinomial(genes, dispersion, decoded=True),
        ConditionalNormal(latent, by_size, key="library_size"),
    )


class _OfCounts(nn.Module):
    """An encoder of log expression, once the library sizes are those that ``SoftmaxScale`` means.

    Args:
        encoder: of log(1 + x / size).
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Posterior:
        """(batch, genes) -> (batch, latent) posterior.

        Raises:
            MissingContextError: the context has no library sizes.
            VAEError: they are of another unit than a mean count a gene.
        """
        expression = LogExpression()(x, context)
        if context is not None and values_can_be_read(x):
            whole = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
            rows = whole.all(1)
            off = float((x[rows].sum(1) / x.shape[1] / context["library_size"].flatten()[rows]).median())
            if bool(rows.any()) and not 1 / UNITS < off < UNITS:
                raise VAEError(
                    f"the cells have {off:.3g} times the counts that context['library_size'] says; it is each cell's "
                    "total over the number of genes: give library_sizes(counts), not raw totals"
                )
        posterior: Posterior = self.encoder(expression, mask, context)
        return posterior
