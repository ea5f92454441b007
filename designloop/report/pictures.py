"""Static pictures: the best molecules with their scores, the score against the oracle calls spent, and the front.

All are SVG, and the same molecules give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rdkit import Chem, rdBase
from rdkit.Chem.Draw import rdMolDraw2D

from designloop.molecules.chemistry import require
from designloop.records import START
from designloop.report.alignment import place
from designloop.report.front import draw_front
from designloop.report.progress import draw_progress
from designloop.report.references import Reference, read_references, read_units
from designloop.report.top import TopMolecule, top_molecules
from designloop.tables.durable import TEMPORARY
from designloop.tables.manifest import HYPERVOLUME, RoundInfo
from designloop.tables.query import Candidates
from designloop.words import shorten

CELL = (300, 240)
"""Width and height of a molecule's drawing."""

CAPTION = 20
"""Height of a line of text."""

ACROSS = 5
"""Molecules in a row of the picture."""

BOND, MARGIN = 26.0, 20
"""Pixels of a bond where there is room, and those left free around a molecule for the letters of its atoms."""

LETTERS = 11
"""Height of an atom's letters in pixels, at least: what is legible beside the text of 13."""

ANGSTROMS = 1.5
"""Length of a bond in RDKit's coordinates."""


def draw_best(molecules: Sequence[TopMolecule], references: Sequence[Reference] = ()) -> str:
    """Draws the references and then the molecules, best first, as one SVG picture.

    Under each its rank, id and score, and what each property comes to.
    """
    cells = [(reference.smiles, _reference_lines(reference)) for reference in references]
    cells += [(molecule.smiles, _ranked_lines(molecule)) for molecule in molecules]
    return draw_sheet(cells, ACROSS, empty="No molecule has a score.")


def draw_sheet(cells: Sequence[tuple[str, Sequence[str]]], across: int, empty: str = "No molecule.") -> str:
    """Molecules on one scale as one SVG picture, row by row, each with lines of text under it, the first of them bold.

    What a molecule shares with the first lies as it lies there.

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
    molecules = _prepared([smiles for smiles, _ in cells])
    bond_length = _bond_length(molecules)
    for number, ((smiles, texts), mol) in enumerate(zip(cells, molecules, strict=True)):
        left, top = number % across * CELL[0], number // across * height
        parts.append(f'<g transform="translate({left} {top})">')
        parts.append(f"<title>{escape(smiles)}</title>")
        parts.append(_drawing(mol, bond_length))
        for line, text in enumerate(texts):
            weight = ' font-weight="bold"' if line == 0 else ""
            y = CELL[1] + CAPTION * (line + 0.7)
            parts.append(f'<text x="{CELL[0] / 2:g}" y="{y:g}" text-anchor="middle"{weight}>{escape(text)}</text>')
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def write_pictures(candidates: Candidates, folder: Path, n: int = 10) -> list[Path]:
    """Writes ``best.svg``, with the ``n`` best molecules, and ``progress.svg`` into a folder; returns their paths.

    Of a campaign that trades properties off also ``front.svg``.
    A reader sees the old picture or the new one.

    Args:
        candidates: what one campaign found.
    """
    table = candidates.to_arrow()
    (campaign,) = candidates.campaigns()
    references, _ = read_references(campaign.folder)  # damage is told by who asks for them
    calls = calls_of(table).get(campaign.label, [])
    starting = set(table.filter(pc.equal(table["proposer"], START))["call"].to_pylist())
    goals = campaign.record.goals
    volumes = volumes_of(campaign.rounds) if goals else []
    ten = top_molecules(table, n, goals=list(goals), units=read_units(campaign.folder))
    pictures = {
        "best.svg": draw_best(ten, references),
        "progress.svg": draw_progress(campaign.label, calls, starting, references, n, volumes),
    }
    if goals:
        pictures["front.svg"] = draw_front(campaign.label, goals, table)
    for name, picture in pictures.items():
        temporary = folder / (name + TEMPORARY)
        temporary.write_text(picture, encoding="utf-8")
        temporary.replace(folder / name)
    return [folder / name for name in pictures]


def volumes_of(rounds: Iterable[RoundInfo]) -> list[tuple[int, float]]:
    """(call, hypervolume of the front) after each round that tells one."""
    return [(info.calls, float(info.metrics[HYPERVOLUME])) for info in rounds if HYPERVOLUME in info.metrics]


def calls_of(table: pa.Table) -> dict[str, list[tuple[str, float | None]]]:
    """Campaign -> (smiles, score) of each call in turn, of a view ``candidates`` in its own order.

    What a filter refuses has no score here: it is not among the best. A molecule whose values were given is no call.
    """
    calls: dict[str, list[tuple[str, float | None]]] = {}
    columns = (table[name].to_pylist() for name in ("campaign", "smiles", "score", "allowed", "call"))
    for campaign, smiles, score, allowed, call in zip(*columns, strict=True):
        of_campaign = calls.setdefault(campaign, [])
        if call is not None:
            of_campaign.append((smiles, score if allowed else None))
    return calls


def _ranked_lines(molecule: TopMolecule) -> list[str]:
    """Rank, id and score; a line a property; what the molecule is close to."""
    near = [
        f"{label} {neighbour.similarity:.2f}"
        for label, neighbour in (("nearest start", molecule.start), ("nearest known", molecule.known))
        if neighbour is not None
    ]
    headline = f"{molecule.rank}.   {shorten(molecule.id, 30)}   score {molecule.score:.3f}"
    return [headline, *_property_lines(molecule), *([", ".join(near)] if near else [])]


def _reference_lines(reference: Reference) -> list[str]:
    score = "no score" if reference.score is None else f"score {reference.score:.3f}"
    return [f"reference   {shorten(reference.name, 30)}   {score}", *_property_lines(reference)]


def _property_lines(molecule: TopMolecule | Reference) -> list[str]:
    return [f"{shorten(name, 30)} {shown}" for name, shown in molecule.properties.items()]


def _prepared(smiles: Sequence[str]) -> list[Chem.Mol]:
    """The molecules with a drawing's coordinates."""
    molecules = [Chem.Mol(require(molecule)) for molecule in smiles]
    place(molecules)
    with rdBase.BlockLogs():
        return [rdMolDraw2D.PrepareMolForDrawing(mol) for mol in molecules]


def _bond_length(molecules: Sequence[Chem.Mol]) -> float:
    """The length of a bond, in pixels, at which the largest of some molecules fills its cell; the same for all."""
    lengths = [BOND]
    for mol in molecules:
        places = mol.GetConformer().GetPositions()[:, :2]
        for extent, room in zip(np.ptp(places, axis=0), CELL, strict=True):
            lengths.append((room - 2 * MARGIN) / max(extent / ANGSTROMS, 1))
    return min(lengths)


def _drawing(mol: Chem.Mol, bond_length: float) -> str:
    """The molecule as an SVG element of one cell."""
    with rdBase.BlockLogs():
        drawer = rdMolDraw2D.MolDraw2DSVG(*CELL)
        drawer.drawOptions().fixedBondLength = bond_length / ANGSTROMS  # pixels an ångström, whatever its name says
        drawer.drawOptions().padding = 0
        drawer.drawOptions().minFontSize = LETTERS
        drawer.drawOptions().prepareMolsBeforeDrawing = False
        drawer.DrawMolecule(mol)
        drawer.FinishDrawing()
        text: str = drawer.GetDrawingText()
    return text[text.index("<svg") :].strip()
