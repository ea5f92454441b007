"""Settings of what is learned; read without torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FineTuning(BaseModel):
    """How the VAE is fine-tuned after each round."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    steps: int = Field(2, ge=0, description="gradient steps a round; 0 leaves the pretrained model as it is")
    batch: int = Field(100, ge=2, description="molecules a step, half of them elites, half of the training corpus")
    learning_rate: float = Field(3e-4, gt=0)
    kept: float = Field(
        0.8,
        ge=0,
        le=1,
        description="share of what earlier rounds taught that a round begins with: the rest is forgotten",
    )
    kl_weight: float = Field(0.1, ge=0, description="weight of the KL to the pretrained model, per nat a molecule")
    clean: float = Field(0.3, ge=0, le=1, description="share of rows at noise level 0")
    noise: tuple[float, float] = Field((0.3, 8.0), description="range of the other rows' noise levels, log-uniform")
    tolerance: float = Field(
        0.05, ge=0, le=1, description="fall of held-out reconstruction at which a round's learning is rolled back"
    )
