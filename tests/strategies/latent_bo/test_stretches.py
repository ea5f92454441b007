"""How noise around centres of trust regions is stretched, and what is left out as odd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from designloop.molecules.errors import MoleculeError
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.randomness import rng_of
from designloop.records import Candidate
from designloop.strategies.search import stretches
from designloop.strategies.search.machine import Search
from designloop.strategies.search.pool import Turn
from designloop.strategies.search.region_search import RegionSearch, RegionWriter
from designloop.strategies.search.regions import PROPOSER
from designloop.strategies.search.stretches import Stretches, inverse_root
from designloop.strategies.search.trust_region import RegionSettings
from designloop.strategies.search.typical import Typical
from designloop.strategies.search.voting import BreedByVote
from designloop.strategies.surrogates.latent_process import ascended
from designloop.vae.anomaly import decoder_nll
from designloop.vae.geometry import FisherRao
from designloop.vae.linear.linear_gaussian import LinearGaussian, posterior
from designloop.vae.linear.linear_vae import as_vae
from designloop.vae.networks import MLPDecoder
from tests.strategies.latent_bo.small_loop import SMALL, Make
from tests.strategies.latent_bo.test_latent_search import SMILES, search
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

LATENT = 4
EVERY = torch.arange(LATENT)


def linear_model(noise: float) -> LinearGaussian:
    """x ~ N(W z, noise² I), of which everything is known."""
    weights = torch.from_numpy(np.random.default_rng(0).standard_normal((7, LATENT)) * [3.0, 1.0, 0.3, 1.0])
    return LinearGaussian(weights, torch.zeros(7, dtype=torch.float64), torch.tensor([noise**2], dtype=torch.float64))


def root_of(model: LinearGaussian, units: Tensor = EVERY) -> Tensor:
    vae = as_vae(model)  # in the canonical rotation, which is not the model's own
    assert isinstance(vae.decoder, MLPDecoder)
    vae.decoder.load_state_dict({"net.0.weight": model.weights, "net.0.bias": model.offset})
    return inverse_root(FisherRao(vae), torch.randn(LATENT, dtype=torch.float64), units)


# ---- the metric


@pytest.mark.parametrize("noise", [0.05, 0.7, 5.0])
def test_of_a_linear_decoder_noise_has_the_shape_of_the_exact_posterior(noise: float) -> None:
    model = linear_model(noise)
    exact = posterior(model, torch.zeros(1, 7, dtype=torch.float64)).covariance[0]
    root = root_of(model)
    assert root.numpy() == pytest.approx(root.T.numpy(), abs=1e-12)
    assert float(root.square().sum()) == pytest.approx(LATENT), "noise is as long as before"
    assert (root @ root).numpy() == pytest.approx((exact * LATENT / exact.trace()).numpy(), abs=1e-6)


def test_it_moves_what_a_linear_decoder_gives_equally_in_all_directions() -> None:
    model = linear_model(0.01)
    moved = model.weights @ root_of(model)
    values = torch.linalg.svdvals(moved)
    assert float(values.max() / values.min()) == pytest.approx(1, abs=1e-3)
    plain = torch.linalg.svdvals(model.weights)
    assert float(plain.max() / plain.min()) > 5


def test_units_along_which_nothing_is_asked_keep_the_prior_width() -> None:
    model, some = linear_model(0.5), torch.tensor([0, 3])
    root = root_of(model, some)
    shape = torch.linalg.inv(root @ root)
    scale = float(shape[1, 1])
    others = torch.tensor([1, 2])
    assert (shape / scale)[others][:, others].numpy() == pytest.approx(np.eye(2), abs=1e-9)
    assert (shape / scale)[some][:, others].numpy() == pytest.approx(np.zeros((2, 2)), abs=1e-9)
    information = model.weights.T @ model.weights / model.variance
    expected = information[some][:, some] + torch.eye(2)
    assert (shape / scale)[some][:, some].numpy() == pytest.approx(expected.numpy(), rel=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.6])
def test_of_a_sequence_model_it_is_the_information_of_the_tokens(level: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against torch's own Jacobian of the logits, at the latent with noise in it that the decoder is given."""
    vae = tiny_vae()
    text = vae.codec.to_selfies(SMILES[7])
    given = vae.posteriors([text])
    x, width = vae.tokens([text]), (1 + level**2) ** 0.5

    def logits(z: Tensor) -> Tensor:
        plan = vae.decode(width * z.unsqueeze(0), {"noise": torch.tensor([level])})
        return vae.likelihood.logits(plan, x)[0, :, 1:]  # padding cannot be written

    slopes = jacobian(logits, given.mean[0]).double()
    chances = logits(given.mean[0]).softmax(-1).detach().double()
    each = torch.diag_embed(chances) - chances.unsqueeze(-1) * chances.unsqueeze(-2)
    metric = torch.einsum("tai,tab,tbj->ij", slopes, each, slopes)
    covariance = torch.linalg.inv(torch.eye(8).double() + metric)
    expected = covariance * 8 / covariance.trace()
    (root,) = Stretches.of_metric(vae, [text], given, level).maps
    assert (root @ root).numpy() == pytest.approx(expected.numpy(), abs=1e-4)
    monkeypatch.setattr(stretches, "LEADING", 2)
    (narrow,) = Stretches.of_metric(vae, [text], given, level).maps
    sure = given.scale[0].argsort()[:2]
    assert {int(unit) for unit in (narrow - narrow[-1, -1] * torch.eye(8)).abs().sum(0).topk(2).indices} == set(
        sure.tolist()
    )


def test_stretches_are_those_of_the_row() -> None:
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    along = Stretches(torch.tensor([[1.0, 1.0], [2.0, 0.5]]))
    assert along(torch.tensor([1, 0]), vectors).tolist() == [[2.0, 1.0], [3.0, 4.0]]
    turning = Stretches(torch.tensor([[[0.0, 1.0], [1.0, 0.0]], [[2.0, 0.0], [0.0, 0.5]]]))
    assert turning(torch.tensor([1, 0]), vectors).tolist() == [[2.0, 1.0], [4.0, 3.0]]


# ---- steps


class Bowl:
    """A bound that is minus half of ``z A z``."""

    latents = np.zeros((0, 2))

    def __init__(self, matrix: Sequence[Sequence[float]]) -> None:
        self.matrix = np.array(matrix)

    def bounds(self, latents: np.ndarray, kappa: np.ndarray | float, /) -> np.ndarray:
        return np.asarray(-0.5 * np.einsum("mi,ij,mj->m", latents, self.matrix, latents))

    def slopes(self, latents: np.ndarray, kappa: np.ndarray | float, /) -> np.ndarray:
        return np.asarray(-latents @ self.matrix)


def step(scale: np.ndarray | float) -> np.ndarray:
    bowl, z = Bowl([[9.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 2.0], [2.0, -1.0]])
    moved: np.ndarray = ascended(
        bowl, z, np.zeros(2), steps=1, length=0.3, scale=scale, kept=lambda ahead, before: ahead
    )
    return np.asarray(moved - z)


def test_steps_are_along_the_slope_in_units_of_each_latent() -> None:
    diagonal = np.array([0.5, 2.0])
    assert step(np.stack([np.diag(diagonal)] * 2)) == pytest.approx(step(diagonal))
    # The inverse root of the bowl's own matrix: a step leads to the bottom.
    straight = step(np.stack([np.diag([1 / 3, 1.0])] * 2))
    assert straight[0] / np.linalg.norm(straight[0]) == pytest.approx(-np.array([1.0, 2.0]) / 5**0.5)
    turned = step(np.stack([np.eye(2), np.diag(diagonal)]))
    assert turned[0] == pytest.approx(step(1.0)[0])
    assert turned[1] == pytest.approx(step(diagonal)[1])


# ---- what is odd


def candidates(smiles: Sequence[str]) -> list[Candidate]:
    return [Candidate(text, PROPOSER) for text in smiles]


def test_kept_is_what_is_written_as_well_as_a_share_of_what_is_known() -> None:
    vae, drawn = tiny_vae(), small_molecules(20)
    scores = decoder_nll(vae, vae.tokens([vae.codec.to_selfies(text) for text in drawn])).numpy()
    known = torch.linspace(float(scores.min()) - 1, float(scores.max()) + 1, 199)
    kept = Typical(vae, known, 0.5).keeping(candidates(drawn))
    middle = float(known[99])
    assert [candidate.smiles for candidate in kept] == [
        text for text, score in zip(drawn, scores, strict=True) if score < middle
    ]
    assert 0 < len(kept) < 20
    everything = Typical(vae, known, 1.0).keeping(candidates(drawn))
    assert everything == candidates(drawn)


def test_planted_outliers_are_left_out() -> None:
    """A decoder that knows its corpus, and two molecules that are not of its kind."""
    vae, corpus = tiny_vae(), tiny_corpus(60, held_out=40)
    typical = Typical.of_corpus(vae, corpus, 0.9, rng_of(0, "typical"))
    usual = [vae.codec.to_smiles(text) or "C" for text in vae.codec.selfies_of(corpus.rows.take(corpus.held_out))]
    planted = ["C1=CC=C2C(=C1)C=CC3=CC=CC=C23", "O=S(=O)(c1ccccc1)N1CC1"]
    kept = [candidate.smiles for candidate in typical.keeping(candidates([*usual, *planted]))]
    assert 0.85 * len(usual) <= len(kept) <= 0.95 * len(usual)
    assert not set(planted) & set(kept)


@pytest.mark.parametrize(("share", "least"), [(0.9, 9), (0.95, 19), (0.99, 99), (0.8, 4)])
def test_as_many_have_to_be_held_out_as_tell_the_share(share: float, least: int) -> None:
    vae, odd = tiny_vae(), candidates(["CCO"])
    assert Typical(vae, torch.full((least,), -1e6), share).keeping(odd) == []
    assert Typical(vae, torch.full((least - 1,), -1e6), share).keeping(odd) == odd, (
        "the odder one of so few may be usual"
    )


def test_a_corpus_that_holds_out_too_few_is_refused() -> None:
    with pytest.raises(
        MoleculeError, match=r"holds out 12 molecules, expected at least 19 .* strategy\.regions\.typical"
    ):
        Typical.of_corpus(tiny_vae(), tiny_corpus(60, held_out=12), 0.95, rng_of(0, "typical"))


def test_what_the_alphabet_lacks_is_left_out() -> None:
    vae = tiny_vae()
    typical = Typical(vae, torch.full((99,), 1e6), 0.9)
    assert typical.keeping(candidates(["CCO", "[Au]C", "CCN"])) == candidates(["CCO", "CCN"])
    assert typical.keeping(candidates(["[Au]C"])) == typical.keeping([]) == []


# ---- in the search


def written(**changes: Any) -> list[Candidate]:
    """What regions write, their writer changed."""
    (_, regions), archive, committee = search()
    assert isinstance(regions, RegionSearch)
    belief = committee.fit(archive, 0)
    assert belief is not None
    changed = replace(regions, writer=replace(regions.writer, **changes))
    return changed.propose(archive, belief, 10, Turn(0, 3))


def latents_of(drawn: Sequence[Candidate]) -> np.ndarray:
    return np.stack([candidate.origin.latent for candidate in drawn if candidate.origin])


def test_regions_of_the_metric_write_around_the_same_centres_from_elsewhere() -> None:
    plain, stretched = written(metric="posterior"), written(metric="pullback")
    assert np.array_equal(latents_of(plain), latents_of(written())), "the posterior's is the default"
    assert {candidate.parents for candidate in plain} == {candidate.parents for candidate in stretched}
    apart = np.linalg.norm(latents_of(plain)[0] - latents_of(stretched)[0])
    assert 1e-3 < apart < 1, "noise of level .02 is short either way"


def test_regions_keep_what_is_typical() -> None:
    plain = written()
    strict = Typical(tiny_vae(), torch.linspace(0, 100, 99), 0.9)
    kept = written(typical=strict)
    assert kept
    assert strict.keeping(kept) == kept
    assert strict.keeping(plain) != plain
    assert written(typical=Typical(tiny_vae(), torch.full((99,), -1e6), 0.9)) == []


def writer_of(strategy: Search) -> RegionWriter:
    assert isinstance(strategy.breed, BreedByVote)
    (regions,) = (source for source in strategy.breed.sources if isinstance(source, RegionSearch))
    return regions.writer


def test_a_campaign_may_ask_for_both(campaign: Make) -> None:
    asked = RegionSettings(decoded=2, count=2, metric="pullback", typical=0.5)
    strategy = campaign().strategy(SMALL.model_copy(update={"regions": asked}))
    writer = writer_of(strategy)
    assert (writer.metric, writer.typical is not None and writer.typical.share) == ("pullback", 0.5)


def test_nothing_is_left_out_unless_a_campaign_asks(vae: SequenceVAE, campaign: Make) -> None:
    strategy = campaign().strategy(SMALL.model_copy(update={"regions": RegionSettings(decoded=2)}))
    writer = writer_of(strategy)
    assert (writer.metric, writer.typical) == ("posterior", None)
