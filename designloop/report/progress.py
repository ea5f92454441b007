"""How a campaign rose: the score of each molecule against the oracle calls spent, as an SVG picture.

Written by hand and not by matplotlib, because it is drawn after every round: a hundredth of the time, and the same
molecules give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from html import escape

from designloop.report.references import Reference
from designloop.tables.best import Course, course
from designloop.words import shorten

SIZE = (800, 500)
"""Width and height of the picture."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 780, 70, 445
"""Edges of the plot."""

_POINT, _START, _LINE, _REFERENCE = "#7fb2d9", "#e8832a", "#1f5f99", "#b03060"
"""Colours: a molecule, a starting one, the best, a reference."""

_SIZE, _START_SIZE = 4, 7
"""Widths of the dots of molecules and of starting ones, which are few and crowd at the left edge."""

_HALO = 'stroke="white" stroke-width="3" paint-order="stroke"'
"""What keeps a name legible on lines and dots."""

_TICKS = 6
"""About as many marks on the axis of calls."""

_LABEL = 14
"""Height of a line of text."""


def draw_progress(
    title: str,
    calls: Sequence[tuple[str, float | None]],
    starting: Collection[int] = (),
    references: Sequence[Reference] = (),
    n: int = 10,
    volumes: Sequence[tuple[int, float]] = (),
) -> str:
    """Draws each molecule, the best so far, the mean of the ``n`` best, and a line for each reference.

    Of a campaign that trades properties off the hypervolume of the front stands in the place of best and mean.

    Args:
        title: names the campaign.
        calls: (smiles, score) of each call in turn; no score is None.
        starting: numbers, from 1, of the calls that were starting molecules.
        n: molecules in the mean, one a stereo-free parent.
        volumes: (call, hypervolume) after each round of such a campaign.
    """
    last = max(len(calls), 1)
    what = f"{shorten(title, 60)}: {'hypervolume' if volumes else 'score'} against oracle calls"
    points = [(call, score) for call, (_, score) in enumerate(calls, 1) if score is not None]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE[0]}" height="{SIZE[1]}" font-family="sans-serif"'
        ' font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(SIZE[0] / 2, 26, what, 'font-size="16" font-weight="bold"'),
        *_axes(last),
        _points([point for point in points if point[0] not in starting], last, "molecules", _POINT, _SIZE),
        *(_line("hypervolume", volumes, last) if volumes else _rise(course(calls, n), last)),
        _points([point for point in points if point[0] in starting], last, "starting", _START, _START_SIZE),
        *_reference_lines(references),
        *_legend(bool(starting), n, bool(volumes)),
        "</svg>",
        "",
    ]
    return "\n".join(part for part in parts if part or part == parts[-1])


def _x(call: float, last: int) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * call / last, 1)


def _y(score: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * score, 1)


def _axes(last: int) -> Iterator[str]:
    """The frame with its marks and names."""
    step = _step(last)
    for call in range(0, last + 1, step):
        yield f'<path d="M{_x(call, last)} {_TOP}V{_BOTTOM}" stroke="#ddd"/>'
        yield _text(_x(call, last), _BOTTOM + 18, f"{call:,}")
    for tenth in range(0, 11, 2):
        yield f'<path d="M{_LEFT} {_y(tenth / 10)}H{_RIGHT}" stroke="#ddd"/>'
        yield _text(_LEFT - 8, _y(tenth / 10) + 4, f"{tenth / 10:.1f}", anchor="end")
    yield f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" fill="none" stroke="#333"/>'
    yield _text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, "oracle calls")
    middle = (_TOP + _BOTTOM) / 2
    yield _text(20, middle, "score", f'transform="rotate(-90 20 {middle:g})"')


def _step(last: int) -> int:
    """A round number of calls, 1, 2 or 5 with zeros, that divides the axis into about ``_TICKS`` parts."""
    power = int(10 ** math.floor(math.log10(max(last / _TICKS, 1))))
    return next(power * factor for factor in (1, 2, 5, 10) if last / (power * factor) <= _TICKS)


def _points(points: Sequence[tuple[int, float]], last: int, name: str, colour: str, size: int) -> str:
    """All points as one path of dots."""
    if not points:
        return ""
    dots = "".join(f"M{_x(call, last)} {_y(score)}h0" for call, score in points)
    style = f'stroke="{colour}" stroke-width="{size}" stroke-linecap="round" opacity="0.6"'
    return f'<path class="{name}" d="{dots}" {style}/>'


def _rise(rise: Course, last: int) -> Iterator[str]:
    """The best so far, dashed, and the mean of the best."""
    yield from _line("best", rise.best, last, ' stroke-dasharray="5 3"')
    yield from _line("mean", rise.mean, last)


def _line(name: str, steps: Sequence[tuple[int, float]], last: int, style: str = ' stroke-width="2"') -> Iterator[str]:
    """A line that steps from one height to the next; none without steps."""
    if steps:
        (call, score), *later = steps
        path = f"M{_x(call, last)} {_y(score)}" + "".join(f"H{_x(c, last)}V{_y(s)}" for c, s in later)
        yield f'<path class="{name}" d="{path}" fill="none" stroke="{_LINE}"{style}/>'


def _reference_lines(references: Sequence[Reference]) -> Iterator[str]:
    """A line at the score of each reference that has one.

    Its name stands above its right end, where the best have left it behind. Names never lie on each other.
    """
    floor = math.inf
    for reference in sorted(references, key=lambda reference: reference.score or 0.0):
        if reference.score is None:
            continue
        height = _y(reference.score)
        floor = min(height - 4, floor - _LABEL)
        yield (
            f'<path class="reference" d="M{_LEFT} {height}H{_RIGHT}" stroke="{_REFERENCE}" stroke-dasharray="8 4"/>'
            + _text(
                _RIGHT - 4,
                floor,
                f"{shorten(reference.name, 40)} {reference.score:.3f}",
                f'fill="{_REFERENCE}" {_HALO}',
                "end",
            )
        )


def _legend(has_start: bool, n: int, has_front: bool) -> Iterator[str]:
    """A row under the title: what each sign is."""
    dot = 'stroke-width="7" stroke-linecap="round"'
    signs = [("h0", f'stroke="{_POINT}" {dot}', "a molecule", 105)]
    signs += [("h0", f'stroke="{_START}" {dot}', "a starting molecule", 155)] if has_start else []
    solid = f'stroke="{_LINE}" stroke-width="2"'
    if has_front:
        signs += [("m-10 0h20", solid, "hypervolume of the front (a molecule's height is the mean of its goals)", 0)]
    else:
        signs += [("m-10 0h20", f'stroke="{_LINE}" stroke-dasharray="5 3"', "best so far", 115)]
        signs += [("m-10 0h20", solid, f"mean of the {n} best", 0)]
    left = _LEFT + 10
    for drawn, style, words, width in signs:
        yield f'<path d="M{left} 50{drawn}" {style}/>' + _text(left + 16, 54, words, anchor="start")
        left += width


def _text(x: float, y: float, words: str, style: str = "", anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{" " if style else ""}{style}>{escape(words)}</text>'
