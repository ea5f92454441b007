"""Settings of what is learned; read without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from designloop.strategies.base import Formerly


def _ascending(noise: tuple[float, float]) -> tuple[float, float]:
    low, high = noise
    if low > high:
        raise ValueError(f"found [{low:g}, {high:g}], expected [lowest, highest]; did you mean [{high:g}, {low:g}]?")
    return noise


_Level = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NoiseRange = Annotated[tuple[_Level, _Level], AfterValidator(_ascending)]
"""Lowest and highest noise level; what lies between is drawn evenly in the logarithm."""


class PropertyLearning(BaseModel):
    """How the VAE is fine-tuned by the property loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    every: int = Field(
        25, ge=1, description="paid molecules after which the model learns; more and more once 1,000 are"
    )
    updates: int = Field(3, ge=1, description="gradient steps for each so many")
    evidence: int = Field(
        0,
        ge=0,
        description="gradient steps by the evidence for each so many: encoder and decoder learn to give back what was "
        "paid for, and its kin; a third of them once `replay` is full; 0: the encoder stays as it was pretrained",
    )
    wide: int = Field(3, ge=1, description="groups of a step at a latent that says next to nothing")
    group: int = Field(16, ge=2, description="most molecules of a group")
    families: int = Field(16, ge=0, description="molecules of a step that stand with others of the same elite")
    learning_rate: float = Field(2.5e-4, gt=0, description="length of a gradient step (Adam)")
    scale: float = Field(100.0, gt=0, description="nats of log-probability that a score of 1 is worth")
    rank: float = Field(0.01, gt=0, description="how evenly molecules are drawn: the lower, the more often the best")
    per_scaffold: Annotated[float, Formerly(1.0)] = Field(
        0.15,
        gt=0,
        le=1,
        description="largest share of what is drawn to learn from that one scaffold may hold, and the share of the "
        "model's own draws above which one is crowded",
    )
    crowding: Annotated[float, Formerly(0.0)] = Field(
        30.0,
        ge=0,
        description="nats of log-probability that a crowded scaffold is worth less, for each factor e of its share "
        "above that; 0: the scores alone count",
    )
    replay: int = Field(1024, ge=20, description="paid molecules that are learned from: the best half, the latest")
    noise: NoiseRange = Field(
        (0.3, 8.0), description="range of the noise level of molecules that no latent wrote, log-uniform"
    )
    tolerance: float = Field(
        0.25, ge=0, le=1, description="fall of held-out reconstruction from which on the weights are drawn back"
    )
    precision: Literal["float32", "fastest"] = Field(
        "fastest",
        description="fastest: bfloat16 where the machine multiplies in it, so that the table depends on the machine",
    )


class FineTuning(BaseModel):
    """How the VAE is fine-tuned after each round."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    loss: Annotated[Literal["property", "likelihood", "none"], Formerly("likelihood")] = Field(
        "property",
        description="the property loss of all scores; the likelihood of elites; or the pretrained model as it is",
    )
    property: PropertyLearning = PropertyLearning()
    steps: int = Field(
        2,
        ge=0,
        description="gradient steps a round by the likelihood; 0 leaves the pretrained model as it is, as `none`",
    )
    batch: int = Field(100, ge=2, description="molecules a step, half of them elites, half of the training corpus")
    learning_rate: float = Field(3e-4, gt=0, description="length of a gradient step (Adam)")
    kept: float = Field(
        0.8,
        ge=0,
        le=1,
        description="share of what earlier rounds taught that a round begins with: the rest is forgotten",
    )
    kl_weight: float = Field(0.1, ge=0, description="weight of the KL to the pretrained model, per nat a molecule")
    clean: float = Field(0.3, ge=0, le=1, description="share of rows at noise level 0")
    noise: NoiseRange = Field((0.3, 8.0), description="range of the other rows' noise levels, log-uniform")
    tolerance: float = Field(
        0.05, ge=0, le=1, description="fall of held-out reconstruction at which a round's learning is rolled back"
    )

    def learns_by(self) -> Literal["property", "likelihood", "none"]:
        """The loss that is used: none as well where there are no steps, as files of earlier versions say it."""
        return self.loss if self.steps else "none"

    def idle(self) -> dict[str, str]:
        """Dotted key -> why it does nothing beside the others."""
        learns_by, said = self.learns_by(), f"`loss: {self.loss}`" if self.steps else "`steps: 0`"
        idle = dict[str, str]()
        if learns_by != "property":
            of_property = [f"property.{key}" for key in PropertyLearning.model_fields]
            idle |= dict.fromkeys(of_property, f"it is for `loss: property`, and here is {said}")
        if learns_by != "likelihood":
            of_likelihood = [key for key in FineTuning.model_fields if key not in ("loss", "property", "steps")]
            idle |= dict.fromkeys(of_likelihood, f"it is for `loss: likelihood`, and here is {said}")
            if self.steps:
                idle["steps"] = f"it is for `loss: likelihood`, and here is {said}"
        return idle
