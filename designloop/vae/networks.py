"""Small reusable encoders and decoders."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.posteriors.full_normal import FullNormal
from designloop.vae.posteriors.markov_normal import MarkovNormal


def mlp(widths: Sequence[int], activation: type[nn.Module] = nn.SiLU) -> nn.Sequential:
    """A multilayer perceptron: linear maps between the widths, an activation between the maps."""
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(widths):
        layers += [nn.Linear(width_in, width_out), activation()]
    return nn.Sequential(*layers[:-1])


def width_of(net: nn.Sequential) -> int:
    """Width of what a multilayer perceptron reads."""
    first = net[0]
    assert isinstance(first, nn.Linear)
    return first.in_features


class MLPEncoder(nn.Module):
    """q(z | x) of flat data: an MLP to mean and log scale; masked entries are set to zero and the mask is fed beside.

    Args:
        features: width of a row. latent: width of z. hidden: widths between.
        reads_mask: feed the mask as further inputs.
    """

    def __init__(self, features: int, latent: int, hidden: Sequence[int] = (), reads_mask: bool = False) -> None:
        super().__init__()
        self.reads_mask = reads_mask
        self.net = mlp([features * (2 if reads_mask else 1), *hidden, 2 * latent])

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        """(batch, features) -> (batch, latent) posterior."""
        mean, log_scale = self.net(_inputs(self.net, x, mask, self.reads_mask)).chunk(2, -1)
        return DiagonalNormal(mean, log_scale.clamp(-10, 5).exp())


class FullEncoder(nn.Module):
    """q(z | x) of flat data with a full covariance: what couples the units of a masked row is then in the posterior.

    Args:
        features, latent, hidden, reads_mask: as for ``MLPEncoder``.
    """

    def __init__(self, features: int, latent: int, hidden: Sequence[int] = (), reads_mask: bool = False) -> None:
        super().__init__()
        self.latent, self.reads_mask = latent, reads_mask
        self.net = mlp([features * (2 if reads_mask else 1), *hidden, 2 * latent + latent * (latent - 1) // 2])

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> FullNormal:
        """(batch, features) -> (batch, latent) posterior."""
        said = self.net(_inputs(self.net, x, mask, self.reads_mask))
        mean, log_scale, below = said.split([self.latent, self.latent, said.shape[-1] - 2 * self.latent], -1)
        factor = torch.diag_embed((-log_scale.clamp(-10, 5)).exp())
        rows, columns = torch.tril_indices(self.latent, self.latent, -1, device=said.device)
        return FullNormal(
            mean, factor.index_put((torch.arange(len(said), device=said.device)[:, None], rows, columns), below)
        )


class MarkovEncoder(nn.Module):
    """q(z | x) of paths, as ``AutoregressiveNormal`` wants it: each step of z leans on the one before.

    Args:
        features, hidden, reads_mask: as for ``MLPEncoder``.
        steps, channels: of the paths; the latent is steps · channels wide.
    """

    def __init__(
        self, features: int, steps: int, channels: int = 1, hidden: Sequence[int] = (), reads_mask: bool = False
    ) -> None:
        super().__init__()
        self.steps, self.channels, self.reads_mask = steps, channels, reads_mask
        self.net = mlp([features * (2 if reads_mask else 1), *hidden, (3 * steps - 1) * channels])

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> MarkovNormal:
        """(batch, features) -> (batch, steps · channels) posterior."""
        said = self.net(_inputs(self.net, x, mask, self.reads_mask)).unflatten(-1, (-1, self.channels))
        mean, log_scale, carry = said.split([self.steps, self.steps, self.steps - 1], -2)
        return MarkovNormal(mean.flatten(-2), log_scale.clamp(-10, 5).exp(), carry)


def _inputs(net: nn.Sequential, x: Tensor, mask: Tensor | None, reads_mask: bool) -> Tensor:
    """(batch, inputs) of rows: masked entries are zero, and the mask stands behind if it is read.

    Raises:
        ShapeError: the rows are of another width than the network was built for.
    """
    features = width_of(net) // (2 if reads_mask else 1)
    if x.shape[-1] != features:
        raise ShapeError("x", x.shape, f"(batch, {features})", "build the encoder for the width of a row")
    x = x.to(next(net.parameters()).dtype)  # counts and numbers of classes may be integers
    if mask is not None:
        x = torch.where(mask, x, torch.zeros_like(x))
    if not reads_mask:
        return x
    return torch.cat([x, torch.ones_like(x) if mask is None else mask.to(x.dtype)], -1)


class MLPDecoder(nn.Module):
    """An MLP from z to the likelihood's params."""

    def __init__(self, latent: int, params: int, hidden: Sequence[int] = ()) -> None:
        super().__init__()
        self.net = mlp([latent, *hidden, params])

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., latent) -> (..., params).

        Raises:
            ShapeError: z is of another width.
        """
        if z.shape[-1] != width_of(self.net):
            raise ShapeError("z", z.shape, f"(…, {width_of(self.net)})", "build the decoder for the latent's width")
        out: Tensor = self.net(z)
        return out


class RBFPrecisionDecoder(nn.Module):
    """A decoder's means and log variances that grow away from where the latents of the data lie.

    1 / σ²(z) = W exp(−bandwidth ‖z − centre‖²) + least,  W > 0: far from all centres the precision is ``least``. It
    gives the params of ``HeteroscedasticGaussian``.

    Args:
        mean: decoder of the means, (..., latent) -> (..., features).
        centres: (centres, latent), and bandwidths (centres,), as ``rbf_centres`` finds them.
        features: width of a row.
        precision: near the data to start from, one over the data's unit squared.
        least: precision far from the data.

    Raises:
        VAEError: ``precision`` or ``least`` is not positive.

    Source: Arvanitidis et al. 2018, "Latent space oddity", section 4.
    """

    centres: Tensor
    bandwidths: Tensor

    def __init__(
        self,
        mean: nn.Module,
        centres: Tensor,
        bandwidths: Tensor,
        features: int,
        precision: float = 1.0,
        least: float = 1e-3,
    ) -> None:
        super().__init__()
        if precision <= 0 or least <= 0:
            raise VAEError(f"precision is {precision} and least {least}, expected positive numbers; give 1 / variance")
        if bandwidths.shape != centres.shape[:1]:
            raise ShapeError("bandwidths", bandwidths.shape, f"({len(centres)},)", "take both from rbf_centres")
        self.mean, self.least = mean, least
        self.register_buffer("centres", centres.detach().clone())
        self.register_buffer("bandwidths", bandwidths.detach().clone())
        self.log_weights = nn.Parameter(torch.full((len(centres), features), precision).to(centres).log())

    def precision(self, z: Tensor) -> Tensor:
        """(..., features) at z (..., latent)."""
        apart = (z.unsqueeze(-2) - self.centres).square().sum(-1)
        near: Tensor = (-self.bandwidths * apart).exp() @ self.log_weights.exp()
        return near + self.least

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., latent) -> (..., 2 · features)."""
        return torch.cat([self.mean(z, context), -self.precision(z).log()], -1)


def rbf_centres(z: Tensor, centres: int, stretch: float = 1.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Centres of k-means among latents, (centres, latent), and a bandwidth each, (centres,).

    A bandwidth is ½ (stretch · mean distance of the cluster's points to its centre)⁻²; a cluster of one point has that
    of the median cluster.

    Args:
        z: (rows, latent) the data's latents, posterior means say.
        centres: how many.
        stretch: widens all of them.
        seed: of the k-means.

    Raises:
        VAEError: there are fewer different latents than centres.

    Source: Arvanitidis et al. 2018, "Latent space oddity", section 4.
    """
    from sklearn.cluster import KMeans

    points = z.detach().cpu().numpy()
    if len(np.unique(points, axis=0)) < centres:
        raise VAEError(f"{centres} centres among {len(np.unique(points, axis=0))} different latents; ask for fewer")
    clusters = KMeans(centres, random_state=seed, n_init=1).fit(points)
    apart = np.linalg.norm(points - clusters.cluster_centers_[clusters.labels_], axis=1)
    spread = np.bincount(clusters.labels_, apart, minlength=centres) / np.bincount(clusters.labels_, minlength=centres)
    if not (spread > 0).any():
        raise VAEError(f"{centres} centres for {len(points)} latents leave every cluster without width; ask for fewer")
    spread[spread == 0] = np.median(spread[spread > 0])
    bandwidths = 0.5 / (stretch * spread) ** 2
    return torch.as_tensor(clusters.cluster_centers_).to(z), torch.as_tensor(bandwidths).to(z)
