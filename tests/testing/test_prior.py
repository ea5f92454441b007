"""check_prior passes ours, and each of its checks fires on what is no distribution, or another one."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from designloop import testing
from designloop.testing import NonConformance, check_prior
from designloop.testing.prior import CHECKS
from designloop.vae.errors import VAEError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.mixture import VampPrior
from designloop.vae.priors.standard_normal import NoisedStandardNormal, StandardNormal

NAMES = tuple(check.__name__ for check in CHECKS)
LEVELS = {"noise": torch.tensor([0.0, 0.5, 3.0])}


class Mixture(Prior):
    """Two normals, without parameters and without a closed KL."""

    like: Tensor

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.register_buffer("like", torch.zeros(()))

    def sample(self, n: int, context: Any = None, generator: torch.Generator | None = None) -> Tensor:
        side = torch.randint(2, (n, 1), generator=generator).to(self.like) * 4 - 2
        return side + torch.randn(n, self.latent, dtype=self.like.dtype, generator=generator)

    def log_prob(self, z: Tensor, context: Any = None) -> Tensor:
        sides = [-0.5 * ((z - at).square() + math.log(2 * math.pi)).sum(-1) for at in (-2, 2)]
        return torch.stack(sides).logsumexp(0) - math.log(2)


class Needles(torch.nn.Module):
    """An encoder that is sure of itself, so that a prior of its posteriors is nearly nothing almost everywhere."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.full((latent,), 0.01))

    def forward(self, x: Tensor, mask: Any = None, context: Any = None) -> DiagonalNormal:
        return DiagonalNormal(x, self.scale.expand_as(x))


class OnlySamples(Prior):
    """A prior that claims no density."""

    like: Tensor
    latent = 2

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("like", torch.zeros(()))

    def sample(self, n: int, context: Any = None, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, 2, dtype=self.like.dtype, generator=generator)

    def kl(self, posterior: Any, z: Tensor, context: Any = None) -> Tensor:
        return StandardNormal(2).to(z.dtype).kl(posterior, z)


@pytest.mark.parametrize(
    ("prior", "context"),
    [
        (StandardNormal(1), None),
        (StandardNormal(2), None),
        (NoisedStandardNormal(2), None),
        (NoisedStandardNormal(2), LEVELS),
        (Mixture(1), None),
        (Mixture(2), None),
        (VampPrior(Needles(2), torch.tensor([[-3.0, 1.0], [2.0, 0.5], [0.0, -2.0]]), 2), None),
    ],
)
def test_what_keeps_the_contract_passes(prior: Any, context: Any) -> None:
    assert check_prior(prior, context=context).passed == NAMES


def test_what_is_not_asked_of_wide_ones_and_of_those_without_a_density() -> None:
    assert check_prior(StandardNormal(12)).skipped == ("normalised",)
    assert check_prior(NoisedStandardNormal(12), context=LEVELS).skipped == ("normalised",)
    assert check_prior(OnlySamples()).skipped == ("normalised", "sampling", "density_gradients")
    assert testing.check_prior is check_prior


# ---- every check fires


def failing(broken: Any, *checks: str, **how: Any) -> str:
    """The message, once it is sure that just these checks fail."""
    with pytest.raises(NonConformance) as caught:
        check_prior(broken, **how)
    assert tuple(caught.value.problems) == checks
    return str(caught.value)


class Normal(StandardNormal):
    """One to break."""

    def __init__(self) -> None:
        super().__init__(2)


def test_draws_of_another_shape_stop_all_else() -> None:
    class Flat(Normal):
        def sample(self, n: int, context: Any = None, generator: torch.Generator | None = None) -> Tensor:
            return super().sample(n, None, generator)[:, 0]

    assert "sample(7) gave shape (7,); give (7, 2)" in failing(Flat(), "draws")

    class Deaf(NoisedStandardNormal):
        def sample(self, n: int, context: Any = None, generator: torch.Generator | None = None) -> Tensor:
            return super().sample(n, None, generator)

    assert "sample(7) gave shape (7, 2); give (7, 3, 2)" in failing(Deaf(2), "draws", context=LEVELS)

    class Infinite(Normal):
        def sample(self, n: int, context: Any = None, generator: torch.Generator | None = None) -> Tensor:
            return super().sample(n, None, generator) / 0

    assert "some draws are not finite; check the scale" in failing(Infinite(), "draws")


def test_a_density_of_another_shape() -> None:
    class ByUnit(Normal):
        def log_prob(self, z: Tensor, context: Any = None) -> Tensor:
            return -0.5 * (z.square() + math.log(2 * math.pi))

    with pytest.raises(
        NonConformance, match=r"log_prob gave shape \(5, 3, 2\) for z of \(5, 3, 2\); give \(\.\.\., batch\)"
    ):
        check_prior(ByUnit())

    class AllAxes(Normal):
        def log_prob(self, z: Tensor, context: Any = None) -> Tensor:
            return super().log_prob(z) + 1e-3 * z.mean()

    with pytest.raises(
        NonConformance, match="log_prob of a slice is another than the slice of log_prob; sum over the last"
    ):
        check_prior(AllAxes())

    class NoRows(Normal):
        def kl(self, posterior: Any, z: Tensor, context: Any = None) -> Tensor:
            return super().kl(posterior, z).mean()

    with pytest.raises(NonConformance, match=r"kl gave .* of shape \(\) for 3 rows; give finite numbers, \(batch,\)"):
        check_prior(NoRows())


def test_a_constant_that_is_missing() -> None:
    class NoConstant(Normal):
        def log_prob(self, z: Tensor, context: Any = None) -> Tensor:
            return -0.5 * z.square().sum(-1)

    found = failing(NoConstant(), "normalised", "divergence")
    assert re.search(r"row 0: the density integrates to 6\.28\d\d, not to 1; find the constant that is missing", found)
    assert "in the mean over z; kl and log_prob are not of one distribution" in found


@pytest.mark.parametrize("change", [lambda z: 1.1 * z, lambda z: 0.9 * z, lambda z: z + 0.1])
def test_draws_of_another_distribution(change: Any) -> None:
    class Off(Normal):
        def sample(self, n: int, context: Any = None, generator: torch.Generator | None = None) -> Tensor:
            moved: Tensor = change(super().sample(n, None, generator))
            return moved

    found = failing(Off(), "sampling")
    assert "- sampling: the mean of q(z) / p(z) over its draws is " in found
    assert "and should be 1; sample and log_prob are not of one distribution" in found


def test_a_kl_to_something_else() -> None:
    class Forgets(NoisedStandardNormal):
        def kl(self, posterior: Any, z: Tensor, context: Any = None) -> Tensor:
            return super().kl(posterior, z, None)

    found = failing(Forgets(2), "divergence", context=LEVELS)
    assert "- divergence: log q(z) − log p(z) − kl is " in found

    class Negative(OnlySamples):
        def kl(self, posterior: Any, z: Tensor, context: Any = None) -> Tensor:
            return -super().kl(posterior, z)

    assert "a divergence is not negative" in failing(Negative(), "divergence")


def test_gradients_that_are_cut() -> None:
    class Cut(Normal):
        def kl(self, posterior: Any, z: Tensor, context: Any = None) -> Tensor:
            return super().kl(DiagonalNormal(posterior.mean.detach(), posterior.scale), z)

        def log_prob(self, z: Tensor, context: Any = None) -> Tensor:
            return super().log_prob(z) + 0.1 * (z.detach() - z).sum(-1)

    found = failing(Cut(), "gradients", "density_gradients")
    assert "- gradients: Jacobian mismatch" in found
    assert "- density_gradients: Jacobian mismatch" in found


def test_draws_from_the_global_generator() -> None:
    class Global(Normal):
        def sample(self, n: int, context: Any = None, generator: torch.Generator | None = None) -> Tensor:
            return super().sample(n, None, None)

    assert "sample moves torch's global generator; pass on the one" in failing(Global(), "generators")


def test_rows_that_see_each_other() -> None:
    class Together(Normal):
        def kl(self, posterior: Any, z: Tensor, context: Any = None) -> Tensor:
            found = super().kl(posterior, z)
            return found + 1e-3 * (len(found) - 3)

    found = failing(Together(), "mates")
    assert "- mates: row 0: kl is " in found
    assert "alone; keep rows apart" in found


def test_a_dtype_that_is_set_inside() -> None:
    class Single(Normal):
        def sample(self, n: int, context: Any = None, generator: torch.Generator | None = None) -> Tensor:
            return super().sample(n, None, generator).float()

    with pytest.raises(
        NonConformance, match=r"a float32 prior draws torch\.float32, a float64 one torch\.float32; take the"
    ):
        check_prior(Single())
    with pytest.raises(
        NonConformance, match=r"precision: kl of float32 and float64 posteriors is .*; set no dtype inside"
    ):
        check_prior(Widens())


class Widens(Normal):
    def kl(self, posterior: Any, z: Tensor, context: Any = None) -> Tensor:
        return super().kl(posterior, z).double()


def test_what_does_not_derive_from_the_base_class() -> None:
    class Alone:
        latent = 2

    with pytest.raises(VAEError, match=r"Alone does not derive from Prior; write class Alone\(Prior\)"):
        check_prior(Alone())  # type: ignore[arg-type]
