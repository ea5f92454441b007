"""The front of a Pareto campaign: the desirabilities of every molecule, two properties at a time, as an SVG picture.

Written by hand for the reasons of ``designloop.report.progress``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from designloop.pareto import pareto_ranks
from designloop.records import MEASURED, START
from designloop.tables.views import desirabilities_of
from designloop.words import shorten

PANEL = 420
"""Width and height of the part for one pair of properties."""

HEAD = 60
"""Height of title and legend."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 400, 10, 350
"""Edges of a pair's plot in its part."""

_OTHER, _START, _FRONT = "#b9c6d0", "#e8832a", "#1f5f99"
"""Colours: a molecule, a starting one, one of the front."""


def draw_front(title: str, goals: Mapping[str, float], candidates: pa.Table) -> str:
    """Draws every molecule with a score, the front above the others, and the steps of what it dominates.

    With more than two goals a molecule of the front may be dominated in the two that a part shows; the steps are those
    of the part's own two.

    Args:
        title: names the campaign.
        goals: property -> reference point.
        candidates: of one campaign, the view.
    """
    rows = candidates.filter(pc.is_valid(candidates["pareto_rank"]))
    points = desirabilities_of(rows, list(goals))
    starting = pc.is_in(rows["proposer"], pa.array([START, MEASURED])).to_numpy()
    front = rows["pareto_rank"].to_numpy() == 1
    pairs = list(combinations(range(len(goals)), 2))
    across = min(len(pairs), 3)
    width, height = across * PANEL, HEAD + -(-len(pairs) // across) * PANEL
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif"'
        ' font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(
            width / 2, 22, f"{shorten(title, 40)}: front of {int(front.sum()):,}", 'font-size="16" font-weight="bold"'
        ),
        *_legend(),
    ]
    names, reference = list(goals), list(goals.values())
    for place, pair in enumerate(pairs):
        parts.append(f'<g transform="translate({place % across * PANEL} {HEAD + place // across * PANEL})">')
        x, y = pair
        parts += _axes(names[x], names[y])
        parts.append(_dots(points[~front & ~starting][:, pair], "molecules", _OTHER))
        parts.append(_dots(points[~front & starting][:, pair], "starting", _START))
        parts.append(_steps(points[:, pair], (reference[x], reference[y])))
        parts.append(_dots(points[front][:, pair], "front", _FRONT))
        parts.append("</g>")
    return "\n".join([part for part in parts if part] + ["</svg>", ""])


def _x(desirability: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * desirability, 1)


def _y(desirability: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * desirability, 1)


def _axes(across: str, up: str) -> Iterator[str]:
    """The frame with its marks and names."""
    for tenth in range(0, 11, 2):
        mark = tenth / 10
        yield f'<path d="M{_x(mark)} {_TOP}V{_BOTTOM}M{_LEFT} {_y(mark)}H{_RIGHT}" stroke="#ddd"/>'
        yield _text(_x(mark), _BOTTOM + 18, f"{mark:.1f}")
        yield _text(_LEFT - 8, _y(mark) + 4, f"{mark:.1f}", anchor="end")
    yield f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" fill="none" stroke="#333"/>'
    yield _text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, f"desirability of {shorten(across, 30)}")
    middle = (_TOP + _BOTTOM) / 2
    yield _text(16, middle, f"desirability of {shorten(up, 30)}", f'transform="rotate(-90 16 {middle:g})"')


def _dots(points: np.ndarray, name: str, colour: str) -> str:
    """All points as one path of dots."""
    if not len(points):
        return ""
    dots = "".join(f"M{_x(x)} {_y(y)}h0" for x, y in points.tolist())
    return f'<path class="{name}" d="{dots}" stroke="{colour}" stroke-width="6" stroke-linecap="round"/>'


def _steps(points: np.ndarray, reference: tuple[float, float]) -> str:
    """The border of what (n, 2) points dominate above the reference point."""
    above = points[(points > np.array(reference)).all(1)]
    corners: Sequence[Sequence[float]] = np.unique(above[pareto_ranks(above) == 1], axis=0).tolist()
    if not corners:
        return ""
    path = f"M{_x(reference[0])} {_y(corners[0][1])}"
    for x, y in corners:
        path += f"V{_y(y)}H{_x(x)}"
    path += f"V{_y(reference[1])}"
    return f'<path class="steps" d="{path}" fill="none" stroke="{_FRONT}" stroke-dasharray="5 3"/>'


def _legend() -> Iterator[str]:
    """A row under the title: what each colour is."""
    signs = ((_FRONT, "the front", 100), (_START, "a starting molecule", 160), (_OTHER, "another molecule", 0))
    left = _LEFT
    for colour, words, width in signs:
        yield f'<path d="M{left} 44h0" stroke="{colour}" stroke-width="7" stroke-linecap="round"/>'
        yield _text(left + 12, 48, words, anchor="start")
        left += width


def _text(x: float, y: float, words: str, style: str = "", anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{" " if style else ""}{style}>{escape(words)}</text>'
