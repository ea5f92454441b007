"""check_strategy passes what keeps the contract, and each of its checks fires on what breaks it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from designloop import testing
from designloop.randomness import rng_of
from designloop.records import Candidate, Scored, State
from designloop.strategies.base import CampaignView
from designloop.testing import NonConformance, check_strategy
from designloop.testing.rehearsal import STARTING, score_candidate
from designloop.testing.strategy import CHECKS
from tests.tiny import tiny_corpus, tiny_vae

NAMES = tuple(check.__name__ for check in CHECKS)
PROPERTY = {"every": 6, "updates": 1, "wide": 1, "group": 4, "families": 4}
ENDS = ("O", "N", "F", "Cl", "C#N", "C=O", "OC", "NC", "C(=O)O", "S")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of short molecules with its corpus."""
    folder = tmp_path_factory.mktemp("model")
    tiny_vae().save(folder / "tiny.safetensors", {"corpus": "small molecules"})
    tiny_corpus().save(folder / "tiny.corpus.npz")
    return folder / "tiny.safetensors"


class Chains:
    """A strategy that keeps the contract: chains of random length, an end the more often the better it scored."""

    def __init__(self, settings: Any, campaign: CampaignView, state: State | None = None) -> None:
        self.campaign, self.rounds_seen = campaign, 0
        self.sums, self.counts = np.zeros(len(ENDS)), np.zeros(len(ENDS), dtype=np.int64)
        self.names: list[str] = []
        if state is not None:
            self.rounds_seen, self.names = state.data["rounds_seen"], list(state.data["names"])
            self.sums, self.counts = state.arrays["sums"].copy(), state.arrays["counts"].copy()

    def ask(self, wanted: int) -> Iterator[Candidate]:
        rng = rng_of(self.campaign.seed, self.rounds_seen, "chains")
        means = np.where(self.counts > 0, self.sums / np.maximum(self.counts, 1), 0.5)
        for end in rng.choice(len(ENDS), size=400, p=means / means.sum()):
            yield Candidate("C" * int(rng.integers(1, 30)) + ENDS[end], "chain")

    def tell(self, rows: Sequence[Scored]) -> Mapping[str, Any]:
        for row in rows:
            self.take_in(row)
        self.rounds_seen += 1
        return {"rounds_seen": float(self.rounds_seen)}

    def take_in(self, row: Scored) -> None:
        if row.score is not None:
            self.learn(row.smiles, row.score)

    def learn(self, smiles: str, score: float) -> None:
        for place, end in enumerate(ENDS):
            if smiles.endswith(end):
                self.sums[place] += score
                self.counts[place] += 1
        self.names.append(smiles)

    def state(self) -> State:
        return State(
            {"sums": self.sums.copy(), "counts": self.counts.copy()},
            {"rounds_seen": self.rounds_seen, "names": list(self.names)},
        )


def test_what_keeps_the_contract_passes(model: Path) -> None:
    report = check_strategy(Chains, model=model, wanted=8)
    assert report.passed == NAMES
    assert report.name == "strategy 'Chains'"
    assert testing.check_strategy is check_strategy


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("random", {}),
        ("random", {"source": "FILE"}),
        ("property_loss", {"generations": 2, "learning": {"loss": "likelihood", "steps": 2, "batch": 8}}),
        ("property_loss", {"generations": 2, "learning": {"loss": "property", "property": PROPERTY}}),
        ("property_loss", {"generations": 2, "prior": "refitted", "learning": {"steps": 2, "batch": 8}}),
        ("latent_bo", {"dimensions": 4, "chains": 1, "regions": {"decoded": 1}, "effort": "low", "screen": False}),
    ],
)
def test_ours_keep_the_contract(name: str, settings: dict[str, Any], model: Path, tmp_path: Path) -> None:
    if settings.get("source") == "FILE":
        (tmp_path / "mine.smi").write_text("\n".join("C" * n + end for n in range(1, 12) for end in ENDS))
        settings = settings | {"source": str(tmp_path / "mine.smi")}
    assert check_strategy(name, settings, model=model, wanted=12).passed == NAMES


def test_no_such_strategy_and_no_such_setting(model: Path) -> None:
    with pytest.raises(KeyError, match="no strategy 'simulated_annealing'; there are latent_bo, property_loss, random"):
        check_strategy("simulated_annealing", model=model)
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        check_strategy("random", {"sauce": "zinc"}, model=model)


# ---- every check fires


def failing(broken: Callable[..., Any], model: Path, *checks: str, **options: Any) -> str:
    """The message, once it is sure that just these checks fail."""
    with pytest.raises(NonConformance) as caught:
        check_strategy(broken, model=model, wanted=8, **options)
    assert tuple(caught.value.problems) == checks
    return str(caught.value)


def test_what_is_no_strategy_stops_all_else(model: Path) -> None:
    class NoState:
        def __init__(self, *arguments: Any) -> None: ...
        def ask(self, wanted: int) -> Iterator[Candidate]:
            yield from ()

        def tell(self, rows: Sequence[Scored]) -> Mapping[str, float]:
            return {}

    message = failing(NoState, model, "plays")
    assert (
        "fails 1 of 11 checks:\n- plays: it has no state; a strategy has ask(wanted), tell(scored) and state()"
        in message
    )

    class Listed(Chains):
        def ask(self, wanted: int) -> Any:
            return list(super().ask(wanted))

    assert "ask gives a list, not an iterator; yield the candidates one by one" in failing(Listed, model, "plays")

    class Empty(Chains):
        def ask(self, wanted: int) -> Iterator[Candidate]:
            yield from ()

    assert "round 1: its stream is empty; give at least one candidate of the 8 wanted" in failing(Empty, model, "plays")

    class Falls(Chains):
        def take_in(self, row: Scored) -> None:
            self.learn(row.smiles, float(row.score))  # type: ignore[arg-type]

    assert "- plays: raised TypeError: float() argument must be" in failing(Falls, model, "plays")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smiles": "C1CC"}, "is no molecule ("),
        ({"proposer": ""}, "has the proposer ''; name the part of the strategy that it came from"),
        ({"proposer": "start"}, "has the proposer 'start'; name the part"),
        ({"written": "OCC"}, "has written text, which only starting molecules have"),
        ({"parents": ["CC"]}, "has the parents ['CC']; give a tuple of SMILES"),
        ({"model_round": 9}, "has model_round 9, and 1 rounds were told; 0 is the pretrained model"),
        ({"selfies": "[C][C]"}, "has selfies of CC, another molecule; give what the model wrote for this one, or None"),
        ({"selfies": "CC"}, "has selfies of None, another molecule"),
    ],
)
def test_candidates_that_are_not_well_formed(change: dict[str, Any], message: str, model: Path) -> None:
    class Odd(Chains):
        def ask(self, wanted: int) -> Iterator[Candidate]:
            yield replace(Candidate("CCCCCO", "chain"), **change)
            yield from super().ask(wanted)

    problems = failing(Odd, model, "candidates")
    assert "- candidates: round 1: " in problems
    assert message in problems


def test_what_is_no_candidate(model: Path) -> None:
    class Texts(Chains):
        def ask(self, wanted: int) -> Any:
            return (candidate.smiles for candidate in super().ask(wanted))

    assert "- plays: raised AttributeError" in failing(Texts, model, "plays")


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (None, "round 0: tell gave None; return a mapping of names to numbers, or an empty one"),
        ({"loss": float("nan")}, "round 0: the metric 'loss' is nan; leave out what is no finite number"),
        ({"note": "fine"}, "round 0: the metric 'note' is 'fine'; leave out"),
        ({3: 1.0}, "round 0: the metric 3 is 1.0"),
    ],
)
def test_metrics_that_are_no_numbers(metrics: Any, message: str, model: Path) -> None:
    class Odd(Chains):
        def tell(self, rows: Sequence[Scored]) -> Any:
            super().tell(rows)
            return metrics

    assert message in failing(Odd, model, "metrics")


def test_a_state_that_lives_on(model: Path) -> None:
    class SharedData(Chains):
        def state(self) -> State:
            return replace(super().state(), data={"rounds_seen": self.rounds_seen, "names": self.names})

    message = failing(SharedData, model, "state")
    assert "round 0: the state's data was changed by a later round; give a copy" in message

    class SharedArrays(Chains):
        def state(self) -> State:
            return replace(super().state(), arrays={"counts": self.counts, "sums": self.sums})

    message = failing(SharedArrays, model, "state")
    assert "' was changed by a later round; give a copy" in message
    assert "the state's array '" in message


def test_a_state_of_something_else_or_too_large(model: Path) -> None:
    class Tensors(Chains):
        def state(self) -> State:
            arrays: Any = {"sums": torch.tensor(self.sums), "counts": self.counts.copy()}
            return State(arrays, super().state().data)

    message = failing(Tensors, model, "state")
    assert "the state's array 'sums' is none of NumPy's; give tensor.cpu().numpy()" in message
    message = failing(Chains, model, "state", largest_state=100)
    assert "- state: round 0: the state takes " in message
    assert " bytes, more than 100; keep less" in message

    class NoJson(Chains):
        def state(self) -> State:
            return replace(super().state(), data={"rounds_seen": self.rounds_seen, "names": {"a", "b"}})

    assert "- plays: raised TypeError: Object of type set is not JSON serializable" in failing(NoJson, model, "plays")

    class NotANumber(Chains):
        def state(self) -> State:
            return replace(super().state(), data={"rounds_seen": self.rounds_seen, "names": [], "best": float("nan")})

    assert "- plays: raised ValueError: Out of range float values are not JSON" in failing(NotANumber, model, "plays")


def test_draws_from_a_global_generator(model: Path) -> None:
    class Global(Chains):
        def ask(self, wanted: int) -> Iterator[Candidate]:
            candidates = list(super().ask(wanted))
            random.shuffle(candidates)
            yield from candidates

    message = failing(Global, model, "repeats", "generators", "forgets", "resumes", "failures")
    assert "when the campaign is run again; draw from randomness.rng_of(seed, round, what for) alone" in message
    assert "- generators: round 1 moves the global generator of random; draw from a generator of your own" in message


@pytest.mark.parametrize(
    ("move", "name"),
    [
        (lambda: np.random.seed(0), "numpy.random"),  # noqa: NPY002 - that is what must be found
        (lambda: torch.manual_seed(0), "torch"),
    ],
)
def test_generators_that_are_only_moved(move: Callable[[], object], name: str, model: Path) -> None:
    class Moves(Chains):
        def tell(self, rows: Sequence[Scored]) -> Mapping[str, Any]:
            move()
            return super().tell(rows)

    assert f"round 0 moves the global generator of {name}; draw from" in failing(Moves, model, "generators")
    assert check_strategy(Moves, model=model, wanted=8, skip=["generators"]).skipped == ("generators",)


def test_what_remembers_what_was_drawn(model: Path) -> None:
    class Remembers(Chains):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.drawn: set[str] = set()

        def ask(self, wanted: int) -> Iterator[Candidate]:
            for candidate in super().ask(wanted):
                if candidate.smiles not in self.drawn:
                    self.drawn.add(candidate.smiles)
                    yield candidate

    message = failing(Remembers, model, "forgets", "resumes")
    assert "- forgets: round 1, draw 0: C" in message
    assert "when more is drawn and not admitted; let ask change nothing that is read later" in message


def test_a_state_that_leaves_something_out(model: Path) -> None:
    class Forgets(Chains):
        def state(self) -> State:
            whole = super().state()
            return State({"sums": whole.arrays["sums"] * 0, "counts": whole.arrays["counts"]}, whole.data)

    message = failing(Forgets, model, "resumes")
    assert "when taken up after round 0; put into the state all that ask and tell read" in message

    class Restarts(Chains):
        def __init__(self, settings: Any, campaign: CampaignView, state: State | None = None) -> None:
            super().__init__(settings, campaign, None)

    message = failing(Restarts, model, "resumes")
    assert (
        "- resumes: built from the state of round 0 it gives another state; take in all that state() gives" in message
    )


def test_failures_that_are_learned_from(model: Path) -> None:
    class Zero(Chains):
        def take_in(self, row: Scored) -> None:
            self.learn(row.smiles, row.score or 0.0)

    message = failing(Zero, model, "failures")
    assert (
        "when it is not told of molecules that failed; leave out rows whose score is None: a failure is not a"
        in message
    )

    class Counts(Chains):
        def take_in(self, row: Scored) -> None:
            super().take_in(row)
            if row.score is None:
                self.names.append(row.smiles)

    assert check_strategy(Counts, model=model, wanted=8).passed == NAMES  # to know of them is no fault


def test_a_round_of_nothing(model: Path) -> None:
    class NeedsRows(Chains):
        def tell(self, rows: Sequence[Scored]) -> Mapping[str, Any]:
            best = max(row.score for row in rows if row.score is not None)
            return {**super().tell(rows), "best": best}

    message = failing(NeedsRows, model, "nothing_admitted")
    assert "- nothing_admitted: raised ValueError: max()" in message

    class GivesUp(Chains):
        def tell(self, rows: Sequence[Scored]) -> Mapping[str, Any]:
            metrics = super().tell(rows)
            if not rows:
                self.rounds_seen = -100
            return metrics

        def ask(self, wanted: int) -> Iterator[Candidate]:
            return iter(()) if self.rounds_seen < 0 else super().ask(wanted)

    message = failing(GivesUp, model, "nothing_admitted")
    assert "after a round of which it was told nothing its stream is empty; go on from what was told before" in message


def test_what_looks_for_ever_for_something_allowed(model: Path) -> None:
    class Insists(Chains):
        def ask(self, wanted: int) -> Iterator[Candidate]:
            while True:
                yield from self.campaign.allowed(list(super().ask(wanted)))

    message = failing(Insists, model, "nothing_allowed")
    assert (
        "candidates that were not allowed it had given none; give them out as they are, so that the loop can" in message
    )


def test_the_toy_score_fails_on_some_and_tells_the_rest_apart() -> None:
    rows = [score_candidate(Candidate(smiles, "start")) for smiles in STARTING]
    failed = [row for row in rows if row.score is None]
    assert 0 < len(failed) < len(rows) / 2
    assert all(row.status == "failed" for row in failed)
    assert len({row.score for row in rows}) > 5
    assert json.dumps([row.score for row in rows])
