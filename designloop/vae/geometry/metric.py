"""Riemannian metrics that a VAE's decoder puts on latent space, and volume.

A metric is any callable (z, tangents) -> inner products of the tangents at z: a matrix of the tangents that are asked
for, never more. A curve's speed takes one tangent, the metric tensor takes the unit vectors.

    Fisher–Rao           G(z) = J(z)ᵀ F(z) J(z)     J of the decoder's params, F the likelihood's Fisher information
    expected Euclidean   G(z) = JμᵀJμ + JσᵀJσ       J of the data's mean and standard deviation

Sources: Arvanitidis et al. 2022, "Pulling back information geometry"; Arvanitidis et al. 2018, "Latent space oddity".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import jvp, vmap
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from designloop.vae.capabilities import require
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE

Metric = Callable[[Tensor, Tensor], Tensor]
"""(z: (batch, latent), tangents: (batch, k, latent)) -> (batch, k, k) inner products of the tangents at z.

Rows are independent of each other. Differentiable in z where z requires a gradient.
"""

CHUNK = 1024
"""Rows at a time: what they push forward, (rows, k, params), stays small, and the calls cost little beside products."""


def pullback_metric(vae: VAE, z: Tensor, context: Context | None = None) -> Tensor:
    """Riemannian metric that the decoder and the likelihood induce on latent space: the Fisher–Rao pullback.

    G(z) = J(z)ᵀ F(z) J(z), with J the Jacobian of the decoder's params and F the likelihood's Fisher information; for a
    Gaussian of fixed variance this is JᵀJ / σ².

    Args:
        z: (batch, latent) points.
        context: name -> (1, …) for all points, or (batch, …).

    Returns:
        (batch, latent, latent) symmetric positive semi-definite matrices, in nats per latent unit squared.

    Raises:
        CapabilityError: the likelihood has no ``fisher``.

    Source: Arvanitidis et al. 2022, "Pulling back information geometry".
    """
    return metric_tensor(FisherRao(vae, context), z)


def expected_euclidean_metric(vae: VAE, z: Tensor, context: Context | None = None) -> Tensor:
    """Riemannian metric of the decoded data seen as a random surface: E[JᵀJ] = JμᵀJμ + JσᵀJσ.

    The data are taken as x = μ(z) + σ(z) ε with one ε for all z, of zero mean and unit variance, features independent.

    Args:
        z: (batch, latent) points.
        context: name -> (1, …) for all points, or (batch, …).

    Returns:
        (batch, latent, latent) symmetric positive semi-definite matrices, data units squared per latent unit squared.

    Raises:
        CapabilityError: the likelihood has no ``mean`` or no ``variance``.

    Source: Arvanitidis et al. 2018, "Latent space oddity", theorem 1.
    """
    return metric_tensor(ExpectedEuclidean(vae, context), z)


def metric_tensor(metric: Metric, z: Tensor) -> Tensor:
    """(batch, latent, latent) metric tensor at z (batch, latent): the inner products of the unit vectors."""
    if z.ndim != 2:
        raise ShapeError("z", z.shape, "(batch, latent)", "give one point a row")
    unit = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return metric(z, unit.expand(z.shape[0], -1, -1))


def log_volume(metric: Metric, z: Tensor) -> Tensor:
    """(batch,) log √det G(z), the log of how much volume of data a unit volume of latents is; −inf where G is singular.

    Args:
        z: (batch, latent).
    """
    log_det: Tensor = torch.linalg.slogdet(metric_tensor(metric, z)).logabsdet
    return 0.5 * log_det


def volume(metric: Metric, z: Tensor) -> Tensor:
    """(batch,) √det G(z). Arguments as ``log_volume``."""
    return log_volume(metric, z).exp()


class Pullback:
    """What the metrics of a VAE share: checks, chunks, and no gradient where none is asked for.

    Args:
        vae: fitted; its weights are held fixed.
        context: name -> (1, …), the same for all points, or (batch, …) for those of a single call.
        chunk: rows at a time.
    """

    def __init__(self, vae: VAE, context: Context | None = None, chunk: int = CHUNK) -> None:
        self.vae, self.context, self.chunk = vae, context, chunk

    def __call__(self, z: Tensor, tangents: Tensor) -> Tensor:
        """(batch, k, k) inner products at z (batch, latent) of tangents (batch, k, latent)."""
        latent = self.vae.prior.latent
        if z.ndim != 2 or z.shape[1] != latent:
            raise ShapeError("z", z.shape, f"(batch, {latent})", "give one latent a row")
        if tangents.ndim != 3 or tangents.shape[0] != z.shape[0] or tangents.shape[2] != latent:
            raise ShapeError("tangents", tangents.shape, f"({z.shape[0]}, k, {latent})", "give k vectors a latent")
        with torch.set_grad_enabled(torch.is_grad_enabled() and (z.requires_grad or tangents.requires_grad)):
            parts = []
            for first in range(0, max(z.shape[0], 1), self.chunk):
                here = slice(first, first + self.chunk)
                parts.append(self.form(z[here], tangents[here], self._context_of(z, here)))
            return torch.cat(parts)

    def form(self, z: Tensor, tangents: Tensor, context: Context | None) -> Tensor:
        """The inner products for one chunk, whose context has its rows."""
        raise NotImplementedError

    def _context_of(self, z: Tensor, here: slice) -> Context | None:
        if self.context is None:
            return None
        rows, context = len(range(*here.indices(z.shape[0]))), {}
        for name, value in self.context.items():
            if value.shape[0] not in (1, z.shape[0]):
                raise ShapeError(
                    f"context[{name!r}]",
                    value.shape,
                    f"(1, …) or ({z.shape[0]}, …)",
                    "give one row, which all points are seen under",
                )
            context[name] = value.expand(rows, *value.shape[1:]) if value.shape[0] == 1 else value[here]
        return context


class FisherRao(Pullback):
    """The Fisher–Rao metric: how well p(x | z) and p(x | z + dz) can be told apart, KL ≈ ½ dzᵀ G dz.

    Args:
        vae: fitted; its likelihood offers ``fisher``.
        context: name -> (1, …), the same for all points, or (batch, …) for those of a single call.
        chunk: rows at a time.

    Raises:
        CapabilityError: the likelihood has no ``fisher``.

    Source: Arvanitidis et al. 2022, "Pulling back information geometry".
    """

    def __init__(self, vae: VAE, context: Context | None = None, chunk: int = CHUNK) -> None:
        require(vae.likelihood, "fisher")
        super().__init__(vae, context, chunk)

    def form(self, z: Tensor, tangents: Tensor, context: Context | None) -> Tensor:
        """(batch, k, k) Fisher information of the tangents, pushed to the likelihood's params."""
        params, pushed = pushforward(lambda point: self.vae.decode(point, context), z, tangents)
        return self.vae.likelihood.fisher(params, pushed, None, context)


class ExpectedEuclidean(Pullback):
    """The expected Euclidean metric of the decoded data, E[JᵀJ] = JμᵀJμ + JσᵀJσ.

    Args:
        vae: fitted; its likelihood offers ``mean`` and ``variance``.
        context: name -> (1, …), the same for all points, or (batch, …) for those of a single call.
        chunk: rows at a time.

    Raises:
        CapabilityError: the likelihood has no ``mean`` or no ``variance``.

    Source: Arvanitidis et al. 2018, "Latent space oddity", theorem 1.
    """

    def __init__(self, vae: VAE, context: Context | None = None, chunk: int = CHUNK) -> None:
        require(vae.likelihood, "mean", "variance")
        super().__init__(vae, context, chunk)

    def form(self, z: Tensor, tangents: Tensor, context: Context | None) -> Tensor:
        """(batch, k, k) inner products of the tangents, pushed to mean and standard deviation of the data."""
        likelihood = self.vae.likelihood

        def moments(point: Tensor) -> Tensor:
            params = self.vae.decode(point, context)
            mean, variance = likelihood.mean(params, context), likelihood.variance(params, context)
            return torch.cat([mean.flatten(1), variance.sqrt().flatten(1)], -1)

        _, pushed = pushforward(moments, z, tangents)
        return pushed @ pushed.transpose(-1, -2)


def pushforward(function: Callable[[Tensor], Tensor], z: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """What a function of latents gives, and the tangents pushed through it, J t, in forward mode.

    As many forward passes as tangents, whatever the width of the output; it goes through recurrent networks too.

    Args:
        function: z (batch, latent) -> (batch, …), row by row.
        z: (batch, latent).
        tangents: (batch, k, latent).

    Returns:
        The function's output (batch, …), and the pushed tangents (batch, k, …).

    Raises:
        VAEError: the function draws random numbers.
    """

    def mapped(point: Tensor) -> Tensor:
        with _LinearMaps():
            return function(point)

    def along(tangent: Tensor) -> tuple[Tensor, Tensor]:
        return jvp(mapped, (z,), (tangent,))  # type: ignore[return-value]  # has_aux, not asked for, adds a third

    try:
        value, pushed = vmap(along, in_dims=1, out_dims=(None, 0))(tangents)  # type: ignore[arg-type]  # None: no batch
    except RuntimeError as error:
        if "random" not in str(error):
            raise
        raise VAEError("the decoder draws random numbers, so it has no Jacobian; call vae.eval() first") from error
    return value, pushed.movedim(0, 1)


class _LinearMaps(TorchFunctionMode):
    """Pushes tangents through a linear map of fixed weights as W t alone.

    Torch's own rule adds the tangents of weight and bias, which are zeros, as tensors: two more passes over all that is
    pushed, which cost about as much as the product.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return (_linear if func is functional.linear else func)(*args, **(kwargs or {}))


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``functional.linear``, by whose names its arguments may come."""
    primal, tangent = forward_ad.unpack_dual(input)
    weights = [weight] if bias is None else [weight, bias]
    if tangent is None or any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in weights):
        return functional.linear(input, weight, bias)
    dual: Tensor = forward_ad.make_dual(functional.linear(primal, weight, bias), functional.linear(tangent, weight))
    return dual
