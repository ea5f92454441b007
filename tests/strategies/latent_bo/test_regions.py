from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from designloop.records import Candidate, Scored
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.search.regions import PROPOSER, Regions
from designloop.strategies.search.trust_region import RegionSettings, TrustRegion, within
from designloop.strategies.surrogates.committee import CommitteeModel
from designloop.strategies.surrogates.fitted_process import FittedProcess
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.latent_kernels import LatentMatern, points_of_latents
from designloop.strategies.surrogates.latent_process import LatentProcess
from designloop.testing.rehearsal import through_files
from tests.strategies.latent_bo.small_loop import scored
from tests.strategies.plain_axes import plain_axes

REGION = RegionSettings(count=1, length=0.8, shortest=0.4, longest=1.2, factor=1.5, successes=2, failures=2)
SEVERAL = REGION.model_copy(update={"count": 3})
UNITS = 6


def lengths(region: TrustRegion | None, improved: Sequence[bool]) -> list[float | None]:
    values: list[float | None] = []
    for improvement in improved:
        region = region.after("CC" if improvement else None, REGION) if region is not None else None
        values.append(None if region is None else round(region.length, 3))
    return values


def test_a_region_grows_after_successes_and_shrinks_after_failures() -> None:
    region = TrustRegion("C", 0.8)
    assert lengths(region, [True, True, True, True]) == [0.8, 1.2, 1.2, 1.2]
    assert lengths(region, [False, False, True]) == [0.8, 0.533, 0.533]
    assert lengths(region, [True, False, True, False]) == [0.8, 0.8, 0.8, 0.8], "they have to come running"
    assert lengths(region, [False] * 4) == [0.8, 0.533, 0.533, None]


def test_a_region_moves_to_what_is_better() -> None:
    after = TrustRegion("C", 0.8).after("CCC", REGION)
    assert after == TrustRegion("CCC", 0.8, successes=1)


def test_within_measures_the_angle_that_noise_of_a_level_turns_a_latent_by() -> None:
    centre = np.array([3.0, 0.0])
    latents = np.array([[9.0, 4.4], [9.0, 4.6], [-1.0, 0.0], [0.1, 0.0]])
    assert within(latents, centre, 0.5).tolist() == [True, False, False, True]


# ---- several


def archive_of(scores: Sequence[float]) -> Archive:
    return Archive(tuple(Member("C" * (k + 1), "", score, (score,)) for k, score in enumerate(scores)))


def belief_of(archive: Archive, latents: np.ndarray | None = None) -> CommitteeModel:
    """Molecules on the axes of latent space, of norm 2."""
    places = 2 * np.eye(UNITS)[: len(archive)] if latents is None else latents
    gp = FixedGP.fit(LatentMatern(plain_axes(UNITS), 3.0), points_of_latents(places), archive.scores)
    return CommitteeModel([gp], np.ones(1), archive.scores, {"latent": gp}, {})


def process_of(archive: Archive, latents: np.ndarray | None = None) -> LatentProcess:
    process = LatentProcess.of(belief_of(archive, latents))
    assert process is not None
    return process


def told(archive: Archive, rows: Sequence[Scored], number: int = 2) -> ToldRound:
    members = [Member(row.smiles, "", row.score, (row.score,)) for row in rows if row.score is not None]
    return ToldRound(number, list(rows), list(rows), archive, archive.add(members), belief_of(archive))


ARCHIVE = archive_of([0.1, 0.9, 0.5, 0.8])


def test_regions_are_placed_around_the_best_and_apart() -> None:
    regions = Regions(SEVERAL, seed=0)
    placed = regions.placed(ARCHIVE, process_of(ARCHIVE), 1)
    assert {region.centre for region in placed} == {"CC", "CCC", "CCCC"}
    assert all(region.length == 0.8 for region in placed)
    assert placed == regions.placed(ARCHIVE, process_of(ARCHIVE), 1), "what is asked twice is the same"
    assert regions.open == (), "asking opens nothing that a later round would see"
    twins = np.tile(2 * np.eye(UNITS)[0], (4, 1)) + 0.01 * np.eye(UNITS)[:4]
    assert len(regions.placed(ARCHIVE, process_of(ARCHIVE, twins), 1)) == 1, "no two overlap"


def test_where_more_is_hoped_for_counts_more_than_the_score() -> None:
    """Around the best all is known to be poor; the second best has nothing around it that is known."""
    rng = np.random.default_rng(0)
    near = 2 * np.eye(UNITS)[0] + 0.5 * rng.standard_normal((30, UNITS))
    latents = np.concatenate([2 * np.eye(UNITS)[:2], near])
    archive = archive_of([0.8, 0.79, *([0.0] * 30)])
    centres = [Regions(REGION, seed).placed(archive, process_of(archive, latents), 1)[0].centre for seed in range(8)]
    assert set(centres) == {"CC"}


def test_closed_and_forgotten_centres() -> None:
    state = Regions(REGION, seed=0).state()
    state.data["closed"].append("CC")
    assert Regions(REGION, 0, state).placed(ARCHIVE, process_of(ARCHIVE), 1)[0].centre == "CCCC"
    state.data["closed"].extend(["C", "CCC", "CCCC", "forgotten"])
    assert Regions(REGION, 0, state).placed(ARCHIVE, process_of(ARCHIVE), 1) == []
    state.data["open"].append(TrustRegion("forgotten", 0.5).as_json())
    assert Regions(REGION, 0, state).placed(ARCHIVE, process_of(ARCHIVE), 1) == []


def drawn(score: float, centre: str, proposer: str = PROPOSER, name: str = "CCO") -> Scored:
    return scored(Candidate(name, proposer, parents=(centre,)), score)


@pytest.mark.parametrize(
    ("row", "moved"),
    [
        (drawn(0.95, "CC"), True),
        (drawn(0.9005, "CC"), False),
        (drawn(0.95, "CCCC"), False),
        (drawn(0.95, "CC", "graph_mutation"), False),
    ],
)
def test_a_region_succeeds_by_what_was_drawn_in_it_alone(row: Scored, moved: bool) -> None:
    regions = Regions(REGION, seed=0)
    metrics = regions.learn(told(ARCHIVE, [row]))
    assert [(region.centre, region.successes, region.failures) for region in regions.open] == (
        [("CCO", 1, 0)] if moved else [("CC", 0, 1)]
    )
    assert metrics == {"trust_region": 0.8}


def test_a_region_that_shrinks_to_nothing_is_closed_and_another_one_opened() -> None:
    regions = Regions(REGION, seed=0)
    for number in range(2, 6):
        regions.learn(told(ARCHIVE, [drawn(0.2, "", "mutation")], number))
    assert (regions.open, regions.closed) == ((), ("CC",))
    assert regions.placed(ARCHIVE, process_of(ARCHIVE), 6)[0].centre == "CCCC"


def test_a_round_without_surrogates_or_news_changes_nothing() -> None:
    regions = Regions(REGION, seed=0)
    silent = ToldRound(1, [], [], ARCHIVE, ARCHIVE, belief_of(ARCHIVE))
    blind = ToldRound(1, [drawn(0.95, "CC")], [drawn(0.95, "CC")], ARCHIVE, ARCHIVE, None)
    assert regions.learn(silent) == regions.learn(blind) == {}
    assert regions.open == ()


def test_a_correction_is_no_round_without_a_new_best() -> None:
    regions = Regions(REGION, seed=0)
    for number in range(2, 6):
        regions.learn(told(ARCHIVE, [drawn(0.1 + 1e-6 * number, "", "mutation", "C")], number))
    assert (regions.open, regions.closed) == ((), ())


def test_regions_go_on_from_their_state() -> None:
    regions = Regions(SEVERAL, seed=0)
    regions.learn(told(ARCHIVE, [drawn(0.95, "CC")]))
    again = Regions(SEVERAL, 0, through_files(regions.state()))
    assert (again.open, again.closed) == (regions.open, regions.closed)


# ---- fitted


def test_lengths_are_fitted_to_the_scores_where_that_is_asked_for() -> None:
    """Scores differ along the first axis alone, of which the committee's process knows nothing."""
    latents = np.random.default_rng(0).standard_normal((40, UNITS))
    archive = archive_of(list(np.sin(2 * latents[:, 0])))
    belief = belief_of(archive, latents)
    fitted = Regions(REGION.model_copy(update={"fitted": True}), seed=0)
    process = fitted.process(belief, archive)
    assert isinstance(process, FittedProcess)
    assert process.shape.lengths[0] < process.shape.lengths[1:].min()
    assert process.latents == pytest.approx(latents)
    assert fitted.process(belief, archive) is process, "an archive is fitted once"
    assert fitted.process(belief, archive_of([0.1] * 40)) is not process
    assert isinstance(Regions(REGION, seed=0).process(belief, archive), LatentProcess)
    blind = CommitteeModel([], np.ones(0), np.zeros(1), {}, {})
    assert fitted.process(blind, archive) is None


def test_regions_of_a_fitted_process_move_by_the_same_rules() -> None:
    regions = Regions(REGION.model_copy(update={"fitted": True}), seed=0)
    regions.learn(told(ARCHIVE, [drawn(0.95, "CC")]))
    assert [(region.centre, region.successes) for region in regions.open] == [("CCO", 1)]


def test_of_the_same_molecules_lengths_are_fitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a trade-off is drawn each round, each asking makes an archive of its own."""
    fits: list[np.ndarray] = []
    fit = FittedProcess.fit

    def counted(latents: np.ndarray, scores: np.ndarray) -> FittedProcess:
        fits.append(scores)
        return fit(latents, scores)

    monkeypatch.setattr(FittedProcess, "fit", counted)
    regions = Regions(REGION.model_copy(update={"fitted": True}), seed=0)
    scores = [0.1, 0.5, 0.3, 0.2]
    first, again = (
        regions.process(belief_of(archive), archive) for archive in (archive_of(scores), archive_of(scores))
    )
    assert first is again
    other = archive_of([0.1, 0.5, 0.3, 0.9])
    assert regions.process(belief_of(other), other) is not first
    assert len(fits) == 2
