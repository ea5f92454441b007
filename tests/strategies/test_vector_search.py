"""The search over vectors: where its places lie, how its regions go, what it asks for."""

from __future__ import annotations

import numpy as np
import pytest

from designloop.strategies.acquisition.thompson import Thompson
from designloop.strategies.search.spaces import Cube, Space, Sphere
from designloop.strategies.search.vector_search import Read, VectorSearch

HALF = 3**0.5
EVEN = np.ones(4)


def worth(points: np.ndarray) -> np.ndarray:
    return np.asarray(-np.square(points - 0.9).sum(1))


def begun(seed: int = 0, space: Space | None = None, read: Read | None = None) -> VectorSearch:
    search = VectorSearch(space or Cube(), seed, read=read)
    start = np.random.default_rng(seed).uniform(-HALF, HALF, (8, 4))
    search.tell(start, worth(start))
    return search


def test_places_in_a_cube_lie_in_the_box_around_the_centre() -> None:
    centre, scale = np.array([0.0, 0.0, 1.6, 0.0]), np.array([2.0, 0.5, 1.0, 1.0])
    places = Cube().around(centre, 0.2, scale, 4000, np.random.default_rng(0))
    assert np.abs(places[:, 0]).max() == pytest.approx(0.4 * HALF, rel=0.01)
    assert np.abs(places[:, 1]).max() == pytest.approx(0.1 * HALF, rel=0.01)
    assert places[:, 2].max() <= HALF
    moved = Cube().kept(centre, 0.2, scale)(np.full((1, 4), 9.0), centre[None])
    assert moved[0] == pytest.approx([0.4 * HALF, 0.1 * HALF, HALF, 0.2 * HALF])


def test_of_many_axes_few_are_moved() -> None:
    centre = np.zeros(200)
    places = Cube().around(centre, 0.5, np.ones(200), 50, np.random.default_rng(0))
    assert (places != 0).sum(1).mean() == pytest.approx(20, rel=0.15)


def test_places_on_a_sphere_are_turned_by_the_angle_of_a_region() -> None:
    centre = np.random.default_rng(0).standard_normal(4000)
    places = Sphere().around(centre, 0.5, np.ones(4000), 20, np.random.default_rng(1))
    cosine = places @ centre / np.linalg.norm(places, axis=1) / np.linalg.norm(centre)
    assert cosine == pytest.approx(1 / 1.25**0.5, abs=0.03)
    assert np.linalg.norm(places, axis=1) == pytest.approx(np.linalg.norm(centre), rel=0.1)
    kept = Sphere().kept(centre, 0.5, EVEN)(2 * places, places)
    assert kept == pytest.approx(places)


@pytest.mark.parametrize("acquisition", [None, Thompson()])
def test_it_comes_near_an_optimum_that_chance_does_not(acquisition: Thompson | None) -> None:
    search = VectorSearch(Cube(), 0, acquisition)
    start = np.random.default_rng(0).uniform(-HALF, HALF, (8, 4))
    search.tell(start, worth(start))
    best = -np.inf
    for _ in range(4):
        asked = search.ask(4)
        assert asked.shape == (4, 4)
        assert np.abs(asked).max() <= HALF
        search.tell(asked, worth(asked))
        best = max(best, float(worth(asked).max()))
    chance = worth(np.random.default_rng(1).uniform(-HALF, HALF, (1000, 4))).max()
    assert best > -0.02 > chance


def test_what_was_told_decides_what_is_asked() -> None:
    first, again, other = begun(), begun(), begun(seed=1)
    assert np.array_equal(first.ask(3), again.ask(3))
    assert not np.array_equal(first.ask(3), other.ask(3))


def test_nothing_can_be_asked_before_anything_was_told() -> None:
    with pytest.raises(ValueError, match="found no values, expected some to learn from; tell those"):
        VectorSearch(Cube(), 0).ask(1)


def test_regions_lie_around_the_best_and_shrink_where_nothing_is_better() -> None:
    search = begun()
    assert set(search.regions) == {"whole", "trend"}
    best = int(search._values.argmax())
    assert search.regions["whole"].centre == str(best)
    poor = np.random.default_rng(5).uniform(-HALF, HALF, (2, 4, 4))
    for points in poor:
        search.tell(points, np.full(4, -50.0))
    assert search.regions["whole"].centre == str(best)
    assert search.regions["whole"].length == Cube.regions.length / Cube.regions.factor
    better = np.full((1, 4), 0.9)
    search.tell(better, worth(better))
    assert search.regions["whole"].centre == str(len(search._values) - 1)
    assert search.regions["whole"].successes == 1


def test_a_region_goes_with_the_best_and_counts_what_is_hardly_better_as_a_failure() -> None:
    search = begun()
    for place, counts in ((0.8, (1, 0)), (0.8003, (0, 1))):
        point = np.full((1, 4), place)
        search.tell(point, worth(point))
        for region in search.regions.values():
            assert region.centre == str(len(search._values) - 1)
            assert (region.successes, region.failures) == counts
    search.tell(np.zeros((0, 4)), np.zeros(0))
    assert search.regions["whole"].length == Cube.regions.length / Cube.regions.factor, "nothing was told"


def test_a_region_that_has_shrunk_to_nothing_opens_anew() -> None:
    search = begun()
    lengths = list[float]()
    for _ in range(16):
        search.tell(np.random.default_rng(len(lengths)).uniform(-HALF, HALF, (1, 4)), np.array([-50.0]))
        lengths.append(search.regions["whole"].length)
    assert min(lengths) == pytest.approx(0.8 / 2**6)
    assert lengths[-1] > min(lengths)


def test_what_lies_where_something_was_paid_for_or_nowhere_is_not_asked_for() -> None:
    """A decoder that writes one of few points, and nothing of what lies below the origin on the first axis."""

    def read(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.round(points), points[:, 0] >= 0

    search = VectorSearch(Cube(), 0, read=read)
    start, _ = read(np.random.default_rng(0).uniform(-HALF / 2, HALF, (6, 4)))
    assert (np.signbit(start) & (start == 0)).any(), "−0 is where 0 is"
    start = np.unique(start, axis=0)
    search.tell(start, worth(start))
    known = {tuple(row) for row in start.tolist()}
    for _ in range(3):
        asked = search.ask(3)
        seen, real = read(asked)
        assert real.all()
        rows = {tuple(row) for row in (seen + 0.0).tolist()}
        assert len(rows) == len(asked)
        assert not rows & known
        known |= rows
        search.tell(seen, worth(seen))
