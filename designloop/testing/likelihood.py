"""Whether a likelihood is a distribution, and the one that it draws from.

A density that does not integrate to one, or that is not what ``sample`` draws from, trains without complaint and makes
every evidence, every anomaly score and every imputation wrong.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from designloop.testing.draws import DRAWS, ERRORS, generator, gentle, gradient, in_double, off, stands_still
from designloop.testing.report import Report, run_checks
from designloop.vae.capabilities import offers, require_base
from designloop.vae.likelihoods.base import Context, Likelihood

Support = Literal["real", "positive", "binary", "counts"]
Mask = Literal["entries", "padding", "none"]


@dataclass(frozen=True)
class LikelihoodTrial:
    """A likelihood and the decoder outputs that it is tried at."""

    likelihood: Likelihood
    params: Tensor
    """(batch, …) float64"""
    support: Support | Tensor
    mask: Mask
    context: Context | None

    @cached_property
    def exact(self) -> Likelihood:
        """The likelihood in float64."""
        return in_double(self.likelihood)

    @cached_property
    def x(self) -> Tensor:
        """(batch, …) one draw a row."""
        return self.exact.sample(self.params, generator(3), self.context).detach()

    @cached_property
    def draws(self) -> Tensor:
        """(draws * batch, …), those of one row of ``params`` every ``batch`` rows."""
        return self.exact.sample(many(self.params, DRAWS), generator(4), many_of(self.context, DRAWS)).detach()

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(…) log probabilities of as many rows as ``x`` has, whose params repeat those of the trial."""
        repeats = x.shape[0] // self.params.shape[0]
        return self.exact.log_prob(many(params, repeats), x, mask, many_of(self.context, repeats)).detach()


def check_likelihood(
    likelihood: Likelihood,
    params: Tensor,
    support: Support | Tensor = "real",
    *,
    mask: Mask = "entries",
    context: Context | None = None,
    skip: Collection[str] = (),
) -> Report:
    """Check a likelihood; the report names the checks, all of which it passed.

    Args:
        likelihood: As a model would have it, its parameters in float32.
        params: (batch, …) decoder outputs to try it at, at least two rows, each another; spread over what may come.
        support: What an entry of x may be; or rows that x may be, (n, …), all that there are or the likely ones.
        mask: ``entries`` where any may be missing, ``padding`` where it can only repeat the padding (0) of tokens.
        context: What it reads of a row: name -> (batch, …).
        skip: Names of checks to leave out; ``masks`` is left out too where ``mask`` is ``none``.

    Raises:
        NonConformance: It fails some; the message has all of them.
        VAEError: It does not derive from ``Likelihood``.
    """
    require_base(likelihood, Likelihood)
    exact = {name: _double(value) for name, value in context.items()} if context is not None else None
    trial = LikelihoodTrial(likelihood, params.detach().double(), support, mask, exact)
    left_out = ["masks"] if mask == "none" and "masks" not in skip else []
    return run_checks(f"likelihood {type(likelihood).__name__}", trial, CHECKS, [*skip, *left_out])


def many(rows: Tensor, repeats: int) -> Tensor:
    """(repeats * batch, …) all rows, again and again."""
    return rows.repeat(repeats, *[1] * (rows.ndim - 1))


def many_of(context: Context | None, repeats: int) -> Context | None:
    """A context repeated like its rows."""
    return None if context is None else {name: many(value, repeats) for name, value in context.items()}


def speaks(trial: LikelihoodTrial) -> Iterator[str]:
    """A draw a row, and a finite log probability for it, (batch,)."""
    batch = trial.params.shape[0]
    if trial.x.shape[0] != batch:
        yield f"sample gave shape {tuple(trial.x.shape)} for {batch} rows; give (batch, …), one draw a row"
        return
    log_prob = trial.log_prob(trial.params, trial.x)
    if log_prob.shape != (batch,):
        yield f"log_prob gave shape {tuple(log_prob.shape)} for {batch} rows; sum over the entries of each, to (batch,)"
    elif not bool(log_prob.isfinite().all()):
        yield f"log_prob of its own draws is {log_prob.tolist()}; a draw has a finite log probability"


def normalised(trial: LikelihoodTrial) -> Iterator[str]:
    """Probabilities add up to one: over what an entry may be, all others missing, or over the rows that are listed."""
    if isinstance(trial.support, Tensor):
        chances = _chances_of_listed(trial)
        missing = 1 - _frequencies_of_listed(trial).sum(0)
        for row, total in enumerate(chances.sum(0).tolist()):
            if total > 1 + 1e-6 or (float(missing[row]) == 0 and total < 1 - 10 / DRAWS):
                yield f"row {row}: the listed x have probability {total:.6f} in all; normalise over all that x may be"
                return
        return
    width = trial.x[0].numel()
    for entry in sorted({0, width - 1}):
        for row, total in enumerate(_integral(trial, entry).tolist()):
            if not abs(total - 1) < 1e-3:
                yield f"row {row}, entry {entry} alone: its probabilities add up to {total:.5f}; they should to one"
                return


def sampling(trial: LikelihoodTrial) -> Iterator[str]:
    """Draws are as frequent as their probabilities say."""
    if isinstance(trial.support, Tensor):
        chances, frequencies = _chances_of_listed(trial), _frequencies_of_listed(trial)
        error = (chances * (1 - chances).clamp_min(0) / DRAWS).sqrt() + 1 / DRAWS
        unlike = (frequencies - chances).abs() > ERRORS * error
        if bool(unlike.any()):
            listed, row = (int(index) for index in unlike.nonzero()[0])
            frequency, chance = float(frequencies[listed, row]), float(chances[listed, row])
            yield (
                f"row {row}: {trial.support[listed].tolist()} is drawn with frequency {frequency:.4f}, "
                f"and has probability {chance:.4f}; sample and log_prob are not of one distribution"
            )
        return
    # The mean under p of q(x) / p(x) is one, whatever density q is: here that of params near by.
    start = trial.log_prob(trial.params, trial.draws)
    away = torch.randn(trial.params.shape, generator=generator(5), dtype=torch.float64)
    for sign in (1, -1):
        ratio = gentle(
            lambda step, sign=sign: (  # type: ignore[misc]
                trial.log_prob(trial.params + sign * step * away, trial.draws) - start
            ).view(DRAWS, -1)
        )
        for wrong in off(ratio.exp(), 1.0):
            yield f"the mean of q(x) / p(x) over its draws is {wrong}; sample and log_prob are not of one distribution"
            return


def gradients(trial: LikelihoodTrial) -> Iterator[str]:
    """The gradient of log_prob to params is that of finite differences."""
    yield from gradient(lambda params: trial.exact.log_prob(params, trial.x, None, trial.context), trial.params)


def generators(trial: LikelihoodTrial) -> Iterator[str]:
    """Draws follow the generator that is given, and it alone."""
    params = many(trial.params, 50)
    yield from stands_still(lambda source: trial.exact.sample(params, source, many_of(trial.context, 50)).detach())


def mates(trial: LikelihoodTrial) -> Iterator[str]:
    """A row has the same log probability alone as among others."""
    together = trial.log_prob(trial.params, trial.x)
    for row in range(trial.params.shape[0]):
        here = slice(row, row + 1)
        context = None if trial.context is None else {name: value[here] for name, value in trial.context.items()}
        alone = trial.exact.log_prob(trial.params[here], trial.x[here], None, context).detach()
        if not torch.allclose(alone, together[here], rtol=1e-9, atol=1e-9):
            yield (
                f"row {row} has log probability {float(together[row]):.6g} among others and {float(alone):.6g} alone; "
                "take sums and means within a row"
            )
            return


def arguments(trial: LikelihoodTrial) -> Iterator[str]:
    """Params, x, mask and context are left as they were given."""
    mask = torch.ones_like(trial.x, dtype=torch.bool)
    inputs = {"params": trial.params.clone(), "x": trial.x.clone(), "mask": mask, **(trial.context or {})}
    kept = {name: value.clone() for name, value in inputs.items()}
    trial.exact.log_prob(inputs["params"], inputs["x"], None if trial.mask == "none" else mask, trial.context)
    trial.exact.sample(inputs["params"], generator(), trial.context)
    for name, value in kept.items():
        if not torch.equal(value, inputs[name]):
            yield f"it changes {name}; work on a copy"


def masks(trial: LikelihoodTrial) -> Iterator[str]:
    """What is masked counts for nothing, whatever stands there or is decoded; with nothing masked it is as without."""
    plain = trial.log_prob(trial.params, trial.x)
    if trial.mask == "padding":
        if not torch.allclose(trial.log_prob(trial.params, trial.x, trial.x != 0), plain, rtol=1e-9, atol=1e-9):
            yield "a mask that repeats the padding changes log_prob; padding counts for nothing without one"
        return
    observed = torch.ones_like(trial.x, dtype=torch.bool)
    if not torch.allclose(trial.log_prob(trial.params, trial.x, observed), plain, rtol=1e-9, atol=1e-9):
        yield "a mask of True throughout changes log_prob; sum over the observed entries"
    if bool(trial.log_prob(trial.params, trial.x, ~observed).ne(0).any()):
        yield "with nothing observed log_prob is not 0; sum over the observed entries"
    half = torch.rand(trial.x.shape, generator=generator(6)) < 0.5
    results = []
    odd = (("NaN", math.nan), ("infinity", math.inf)) if trial.x.is_floating_point() else (("-1", -1), ("2^40", 2**40))
    for held in (0, *(value for _, value in odd)):
        params = trial.params.clone().requires_grad_()
        value = trial.exact.log_prob(params, trial.x.masked_fill(~half, held), half, trial.context)
        (slope,) = torch.autograd.grad(value.sum(), params)
        results.append((value.detach(), slope))
    (expected, expected_slope), *others = results
    for (name, _), (value, slope) in zip(odd, others, strict=True):
        if not torch.equal(value, expected) or not torch.equal(slope, expected_slope):
            yield (
                f"{name} in a masked entry gives log_prob {value.tolist()}, 0 there {expected.tolist()}, or another "
                "gradient; replace masked entries by torch.where before all else"
            )
            return
    yield from _extremes(trial)


def _extremes(trial: LikelihoodTrial) -> Iterator[str]:
    """Params of masked entries count for nothing, however extreme: 0 · ∞ is no 0, in value and in gradient."""
    width = trial.x[0].numel()
    for entry in sorted({0, width - 1}):
        observed = torch.zeros_like(trial.x, dtype=torch.bool).flatten(1)
        observed[:, entry] = True
        mask = observed.view(trial.x.shape)
        value, slope = _value_and_slope(trial, trial.params, mask)
        others = _unread(trial, mask, slope)
        for extreme in (1e4, -1e4, math.inf):
            other, other_slope = _value_and_slope(trial, trial.params.masked_fill(others, extreme), mask)
            if not torch.equal(other, value) or not torch.equal(other_slope, slope):
                yield (
                    f"{extreme:g} in the params of masked entries gives log_prob {other.tolist()}, those of the trial "
                    f"{value.tolist()}, or another gradient; replace params by torch.where too, and what comes of them"
                )
                return


def _value_and_slope(trial: LikelihoodTrial, params: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    params = params.clone().requires_grad_()
    value = trial.exact.log_prob(params, trial.x, mask, trial.context)
    (slope,) = torch.autograd.grad(value.sum(), params)
    return value.detach(), slope


def _unread(trial: LikelihoodTrial, mask: Tensor, slope: Tensor) -> Tensor:
    """True for params that the observed entries do not read: they have no slope here, nor at params near by."""
    near = torch.randn(trial.params.shape, generator=generator(8), dtype=torch.float64)
    return (slope == 0) & (_value_and_slope(trial, trial.params + 0.1 * near, mask)[1] == 0)


def precision(trial: LikelihoodTrial) -> Iterator[str]:
    """It computes in float32 and in float64, as it is asked, and to the same."""
    single = in_double(trial.likelihood).float()
    x = trial.x.float() if trial.x.is_floating_point() else trial.x
    context = None if trial.context is None else {name: _single(value) for name, value in trial.context.items()}
    rough = single.log_prob(trial.params.float(), x, None, context).detach()
    exact = trial.log_prob(trial.params, trial.x)
    for name, value, dtype in (("float32", rough, torch.float32), ("float64", exact, torch.float64)):
        if value.dtype != dtype:
            yield f"log_prob of {name} params is {value.dtype}; set no dtype inside, take it from params"
            return
    if not torch.allclose(rough.double(), exact, rtol=1e-3, atol=1e-3):
        yield f"log_prob is {rough.tolist()} in float32 and {exact.tolist()} in float64; find a stabler form"


def entries(trial: LikelihoodTrial) -> Iterator[str]:
    """Where it claims log probabilities of entries, their sum is that of the row."""
    if not offers(trial.likelihood, "entry_log_prob"):
        return
    log_probs = trial.exact.entry_log_prob(trial.params, trial.x, None, trial.context).detach()
    if log_probs.shape != trial.x.shape:
        yield f"entry_log_prob gave shape {tuple(log_probs.shape)}, x has {tuple(trial.x.shape)}; give one an entry"
    elif not torch.allclose(log_probs.flatten(1).sum(1), trial.log_prob(trial.params, trial.x), rtol=1e-9, atol=1e-9):
        yield "the sum of entry_log_prob is not log_prob; derive from Entrywise, which takes one from the other"


def moments(trial: LikelihoodTrial) -> Iterator[str]:
    """Where it claims a mean and a variance, they are those of its draws; so are those of what is missing."""
    yield from _moments(trial, trial.draws, "its draws", ("mean", "variance"))
    if type(trial.likelihood).sample_missing is not Likelihood.sample_missing:
        params, context = many(trial.params, DRAWS), many_of(trial.context, DRAWS)
        draws = trial.exact.sample_missing(params, generator(9), context).detach()
        yield from _moments(trial, draws, "what sample_missing draws", ("mean_of_missing", "variance_of_missing"))


def _moments(trial: LikelihoodTrial, draws: Tensor, what: str, names: tuple[str, str]) -> Iterator[str]:
    draws = draws.double().view(DRAWS, *trial.x.shape)
    squares = (draws - draws.mean(0)).square()
    for name, kind, values, floor in ((names[0], "mean", draws, 0.0), (names[1], "variance", squares, 1e-6)):
        if not offers(trial.likelihood, name.removesuffix("_of_missing")):
            continue
        claimed = getattr(trial.exact, name)(trial.params, trial.context).detach()
        if claimed.shape != trial.x.shape:
            shapes = f"shape {tuple(claimed.shape)}, a draw has {tuple(trial.x.shape)}"
            yield f"{name} gave {shapes}; give one for each entry"
            return
        yield from (f"the {kind} of {what} is {gap} as {name} says" for gap in off(values, claimed, floor))


def fisher(trial: LikelihoodTrial) -> Iterator[str]:
    """Where it claims a Fisher information, it is the covariance of the slopes of log_prob along the tangents."""
    if not offers(trial.likelihood, "fisher"):
        return
    batch = trial.params.shape[0]
    tangents = torch.randn(batch, 2, *trial.params.shape[1:], generator=generator(7), dtype=torch.float64)
    claimed = trial.exact.fisher(trial.params, tangents, None, trial.context).detach()
    if claimed.shape != (batch, 2, 2):
        yield f"fisher gave shape {tuple(claimed.shape)} for {batch} rows and 2 tangents; give (batch, k, k)"
        return
    params = many(trial.params, DRAWS).requires_grad_()
    value = trial.exact.log_prob(params, trial.draws, None, many_of(trial.context, DRAWS))
    (slope,) = torch.autograd.grad(value.sum(), params)
    along = torch.einsum("nbp,bkp->nbk", slope.view(DRAWS, batch, -1), tangents.flatten(2))
    outer = along.unsqueeze(-1) * along.unsqueeze(-2)
    yield from (f"the mean square slope of log_prob is {gap} as fisher says" for gap in off(outer, claimed))


CHECKS = (
    speaks,
    normalised,
    sampling,
    gradients,
    generators,
    mates,
    arguments,
    masks,
    precision,
    entries,
    moments,
    fisher,
)


def _integral(trial: LikelihoodTrial, entry: int) -> Tensor:
    """(batch,) the sum or integral of the probability of one entry, all others missing."""
    values, weights = _grid(trial, entry)
    x = many(trial.x.flatten(1), len(values)).to(values.dtype)
    x[:, entry] = values.flatten()
    mask = torch.zeros_like(x, dtype=torch.bool)
    mask[:, entry] = True
    shape = (len(x), *trial.x.shape[1:])
    log_prob = trial.log_prob(trial.params, x.to(trial.x.dtype).view(shape), mask.view(shape))
    return (log_prob.view(values.shape).exp() * weights).sum(0)


def _grid(trial: LikelihoodTrial, entry: int) -> tuple[Tensor, Tensor]:
    """(points, batch) what one entry may be in each row, and the weight of each in the sum."""
    drawn = trial.draws.double().view(DRAWS, trial.params.shape[0], -1)[..., entry]
    if trial.support in ("binary", "counts"):
        most = 1 if trial.support == "binary" else int(3 * drawn.max()) + 100
        values = torch.arange(most + 1, dtype=torch.float64).unsqueeze(1).expand(-1, drawn.shape[1])
        return values, torch.ones_like(values)
    # A substitution that reaches infinity, so that heavy tails are counted too.
    low, middle, high = drawn.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64), 0)
    scale, u = (high - low).clamp_min(1e-12), torch.linspace(-1, 1, 4001, dtype=torch.float64)[1:-1].unsqueeze(1)
    if trial.support == "real":
        angle = u * math.pi / 2
        return middle + scale * angle.tan(), scale * angle.cos().pow(-2) * math.pi / 4000
    odds = (1 + u) / (1 - u)
    return middle * odds.square(), middle * 4 * odds / (1 - u).square() / 2000


def _chances_of_listed(trial: LikelihoodTrial) -> Tensor:
    """(listed, batch) probabilities of the rows that x may be."""
    assert isinstance(trial.support, Tensor)
    batch = trial.params.shape[0]
    x = trial.support.repeat_interleave(batch, 0)
    return trial.log_prob(trial.params, x).exp().view(-1, batch)


def _frequencies_of_listed(trial: LikelihoodTrial) -> Tensor:
    """(listed, batch) how often they are drawn."""
    assert isinstance(trial.support, Tensor)
    draws = trial.draws.view(DRAWS, trial.params.shape[0], -1)
    return torch.stack([(draws == row.flatten()).all(-1).double().mean(0) for row in trial.support])


def _double(value: Tensor) -> Tensor:
    return value.double() if value.is_floating_point() else value


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
