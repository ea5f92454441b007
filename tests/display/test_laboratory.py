"""What `suggest` prints: every surrogate that votes is explained where it is named, and no other."""

from __future__ import annotations

from designloop.display.laboratory import SEEN_BY, _legend
from designloop.strategies.surrogates.kernels import KERNELS


def test_every_surrogate_that_votes_is_explained() -> None:
    assert set(SEEN_BY) == {*KERNELS, "latent", "latent_composition", "composite"}


def test_only_those_that_are_named_are_explained() -> None:
    reasons = ["highest by ecfp6 at 0.5 sd of doubt", "for the front, by latent_composition (pIC50) at 1 sd of doubt"]
    legend = _legend(reasons)
    assert "ecfp6, its circular fragments" in legend
    assert "latent_composition, where the model" in legend
    assert "composition, its" not in legend.replace("latent_composition", "")
    assert _legend(["drawn at random", ""]) == ""
    of_property = _legend(["for the front, by ecfp6 (pairs), ecfp6 (latent) at 1e-05 sd of doubt; worth its price"])
    assert of_property.endswith("Each sees of a molecule: ecfp6, its circular fragments.")
