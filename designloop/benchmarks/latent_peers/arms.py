"""The ways to search that are compared: campaigns of ours, and peers in the latents of the same model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from designloop import api
from designloop.benchmarks.common.arms import model_digest
from designloop.benchmarks.common.sources import code_of
from designloop.benchmarks.common.trials import Trial, TrialResult
from designloop.benchmarks.common.turbo import Rules
from designloop.benchmarks.latent_peers.searches import LolBo, Search, TurboL
from designloop.benchmarks.pmo.arms import Ours
from designloop.benchmarks.pmo.door import Door
from designloop.benchmarks.pmo.tasks import oracle_module
from designloop.molecules.sequence_vae import load
from designloop.molecules.training_corpus import Corpus

PEER_PACKAGES = ("botorch", "gpytorch", "numpy", "rdkit", "scipy", "selfies", "torch")
"""Packages whose release may change what a peer finds."""


@dataclass(frozen=True)
class Peer:
    """A search in latents that sees the oracle through the door alone."""

    name: str
    what: str
    search: TurboL | LolBo
    tasks: tuple[str, ...] = ()
    """Those that it runs on where no tasks are named; all without any."""

    @property
    def code(self) -> str:
        """Digest of the code that decides what it finds, but for the task's."""
        return code_of(*self._parts())

    def trial(self, task: str, seed: int, calls: int, file: Path, common: Mapping[str, Any]) -> Trial:
        """The trial of a task with a seed; its key hangs on this search, the model, the door and the oracle.

        Args:
            common: overrides of every arm, the seed's ``starting_molecules`` among them.
        """
        campaign = api.load_campaign(file, {**common, "budget.oracle_calls": calls})
        start = common["starting_molecules"]
        identity = {
            "calls": calls,
            "start": start,
            "model": model_digest(campaign),
            "settings": asdict(self.search),
            "packages": {name: version(name) for name in PEER_PACKAGES},
        }
        code = code_of(*self._parts(), f"{oracle_module(task)}:{task}")
        work = partial(run_peer, self.search, task, calls, start, campaign.model_file, seed)
        return Trial(f"{task}.{self.name}", seed, work, identity, code)

    def _parts(self) -> list[str]:
        return [f"{part.__module__}:{part.__name__}" for part in (type(self.search), Door, load, Corpus)]


TURBO_L = TurboL()

LATENT_BO = Ours(
    "latent_bo",
    "designloop's latent Bayesian optimization at its default settings",
    {"strategy": {"name": "latent_bo"}},
)
TURBO = Peer("turbo_l", "TuRBO in the latents of the same model, batches of 10", TURBO_L)
LOL_BO = Peer(
    "lol_bo",
    "TuRBO there, model and surrogate trained together every 5 failures",
    LolBo(TURBO_L),
    tasks=("fexofenadine_mpo",),
)
ARMS: tuple[Ours | Peer, ...] = (
    LATENT_BO,
    TURBO,
    LOL_BO,
    Ours("property_loss", "designloop's default strategy at its defaults"),
)

VARIANTS: tuple[Peer, ...] = (
    Peer("turbo_l_told_0.5", "the decoder is told noise of level 0.5", TurboL(noise=0.5)),
    Peer("turbo_l_told_1", "the decoder is told noise of level 1", TurboL(noise=1.0)),
    Peer("turbo_l_every", "all coordinates of the latent are searched, 13 failures", TurboL(every=True)),
    Peer("turbo_l_5000", "5,000 candidates, as its paper", TurboL(rules=Rules(candidates=5000))),
)
"""TuRBO as it might be run instead; measured on tasks that decide nothing, and only where they are named."""


def run_peer(
    search: Search, task: str, calls: int, start: Sequence[str], model: Path | str, seed: int, folder: Path
) -> TrialResult:
    """Runs a peer's search, or goes on with it; its calls, which ``calls.jsonl`` has as well, and what they took."""
    vae, corpus = load(model), Corpus.of_model(model)  # before the clock starts
    file = folder / "calls.jsonl"
    begun, door = file.is_file(), Door(task, calls, file)
    search(door, start, vae, corpus, seed)
    seconds = None if begun else door.seconds  # a search that went on repeats what it had thought before
    return {"paid": [list(call) for call in door.calls], "seconds": seconds}
