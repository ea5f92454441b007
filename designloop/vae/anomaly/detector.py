"""A detector of anomalies that learns from unlabelled rows, some of them anomalous; nothing to choose.

``fit_detector`` asks the rows, without labels, which of two detectors they want (``contamination_evidence``): the
average of robust closed forms (``robust``), or, where all rows are of one kind by far, the one with networks
(``neural``). ``fit_table_detector`` does the same for a table of mixed kinds; all take missing entries, and all are
written to a file by ``save`` and read by ``load_detector``. ``score`` is minus the evidence, in nats or in units of its
own spread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from designloop.vae.anomaly.conformal import conformal_p_values
from designloop.vae.anomaly.contamination import contamination_evidence
from designloop.vae.anomaly.kinds import KINDS, Kind, kind_of
from designloop.vae.anomaly.neural import KindEncoder, Rows, Settings, fit_vae
from designloop.vae.anomaly.observed import fill, require_observed
from designloop.vae.anomaly.robust import Member, fit_members, surprise
from designloop.vae.anomaly.scores import (
    Score,
    anomaly_score,
    decoder_nll,
    negative_elbo,
    negative_evidence,
)
from designloop.vae.doors import as_tensor
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.checks import require_rows
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.product import Product
from designloop.vae.linear.linear_gaussian import LinearGaussian, log_evidence
from designloop.vae.model import VAE
from designloop.vae.priors.learned import LearnedPrior
from designloop.vae.weights import save_weights


class Detector(nn.Module, ABC):
    """What ``fit_detector`` gives; a module, so that ``to`` moves it.

    Args:
        kind: of the rows, with what it has learnt of them.
        kept: (rows,) True for the rows that were learnt from in the end.
    """

    kept: Tensor
    kind: Kind

    def __init__(self, kind: Kind, kept: Tensor) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("kept", kept)

    @property
    def features(self) -> int:
        """Of a row."""
        return self.kind.features

    @property
    @abstractmethod
    def about(self) -> dict[str, Any]:
        """JSON values from which ``load_detector`` makes one of the same shape."""

    def save(self, path: str | Path) -> Path:
        """Writes a safetensors file that ``load_detector`` reads; that of the robust one holds the rows learnt from.

        Args:
            path: of the file, replaced if there is one.
        """
        return save_weights(self, path, self.about)

    @abstractmethod
    def _score(self, x: Tensor, score: Score, mask: Tensor | None) -> Tensor:
        """(batch,) of rows of the right width, 0 where missing."""

    @torch.no_grad()
    def score(self, x: Any, score: Score = anomaly_score, *, mask: Any | None = None) -> Tensor:
        """(batch,) of rows in the unit of those learnt from; the larger, the more anomalous.

        Args:
            x: (batch, features), whatever the doors take.
            score: any of ``scores.SCORES``.
            mask: (batch, features) True where observed; what is missing makes a row no odder and no less odd.

        Raises:
            ShapeError: x has another width than the rows that were learnt from.
            VAEError: x is of another kind of data, or has observed entries that are no numbers.
        """
        rows = _take(x, mask)
        if rows.x.ndim != 2 or rows.x.shape[1] != self.features:
            raise ShapeError("x", rows.x.shape, f"(batch, {self.features})", "give the features that were learnt from")
        require_rows(rows.x, rows.mask)
        whole = None if rows.mask is None or bool(rows.mask.all()) else rows.mask
        return self._score(fill(rows.x, whole), score, whole).to(rows.x.dtype)

    def p_values(
        self, x: Any, calibration: Any, score: Score = anomaly_score, *, mask: Any | None = None,
        calibration_mask: Any | None = None,
    ) -> Tensor:  # fmt: skip
        """(batch,) conformal p-value of each row.

        Args:
            x: (batch, features). calibration: (n, features) normal rows that were *not* learnt from.
            mask, calibration_mask: of the same shapes, True where observed.
        """
        return conformal_p_values(
            self.score(x, score, mask=mask), self.score(calibration, score, mask=calibration_mask)
        )


class NeuralDetector(Detector):
    """One VAE with networks; its scores are in nats.

    Args:
        steps: that its networks were fitted for; 0 where the closed form was not to be bettered.
        levels: (features,) nats that each entry of the rows learnt from costs on average, given its own latent.
        gap: () nats that a whole row usually costs more than under PPCA.
    """

    levels: Tensor
    gap: Tensor

    def __init__(self, vae: VAE, kind: Kind, kept: Tensor, steps: int, levels: Tensor, gap: Tensor) -> None:
        super().__init__(kind, kept)
        self.vae, self.steps = vae, steps
        self.register_buffer("levels", levels)
        self.register_buffer("gap", gap)

    @property
    def about(self) -> dict[str, Any]:
        """JSON values from which ``load_detector`` makes one of the same shape."""
        prior, encoder = self.vae.prior, self.vae.encoder
        assert isinstance(prior, LearnedPrior)
        assert isinstance(encoder, KindEncoder)
        return {
            "detector": "neural", "of": self.kind.about, "rows": len(self.kept), "steps": self.steps,
            "latent": prior.latent, "components": len(prior.weights), "hidden": encoder.hidden,
            "dtype": str(self.levels.dtype).removeprefix("torch."),
        }  # fmt: skip

    def _score(self, x: Tensor, score: Score, mask: Tensor | None) -> Tensor:
        prepared = self.kind.prepare(x.to(self.levels))
        if mask is None:
            return score(self.vae, prepared)
        observed = score(self.vae, prepared, mask)
        if score is decoder_nll:
            return observed + (~mask).to(self.levels) @ self.levels
        if score not in (anomaly_score, negative_evidence, negative_elbo):
            return observed  # a mean over the observed entries
        start, views, seen = _start_of(self.vae), self.kind.view(prepared), self.kind.view_mask(mask)
        usual = surprise(start, views, seen) + log_evidence(start, views, seen)  # PPCA's entropy of what is missing
        return observed + usual + self.gap * (~mask).to(self.gap).mean(1)


class RobustDetector(Detector):
    """An average of robust VAEs of closed form; its scores are in interquartile ranges above the median."""

    def __init__(self, members: list[Member], kind: Kind, kept: Tensor) -> None:
        super().__init__(kind, kept)
        self.members = nn.ModuleList(members)

    @property
    def about(self) -> dict[str, Any]:
        """JSON values from which ``load_detector`` makes one of the same shape."""
        sizes = [member.sizes for member in self.members if isinstance(member, Member)]
        return {"detector": "robust", "of": self.kind.about, "rows": len(self.kept), "members": sizes}

    def _score(self, x: Tensor, score: Score, mask: Tensor | None) -> Tensor:
        levels, seen = self.kind.unbent(x), self.kind.view_mask(mask)
        scores = [member.score(levels, score, seen) for member in self.members if isinstance(member, Member)]
        return torch.stack(scores).mean(0)


def fit_detector(
    x: Any, mask: Any | None = None, *, generator: torch.Generator, kind: str | None = None,
    settings: Settings | None = None,
) -> Detector:  # fmt: skip
    """A detector that has learnt from rows without labels: the neural one, or the robust one.

    Zeros and ones have the neural one. Else the robust one is taken unless all rows are of one kind by far more than
    chance, ``Settings.clean`` nats of evidence held out: where few rows cannot tell, it does less harm.

    Args:
        x: (rows, features) mostly normal, whatever the doors take; of columns of mixed kinds ``fit_table_detector``.
        mask: (rows, features) True where observed.
        generator: draws the neural detector's weights, the rows it holds out and its posteriors' noise.
        kind: "binary", "counts" or "numbers"; None looks at x (``kind_of``).
        settings: other than the default ones.

    Raises:
        ShapeError: x is no table of at least two features and four rows.
        VAEError: x has observed entries that are no numbers, or hardly any variance, a feature is observed in no two
            rows, or the kind is none that there is.
    """
    rows = _take(x, mask)
    return choose_detector(rows, _kind(rows, kind), generator, settings or Settings())


def fit_robust(x: Any, mask: Any | None = None, *, kind: str | None = None) -> RobustDetector:
    """The average of robust closed forms (``robust``), whatever the rows ask for. Arguments as ``fit_detector``."""
    rows = _take(x, mask)
    return _robust(rows, _kind(rows, kind))


def fit_neural(
    x: Any, mask: Any | None = None, *, generator: torch.Generator, kind: str | None = None,
    settings: Settings | None = None,
) -> NeuralDetector:  # fmt: skip
    """One VAE with networks (``neural``), whatever the rows ask for.

    It is for rows that are normal, better all of them: anomalies that lie together are learnt as a class of their own.
    Arguments and errors as ``fit_detector``.
    """
    rows = _take(x, mask)
    return _neural(rows, _kind(rows, kind), generator, settings or Settings())


def choose_detector(rows: Rows, kind: Kind, generator: torch.Generator, settings: Settings) -> Detector:
    """The detector that rows of a known kind ask for."""
    if not kind.is_discrete:
        evidence = contamination_evidence(kind.unbent(rows.x), kind.view_mask(rows.mask))
        if len(rows) * evidence > -settings.clean:
            return _robust(rows, kind)
    return _neural(rows, kind, generator, settings)


def _robust(rows: Rows, kind: Kind) -> RobustDetector:
    members, kept = fit_members(kind.unbent(rows.x), kind.view_mask(rows.mask))
    return RobustDetector(members, kind, kept)


def _neural(rows: Rows, kind: Kind, generator: torch.Generator, settings: Settings) -> NeuralDetector:
    prepared = Rows(kind.prepare(rows.x), rows.mask)
    vae, kept, steps = fit_vae(kind, prepared, settings, generator)
    return NeuralDetector(vae, kind, kept, steps, _levels(vae, prepared[kept]), _gap(vae, kind, prepared))


def _start_of(vae: VAE) -> LinearGaussian:
    """The PPCA that the networks stand beside."""
    assert isinstance(vae.encoder, KindEncoder)
    return vae.encoder.start


@torch.no_grad()
def _gap(vae: VAE, kind: Kind, rows: Rows) -> Tensor:
    """() median over rows of what the model takes them to cost beyond PPCA, nats a whole row.

    Of all rows, for those that were kept are the likeliest under PPCA.
    """
    views, seen = kind.view(rows.x), kind.view_mask(rows.mask)
    beyond = anomaly_score(vae, rows.x, rows.mask) + log_evidence(_start_of(vae), views, seen)
    whole = beyond if rows.mask is None else beyond / rows.mask.to(beyond).mean(1).clamp_min(1e-9)
    return whole.quantile(0.5)


@torch.no_grad()
def _levels(vae: VAE, rows: Rows) -> Tensor:
    """(features,) mean −log p(x_i | z̄) of each feature over the rows that observe it, nats."""
    assert isinstance(vae.likelihood, Entrywise | Product)
    params = vae.decode(vae.encode(rows.x, rows.mask).mean)
    costs = -vae.likelihood.entry_log_prob(params, rows.x, rows.mask)
    often = len(rows) if rows.mask is None else rows.mask.sum(0).clamp_min(1)
    levels: Tensor = costs.sum(0) / often
    return levels


def _kind(rows: Rows, kind: str | None) -> Kind:
    likely_kind = kind_of(rows.x, rows.mask)
    if kind is not None and kind not in KINDS:
        raise VAEError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}, or None to look at the data")
    require_observed(rows.mask)
    return KINDS[kind or likely_kind].of(rows.x, rows.mask)


def _take(x: Any, mask: Any | None) -> Rows:
    """Rows through the door, floating point, 0 where missing."""
    taken = as_tensor(x, None)
    if not taken.is_floating_point():
        taken = taken.to(torch.get_default_dtype())
    if mask is None:
        return Rows(taken, None)
    seen = as_tensor(mask, None, "mask")
    require_rows(taken, seen)
    return Rows(fill(taken, seen), None if bool(seen.all()) else seen)
