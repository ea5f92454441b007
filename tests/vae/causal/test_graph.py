from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from designloop.vae.causal.graph import descendants, structural_distance, without_cycles
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.priors.structural.graph import generations


@st.composite
def graphs(draw: st.DrawFn) -> Tensor:
    """Graphs without a cycle, their units in any order."""
    count = draw(st.integers(1, 6))
    below = torch.tensor([[draw(st.booleans()) and j < i for j in range(count)] for i in range(count)])
    order = torch.tensor(draw(st.permutations(range(count))))
    return below[order][:, order]


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_descendants_are_what_powers_of_the_graph_reach_and_generations_put_causes_first(causes: Tensor) -> None:
    matrix = causes.numpy().astype(int)
    powers = sum((np.linalg.matrix_power(matrix, power) for power in range(1, len(causes) + 1)), np.zeros_like(matrix))
    np.testing.assert_array_equal(descendants(causes), powers > 0)
    behind = generations(causes)
    number = {unit: index for index, generation in enumerate(behind) for unit in generation}
    assert sorted(number) == list(range(len(causes)))
    for i, j in causes.nonzero().tolist():
        assert number[j] < number[i]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0, 1))
def test_strong_arrows_are_taken_until_they_would_close_a_cycle(seed: int, count: int, threshold: float) -> None:
    strengths = torch.rand(count, count, generator=torch.Generator().manual_seed(seed))
    causes = without_cycles(strengths, threshold)
    generations(causes)  # without a cycle, or it would raise
    assert bool((strengths[causes] > threshold).all())
    for i, j in (~causes & (strengths > threshold)).nonzero().tolist():
        stronger = causes & (strengths > strengths[i, j])
        stronger[i, j] = True
        with pytest.raises(VAEError, match="causes has a cycle"):  # that is why it was left out
            generations(stronger)


def test_a_distance_counts_what_is_missing_too_many_or_turned_round_once() -> None:
    truth = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0]])
    assert structural_distance(truth, truth) == 0
    assert structural_distance(truth.T, truth) == 3
    assert structural_distance(torch.zeros(3, 3), truth) == 3
    assert structural_distance(torch.tensor([[0, 0, 0], [1, 0, 1], [0, 0, 0]]), truth) == 2
    with pytest.raises(ShapeError, match=r"causes has shape \(2, 2\), expected \(3, 3\) as the truth"):
        structural_distance(torch.zeros(2, 2), truth)


def test_graphs_that_cannot_be_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"causes has shape \(2, 3\), expected \(latent, latent\)"):
        descendants(torch.zeros(2, 3))
    with pytest.raises(VAEError, match="causes has a cycle among the units 0, 1"):
        descendants(torch.tensor([[0, 1], [1, 0]]))
