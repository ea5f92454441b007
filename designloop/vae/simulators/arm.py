"""A planar robot arm among obstacles: kinematics, exact clearances, and a sampling planner as the reference.

    p_j = p_{j−1} + l_j (cos a_j, sin a_j),    a_j = q_1 + … + q_j,    p_0 = 0

The base stands at the origin; links are segments of some half width, obstacles discs and boxes, joints have limits. The
links pass over one another. The difficulty is how many obstacles a scene has. Lengths are in metres, angles in radians.

The planner knows nothing of any model: a probabilistic roadmap over joint space, then shortcutting. Sources: Kavraki et
al. 1996, "Probabilistic roadmaps for path planning"; Geraerts & Overmars 2007, "Creating high-quality paths".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

STEP = 0.01
"""Radians that no joint moves further by between two configurations that are checked."""

CHUNK = 4096
"""Configurations whose clearance is found at a time: what that takes stays in the processor's caches."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A planar arm."""

    lengths: tuple[float, ...] = (1.0, 0.8, 0.6)
    """Of the links."""
    limits: tuple[float, ...] = (2.4, 2.2, 2.2)
    """Joint j turns within ± limits[j]."""
    width: float = 0.04
    """Half the width of a link."""

    def margin(self, step: float = STEP) -> float:
        """Metres that no point of the arm moves further by while each joint turns by half a step.

        A motion whose clearance is greater wherever it is checked, a step apart, is free between as well.
        """
        beyond = np.cumsum(self.lengths[::-1])  # of each joint
        return float(beyond.sum()) * step / 2

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """(n, joints) configurations, uniform within the limits."""
        return rng.uniform(-1, 1, (n, len(self.limits))) * self.limits

    def positions(self, q: Array) -> Array:
        """(..., joints, 2) the far end of each link, the tip last, at configurations q (..., joints)."""
        turned = np.cumsum(q, -1)
        links = np.stack([np.cos(turned), np.sin(turned)], -1) * np.array(self.lengths)[:, None]
        return np.cumsum(links, -2)

    def angles(self, positions: Array) -> Array:
        """(..., joints) the configuration whose links point as those between the positions (..., joints, 2) do.

        Whatever the links' lengths; each joint is within ± π.
        """
        links = np.diff(positions, axis=-2, prepend=0.0)
        turned = np.arctan2(links[..., 1], links[..., 0])
        return np.asarray((np.diff(turned, axis=-1, prepend=0.0) + np.pi) % (2 * np.pi) - np.pi)


@dataclass(frozen=True, slots=True)
class Scene:
    """Obstacles."""

    discs: Array
    """(discs, 3) centre and radius."""
    boxes: Array
    """(boxes, 4) centre and half sizes, sides along the axes."""


def scene(obstacles: int, rng: np.random.Generator, arm: Arm | None = None) -> Scene:
    """Obstacles within the arm's reach, half of them discs, that leave its base free.

    Args:
        obstacles: how many; the more, the harder.
    """
    reach = sum((arm or Arm()).lengths)
    distance, angle = rng.uniform(0.35, 0.9, obstacles) * reach, rng.uniform(-math.pi, math.pi, obstacles)
    centres = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    sizes = rng.uniform(0.04, 0.1, (obstacles, 2)) * reach
    discs = (obstacles + 1) // 2
    return Scene(np.hstack([centres[:discs], sizes[:discs, :1]]), np.hstack([centres[discs:], sizes[discs:]]))


def clearance(arm: Arm, scene: Scene, q: Array) -> Array:
    """(n,) metres between the arm and the nearest obstacle at q (n, joints); negative in collision or past a limit.

    In collision the number says no more than its sign does.
    """
    parts = [_clearance(arm, scene, q[first : first + CHUNK]) for first in range(0, len(q), CHUNK)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _clearance(arm: Arm, scene: Scene, q: Array) -> Array:
    far = arm.positions(q)
    near = np.concatenate([np.zeros_like(far[:, :1]), far[:, :-1]], 1)
    # Coordinates first and obstacles last: (n, links, obstacles) a piece.
    line = far - near
    start, along = (near[..., 0, None], near[..., 1, None]), (line[..., 0, None], line[..., 1, None])
    least = np.full(len(q), np.inf)
    if len(scene.discs):
        x, y, radius = scene.discs.T
        least = np.minimum(least, (np.sqrt(_to_segment(x, y, start, along)) - radius).min((1, 2)))
    if len(scene.boxes):
        least = np.minimum(least, _to_boxes(scene.boxes, start, along).min((1, 2)))
    inside = (np.abs(q) <= np.array(arm.limits)).all(1)
    return np.where(inside, least - arm.width, -np.inf)


def _to_segment(x: Array, y: Array, start: tuple[Array, Array], along: tuple[Array, Array]) -> Array:
    """(n, links, points) squared distances of points from segments."""
    (u, v), (dx, dy) = start, along
    ox, oy = x - u, y - v
    t = np.clip((ox * dx + oy * dy) / (dx * dx + dy * dy), 0, 1)
    ox -= t * dx
    oy -= t * dy
    return np.asarray(ox * ox + oy * oy)


def _to_boxes(boxes: Array, start: tuple[Array, Array], along: tuple[Array, Array]) -> Array:
    """(n, links, boxes) distances of segments from boxes; −1 where they meet."""
    centre, half = boxes[:, :2].T, boxes[:, 2:].T
    # A segment meets a box if it is within both of its slabs at once; else a corner or an end is nearest.
    enter: Array | float = 0.0
    leave: Array | float = 1.0
    outside: list[Array | float] = [0.0, 0.0]
    for axis in (0, 1):
        safe = np.where(np.abs(along[axis]) < 1e-12, 1e-12, along[axis])
        low = (centre[axis] - half[axis] - start[axis]) / safe
        high = (centre[axis] + half[axis] - start[axis]) / safe
        enter, leave = np.maximum(enter, np.minimum(low, high)), np.minimum(leave, np.maximum(low, high))
        for end in (0, 1):
            off = np.maximum(np.abs(start[axis] + end * along[axis] - centre[axis]) - half[axis], 0)
            outside[end] = outside[end] + off * off
    square = np.minimum(outside[0], outside[1])
    for sx, sy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        square = np.minimum(square, _to_segment(centre[0] + sx * half[0], centre[1] + sy * half[1], start, along))
    return np.where(enter <= leave, -1.0, np.sqrt(square))


def motion(path: Array, step: float = STEP) -> Array:
    """(points, joints) what the arm goes through along a polygon of configurations (corners, joints).

    No joint moves by more than ``step`` between two of them; corners are among them.
    """
    counts = np.maximum(np.ceil(np.abs(np.diff(path, axis=0)).max(1) / step).astype(int), 1)
    pieces = [
        corner + np.arange(count)[:, None] / count * (following - corner)
        for corner, following, count in zip(path[:-1], path[1:], counts, strict=True)
    ]
    return np.concatenate([*pieces, path[-1:]])


def collision_free(arm: Arm, scene: Scene, path: Array, step: float = STEP) -> bool:
    """Whether the arm keeps to its limits and touches nothing along a polygon of configurations (corners, joints)."""
    return bool((clearance(arm, scene, motion(path, step)) > 0).all())


def task_length(arm: Arm, path: Array, step: float = STEP) -> float:
    """Metres that the tip travels along a polygon of configurations (corners, joints)."""
    tip = arm.positions(motion(path, step))[:, -1]
    return float(np.linalg.norm(np.diff(tip, axis=0), axis=1).sum())


@dataclass(frozen=True, slots=True)
class Roadmap:
    """Free configurations and the free straight motions between neighbours."""

    arm: Arm
    scene: Scene
    nodes: Array
    """(nodes, joints)"""
    edges: csr_array
    """(nodes, nodes) symmetric, radians (Euclidean over the joints)."""


def sampling_roadmap(
    arm: Arm, scene: Scene, rng: np.random.Generator, samples: int = 4000, neighbours: int = 16
) -> Roadmap:
    """A probabilistic roadmap of uniform samples, each joined to its nearest where the straight motion is free."""
    nodes = arm.sample(samples, rng)
    nodes = nodes[clearance(arm, scene, nodes) > arm.margin()]
    _, index = cKDTree(nodes).query(nodes, k=min(neighbours + 1, len(nodes)))
    heads, tails = np.repeat(np.arange(len(nodes)), index.shape[1]), index.ravel()
    pairs = np.unique(np.stack([np.minimum(heads, tails), np.maximum(heads, tails)])[:, heads != tails], axis=1)
    free = _motions_free(arm, scene, nodes[pairs[0]], nodes[pairs[1]])
    head, tail = pairs[:, free]
    weight = np.linalg.norm(nodes[head] - nodes[tail], axis=1)
    both = np.concatenate([head, tail]), np.concatenate([tail, head])
    edges = csr_array((np.concatenate([weight, weight]), both), shape=(len(nodes), len(nodes)))
    return Roadmap(arm, scene, nodes, edges)


def sampling_plan(
    roadmap: Roadmap, start: Array, end: Array, rng: np.random.Generator, neighbours: int = 32, rounds: int = 150
) -> Array | None:
    """The planner's path from start to end (joints,), shortcut, as a polygon (corners, joints); None if it finds none.

    Args:
        neighbours: nodes that each end is tried with.
        rounds: of shortcutting.
    """
    nodes, tree = roadmap.nodes, cKDTree(roadmap.nodes)
    joined = []
    for configuration in (start, end):
        gaps, near = tree.query(configuration, k=min(neighbours, len(nodes)))
        free = _motions_free(
            roadmap.arm, roadmap.scene, np.broadcast_to(configuration, (len(near), len(configuration))), nodes[near]
        )
        joined.append((near[free], gaps[free]))
    (first, first_gaps), (last, last_gaps) = joined
    if not len(first) or not len(last):
        return None
    # The start is one more node, with edges that lead away from it only.
    n = len(nodes)
    edges = roadmap.edges.copy()
    edges.resize((n + 1, n + 1))
    edges = edges + csr_array((first_gaps, (np.full(len(first), n), first)), shape=(n + 1, n + 1))
    far, previous = dijkstra(edges, indices=n, return_predecessors=True)
    best = int(np.argmin(far[last] + last_gaps))
    if not np.isfinite(far[last[best]]):
        return None
    walk = [int(last[best])]
    while previous[walk[-1]] != n:
        walk.append(int(previous[walk[-1]]))
    return shortcut(roadmap.arm, roadmap.scene, np.stack([start, *nodes[walk[::-1]], end]), rng, rounds)


def shortcut(arm: Arm, scene: Scene, path: Array, rng: np.random.Generator, rounds: int = 150) -> Array:
    """The polygon with straight motions between points drawn on it, wherever these are free."""
    for _ in range(rounds):
        so_far = np.concatenate([[0.0], np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()])
        from_place, to_place = np.sort(rng.uniform(0, so_far[-1], 2))
        before, after = np.searchsorted(so_far, from_place, "right"), np.searchsorted(so_far, to_place)
        if before >= after:
            continue  # no corner between them
        ends = np.stack([np.interp([from_place, to_place], so_far, column) for column in path.T], -1)
        if _motions_free(arm, scene, ends[:1], ends[1:])[0]:
            path = np.concatenate([path[:before], ends, path[after:]])
    return path


def _motions_free(arm: Arm, scene: Scene, start: Array, end: Array) -> NDArray[np.bool_]:
    """(motions,) whether straight motions between configurations (motions, joints) are free, however finely seen."""
    counts = np.maximum(np.ceil(np.abs(end - start).max(1) / STEP).astype(int), 1)
    free = np.ones(len(start), bool)
    for chunk in np.array_split(np.arange(len(start)), max(int(counts.sum()) // CHUNK, 1)):
        which = np.repeat(chunk, counts[chunk] + 1)
        ends = np.cumsum(counts[chunk] + 1)
        t = (np.arange(len(which)) - np.repeat(ends - counts[chunk] - 1, counts[chunk] + 1)) / counts[which]
        bad = _clearance(arm, scene, start[which] + t[:, None] * (end - start)[which]) <= arm.margin()
        free[np.unique(which[bad])] = False
    return free


def problems(
    roadmap: Roadmap, pairs: int, rng: np.random.Generator, rounds: int = 150
) -> tuple[Array, Array, list[Array]]:
    """Starts and ends (pairs, joints) that no straight motion joins and the planner does, and its paths.

    Raises:
        ValueError: of 500 times as many draws too few are such.
    """
    arm, scene = roadmap.arm, roadmap.scene
    paths: list[Array] = []
    for _ in range(500 * pairs):
        if len(paths) == pairs:
            break
        start, end = arm.sample(2, rng)
        if not (clearance(arm, scene, np.stack([start, end])) > arm.margin()).all():
            continue
        if collision_free(arm, scene, np.stack([start, end])):
            continue
        path = sampling_plan(roadmap, start, end, rng, rounds=rounds)
        if path is not None:
            paths.append(path)
    if len(paths) < pairs:
        raise ValueError(f"{len(paths)} of {pairs} pairs found; give the scene fewer obstacles, or more")
    return np.stack([path_found[0] for path_found in paths]), np.stack([path_found[-1] for path_found in paths]), paths
