"""Total correlation of a VAE's latent: how far its units, or groups of them, are from independent.

    TC = KL(q(z) || Π_g q(z_g)) = E_q [ln q(z) − Σ_g ln q(z_g)],      q(z) = (1/N) Σ_n q(z | x_n)

q(z) is a mixture of one component a row of the data. ``total_correlation_of`` is its value at draws of z, given
components and their weights; estimators differ in the weights alone:

    all N rows, 1/N each              exact for these rows (``log_weights=None``)
    a batch of M, 1/M each            the naive mixture: a row's own component weighs N/M times too much
    a batch of M, 1/(N M) each        minibatch-weighted: naive + (G − 1) ln N for G groups: a gradient, no estimate
    own component 1/N, the others alike, (N − 1)/(N (M − 1))     minibatch-stratified: q(z) is unbiased

The last is Chen et al.'s stratified sampling averaged over which of the others is drawn last, so of less variance, and
at M = N it is exact. Logarithms of unbiased sums are low, so all of them approach the truth from one side. The density
ratio of a discriminator needs no components at all.

Sources: Chen et al. 2018, "Isolating sources of disentanglement in VAEs", appendix C; Kim & Mnih 2018, "Disentangling
by factorising".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from designloop.vae.errors import MissingContextError, ShapeError, VAEError
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.model import ForwardPass
from designloop.vae.networks import mlp
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal, require_diagonal
from designloop.vae.training.losses import Term

Groups = Sequence[Sequence[int]]
"""Units that belong together, each in one group; None where each unit is a group of its own."""


def total_correlation_of(
    z: Tensor, posterior: DiagonalNormal, log_weights: Tensor | None = None, groups: Groups | None = None
) -> Tensor:
    """(batch,) ln q(z) − Σ_g ln q(z_g) in nats, whose mean over draws of q(z) is the total correlation.

    Costs batch × components × latent in memory: give z in parts where that is too much.

    Args:
        z: (batch, latent) drawn from the aggregate posterior: one a row from its own posterior.
        posterior: (components, latent) of the rows that q(z) is made of.
        log_weights: (batch, components) or (components,) of the components; None for all alike, 1 in sum. −inf leaves
            one out.
        groups: units that may depend on each other.

    Raises:
        ShapeError: widths or weights do not match.
        VAEError: ``groups`` does not hold each unit once.
    """
    components, latent = posterior.mean.shape
    if z.ndim != 2 or z.shape[1] != latent:
        raise ShapeError("z", z.shape, f"(batch, {latent}) as the posterior", "draw it with posterior.rsample")
    if log_weights is None:
        log_weights = z.new_full((components,), -math.log(components))
    if log_weights.shape not in ((len(z), components), (components,)):
        wanted = f"({len(z)}, {components}) or ({components},)"
        raise ShapeError("log_weights", log_weights.shape, wanted, "give one logarithm a component")
    standard = (z.unsqueeze(1) - posterior.mean) / posterior.scale
    units = -0.5 * (standard.square() + LOG_2PI) - posterior.scale.log()  # (batch, components, latent)
    grouped = units @ membership(groups, latent).to(units)
    joint = torch.logsumexp(units.sum(-1) + log_weights, 1)
    return joint - torch.logsumexp(grouped + log_weights.unsqueeze(-1), 1).sum(-1)


def weighted_log_weights(batch: int, rows: int) -> Tensor:
    """(batch, batch) log weights of minibatch-weighted sampling from ``rows`` rows, float64: −ln(N M)."""
    _check_batch(batch, rows)
    return torch.full((batch, batch), -math.log(rows * batch), dtype=torch.float64)


def stratified_log_weights(batch: int, rows: int) -> Tensor:
    """(batch, batch) log weights of minibatch-stratified sampling, float64: own 1/N, others (N − 1)/(N (M − 1)).

    Args:
        batch: M, rows drawn without replacement, at least 2.
        rows: N, of the data.
    """
    _check_batch(batch, rows)
    others = math.log((rows - 1) / (rows * (batch - 1)))
    weights = torch.full((batch, batch), others, dtype=torch.float64)
    return weights.fill_diagonal_(-math.log(rows))


def stratified_log_weights_within(labels: Tensor, rows: Tensor) -> Tensor:
    """(batch, batch) log weights of minibatch-stratified sampling among the rows of each label, −inf across labels.

    The total correlation is then that given the label. A row without another of its label is its own component only,
    and says 0.

    Args:
        labels: (batch,) integers.
        rows: (labels,) how many rows of each label the data has.
    """
    same = labels.unsqueeze(1) == labels
    in_batch = same.sum(1, keepdim=True).to(torch.float64)
    in_data = rows.to(labels.device)[labels].to(torch.float64).unsqueeze(1)
    others = (in_data - 1) / (in_data * (in_batch - 1))
    eye = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    weights = torch.where(eye, torch.where(in_batch > 1, 1 / in_data, 1), torch.where(same, others, 0))
    return weights.log()


def gaussian_total_correlation(covariance: Tensor, groups: Groups | None = None) -> Tensor:
    """() nats, of a normal: ½ (Σ_g ln det C_gg − ln det C).

    Args:
        covariance: (units, units) positive definite.
    """
    blocks = [[unit] for unit in range(len(covariance))] if groups is None else [list(group) for group in groups]
    own = torch.stack([torch.logdet(covariance[group][:, group]) for group in blocks])
    return 0.5 * (own.sum() - torch.logdet(covariance))


def permute_groups(z: Tensor, generator: torch.Generator | None = None, groups: Groups | None = None) -> Tensor:
    """(batch, latent) rows of z with each group shuffled by itself: draws from Π_g q(z_g)."""
    of = membership(groups, z.shape[1]).argmax(1).to(z.device)
    orders = [torch.randperm(len(z), generator=generator, device=z.device) for _ in range(int(of.max()) + 1)]
    return z.gather(0, torch.stack(orders, 1)[:, of])


class TotalCorrelation(Term):
    """Minibatch-stratified total correlation of the batch's draws, nats a row.

    Args:
        rows: of the data that batches are drawn from, without replacement within a batch; with ``given`` how many of
            each label, (labels,).
        groups: units that may depend on each other.
        given: name of labels in the context: the total correlation is that within each label.
        most: look at the first so many rows of a batch only, as it costs their square; None for all.
    """

    def __init__(
        self, rows: int | Tensor, groups: Groups | None = None, given: str | None = None, most: int | None = None
    ) -> None:
        super().__init__()
        if (given is None) is not isinstance(rows, int):
            raise VAEError(f"rows is {rows} with given={given!r}; give one number, or one a label where given is set")
        self.rows, self.groups, self.given, self.most = rows, groups, given, most

    def forward(self, out: ForwardPass) -> Tensor:
        """() mean of ln q(z) − Σ_g ln q(z_g) at the first draw of each row of the pass; 0 of a row alone.

        Raises:
            MissingContextError: the context has no such labels.
            VAEError: the first batch has one row, or any has more than the data.
        """
        rows = min(len(out.z) // out.draws, self.most or len(out.z))
        if self.given is None:
            assert isinstance(self.rows, int)
            # The last batch of an epoch may be one row: it is its own component only, of which nothing is to be told.
            is_alone = rows == 1 and int(self.step) > 0
            weights = torch.zeros(1, 1) if is_alone else stratified_log_weights(rows, self.rows)
        else:
            if self.given not in out.context:
                raise MissingContextError("TotalCorrelation", self.given, list(out.context))
            assert isinstance(self.rows, Tensor)
            weights = stratified_log_weights_within(out.context[self.given][:rows], self.rows)
        posterior = require_diagonal(out.posterior, "TotalCorrelation")[:rows]
        return total_correlation_of(out.z[:rows], posterior, weights.to(out.z), self.groups).mean()


class DensityRatio(Term):
    """Total correlation by a discriminator, E_q [ln q(z) / Π_g q(z_g)], nats a row.

    A network learns to tell draws of q(z) from draws whose groups were shuffled; its logit is the log ratio. It has an
    optimizer of its own and takes one step after each of the VAE's. The optimizer that is given to ``fit`` may not
    hold it: the VAE's steps lower what it says, which for its own weights would be to say nothing true.

    Args:
        latent: width of z.
        generator: draws the shuffles.
        hidden: widths of the discriminator. rate: of its Adam.
        groups: units that may depend on each other.

    Source: Kim & Mnih 2018, "Disentangling by factorising".
    """

    def __init__(
        self, latent: int, generator: torch.Generator, hidden: Sequence[int] = (64, 64), rate: float = 3e-3,
        groups: Groups | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.discriminator: nn.Module = mlp([latent, *hidden, 1])
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=rate)
        self.generator, self.groups = generator, groups

    def log_ratio(self, z: Tensor) -> Tensor:
        """(batch,) ln q(z) − Σ_g ln q(z_g) as far as the discriminator knows, of (batch, latent)."""
        logit: Tensor = self.discriminator(z)
        return logit.squeeze(-1)

    def forward(self, out: ForwardPass) -> Tensor:
        """(batch,) the log ratio at the draws of the pass."""
        return self.log_ratio(out.z)

    def learned(self) -> Iterator[nn.Parameter]:
        """None: the discriminator has an optimizer of its own."""
        return iter(())

    def update(self, out: ForwardPass) -> None:
        """One step of the discriminator."""
        super().update(out)
        self.learn(out.z.detach())

    def learn(self, z: Tensor) -> None:
        """One step of the discriminator on draws (batch, latent) of q(z)."""
        apart = permute_groups(z, self.generator, self.groups)
        self.optimizer.zero_grad(set_to_none=True)  # what the VAE's own step left here too
        loss = functional.softplus(-self.log_ratio(z)).mean() + functional.softplus(self.log_ratio(apart)).mean()
        loss.backward()
        self.optimizer.step()


def membership(groups: Groups | None, latent: int) -> Tensor:
    """(latent, groups) 1 where a unit belongs to a group.

    Raises:
        VAEError: some unit is in no group, or in two.
    """
    if groups is None:
        return torch.eye(latent)
    if sorted(unit for group in groups for unit in group) != list(range(latent)):
        raise VAEError(f"groups is {groups}, expected each of the units 0 to {latent - 1} in one group; list them all")
    belongs = torch.zeros(latent, len(groups))
    for index, group in enumerate(groups):
        belongs[list(group), index] = 1
    return belongs


def _check_batch(batch: int, rows: int) -> None:
    if not 2 <= batch <= rows:
        raise VAEError(f"batch is {batch} of {rows} rows, expected 2 to {rows}; give rows the length of the data")
