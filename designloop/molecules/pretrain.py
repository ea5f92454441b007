"""Pretraining of the sequence VAE on a corpus; resumes after a kill to the same weights.

Every step's batch and noise levels follow from (seed, step) alone, and the generator of the posterior's noise is part
of the checkpoint, so a run that was killed and taken up again goes through the same steps as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from designloop.molecules.codec import Codec
from designloop.molecules.corpus import TokenRows, zinc_codec
from designloop.molecules.errors import MoleculeError
from designloop.molecules.recipe import Recipe
from designloop.molecules.sequence_networks import Architecture
from designloop.molecules.sequence_vae import CHECKSUM, SequenceVAE, checksum, load, shorten
from designloop.molecules.training_corpus import CORPUS_ENDING, Corpus, fingerprint_targets
from designloop.paths import is_file
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import Step, fit
from designloop.vae.training.losses import ELBO, Loss, PropertyRegression


def levels(rng: np.random.Generator, n: int, clean: float, low: float, high: float | np.ndarray) -> np.ndarray:
    """(n,) float32 noise levels: 0 in a share ``clean`` of rows, else log-uniform in low..high, (n,) or one number."""
    drawn = np.exp(rng.uniform(np.log(low), np.log(high), n))
    return np.where(rng.random(n) < clean, 0.0, drawn).astype(np.float32)


def batches(
    rows: TokenRows,
    use: np.ndarray,
    recipe: Recipe,
    start: int,
    targets: np.ndarray | None = None,
    joined: int = 0,
) -> Iterator[Batch]:
    """The stream of training batches from step ``start`` on.

    Rows are dealt out in epochs; chunks of 32 batches are sorted by length and cut, so that little of a batch is
    padding, and the batches of a chunk are shuffled.

    Args:
        use: row numbers to train on.
        targets: (len(rows), components) fingerprint components, or None.
        joined: how many of the last rows are joins, whose noise is the recipe's ``joined_noise`` at most.
    """
    size, chunk_batches = recipe.batch, 32
    per_epoch = max(len(use) // size, 1)
    order, cut = np.empty(0, int), (-1, -1)
    groups: list[np.ndarray] = []
    for step in range(start, recipe.steps):
        epoch, within = divmod(step, per_epoch)
        chunk, batch_index = divmod(within, chunk_batches)
        if (epoch, chunk) != cut:
            dealt = np.random.default_rng([recipe.seed, 1, epoch]).permutation(use)
            part = dealt[chunk * chunk_batches * size : min((chunk + 1) * chunk_batches, per_epoch) * size]
            part = part[np.argsort(rows.lengths[part], kind="stable")]
            groups = [part[i : i + size] for i in range(0, len(part), size)]
            shuffled = np.random.default_rng([recipe.seed, 2, epoch, chunk]).permutation(len(groups))
            order, cut = shuffled, (epoch, chunk)
        picked = groups[order[batch_index]]
        rng = np.random.default_rng([recipe.seed, 3, step])
        clean, (low, high) = recipe.phase_at(step)[0].clean, recipe.noise
        highest = np.where(picked < len(rows) - joined, high, recipe.joined_noise) if joined else high
        yield Batch(
            x=torch.from_numpy(shorten(rows.take(picked))),
            context={"noise": torch.from_numpy(levels(rng, len(picked), clean, low, highest))},
            targets={} if targets is None else {"fingerprint": torch.from_numpy(targets[picked].astype(np.float32))},
        )


@dataclass(frozen=True)
class HeldOut:
    """How good a sequence VAE is on molecules that it has not seen."""

    step: int
    seconds: float
    reconstruction: float
    """Share decoded exactly, posterior mean, greedy."""
    nats: dict[str, float]
    """Noise level -> mean −log p(x | z), nats a molecule."""
    kl: float
    """KL at noise level 0, nats a molecule."""


@torch.no_grad()
def held_out_measures(vae: SequenceVAE, tokens: Tensor, step: int, seconds: float) -> HeldOut:
    """The measures that are watched during training.

    Args:
        tokens: (n, length) held-out rows.
    """
    generator = torch.Generator(vae.device).manual_seed(0)
    nats: dict[str, float] = {}
    kl = 0.0
    for level in (0.0, 0.5, 1.0, 2.0, 8.0):
        context = {"noise": torch.full((len(tokens),), level, device=vae.device)}
        out = vae(tokens, None, context, vae.draw_noise(len(tokens), generator))
        nats[f"{level:g}"] = -float(out.log_prob.mean())
        kl = float(out.kl.mean()) if level == 0 else kl
    back = vae.likelihood.recovers(vae.decode_along(tokens, vae.encode(tokens).mean), tokens)
    return HeldOut(step, seconds, float(back.float().mean()), nats, kl)


def pretrain(
    vae: SequenceVAE,
    rows: TokenRows,
    use: np.ndarray,
    held_out: np.ndarray,
    recipe: Recipe,
    folder: Path,
    *,
    corpus_name: str = "",
    fingerprints: np.ndarray | None = None,
    joined: int = 0,
    every_seconds: float = 300.0,
    on_measure: Callable[[HeldOut], None] | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> list[HeldOut]:
    """Trains ``vae`` in place, from the newest checkpoint in ``folder`` if there is one; returns held-out curves.

    Args:
        use, held_out: row numbers to train on, and to measure on.
        folder: ``checkpoint.safetensors``, ``checkpoint.json`` and, at the end, ``model.safetensors`` go here.
        fingerprints: (len(rows), components) targets of the fingerprint head, or None to do without.
        joined: how many of the last rows are joins.
        every_seconds: between checkpoints.

    Raises:
        MoleculeError: the folder's checkpoint was made under another recipe or architecture, or on another corpus.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loss: Loss = Loss([(1.0, ELBO(recipe.beta))])
    if fingerprints is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            head = nn.Linear(vae.architecture.latent, fingerprints.shape[1]).to(vae.device)
        loss = loss + PropertyRegression(head, "fingerprint") * recipe.fingerprint_weight
    # The schedule gives the rate itself.
    optimizer = torch.optim.Adam([*vae.parameters(), *loss.parameters()], lr=1.0, betas=(0.9, 0.98))
    generator = torch.Generator(vae.device).manual_seed(recipe.seed)
    parts = (rows.flat.tobytes(), use.tobytes(), held_out.tobytes(), vae.codec.to_json().encode())
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]
    run = _Run(vae, loss, optimizer, generator, recipe, f"{corpus_name} {digest}".strip(), folder)
    start, curve = run.resume()
    tokens = torch.from_numpy(rows.take(held_out)).to(vae.device)
    began, saved = time.monotonic() - (curve[-1].seconds if curve else 0.0), time.monotonic()

    def after(step: Step) -> None:
        nonlocal saved
        if on_step is not None:
            on_step(step)
        if time.monotonic() - saved > every_seconds or step.number + 1 == recipe.steps:
            vae.eval()
            curve.append(held_out_measures(vae, tokens, step.number + 1, time.monotonic() - began))
            vae.train()
            run.save(step.number + 1, curve)
            saved = time.monotonic()
            if on_measure is not None:
                on_measure(curve[-1])

    device = vae.device
    stream = (_to(batch, device) for batch in batches(rows, use, recipe, start, fingerprints, joined))
    fit(
        vae,
        loss,
        stream,
        optimizer,
        generator=generator,
        schedule=recipe.learning_rate,
        clip=1.0,
        precision=precision(device),
        start=start,
        on_step=after,
    )
    points = [asdict(point) for point in curve]
    record: dict[str, object] = {"corpus": corpus_name, "recipe": asdict(recipe), "curve": points}
    vae.save(folder / "model.safetensors", record, half=True)
    return curve


def precision(device: torch.device) -> torch.dtype | None:
    """bfloat16 on a GPU or a CPU that multiplies in it, where it is several times as fast; None, float32, elsewhere.

    A CPU does with AMX tiles or AVX-512's products of bfloat16 (``avx512_bf16``); on another one bfloat16 is emulated,
    and slower by two orders of magnitude.
    """
    multiplies = device.type == "cuda" or torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if multiplies else None


def _to(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    return Batch(
        batch.x.to(device),
        None,
        {name: value.to(device) for name, value in batch.context.items()},
        {name: value.to(device) for name, value in batch.targets.items()},
    )


@dataclass
class _Run:
    """The checkpoint of a run: weights, optimizer, generator and curve, written aside and renamed."""

    vae: SequenceVAE
    loss: Loss
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    recipe: Recipe
    corpus: str
    """Its name and a digest of its rows."""
    folder: Path

    def _settings(self) -> dict[str, object]:
        record = {
            "recipe": asdict(self.recipe),
            "architecture": asdict(self.vae.architecture),
            "corpus": self.corpus,
        }
        return dict(json.loads(json.dumps(record)))  # through JSON, so that tuples compare as what the file holds

    def save(self, step: int, curve: list[HeldOut]) -> None:
        tensors = {f"vae.{name}": value for name, value in self.vae.state_dict().items()}
        tensors |= {f"loss.{name}": value for name, value in self.loss.state_dict().items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{slot}": torch.as_tensor(value) for slot, value in slots.items()}
        tensors["generator"] = self.generator.get_state()
        record = {"step": step, "curve": [asdict(point) for point in curve], **self._settings()}
        aside = self.folder / f"checkpoint.{os.getpid()}.aside"
        kept = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
        metadata = {"told": json.dumps(record)}
        save_file(kept, aside, metadata | {CHECKSUM: checksum(kept, metadata)})
        aside.replace(self.folder / "checkpoint.safetensors")

    def resume(self) -> tuple[int, list[HeldOut]]:
        """Goes on from the checkpoint, if there is one; returns the step that it was made after, and the curve so far.

        Raises:
            MoleculeError: it was made with another architecture, corpus or recipe than this run asks for.
        """
        path = self.folder / "checkpoint.safetensors"
        if not is_file(path):
            return 0, []
        record, tensors = _read_checkpoint(path)
        # What recipes and architectures did not say when the checkpoint was made was as the defaults are.
        for key, plain in (("recipe", Recipe()), ("architecture", Architecture())):
            record[key] = {**asdict(plain), **record[key]}
        for key, ours in self._settings().items():
            if record.get(key) != ours and not (key == "recipe" and _goes_on(record["recipe"], ours)):
                raise MoleculeError(
                    f"{path} was made with {key} {record.get(key)}, this run asks for {ours}; "
                    "give another folder or the same settings"
                )
        self.vae.load_state_dict({n.removeprefix("vae."): v for n, v in tensors.items() if n.startswith("vae.")})
        self.loss.load_state_dict({n.removeprefix("loss."): v for n, v in tensors.items() if n.startswith("loss.")})
        state = self.optimizer.state_dict()
        state["state"] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, slot = name.split(".")
                state["state"].setdefault(int(index), {})[slot] = value
        self.optimizer.load_state_dict(state)
        self.generator.set_state(tensors["generator"].cpu())
        return int(record["step"]), [HeldOut(**point) for point in record["curve"]]


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a checkpoint says of itself, and its tensors.

    Raises:
        MoleculeError: it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata())
        tensors = load_file(path)
        # Checkpoints of earlier versions have no checksum.
        if metadata.pop(CHECKSUM, None) not in (None, checksum(tensors, metadata)):
            raise ValueError("its content does not match its own checksum")
        return json.loads(metadata["told"]), tensors
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise MoleculeError(
            f"{path} is damaged ({error}); restore it from a backup, or remove it to begin this training anew"
        ) from error


def _goes_on(earlier: Any, now: Any) -> bool:
    """Whether a recipe is an earlier one with more phases behind it."""
    shared = now["phases"][: len(earlier.get("phases", ()))]
    return bool(shared) and earlier == {**now, "phases": shared}


def new_model(codec: Codec, architecture: Architecture, seed: int) -> SequenceVAE:
    """A sequence VAE with fresh weights that follow from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SequenceVAE(codec, architecture)


def take_weights(vae: SequenceVAE, parent: SequenceVAE, name: str) -> None:
    """Gives a model the weights of another one; what only it has, a reader, adds nothing at first and stays.

    Raises:
        MoleculeError: they are of different widths, or write in different alphabets.
    """
    theirs, ours = parent.state_dict(), vae.state_dict()
    differing = [key for key, value in theirs.items() if key not in ours or ours[key].shape != value.shape]
    if differing or parent.codec != vae.codec:
        what = f"{differing[0]} differs in shape" if differing else "its alphabet is another one"
        raise MoleculeError(
            f"parent {name} has architecture {asdict(parent.architecture)}, this run {asdict(vae.architecture)} "
            f"({what}); only a reader may be added: give the same widths and alphabet"
        )
    vae.load_state_dict(theirs, strict=False)


def pretrain_corpus(
    folder: Path,
    file: Path | None = None,
    recipe: Recipe | None = None,
    *,
    architecture: Architecture | None = None,
    device: str = "cpu",
    every_seconds: float = 300.0,
    on_measure: Callable[[HeldOut], None] | None = None,
) -> Path:
    """Trains a sequence VAE on ZINC 250k or on a user's file, from the newest checkpoint in ``folder`` if there is one.

    Args:
        file: .smi, .csv or .parquet; None for ZINC 250k.

    Returns:
        The model's file, to be named by ``model:`` in a campaign.
    """
    recipe, codec = recipe or Recipe(), zinc_codec()
    corpus = Corpus.zinc() if file is None else Corpus.of_file(file, codec)
    learned = corpus.with_joins(recipe.joined, codec, recipe.seed) if recipe.joined else corpus
    targets = (
        fingerprint_targets(learned.rows, codec, recipe.fingerprint_components, learned.joined)
        if recipe.fingerprint_components
        else None
    )
    vae = new_model(codec, architecture or Architecture(), recipe.seed)
    if recipe.parent is not None:
        take_weights(vae, load(recipe.parent), recipe.parent)
    vae.to(device)
    name = "zinc250k" if file is None else str(file)
    pretrain(
        vae, learned.rows, learned.train, learned.held_out[:500], recipe, folder, corpus_name=name,
        fingerprints=targets, joined=learned.joined, every_seconds=every_seconds, on_measure=on_measure,
    )  # fmt: skip
    if file is not None:
        corpus.save(folder / f"model{CORPUS_ENDING}")
    return folder / "model.safetensors"
