"""The package's own search: surrogate, trust regions and acquisition of latent Bayesian optimization, over vectors."""

from __future__ import annotations

from functools import cache

from designloop.benchmarks.synthetic.cases import Case, Latents, Problem, planted, to_cube, to_latents
from designloop.benchmarks.synthetic.peers import Course
from designloop.molecules.sequence_vae import load
from designloop.strategies.search.spaces import Cube, Sphere
from designloop.strategies.search.vector_search import Read, VectorSearch

_SIDE = 12**0.5
"""Of the unit cube in standard deviations."""


def by_parts(problem: Problem, case: Case, seed: int, model: str) -> Course:
    """Batches of a ``VectorSearch``; where the vectors are latents, on their sphere, decoded before one is chosen."""
    latent = case.make is planted
    search = VectorSearch(Sphere(), seed, read=_reader(model)) if latent else VectorSearch(Cube(), seed)
    points = problem.draw(case.start, seed)
    while True:
        seen = problem.ask(points)
        yield seen
        search.tell(to_latents(seen.points) if latent else (seen.points - 0.5) * _SIDE, seen.values)
        asked = search.ask(case.batch)
        points = to_cube(asked) if latent else (asked / _SIDE + 0.5).clip(0, 1)


@cache
def _reader(model: str) -> Read:
    """What becomes of latents, on the sphere, by way of the molecules that they are decoded to."""
    return Latents(load(model)).read
