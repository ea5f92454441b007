"""The peers behind the door: what is charged, what is free, how they go on, and what LOL-BO learns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from designloop.benchmarks.common.process import untrained
from designloop.benchmarks.common.turbo import Rules
from designloop.benchmarks.latent_peers import cube as cube_module
from designloop.benchmarks.latent_peers import searches
from designloop.benchmarks.latent_peers.cube import LatentCube
from designloop.benchmarks.latent_peers.joint import JointSettings, NegativeEvidence, train_together
from designloop.benchmarks.latent_peers.searches import Learning, LolBo, TurboL, search
from designloop.benchmarks.pmo import door as door_module
from designloop.benchmarks.pmo.door import Door
from designloop.molecules.chemistry import require
from designloop.molecules.corpus import zinc
from designloop.molecules.sequence_networks import on_sphere
from designloop.molecules.sequence_vae import SequenceVAE, load
from designloop.molecules.training_corpus import Corpus

RULES = Rules(batch=3, candidates=20)


class Carbons:
    """An oracle that counts what it is asked: a tenth of a molecule's carbon atoms."""

    def __init__(self, most: int | None = None) -> None:
        self.asked: list[str] = []
        self.most = most
        """Molecules after which it breaks."""

    def __call__(self, smiles: list[str]) -> Mapping[str, float]:
        if self.most is not None and len(self.asked) + len(smiles) > self.most:
            raise KeyboardInterrupt
        self.asked += smiles
        return {text: sum(atom.GetSymbol() == "C" for atom in require(text).GetAtoms()) / 10 for text in smiles}


class Chains(LatentCube):
    """A line of chains: a latent says how many carbon atoms there are, and without any there is no molecule."""

    @classmethod
    def line(cls) -> Chains:
        return cls(None, torch.tensor([0]), torch.zeros(1), torch.ones(1))  # type: ignore[arg-type]

    def expressed(self, scores: Mapping[str, float]) -> dict[str, float]:
        return dict(scores)

    def encode(self, smiles: Sequence[str], refine: int = 0) -> Tensor:
        return torch.tensor([[len(text) / 40] for text in smiles])

    def decode(self, latents: Tensor) -> list[str | None]:
        return ["C" * int(40 * x) or None for x in latents[:, 0].tolist()]

    def place(self, points: Tensor, centre: Tensor) -> Tensor:
        return points.float()


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Carbons:
    """The oracle of every task."""
    oracle = Carbons()
    monkeypatch.setattr(door_module, "oracle_of", lambda task: oracle)
    return oracle


@pytest.fixture
def small(model: str, monkeypatch: pytest.MonkeyPatch) -> SequenceVAE:
    """A model that has learned nothing, and few molecules to measure it by."""
    monkeypatch.setattr(cube_module, "MEASURED", 30)
    return load(model)


def test_starting_molecules_are_paid_for_first_and_every_call_is_counted(oracle: Carbons, tmp_path: Path) -> None:
    door = Door("qed", 14, tmp_path / "calls.jsonl")
    search(door, ["CCCC", "CC", "CCC"], Chains.line(), RULES, seed=0)
    assert list(door.paid)[:3] == ["CCCC", "CC", "CCC"]
    assert oracle.asked == list(door.paid)
    assert len(set(oracle.asked)) == 14
    assert max(door.paid.values()) > 2.5


def test_rules_that_forget_what_was_paid_for_are_refused(oracle: Carbons, tmp_path: Path) -> None:
    door = Door("qed", 14, tmp_path / "calls.jsonl")
    with pytest.raises(ValueError, match="found restart 5 among the rules of TuRBO in latents, expected 0"):
        search(door, ["CCCC"], Chains.line(), Rules(restart=5), seed=0)
    assert not oracle.asked


def test_a_search_ends_where_nothing_new_is_written(
    oracle: Carbons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Stuck(Chains):
        def decode(self, latents: Tensor) -> list[str | None]:
            asked.append(len(latents))
            return ["CC", None, "CCC"]

    monkeypatch.setattr(searches, "MOST_IDLE", 4)
    door = Door("qed", 20, tmp_path / "calls.jsonl")
    search(door, ["CCCC", "CC"], Stuck.line(), RULES, seed=0)
    assert list(door.paid) == ["CCCC", "CC", "CCC"]
    assert asked == [3] * 5  # one that paid, and four that did not


def test_a_model_learns_after_so_many_failures_running_and_all_is_encoded_anew(
    oracle: Carbons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "MOST_IDLE", 7)
    lengths = [2, 2, 2, 5, 2, 2, 2, 2]  # carbon atoms, batch by batch; but for the first and the fourth nothing is new
    learned: list[tuple[int, int]] = []
    encoded: list[int] = []

    class Told(Chains):
        def encode(self, smiles: Sequence[str], refine: int = 0) -> Tensor:
            encoded.append(len(smiles))
            return super().encode(smiles)

        def decode(self, latents: Tensor) -> list[str | None]:
            return ["C" * lengths.pop(0)]

    door = Door("qed", 20, tmp_path / "calls.jsonl")
    learning = Learning(lambda scores, batches: learned.append((len(scores), batches)), failures=2)
    with pytest.raises(IndexError):
        search(door, ["CCCC", "CCC"], Told.line(), Rules(batch=1, candidates=20), 0, learning)
    assert learned == [(3, 2), (4, 6), (4, 8)]
    assert encoded == [2, 3, 4, 4]


def test_an_interrupted_search_goes_on_to_the_same_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(oracle: Carbons, file: Path) -> Door:
        monkeypatch.setattr(door_module, "oracle_of", lambda task: oracle)
        door = Door("qed", 16, file)
        search(door, ["CCCC", "CC", "CCC"], Chains.line(), RULES, seed=0)
        return door

    whole = run(Carbons(), tmp_path / "whole.jsonl")
    broken = Carbons(most=9)
    with pytest.raises(KeyboardInterrupt):
        run(broken, tmp_path / "broken.jsonl")
    assert 3 < len(broken.asked) <= 9
    rest = Carbons()
    resumed = run(rest, tmp_path / "broken.jsonl")
    assert resumed.calls == whole.calls
    assert broken.asked + rest.asked == list(resumed.paid)


# --- the cube -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [False, True])
def test_points_and_latents_are_told_from_each_other(small: SequenceVAE, every: bool) -> None:
    cube = LatentCube.of(small, every=every)
    latents = on_sphere(torch.randn(4, 8, generator=torch.Generator().manual_seed(0)))
    assert len(cube.used) == 8 if every else 0 < len(cube.used) < 8
    assert torch.allclose(cube.place(cube.points(latents[:1]), latents[0]), latents[:1], atol=1e-4)
    corner = torch.ones(1, len(cube.used), dtype=torch.double)
    placed = cube.place(corner, latents[1])
    assert float(placed.norm()) == pytest.approx(8**0.5, rel=1e-4)
    if others := [i for i in range(8) if i not in cube.used.tolist()]:
        assert float(torch.cosine_similarity(placed[0, others], latents[1, others], dim=0)) == pytest.approx(
            1, abs=1e-5
        )
    middle = cube.place(0.5 * corner, torch.zeros(8))[0, cube.used]
    assert float(torch.cosine_similarity(middle, (cube.low + cube.width / 2).float(), dim=0)) == pytest.approx(1)


def test_of_the_shipped_model_the_coordinates_that_carry_the_molecule_are_searched() -> None:
    vae = load()
    cube = LatentCube.of(vae)
    with torch.no_grad():
        said = vae.encode(vae.tokens([vae.codec.to_selfies(text) for text in zinc()[:50]]))
    scale = said.relative_scale.mean(0)
    surest, sure = (set((scale < most).nonzero().squeeze(-1).tolist()) for most in (0.3, 1.0))
    assert len(surest) > 20
    assert surest <= set(cube.used.tolist()) <= sure


def test_what_the_alphabet_lacks_is_not_learned_from(small: SequenceVAE) -> None:
    assert LatentCube.of(small).expressed({"CCO": 1.0, "[Cu]": 0.5}) == {"CCO": 1.0}


# --- both peers on a model ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("learns", [False, True])
def test_peers_spend_the_budget_and_only_lol_bo_changes_the_model(
    oracle: Carbons, small: SequenceVAE, tmp_path: Path, learns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "MOST_IDLE", 1)  # a model that has learned nothing writes the same again and again
    before = {name: value.clone() for name, value in small.state_dict().items()}
    turbo = TurboL(rules=RULES)
    peer = LolBo(turbo, JointSettings(failures=1, steps=2, batch=8)) if learns else turbo
    door = Door("qed", 12, tmp_path / "calls.jsonl")
    peer(door, list(zinc()[:8]), small, Corpus.zinc(), 0)
    assert oracle.asked == list(door.paid)
    assert 8 < len(door.paid) <= 12
    changed = {name for name, value in small.state_dict().items() if not torch.equal(value, before[name])}
    assert bool(changed) is learns
    if learns:
        assert {name.partition(".")[0] for name in changed} == {"encoder", "decoder", "likelihood"}


def test_the_surrogates_loss_is_minus_the_log_evidence_and_reaches_the_encoder(small: SequenceVAE) -> None:
    cube = LatentCube.of(small)
    tokens = small.tokens([small.codec.to_selfies(text) for text in zinc()[:12]])
    values = torch.linspace(0, 1, 12, dtype=torch.double)

    def points() -> Tensor:
        return cube.points(small.encode(tokens).mean)

    model = untrained(points().detach(), values)
    small.zero_grad()
    loss = NegativeEvidence(model, points)(None)
    loss.backward()
    covariance = model.covar_module(points()).to_dense() + model.likelihood.noise * torch.eye(12)
    mean = model.mean_module(points())
    evidence = multivariate_normal(mean.detach().numpy(), covariance.detach().numpy()).logpdf(model.train_targets)
    with torch.no_grad():
        prior = sum(float(of.log_prob(closure(module)).sum()) for _, module, of, closure, _ in model.named_priors())
    assert float(loss.detach()) == pytest.approx(-(evidence + prior) / 12, rel=1e-4)
    assert any(float(weight.grad.abs().max()) > 0 for weight in small.encoder.parameters() if weight.grad is not None)


def test_training_together_makes_scores_foreseen_better(small: SequenceVAE) -> None:
    cube = LatentCube.of(small)
    scores = {text: index % 2 / 1.0 for index, text in enumerate(zinc()[:20])}
    first = train_together(cube, scores, Corpus.zinc(), JointSettings(steps=1, batch=8, learning_rate=0.0), 0)
    last = train_together(cube, scores, Corpus.zinc(), JointSettings(steps=25, batch=8, learning_rate=3e-3), 0)
    assert last["negativeevidence"] < first["negativeevidence"] - 0.05
    assert last["elbo"] < first["elbo"]


def test_the_process_stays_where_it_may_be_however_long_the_steps_are(small: SequenceVAE) -> None:
    scores = {text: index / 10 for index, text in enumerate(zinc()[:10])}
    settings = JointSettings(steps=3, batch=4, surrogate_learning_rate=10.0)
    report = train_together(LatentCube.of(small), scores, Corpus.zinc(), settings, 0)
    assert all(math.isfinite(value) for value in report.values())
