"""A detector that is one VAE with networks: for rows that are clean, or nearly.

    z ~ Σ_k π_k N(m_k, C_k),   x | z ~ likelihood(W z + b + decoder network(z))
    q(z | x) = N(A x + a + encoder network(x), …)

1. The data's kind says how they are scaled and which likelihood explains them (``kinds``).
2. W, b, A and a start at the closed form of PPCA, which is made robust by concentration steps: fit, keep the 80 % of
   the rows of greatest evidence, fit these, and so on. What is left out is not learnt from.
3. Both networks start at zero and are fitted as long as the ELBO of a fifth of the rows, held out, rises; then all rows
   are fitted for as many steps. What is linear, or of few rows, stays as it started.
4. The prior is replaced by a mixture fitted to the posteriors, so that a hole between latents is one.

Where entries are missing, the likelihood is that of the observed ones, and the encoder sees the missing as PPCA expects
them given the observed; its posterior has PPCA's full covariance, scaled as the network scales that of whole rows.
Sources: Tipping & Bishop 1999; Rousseeuw & Van Driessen 1999 (concentration steps); Goodfellow et al. 2016, algorithm
7.2 (early stopping, then all rows); Ghosh et al. 2020 (prior after the fit).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from designloop.vae.anomaly.kinds import Kind
from designloop.vae.anomaly.observed import fill
from designloop.vae.anomaly.robust import EM_STEPS, far_off
from designloop.vae.anomaly.scores import fixed_noise
from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.linear.linear_gaussian import LinearGaussian, posterior, ppca
from designloop.vae.linear.linear_vae import as_vae
from designloop.vae.linear.missing_entries import ppca_of_observed
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder, mlp
from designloop.vae.posteriors.base import Posterior
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.posteriors.full_normal import FullNormal
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


@dataclass(frozen=True, slots=True)
class Rows:
    """Prepared rows with their mask."""

    x: Tensor
    mask: Tensor | None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, which: Tensor) -> Rows:
        return Rows(self.x[which], None if self.mask is None else self.mask[which])


def fit_vae(kind: Kind, rows: Rows, settings: Settings, generator: torch.Generator) -> tuple[VAE, Tensor, int]:
    """The fitted VAE, (rows,) True for the rows learnt from, and the steps that its networks were fitted for.

    Args:
        kind: of the rows. rows: as it prepares them.
        generator: draws the networks' weights, the rows held out and the posteriors' noise.
    """
    kept = concentrate(kind.view(rows.x), settings, kind.view_mask(rows.mask))
    core = rows[kept]
    order = torch.randperm(len(core), generator=generator, device=generator.device).to(core.x.device)
    held_out = max(2, round(settings.held_out * len(core)))
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))

    def fresh(of: Rows) -> VAE:
        start = _ppca(kind.view(of.x), settings.latent, kind.view_mask(of.mask))
        return starting_vae(kind, start, settings.hidden, seed)

    learnt, held = core[order[held_out:]], core[order[:held_out]]
    steps = _steps_that_help(fresh(learnt), learnt, held, settings, generator)
    vae = fresh(core)
    for _ in _fit_in_pieces(vae, core, steps, settings, generator):
        pass
    vae.eval().requires_grad_(False)
    given = vae.encode(core.x, core.mask)
    z = torch.cat([given.rsample(generator) for _ in range(settings.draws)])
    components = max(1, min(settings.components, len(core) // (z.shape[1] + 1)))
    return vae.with_prior(LearnedPrior.fit(z, components)), kept, steps


def concentrate(x: Tensor, settings: Settings, mask: Tensor | None = None) -> Tensor:
    """(rows,) True for the rows of greatest evidence under a PPCA of themselves."""
    many = max(4, math.ceil(settings.keep * len(x)))
    kept = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for _ in range(settings.concentrations):
        model = _ppca(x[kept], settings.latent, None if mask is None else mask[kept])
        best = (-far_off(model, x, mask)).topk(many).indices
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
    wide, latent = start.weights.shape
    exact = cast(MLPEncoder, as_vae(start).encoder)
    weights, offset = kind.decoder(start)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # modules draw their first weights from the global generator
        encoder = _Plus(exact.net[0], _silent(mlp([wide, hidden, 2 * latent])))
        out = nn.Linear(latent, len(weights))
        decoder = _Plus(out, _silent(mlp([latent, hidden, len(weights)])))
    with torch.no_grad():
        out.weight.copy_(weights)
        out.bias.copy_(offset)
    return VAE(
        KindEncoder(kind, encoder, start, hidden), _Decoder(decoder), kind.likelihood(start), StandardNormal(latent)
    ).to(start.weights)  # fmt: skip


class _Plus(nn.Module):
    """The sum of a linear map and a network."""

    def __init__(self, linear: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.linear, self.network = linear, network

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.linear(x) + self.network(x)
        return total


class KindEncoder(nn.Module):
    """q(z | x) of what the kind shows of x; what is missing is filled in as PPCA expects it."""

    weights: Tensor
    offset: Tensor
    variance: Tensor

    def __init__(self, kind: Kind, net: nn.Module, start: LinearGaussian, hidden: int) -> None:
        super().__init__()
        self.kind, self.net, self.hidden = kind, net, hidden
        for name in ("weights", "offset", "variance"):
            self.register_buffer(name, getattr(start, name).clone())

    @property
    def start(self) -> LinearGaussian:
        """PPCA of what the encoder sees."""
        return LinearGaussian(self.weights, self.offset, self.variance)

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Posterior:
        views, seen = self.kind.view(fill(x, mask)), self.kind.view_mask(mask)
        if seen is None:
            mean, log_scale = self.net(views).chunk(2, -1)
            return DiagonalNormal(mean, log_scale.clamp(-10, 5).exp())
        start = self.start
        given = posterior(start, views, seen)
        expected = self.offset + given.mean @ self.weights.T
        mean, log_scale = self.net(torch.where(seen, views, expected)).chunk(2, -1)
        scale_of_whole = posterior(start, views[:1]).variance.sqrt()
        factor = log_scale.clamp(-10, 5).exp() / scale_of_whole  # what the network makes of PPCA's scales
        return FullNormal(mean, given.precision_tril / factor.unsqueeze(-1))


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


def _ppca(x: Tensor, latent: int, mask: Tensor | None = None) -> LinearGaussian:
    """PPCA of at most so many units as leave a variance over."""
    filled = x if mask is None else fill(x, mask)  # views are centred
    centred = (filled - filled.mean(0)).double()
    values = torch.linalg.eigvalsh(centred.T @ centred / len(x)).flip(0)
    rank = int((values > 1e-6 * values[0]).sum())
    if not bool(values[0] > 0) or rank < 2:
        raise VAEError(
            f"x varies in {rank if bool(values[0] > 0) else 0} directions, expected at least 2 of {x.shape[1]}; "
            "leave out features that are constant or copies of others"
        )
    latent = min(latent, rank - 1)
    return ppca(x, latent) if mask is None else ppca_of_observed(x, mask, latent, steps=EM_STEPS)


def _fit_in_pieces(vae: VAE, rows: Rows, steps: int, settings: Settings, generator: torch.Generator) -> Iterator[int]:
    """Fits a VAE, and gives the number of steps done after every few."""
    optimizer = torch.optim.AdamW(vae.parameters(), lr=settings.rate, weight_decay=settings.decay)
    few = rows[torch.arange(len(rows), device=rows.x.device).repeat(max(1, settings.batch // len(rows)))]

    def batches(count: int) -> Iterator[Batch]:
        for _ in range(count):
            if len(few) <= 2 * settings.batch:
                yield Batch(few.x, few.mask)
            else:
                drawn = torch.randint(len(few), (settings.batch,), generator=generator, device=generator.device)
                drawn_rows = few[drawn.to(few.x.device)]
                yield Batch(drawn_rows.x, drawn_rows.mask)

    done = 0
    while done < steps:
        more = min(settings.check, steps - done)
        done = fit(vae, ELBO(), batches(more), optimizer, generator=generator, clip=10.0, start=done)
        yield done


def _steps_that_help(vae: VAE, learnt: Rows, held: Rows, settings: Settings, generator: torch.Generator) -> int:
    """After how many steps the ELBO of the rows held out is greatest; 0 where it never rises."""
    noise = fixed_noise(vae.prior.latent, 32, learnt.x).unsqueeze(1).expand(-1, len(held), -1)

    @torch.no_grad()
    def elbo() -> float:
        return float(torch.stack([vae.elbo(held.x, held.mask, noise=draw) for draw in noise]).mean())

    best, best_step = elbo(), 0
    for done in _fit_in_pieces(vae, learnt, settings.steps, settings, generator):
        if (now := elbo()) > best:
            best, best_step = now, done
        elif done - best_step >= settings.patience * settings.check:
            break
    return best_step
