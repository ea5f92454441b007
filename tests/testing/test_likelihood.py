"""check_likelihood passes ours, and each of its checks fires on what is no distribution, or another one."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from designloop import testing
from designloop.testing import NonConformance, check_likelihood
from designloop.testing.likelihood import CHECKS
from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.tokens import TokenSequence
from tests.testing.known_likelihoods import Exponential, Plain, Poisson, Scaled, sequences

NAMES = tuple(check.__name__ for check in CHECKS)
PARAMS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("likelihood", "support"),
    [
        (Gaussian(3), "real"),
        (Gaussian(3, 0.01, per_feature=True), "real"),
        (Gaussian(3, 50.0, learned=False), "real"),
        (Bernoulli(), "binary"),
        (Plain(), "real"),
        (Poisson(), "counts"),
        (Exponential(), "positive"),
        (Bernoulli(), torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))),
    ],
)
def test_what_keeps_the_contract_passes(likelihood: Any, support: Any) -> None:
    assert check_likelihood(likelihood, PARAMS, support).passed == NAMES


def test_token_sequences_keep_the_contract() -> None:
    likelihood, plan, rows = sequences()
    assert check_likelihood(likelihood, plan, rows, mask="padding").passed == NAMES


def test_one_that_reads_a_context_and_one_without_a_mask() -> None:
    context = {"width": torch.tensor([0.5, 1.0, 2.0, 3.0])}
    assert check_likelihood(Scaled(), PARAMS, context=context).passed == NAMES
    report = check_likelihood(Plain(), PARAMS[:, :1], mask="none")
    assert report.skipped == ("masks",)
    assert testing.check_likelihood is check_likelihood


# ---- every check fires


def failing(broken: Any, *checks: str, params: Tensor = PARAMS, support: Any = "real", **options: Any) -> str:
    """The message, once it is sure that just these checks fail."""
    with pytest.raises(NonConformance) as caught:
        check_likelihood(broken, params, support, **options)
    assert tuple(caught.value.problems) == checks
    return str(caught.value)


def test_what_does_not_speak_stops_all_else() -> None:
    class BySum(Plain):
        def log_prob(self, *arguments: Any, **more: Any) -> Tensor:
            return super().log_prob(*arguments, **more).sum()

    assert "log_prob gave shape () for 4 rows; sum over the entries of each, to (batch,)" in failing(BySum(), "speaks")

    class OneDraw(Plain):
        def sample(self, *arguments: Any, **more: Any) -> Tensor:
            return super().sample(*arguments, **more)[:1]

    assert "sample gave shape (1, 3) for 4 rows; give (batch, …), one draw a row" in failing(OneDraw(), "speaks")

    class Impossible(Plain):
        def log_prob(self, *arguments: Any, **more: Any) -> Tensor:
            return super().log_prob(*arguments, **more) - torch.inf

    assert "log_prob of its own draws is [-inf, " in failing(Impossible(), "speaks")


def test_a_constant_that_is_missing() -> None:
    class NoConstant(Plain):
        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            observed = params[0].numel() if mask is None else mask.double().sum(-1)
            return super().log_prob(params, x, mask) + observed * 0.5 * math.log(2 * math.pi)

    message = failing(NoConstant(), "normalised")
    assert "row 0, entry 0 alone: its probabilities add up to 2.50663; they should to one" in message


@pytest.mark.parametrize(("likelihood", "support"), [(Poisson(), "counts"), (Exponential(), "positive")])
def test_a_distribution_of_half_the_mass(likelihood: Any, support: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = likelihood.log_prob
    monkeypatch.setattr(likelihood, "log_prob", lambda *arguments: real(*arguments) - math.log(2), raising=False)
    with pytest.raises(NonConformance, match=r"entry 0 alone: its probabilities add up to 0\.500"):
        check_likelihood(likelihood, PARAMS, support, mask="none")


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_draws_of_another_width(factor: float) -> None:
    class Wider(Plain):
        def sample(self, params: Tensor, generator: torch.Generator | None = None, context: Any = None) -> Tensor:
            return params + factor * torch.randn(params.shape, dtype=params.dtype, generator=generator)

    message = failing(Wider(), "sampling")
    assert "the mean of q(x) / p(x) over its draws is " in message
    assert "and should be 1; sample and log_prob are not of one distribution" in message


def test_listed_rows_that_are_drawn_otherwise_or_have_too_much() -> None:
    listed = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))

    class Flat(Bernoulli):
        def sample(self, params: Tensor, generator: torch.Generator | None = None, context: Any = None) -> Tensor:
            return super().sample(0.8 * params, generator)

    message = failing(Flat(), "sampling", "moments", "fisher", support=listed)
    assert "row 0: [0.0, " in message
    assert "is drawn with frequency 0." in message

    class Heavy(Bernoulli):
        def log_prob(self, *arguments: Any, **more: Any) -> Tensor:
            return super().log_prob(*arguments, **more) + 0.1

    message = failing(Heavy(), "normalised", "sampling", "masks", "entries", support=listed)
    assert "row 0: the listed x have probability 1.105171 in all; normalise over all that x may be" in message

    class Light(Bernoulli):
        def log_prob(self, *arguments: Any, **more: Any) -> Tensor:
            return super().log_prob(*arguments, **more) - 0.1

    message = failing(Light(), "normalised", "sampling", "masks", "entries", support=listed)
    assert "the listed x have probability 0.904837 in all" in message


def test_a_gradient_that_is_cut() -> None:
    class Detached(Plain):
        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            return super().log_prob(params, x, mask) + 0.1 * params.detach().sum(-1) - 0.1 * params.sum(-1)

    message = failing(Detached(), "gradients")
    assert "- gradients: Jacobian mismatch" in message
    assert "let every step be one that torch can differentiate" in message


def test_draws_from_the_global_generator_or_from_none() -> None:
    class Global(Plain):
        def sample(self, params: Tensor, generator: torch.Generator | None = None, context: Any = None) -> Tensor:
            return super().sample(params, None)

    message = failing(Global(), "generators")
    assert "sample moves torch's global generator; pass on the one that is given" in message
    assert "sample gives another draw for the same generator; draw from it alone" in message

    class Frozen(Plain):
        def sample(self, params: Tensor, generator: torch.Generator | None = None, context: Any = None) -> Tensor:
            return super().sample(params, torch.Generator().manual_seed(0))

    assert "the same draw for another generator; pass it on to torch" in failing(Frozen(), "generators")


def test_rows_that_see_each_other() -> None:
    class Centred(Plain):
        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            return super().log_prob(params, x, mask) + 1e-3 * (x.sum() - x.sum(-1))

    with pytest.raises(
        NonConformance, match=r"mates: row 0 has log probability .* alone; take sums and means within a"
    ):
        check_likelihood(Centred(), PARAMS, skip=["normalised", "sampling", "masks"])


def test_arguments_that_are_changed() -> None:
    class Fills(Plain):
        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            log_prob = super().log_prob(params, x, mask)
            if not params.requires_grad:
                x.mul_(1.5)
            return log_prob

    with pytest.raises(NonConformance, match="arguments: it changes x; work on a copy"):
        check_likelihood(Fills(), PARAMS, skip=[name for name in NAMES if name not in ("speaks", "arguments")])


def test_masks_that_leave_something_in() -> None:
    class Multiplies(Plain):
        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            log_prob = -0.5 * (x - params).square() - 0.5 * math.log(2 * math.pi)
            return (log_prob if mask is None else log_prob * mask).sum(-1)

    message = failing(Multiplies(), "masks")
    assert "- masks: NaN in a masked entry gives log_prob [nan" in message
    assert "replace masked entries by torch.where before all else" in message

    class Ignores(Plain):
        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            return super().log_prob(params, x) - (0.1 if mask is not None else 0)

    message = failing(Ignores(), "normalised", "masks")
    assert "a mask of True throughout changes log_prob; sum over the observed entries" in message
    assert "with nothing observed log_prob is not 0" in message


def test_params_of_masked_entries_that_are_computed_with() -> None:
    class Careless(Poisson):
        """Data are replaced where they are masked, params are not: exp(1e4) · 0."""

        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            if mask is not None:
                x = torch.where(mask, x, torch.zeros_like(x))
            entries = x * params - params.exp() - (x + 1).lgamma()
            return (entries if mask is None else entries * mask).sum(-1)

    class Late(Careless):
        """The value is right, the gradient is not: what overflowed is left out only behind."""

        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            if mask is not None:
                x = torch.where(mask, x, torch.zeros_like(x))
            entries = x * params - params.exp() - (x + 1).lgamma()
            return (entries if mask is None else torch.where(mask, entries, torch.zeros_like(entries))).sum(-1)

    for likelihood in (Careless(), Late()):
        assert "- masks: 10000 in the params of masked entries gives log_prob [" in failing(
            likelihood, "masks", support="counts"
        )


def test_entries_that_do_not_add_up_to_their_row() -> None:
    class Halved(Plain):
        def entry_log_prob(self, params: Tensor, x: Tensor, mask: Any = None, context: Any = None) -> Tensor:
            return -0.25 * (x - params).square()

    class Summed(Plain):
        def entry_log_prob(self, params: Tensor, x: Tensor, mask: Any = None, context: Any = None) -> Tensor:
            return self.log_prob(params, x)

    assert "the sum of entry_log_prob is not log_prob; derive from Entrywise" in failing(Halved(), "entries")
    assert "entry_log_prob gave shape (4,), x has (4, 3)" in failing(Summed(), "entries")


def test_padding_that_counts() -> None:
    likelihood, plan, rows = sequences()

    class Pads(TokenSequence):
        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            return super().log_prob(params, x, mask) - (1e-3 * (x != 0).sum(-1) if mask is not None else 0)

    likelihood.__class__ = Pads
    message = failing(likelihood, "masks", params=plan, support=rows, mask="padding")
    assert "a mask that repeats the padding changes log_prob; padding counts for nothing without one" in message


def test_a_dtype_that_is_set_inside() -> None:
    class Single(Plain):
        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            return Plain.log_prob(self, params, x, mask).float()

    with pytest.raises(
        NonConformance, match=r"precision: log_prob of float64 params is torch\.float32; set no dtype ins"
    ):
        check_likelihood(Single(), PARAMS, skip=["gradients"])

    class Unstable(Plain):
        def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
            return super().log_prob(params, x, mask) + (1e7 + params.sum(-1)) - 1e7 - params.sum(-1)

    with pytest.raises(NonConformance, match=r"precision: log_prob is .* in float64; find a stabler form"):
        check_likelihood(Unstable(), PARAMS, skip=["gradients", "masks", "mates"])


def test_moments_and_information_that_are_claimed_and_wrong() -> None:
    class Claims(Plain):
        def mean(self, params: Tensor, context: Any = None) -> Tensor:
            return params + 0.1

        def variance(self, params: Tensor, context: Any = None) -> Tensor:
            return 1.2 * torch.ones_like(params)

        def fisher(self, params: Tensor, tangents: Tensor, x: Any = None, context: Any = None) -> Tensor:
            return 1.2 * tangents @ tangents.transpose(-1, -2)

    message = failing(Claims(), "moments", "fisher")
    assert "- moments: the mean of its draws is " in message
    assert "- moments: the variance of its draws is " in message
    assert "and should be 1.2 as variance says" in message
    assert "- fisher: the mean square slope of log_prob is " in message

    class Shapes(Plain):
        def mean(self, params: Tensor, context: Any = None) -> Tensor:
            return params[:, 0]

        def fisher(self, params: Tensor, tangents: Tensor, x: Any = None, context: Any = None) -> Tensor:
            return tangents.square().sum((-1, -2))

    message = failing(Shapes(), "moments", "fisher")
    assert "mean gave shape (4,), a draw has (4, 3); give one for each entry" in message
    assert "fisher gave shape (4,) for 4 rows and 2 tangents; give (batch, k, k)" in message

    class Promises(Plain):
        def variance(self, params: Tensor, context: Any = None) -> Tensor:
            raise NotImplementedError("not yet")

    assert "- moments: raised NotImplementedError: not yet" in failing(Promises(), "moments")


def test_what_does_not_derive_from_the_base_class() -> None:
    class Alone:
        log_prob, sample = Plain.log_prob, Plain.sample

    with pytest.raises(VAEError, match=r"Alone does not derive from Likelihood; write class Alone\(Likelihood\)"):
        check_likelihood(Alone(), PARAMS)  # type: ignore[arg-type]
