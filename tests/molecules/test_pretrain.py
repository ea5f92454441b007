"""Pretraining: a run that was killed and taken up again goes through the same steps as one that was not."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from designloop.molecules import corpus, pretrain, training_corpus
from designloop.molecules.errors import MoleculeError
from designloop.molecules.pretrain import (
    HeldOut,
    batches,
    held_out_measures,
    levels,
    new_model,
    pretrain_corpus,
)
from designloop.molecules.recipe import Phase, Recipe
from designloop.molecules.sequence_vae import load, training_record
from designloop.molecules.training_corpus import Corpus
from designloop.vae.training.fit import Step
from tests.tiny import ARCHITECTURE, tiny_codec, tiny_corpus, tiny_vae

RECIPE = Recipe((Phase(12, 5e-3, warmup=2),), batch=16, seed=3)
TARGETS = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float16)

# ---- the stream of batches


def test_noise_levels_are_clean_or_log_uniform() -> None:
    drawn = levels(np.random.default_rng(0), 20_000, 0.3, 0.2, 8.0)
    assert drawn.dtype == np.float32
    assert abs((drawn == 0).mean() - 0.3) < 4 * (0.21 / 20_000) ** 0.5
    noised = drawn[drawn > 0]
    assert noised.min() >= np.float32(0.2)
    assert noised.max() <= np.float32(8.0)
    assert abs(np.log(noised).mean() - (np.log(0.2) + np.log(8)) / 2) < 0.04  # four standard errors
    assert levels(np.random.default_rng(0), 5, 1.0, 0.2, 8.0).tolist() == [0.0] * 5


def long_corpus() -> Corpus:
    """10,300 short rows of different lengths: more than one chunk of 32 batches of 256."""
    lengths = np.random.default_rng(1).integers(2, 9, 10_300)
    flat = np.concatenate([[*range(2, n + 1), 1] for n in lengths]).astype(np.uint8)
    return Corpus(corpus.TokenRows.of_flat(flat), np.arange(0, 10_300), np.arange(5))


def test_an_epoch_deals_each_row_once_and_batches_are_of_like_length() -> None:
    rows = long_corpus().rows
    use = np.arange(100, 10_300)
    recipe = Recipe((Phase(78, 1e-3),), batch=256)
    targets = np.arange(10_300, dtype=np.float32).reshape(-1, 1)
    stream = list(batches(rows, use, recipe, 0, targets))
    dealt = [batch.targets["fingerprint"].squeeze(1).numpy().astype(int) for batch in stream]
    first = np.concatenate(dealt[:39])
    assert len(first) == len(set(first.tolist())) == 39 * 256  # of 10,200: the rest waits for another epoch
    assert set(first.tolist()) < set(use.tolist())
    second = np.concatenate(dealt[39:])
    assert len(set(second.tolist())) == 39 * 256
    assert first.tolist() != second.tolist()
    for batch, picked in zip(stream, dealt, strict=True):
        lengths = rows.lengths[picked]
        assert lengths.max() - lengths.min() <= 1  # 8,192 rows of 7 lengths, sorted and cut into 32
        assert batch.x.shape == (256, lengths.max())
        assert np.array_equal(batch.x.numpy(), rows.take(picked))
    widths = [batch.x.shape[1] for batch in stream[:32]]
    assert widths != sorted(widths)  # short and long come in turn


def test_the_stream_from_a_step_on_is_the_tail_of_the_whole() -> None:
    rows, recipe = long_corpus().rows, Recipe((Phase(45, 1e-3),), batch=256, seed=5)
    whole = list(batches(rows, np.arange(10_300), recipe, 0))
    for start in (1, 31, 32, 40, 44, 45):
        tail = list(batches(rows, np.arange(10_300), recipe, start))
        assert len(tail) == 45 - start
        for ours, theirs in zip(tail[:3], whole[start:], strict=False):
            assert torch.equal(ours.x, theirs.x)
            assert torch.equal(ours.context["noise"], theirs.context["noise"])
    other = next(batches(rows, np.arange(10_300), dataclasses.replace(recipe, seed=6), 0))
    assert not torch.equal(other.x, whole[0].x)


def test_fewer_rows_than_a_batch_make_one_batch_an_epoch() -> None:
    small = tiny_corpus()
    stream = list(batches(small.rows, np.arange(10), Recipe((Phase(3, 1e-3),), batch=16), 0))
    assert [batch.x.shape[0] for batch in stream] == [10] * 3
    assert stream[0].targets == {}


# ---- what is kept, and how a run goes on


class Killed(Exception):
    pass


def run(
    folder: Path, recipe: Recipe = RECIPE, stop: int | None = None, every: float = 0.0, on: Corpus | None = None
) -> list[HeldOut]:
    """Pretrains the tiny model; at step ``stop`` it dies before it can keep anything."""
    small = on or tiny_corpus()

    def on_step(step: Step) -> None:
        if step.number == stop:
            raise Killed

    return pretrain.pretrain(
        tiny_vae(recipe.seed),
        small.rows,
        small.train,
        small.held_out,
        recipe,
        folder,
        corpus_name="tiny",
        fingerprints=TARGETS,
        every_seconds=every,
        on_step=on_step,
    )


def weights(folder: Path, name: str = "model") -> dict[str, torch.Tensor]:
    return dict(load_file(folder / f"{name}.safetensors"))


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return folder


@pytest.mark.parametrize("stops", [[0], [5], [11], [2, 3, 9]])
def test_a_stopped_run_ends_with_the_weights_of_one_that_was_not(whole: Path, tmp_path: Path, stops: list[int]) -> None:
    with torch.random.fork_rng(devices=[]):
        for stop in stops:
            torch.manual_seed(stop)  # where the global generator stands must not matter
            with pytest.raises(Killed):
                run(tmp_path, stop=stop)
            assert not (tmp_path / "model.safetensors").exists()
        curve = run(tmp_path)
    assert same(weights(tmp_path), weights(whole))
    assert same(weights(tmp_path, "checkpoint"), weights(whole, "checkpoint"))  # optimizer and generator too
    assert [point.step for point in curve] == list(range(1, 13))
    recorded = training_record(whole / "model.safetensors")["curve"]
    assert isinstance(recorded, list)
    assert [(point.step, point.nats) for point in curve] == [
        (point_record["step"], point_record["nats"]) for point_record in recorded
    ]


def test_a_killed_process_is_taken_up_where_its_last_checkpoint_was(whole: Path, tmp_path: Path) -> None:
    script = f"""
        import os, signal
        from pathlib import Path
        from tests.molecules import test_pretrain as here

        def dies(step):
            if step.number == 7:
                os.kill(os.getpid(), signal.SIGKILL)

        small = here.tiny_corpus()
        here.pretrain.pretrain(
            here.tiny_vae(3), small.rows, small.train, small.held_out, here.RECIPE, Path({str(tmp_path)!r}),
            corpus_name="tiny", fingerprints=here.TARGETS, every_seconds=0.0, on_step=dies,
        )
    """
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "model.safetensors").exists()
    numbers: list[int] = []
    small = tiny_corpus()
    pretrain.pretrain(
        tiny_vae(3), small.rows, small.train, small.held_out, RECIPE, tmp_path,
        corpus_name="tiny", fingerprints=TARGETS, every_seconds=0.0, on_step=lambda step: numbers.append(step.number),
    )  # fmt: skip
    assert numbers == [7, 8, 9, 10, 11]
    assert same(weights(tmp_path), weights(whole))


def test_how_often_is_measured_changes_no_weight(whole: Path, tmp_path: Path) -> None:
    curve = run(tmp_path, every=1e9)
    assert [point.step for point in curve] == [12]
    assert same(weights(tmp_path), weights(whole))


def test_a_finished_run_is_not_run_again(whole: Path) -> None:
    before = weights(whole)
    assert len(run(whole, stop=0)) == 12
    assert same(weights(whole), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"recipe": dataclasses.replace(RECIPE, noise=(0.1, 8.0))},
            r"made with recipe .*'noise': \[0\.2, 8\.0\].* asks",
        ),
        (
            {"recipe": dataclasses.replace(RECIPE, phases=(Phase(13, 5e-3, warmup=2),))},
            "made with recipe .*'steps': 12",
        ),
        ({"recipe": dataclasses.replace(RECIPE, phases=())}, "made with recipe .*'steps': 12"),
        (
            {"on": tiny_corpus(held_out=13)},
            r"made with corpus tiny \w{16}, this run asks for tiny \w{16}; give another folder",
        ),
    ],
)
def test_another_recipe_or_corpus_is_refused(whole: Path, change: dict[str, object], message: str) -> None:
    before = weights(whole)
    with pytest.raises(MoleculeError, match=message):
        run(whole, **change)  # type: ignore[arg-type]
    assert same(weights(whole), before)


def test_another_architecture_is_refused(whole: Path) -> None:
    small = tiny_corpus()
    wide = tiny_vae(3, dataclasses.replace(ARCHITECTURE, width=33))
    with pytest.raises(MoleculeError, match=r"made with architecture .*'width': 32.* or the same settings"):
        pretrain.pretrain(wide, small.rows, small.train, small.held_out, RECIPE, whole, fingerprints=TARGETS)


def test_the_model_and_its_record(whole: Path) -> None:
    vae = load(whole / "model.safetensors")
    kept = weights(whole, "checkpoint")
    assert torch.equal(vae.likelihood.head.weight, kept["vae.likelihood.head.weight"].half().float())
    record = training_record(whole / "model.safetensors")
    assert record["corpus"] == "tiny"
    assert record["recipe"] == json.loads(json.dumps(dataclasses.asdict(RECIPE)))
    assert sorted(path.name for path in whole.iterdir()) == ["checkpoint.safetensors", "model.safetensors"]


def test_training_learns_the_corpus_and_its_fingerprints(tmp_path: Path) -> None:
    """In 60 steps; the nats are of molecules that were held out."""
    steps: list[Step] = []
    small = tiny_corpus()
    curve = pretrain.pretrain(
        tiny_vae(0), small.rows, small.train, small.held_out, Recipe((Phase(60, 1e-2, warmup=5),), batch=48),
        tmp_path, fingerprints=np.tile(TARGETS[:1], (60, 1)), every_seconds=1e9, on_step=steps.append,
    )  # fmt: skip
    assert curve[-1].nats["0"] < 0.4 * -steps[0].log_prob
    assert steps[-1].terms["propertyregression_fingerprint"] < 0.2 * steps[0].terms["propertyregression_fingerprint"]
    assert list(curve[-1].nats) == ["0", "0.5", "1", "2", "8"]


def test_held_out_measures_agree_with_the_models_own() -> None:
    vae, tokens = tiny_vae(), torch.from_numpy(tiny_corpus().rows.take(np.arange(6)))
    measures = held_out_measures(vae, tokens, 5, 1.5)
    assert (measures.step, measures.seconds) == (5, 1.5)
    # The first draw of the generator that it uses is that of level 0.
    noise = vae.draw_noise(6, torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = vae(tokens, None, None, noise)
    assert measures.nats["0"] == pytest.approx(-float(out.log_prob.mean()), rel=1e-6)
    assert measures.kl == pytest.approx(float(out.kl.mean()), rel=1e-6)
    strings = vae.codec.selfies_of(tokens.numpy())
    back = sum(decoded == string for decoded, string in zip(vae.write(vae.latents(strings)), strings, strict=True))
    assert measures.reconstruction == back / 6


# ---- what a run is made of


def test_fresh_weights_follow_from_the_seed_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (new_model(tiny_codec(), ARCHITECTURE, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert same(dict(first), dict(again))
    assert not same(dict(first), dict(other))


def test_precision_follows_from_what_the_machine_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    for tiles, products in itertools.product((True, False), repeat=2):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda tiles=tiles: tiles)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda products=products: products)
        wanted = torch.bfloat16 if tiles or products else None
        assert pretrain.precision(torch.device("cpu")) == wanted
        assert pretrain.precision(torch.device("cuda")) == torch.bfloat16


def test_each_phase_has_its_own_share_of_clean_rows() -> None:
    recipe = Recipe((Phase(3, 1e-3, clean=0.0), Phase(3, 1e-3, clean=1.0)), batch=256)
    levels = [batch.context["noise"] for batch in batches(long_corpus().rows, np.arange(10_300), recipe, 1)]
    assert all(bool((level > 0).all()) for level in levels[:2])
    assert all(bool((level == 0).all()) for level in levels[2:])


def test_a_run_that_is_done_goes_on_with_the_phases_added(tmp_path: Path) -> None:
    """To the same weights as one that had them from the start."""
    longer = dataclasses.replace(RECIPE, phases=(*RECIPE.phases, Phase(5, 1e-3)))
    run(tmp_path / "both")
    assert [point.step for point in run(tmp_path / "both", longer)][-1] == 17
    run(tmp_path / "at once", longer)
    continued, at_once = (load(tmp_path / name / "model.safetensors").state_dict() for name in ("both", "at once"))
    assert same(dict(continued), dict(at_once))


def test_a_users_file_gives_a_model_with_its_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESIGNLOOP_CACHE", str(tmp_path / "cache"))
    # A process pool takes seconds to start; test_training_corpus.py has one.
    monkeypatch.setattr(training_corpus, "map_on_cores", map)
    file = tmp_path / "mine.smi"
    file.write_text("\n".join(corpus.zinc()[:120]) + "\nnothing\n")
    recipe = Recipe((Phase(2, 1e-3, warmup=1),), batch=32, fingerprint_components=4)
    model = pretrain_corpus(tmp_path / "out", file, recipe, architecture=ARCHITECTURE)
    assert model == tmp_path / "out" / "model.safetensors"
    assert training_record(model)["corpus"] == str(file)
    assert load(model).codec == corpus.zinc_codec()
    again = Corpus.of_model(model)
    assert len(again.rows) == 120
    assert len(again.held_out) == 10
    assert {path.name.partition("-")[0] for path in (tmp_path / "cache").iterdir()} == {"tokens", "fingerprints"}
