"""The campaigns that are compared: the model alone, or the whole strategy, and how the model learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from designloop.benchmarks.common.trials import Trial
from designloop.benchmarks.pmo.arms import Ours
from designloop.benchmarks.pmo.studies import Study
from designloop.strategies import property_loss
from designloop.strategies.proposers.base import MODEL_PROPOSERS

TASKS = ("albuterol_similarity", "fexofenadine_mpo", "perindopril_mpo", "scaffold_hop", "zaleplon_mpo")
"""Those that variants are chosen on."""

DRAWS = 200
"""Distinct molecules of which a model is judged."""

PARTS = 10
"""Of the budget, after each of which it is."""

MODEL_ALONE: Mapping[str, Any] = {
    "proposers": [name for name in property_loss.PROPOSERS if name in MODEL_PROPOSERS],
    "surrogate": "none",
    "restart_after": 0,  # a search that begins anew forgets what it has learned, which is what is asked here
}


def strategy(loss: str, **settings: Any) -> dict[str, Any]:
    """The default strategy with a way to learn, but for some settings."""
    return {"strategy": {"name": "property_loss", **settings, "learning": {"loss": loss}}}


@dataclass(frozen=True)
class Drawn(Ours):
    """A campaign by the property loss of which the model's draws are judged, beside those of the control."""

    def trial(self, task: str, seed: int, calls: int, file: Path, common: Mapping[str, Any]) -> Trial:
        """The trial of a task's campaign file with a seed; its key hangs on how draws are judged as well."""
        from designloop.benchmarks.learning import raw_draws  # loads torch

        plain = super().trial(task, seed, calls, file, common)
        overrides = {**common, **self.overrides, "seed": seed, "budget.oracle_calls": calls}
        judge = {"draws": DRAWS, "parts": PARTS, "code": Path(raw_draws.__file__).read_text(encoding="utf-8")}
        work = partial(raw_draws.run_drawn, task, file.resolve(), overrides, draws=DRAWS, parts=PARTS)
        return replace(plain, work=work, identity={**plain.identity, "judge": judge})


PROPERTY = Drawn(
    "property",
    "prior and posterior alone propose, nothing ranks, no restarts; the property loss",
    strategy("property", **MODEL_ALONE),
)
LIKELIHOOD = Ours("likelihood", "the same; the likelihood of elites", strategy("likelihood", **MODEL_ALONE))
NONE = Ours("none", "the same; the pretrained model as it is", strategy("none", **MODEL_ALONE))
FULL_PROPERTY = Ours("full_property", "the default strategy, which has the property loss")
FULL_LIKELIHOOD = Ours("full_likelihood", "the same; the likelihood of elites", strategy("likelihood"))
FULL_NONE = Ours("full_none", "the same; the pretrained model as it is", strategy("none"))

STUDY = Study(
    "learning", (PROPERTY, LIKELIHOOD, NONE, FULL_PROPERTY, FULL_LIKELIHOOD, FULL_NONE), TASKS, calls=1000, seeds=5
)
