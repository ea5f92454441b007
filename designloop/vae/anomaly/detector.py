"""A detector of anomalies that learns from unlabelled rows, some of them anomalous; nothing to choose.

``fit_detector`` asks the rows, without labels, which of two detectors they want (``contamination_evidence``): the
average of robust closed forms, or, where all rows are of one kind by far, the neural one:

    z ~ Σ_k π_k N(m_k, C_k),   x | z ~ likelihood(W z + b + decoder network(z))
    q(z | x) = N(A x + a + encoder network(x), …)

1. The data's kind says how they are scaled and which likelihood explains them (``kinds``).
2. W, b, A and a start at the closed form of PPCA, which is made robust by concentration steps: fit, keep the 80 % of
   the rows of greatest evidence, fit these, and so on. What is left out is not learnt from.
3. Both networks start at zero and are fitted as long as the ELBO of a fifth of the rows, held out, rises; then all rows
   are fitted for as many steps. What is linear, or of few rows, stays as it started.
4. The prior is replaced by a mixture fitted to the posteriors, so that a hole between latents is one.

``score`` is then the evidence. Sources: Tipping & Bishop 1999; Rousseeuw & Van Driessen 1999 (concentration steps);
Goodfellow et al. 2016, algorithm 7.2 (early stopping, then all rows); Ghosh et al. 2020 (prior after the fit).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from designloop.vae.anomaly.conformal import conformal_p_values
from designloop.vae.anomaly.kinds import KINDS, Binary, Kind, kind_of
from designloop.vae.anomaly.robust import Member, contamination_evidence, fit_members
from designloop.vae.anomaly.scores import Score, anomaly_score, fixed_noise
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import require_rows
from designloop.vae.linear.linear_gaussian import LinearGaussian, log_evidence, ppca
from designloop.vae.linear.linear_vae import as_vae
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder, mlp
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.learned import LearnedPrior
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO


@dataclass(frozen=True, slots=True)
class Settings:
    """The hyper-parameters: one set for all data, chosen on simulated problems."""

    latent: int = 8
    """Units at most; fewer than features."""
    clean: float = 30.0
    """Nats by which one kind of rows must be the likelier, for the neural detector to be taken."""
    keep: float = 0.8
    """Share of the rows that is learnt from."""
    concentrations: int = 5
    """Steps of fitting and leaving out."""
    hidden: int = 64
    """Width of the one hidden layer of either network."""
    steps: int = 600
    """Of Adam, at most."""
    rate: float = 2e-3
    decay: float = 0.1
    """AdamW's weight decay."""
    batch: int = 256
    """Rows a step; fewer rows are repeated."""
    held_out: float = 0.2
    """Share of the rows kept that tells when to stop."""
    check: int = 25
    """Steps between two looks at the held-out ELBO."""
    patience: int = 4
    """Looks without a rise after which it stops."""
    components: int = 4
    """Of the mixture that is the prior in the end."""
    draws: int = 10
    """Of each posterior, that the mixture is fitted to."""


class Detector(ABC):
    """What ``fit_detector`` gives."""

    kind: Kind
    features: int
    kept: Tensor
    """(rows,) True for the rows that were learnt from in the end."""

    @abstractmethod
    def _score(self, x: Tensor, score: Score) -> Tensor:
        """(batch,) of rows of the right width."""

    def score(self, x: Tensor, score: Score = anomaly_score) -> Tensor:
        """(batch,) of rows in the unit of those learnt from; the larger, the more anomalous.

        Args:
            x: (batch, features). score: any of ``scores.SCORES``.

        Raises:
            ShapeError: x has another width than the rows that were learnt from.
            VAEError: x is of another kind of data, or has entries that are no numbers.
        """
        if x.ndim != 2 or x.shape[1] != self.features:
            raise ShapeError("x", x.shape, f"(batch, {self.features})", "give the features that were learnt from")
        require_rows(x)
        return self._score(x, score)

    def p_values(self, x: Tensor, calibration: Tensor, score: Score = anomaly_score) -> Tensor:
        """(batch,) conformal p-value of each row.

        Args:
            x: (batch, features). calibration: (n, features) normal rows that were *not* learnt from.
        """
        return conformal_p_values(self.score(x, score), self.score(calibration, score))


@dataclass(frozen=True)
class NeuralDetector(Detector):
    """One VAE with networks; its scores are in nats."""

    vae: VAE
    kind: Kind
    features: int
    kept: Tensor
    steps: int
    """That its networks were fitted for; 0 where the closed form was not to be bettered."""

    def _score(self, x: Tensor, score: Score) -> Tensor:
        return score(self.vae, self.kind.prepare(x))


@dataclass(frozen=True)
class RobustDetector(Detector):
    """An average of robust VAEs of closed form; its scores are in interquartile ranges above the median."""

    members: tuple[Member, ...]
    kind: Kind
    features: int
    kept: Tensor

    def _score(self, x: Tensor, score: Score) -> Tensor:
        levels = self.kind.unbent(x)
        return torch.stack([member.score(levels, score) for member in self.members]).mean(0).to(x.dtype)


def fit_detector(
    x: Tensor, *, generator: torch.Generator, kind: str | None = None, settings: Settings | None = None
) -> Detector:
    """A detector that has learnt from rows without labels: the neural one, or the robust one.

    Zeros and ones have the neural one. Else the robust one is taken unless all rows are of one kind by far more than
    chance, ``Settings.clean`` nats of evidence held out: where few rows cannot tell, it does less harm.

    Args:
        x: (rows, features) mostly normal.
        generator: draws the neural detector's weights, the rows it holds out and its posteriors' noise.
        kind: "binary", "counts" or "numbers"; None looks at x (``kind_of``).
        settings: other than the default ones.

    Raises:
        ShapeError: x is no table of at least two features and four rows.
        VAEError: x has entries that are no numbers, or hardly any variance, or the kind is none that there is.
    """
    settings = settings or Settings()
    as_kind = _kind(x, kind)
    levels = as_kind.unbent(x)
    if not isinstance(as_kind, Binary) and len(x) * contamination_evidence(levels) > -settings.clean:
        return fit_robust(x, kind=kind)
    return fit_neural(x, generator=generator, kind=kind, settings=settings)


def fit_robust(x: Tensor, *, kind: str | None = None) -> RobustDetector:
    """The average of robust closed forms (``robust``), whatever the rows ask for. Arguments as ``fit_detector``."""
    as_kind = _kind(x, kind)
    members, kept = fit_members(as_kind.unbent(x))
    return RobustDetector(members, as_kind, x.shape[1], kept)


def _kind(x: Tensor, kind: str | None) -> Kind:
    likely_kind = kind_of(x)
    if kind is not None and kind not in KINDS:
        raise VAEError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}, or None to look at the data")
    return KINDS[kind or likely_kind](x)


def fit_neural(
    x: Tensor, *, generator: torch.Generator, kind: str | None = None, settings: Settings | None = None
) -> NeuralDetector:
    """One VAE with networks, whatever the rows ask for.

    Args:
        x: (rows, features) mostly normal, better all; anomalies that lie together are learnt as a class of their own.
        generator: draws the networks' weights, the rows held out and the posteriors' noise.
        kind: "binary", "counts" or "numbers"; None looks at x (``kind_of``).
        settings: other than the default ones.

    Raises:
        ShapeError: x is no table of at least two features and four rows.
        VAEError: x has entries that are no numbers, or hardly any variance, or the kind is none that there is.
    """
    settings = settings or Settings()
    as_kind = _kind(x, kind)
    prepared = as_kind.prepare(x)
    views = as_kind.view(prepared)
    kept = concentrate(views, settings)
    rows = prepared[kept]
    order = torch.randperm(len(rows), generator=generator, device=generator.device).to(rows.device)
    held_out = max(2, round(settings.held_out * len(rows)))
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))

    def fresh(of: Tensor) -> VAE:
        return starting_vae(as_kind, _ppca(as_kind.view(of), settings.latent), settings.hidden, seed)

    learnt, held = rows[order[held_out:]], rows[order[:held_out]]
    vae = fresh(learnt)
    steps = _steps_that_help(vae, learnt, held, settings, generator)
    vae = fresh(rows)
    for _ in _fit_in_pieces(vae, rows, steps, settings, generator):
        pass
    vae.eval().requires_grad_(False)
    posterior = vae.encode(rows)
    z = torch.cat([posterior.rsample(generator) for _ in range(settings.draws)])
    components = max(1, min(settings.components, len(rows) // (z.shape[1] + 1)))
    return NeuralDetector(vae.with_prior(LearnedPrior.fit(z, components)), as_kind, x.shape[1], kept, steps)


def concentrate(x: Tensor, settings: Settings) -> Tensor:
    """(rows,) True for the rows of greatest evidence under a PPCA of themselves."""
    many = max(4, math.ceil(settings.keep * len(x)))
    kept = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for _ in range(settings.concentrations):
        best = log_evidence(_ppca(x[kept], settings.latent), x).topk(many).indices
        now = torch.zeros_like(kept).index_fill(0, best, True)
        if torch.equal(now, kept):
            break
        kept = now
    return kept


def starting_vae(kind: Kind, start: LinearGaussian, hidden: int, seed: int) -> VAE:
    """A VAE that is PPCA of what the encoder sees, with networks beside it that are zero.

    Args:
        start: of the views. hidden: width of the networks' hidden layer. seed: of their first weights.
    """
    features, latent = start.weights.shape
    exact = cast(MLPEncoder, as_vae(start).encoder)
    weights, offset = kind.decoder(start)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # modules draw their first weights from the global generator
        encoder = _Plus(exact.net[0], _silent(mlp([features, hidden, 2 * latent])))
        out = nn.Linear(latent, features)
        decoder = _Plus(out, _silent(mlp([latent, hidden, features])))
    with torch.no_grad():
        out.weight.copy_(weights)
        out.bias.copy_(offset)
    return VAE(
        _Encoder(kind, encoder), _Decoder(decoder), kind.likelihood(start), StandardNormal(latent)
    ).to(start.weights)  # fmt: skip


class _Plus(nn.Module):
    """The sum of a linear map and a network."""

    def __init__(self, linear: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.linear, self.network = linear, network

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.linear(x) + self.network(x)
        return total


class _Encoder(nn.Module):
    """q(z | x) of what the kind shows of x."""

    def __init__(self, kind: Kind, net: nn.Module) -> None:
        super().__init__()
        self.kind, self.net = kind, net

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        mean, log_scale = self.net(self.kind.view(x)).chunk(2, -1)
        return DiagonalNormal(mean, log_scale.clamp(-10, 5).exp())


class _Decoder(nn.Module):
    """The likelihood's params."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        out: Tensor = self.net(z)
        return out


def _silent(network: nn.Sequential) -> nn.Sequential:
    """The network with a last layer of zeros."""
    for weights in network[-1].parameters():
        nn.init.zeros_(weights)
    return network


def _ppca(x: Tensor, latent: int) -> LinearGaussian:
    """PPCA of at most so many units as leave a variance over."""
    centred = (x - x.mean(0)).double()
    values = torch.linalg.eigvalsh(centred.T @ centred / len(x)).flip(0)
    rank = int((values > 1e-6 * values[0]).sum())
    if not bool(values[0] > 0) or rank < 2:
        raise VAEError(
            f"x varies in {rank if bool(values[0] > 0) else 0} directions, expected at least 2 of {x.shape[1]}; "
            "leave out features that are constant or copies of others"
        )
    return ppca(x, min(latent, rank - 1))


def _fit_in_pieces(vae: VAE, rows: Tensor, steps: int, settings: Settings, generator: torch.Generator) -> Iterator[int]:
    """Fits a VAE, and gives the number of steps done after every few."""
    optimizer = torch.optim.AdamW(vae.parameters(), lr=settings.rate, weight_decay=settings.decay)
    few = rows.repeat(max(1, settings.batch // len(rows)), 1)

    def batches(count: int) -> Iterator[Batch]:
        for _ in range(count):
            if len(few) <= 2 * settings.batch:
                yield Batch(few)
            else:
                drawn = torch.randint(len(few), (settings.batch,), generator=generator, device=generator.device)
                yield Batch(few[drawn.to(few.device)])

    done = 0
    while done < steps:
        more = min(settings.check, steps - done)
        done = fit(vae, ELBO(), batches(more), optimizer, generator=generator, clip=10.0, start=done)
        yield done


def _steps_that_help(vae: VAE, learnt: Tensor, held: Tensor, settings: Settings, generator: torch.Generator) -> int:
    """After how many steps the ELBO of the rows held out is greatest; 0 where it never rises."""
    noise = fixed_noise(vae.prior.latent, 32, learnt).unsqueeze(1).expand(-1, len(held), -1)

    @torch.no_grad()
    def elbo() -> float:
        return float(torch.stack([vae.elbo(held, noise=draw) for draw in noise]).mean())

    best, best_step = elbo(), 0
    for done in _fit_in_pieces(vae, learnt, settings.steps, settings, generator):
        if (now := elbo()) > best:
            best, best_step = now, done
        elif done - best_step >= settings.patience * settings.check:
            break
    return best_step
