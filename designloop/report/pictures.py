"""Two static pictures: the best molecules with their scores, and the score against the oracle calls spent.

Both are SVG, and the same molecules give the same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import pyarrow as pa
from rdkit import rdBase
from rdkit.Chem.Draw import rdMolDraw2D

from designloop.molecules.chemistry import require
from designloop.report.top import TopMolecule, top_molecules
from designloop.tables.best import course
from designloop.tables.query import Candidates
from designloop.words import shorten

CELL = (300, 240)
"""Width and height of a molecule's drawing."""

CAPTION = 20
"""Height of a line of text."""

ACROSS = 5
"""Molecules in a row of the picture."""


def draw_best(molecules: Sequence[TopMolecule]) -> str:
    """The molecules as one SVG picture, best first: under each its rank, id and score, and what each property adds."""
    cells = [(molecule.smiles, [_headline(molecule), *_breakdown(molecule)]) for molecule in molecules]
    return draw_sheet(cells, ACROSS, empty="No molecule has a score.")


def draw_sheet(cells: Sequence[tuple[str, Sequence[str]]], across: int, empty: str = "No molecule.") -> str:
    """Molecules as one SVG picture, row by row, each with lines of text under it, the first of them bold.

    Args:
        cells: SMILES and its lines.
        across: molecules in a row.
        empty: what the picture of no molecule says.
    """
    height = CELL[1] + CAPTION * (max((len(lines) for _, lines in cells), default=0) + 1)
    wide = max(1, min(across, len(cells)))
    down = max(1, math.ceil(len(cells) / across))
    total = f'width="{wide * CELL[0]}" height="{down * height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {total} font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    if not cells:
        parts.append(f'<text x="10" y="20">{escape(empty)}</text>')
    for place, (smiles, texts) in enumerate(cells):
        left, top = place % across * CELL[0], place // across * height
        parts.append(f'<g transform="translate({left} {top})">')
        parts.append(f"<title>{escape(smiles)}</title>")
        parts.append(_drawing(smiles))
        for number, text in enumerate(texts):
            weight = ' font-weight="bold"' if number == 0 else ""
            y = CELL[1] + CAPTION * (number + 0.7)
            parts.append(f'<text x="{CELL[0] / 2:g}" y="{y:g}" text-anchor="middle"{weight}>{escape(text)}</text>')
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def draw_progress(campaigns: Mapping[str, Sequence[tuple[str, float | None]]], n: int = 10) -> str:
    """Score against oracle calls as one SVG picture: each molecule, the best so far, and the mean of the ``n`` best.

    Args:
        campaigns: name -> (smiles, score) of each call, in the order of calls; no score is None.
        n: molecules in the mean, one a stereo-free parent.
    """
    from matplotlib import style  # half a second
    from matplotlib.figure import Figure

    # The reader's own settings, and what differs from run to run, must not change the bytes.
    with style.context(["default", {"svg.hashsalt": "designloop", "svg.fonttype": "path"}]):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, calls) in enumerate(campaigns.items()):
            colour = f"C{number}"
            scored = [(call, score) for call, (_, score) in enumerate(calls, 1) if score is not None]
            rise = course(calls, n)
            label = f"{name}: " if len(campaigns) > 1 else ""
            axes.scatter(*_columns(scored), s=6, color=colour, alpha=0.35, linewidths=0)
            axes.step(
                *_columns(rise.best), where="post", color=colour, linewidth=1, linestyle="--", label=f"{label}best"
            )
            axes.step(
                *_columns(rise.mean), where="post", color=colour, linewidth=2, label=f"{label}mean of the {n} best"
            )
        axes.set(xlabel="oracle calls", ylabel="score", ylim=(-0.02, 1.02))
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        if campaigns:
            axes.legend(loc="lower right")
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue().decode()


def write_pictures(candidates: Candidates, folder: Path, n: int = 10) -> list[Path]:
    """Write ``best.svg``, with the ``n`` best molecules, and ``progress.svg`` into a folder; return their paths."""
    table = candidates.to_arrow()
    pictures = {"best.svg": draw_best(top_molecules(table, n)), "progress.svg": draw_progress(calls_of(table))}
    for name, picture in pictures.items():
        (folder / name).write_text(picture, encoding="utf-8")
    return [folder / name for name in pictures]


def calls_of(table: pa.Table) -> dict[str, list[tuple[str, float | None]]]:
    """Campaign -> (smiles, score) of each call in turn, of a view ``candidates`` in its own order.

    What a filter refuses has no score here: it is not among the best.
    """
    calls: dict[str, list[tuple[str, float | None]]] = {}
    columns = (table[name].to_pylist() for name in ("campaign", "smiles", "score", "allowed"))
    for campaign, smiles, score, allowed in zip(*columns, strict=True):
        calls.setdefault(campaign, []).append((smiles, score if allowed else None))
    return calls


def _headline(molecule: TopMolecule) -> str:
    return f"{molecule.rank}.   {shorten(molecule.id, 30)}   score {molecule.score:.3f}"


def _breakdown(molecule: TopMolecule) -> list[str]:
    """A line a property, and one on what the molecule is close to."""
    lines = [
        f"{shorten(name, 30)} {prop.value:.4g} \N{RIGHTWARDS ARROW} {prop.desirability:.2f}"
        for name, prop in molecule.properties.items()
    ]
    near = [
        f"{label} {neighbour.similarity:.2f}"
        for label, neighbour in (("nearest start", molecule.start), ("nearest known", molecule.known))
        if neighbour is not None
    ]
    return [*lines, *([", ".join(near)] if near else [])]


def _drawing(smiles: str) -> str:
    """The molecule as an SVG element of one cell."""
    with rdBase.BlockLogs():
        drawer = rdMolDraw2D.MolDraw2DSVG(*CELL)
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, require(smiles))
        drawer.FinishDrawing()
        text: str = drawer.GetDrawingText()
    return text[text.index("<svg") :].strip()


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
