"""Pictures beside the record: how the model was trained, and molecules to look at."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from designloop.benchmarks.sequence_vae.neighbourhoods import Parents, perturb
from designloop.benchmarks.sequence_vae.samples import draw
from designloop.molecules import corpus
from designloop.molecules.chemistry import fingerprints, tanimoto
from designloop.molecules.reconstruction import REFINE
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.report.pictures import draw_sheet

SHOWN = 20
"""Molecules of a sheet."""

ACROSS = 5


def draw_curves(record: Mapping[str, Any]) -> str:
    """Draws held-out measures against training steps, as SVG."""
    from matplotlib import style
    from matplotlib.figure import Figure

    curve = record["curve"]
    steps = [point["step"] for point in curve]
    with style.context(["default", {"svg.hashsalt": "designloop", "svg.fonttype": "path"}]):
        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for level in curve[-1]["nats"]:
            left.plot(steps, [point["nats"][level] for point in curve], label=f"σ = {level}")
        left.set(xlabel="steps", ylabel="−log p(x | z), nats a held-out molecule", ylim=(0, None))
        left.legend(title="noise in z")
        right.plot(steps, [100 * point["reconstruction"] for point in curve])
        right.set(xlabel="steps", ylabel="exact reconstruction, %", ylim=(0, 100))
        for axes in (left, right):
            axes.grid(alpha=0.3)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def draw_samples(vae: SequenceVAE, seed: int) -> str:
    """Draws molecules from the default prior, none chosen."""
    return draw_sheet([(molecule, []) for molecule in draw(vae, SHOWN, seed) if molecule], ACROSS)


def draw_reconstructions(vae: SequenceVAE, rows: np.ndarray) -> str:
    """Draws held-out molecules, each with its reconstruction to the right."""
    selfies = vae.codec.selfies_of(corpus.zinc_tokens().take(rows))
    smiles, back = (vae.codec.to_smiles_many(strings) for strings in (selfies, vae.write(vae.latents(selfies, REFINE))))
    cells: list[tuple[str, Sequence[str]]] = []
    for original, reconstruction in zip(smiles, back, strict=True):
        caption = (
            "the same"
            if original == reconstruction
            else f"similarity {_similarity(original or 'C', reconstruction or 'C'):.2f}"
        )
        cells += [(original or "C", ["held out"]), (reconstruction or "C", [caption])]
    return draw_sheet(cells, 6)


def draw_neighbourhood(vae: SequenceVAE, row: int, radius: float, seed: int) -> str:
    """Draws a molecule, and the distinct ones that lie around it."""
    (selfies,) = vae.codec.selfies_of(corpus.zinc_tokens().take(np.array([row])))
    parents = Parents.encode(vae, [selfies])
    (parent,) = parents.smiles
    (neighbours,) = perturb(vae, parents, torch.full((1,), radius, device=vae.device), 10 * SHOWN, seed)
    others = [molecule for molecule in dict.fromkeys(neighbours) if molecule != parent][: SHOWN - 1]
    cells = [(molecule, [f"similarity {_similarity(parent, molecule):.2f}"]) for molecule in others]
    return draw_sheet([(parent, ["parent"]), *cells], ACROSS)


def draw_interpolation(vae: SequenceVAE, first: int, last: int, radius: float, points: int = 10) -> str:
    """Draws decodes along the great circle from one molecule's latent to another's, the decoder given some noise."""
    a, b = vae.latents(vae.codec.selfies_of(corpus.zinc_tokens().take(np.array([first, last]))), REFINE)
    angle = torch.arccos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    share = torch.linspace(0, 1, points, device=a.device).unsqueeze(-1)
    z = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
    # At the ends z is exact; between them it is nobody's latent, and the decoder is told to mend it.
    level = radius * torch.sin(np.pi * share.squeeze(-1)).clamp_min(0)
    smiles = vae.codec.to_smiles_many(vae.write(z, level))
    return draw_sheet(
        [(molecule or "C", [f"{number / (points - 1):.0%}"]) for number, molecule in enumerate(smiles)], ACROSS
    )


def _similarity(first: str, second: str) -> float:
    return float(tanimoto(fingerprints([first]), fingerprints([second]))[0, 0])


def draw_all(vae: SequenceVAE, record: Mapping[str, Any], radius: float, seed: int) -> dict[str, str]:
    """Draws all pictures as name -> SVG; training curves where the model's record has some.

    Args:
        record: of the model's training.
        radius: of the neighbourhood.
    """
    held_out = corpus.held_out_rows()
    pictures = {
        "samples": draw_samples(vae, seed),
        "reconstructions": draw_reconstructions(vae, held_out[:15]),
        "neighbourhood": draw_neighbourhood(vae, int(held_out[0]), radius, seed),
        "interpolation": draw_interpolation(vae, int(held_out[0]), int(held_out[1]), radius),
    }
    return {"training": draw_curves(record), **pictures} if record.get("curve") else pictures
