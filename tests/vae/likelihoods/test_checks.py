from __future__ import annotations

import pytest
import torch

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.checks import log_size, require_counts, require_width, values_can_be_read


def test_values_are_read_in_eager_mode_only() -> None:
    x = torch.ones(3)
    assert values_can_be_read(x)
    seen: list[bool] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        seen.append(values_can_be_read(tensor))
        return tensor

    torch.func.vmap(note)(x)
    assert seen == [False]


def test_counts_of_every_dtype() -> None:
    require_counts(torch.tensor([0, 3, 2**40]))
    require_counts(torch.tensor([0.0, 3.0, 2.0**40]))
    for wrong in (torch.tensor([1, -2]), torch.tensor([1.0, -0.5]), torch.tensor([1.0, torch.nan])):
        with pytest.raises(VAEError, match="x has 1 entries that are no counts"):
            require_counts(wrong)


def test_widths() -> None:
    require_width(torch.zeros(7, 5, 6), torch.zeros(5, 3), 2)
    with pytest.raises(ShapeError, match=r"expected \(…, 3\) for x of \(5, 3\); give the decoder as many outputs"):
        require_width(torch.zeros(5, 6), torch.zeros(5, 3))


def test_size_is_a_column_whichever_way_it_comes() -> None:
    params, size = torch.zeros(2, 3, dtype=torch.float64), torch.tensor([2.0, 5.0])
    for given in (size, size.unsqueeze(1)):
        result = log_size("n", None, {"n": given}, params)
        torch.testing.assert_close(result.exp(), size.double().unsqueeze(1))
        assert result.dtype == torch.float64
    assert float(log_size(None, None, None, params)) == 0


def test_sizes_keep_single_precision_where_params_are_half() -> None:
    for size in (torch.tensor([12_345.0]), torch.tensor([12_345])):
        result = log_size("n", None, {"n": size}, torch.zeros(1, 3, dtype=torch.bfloat16))
        assert float(result.exp()) == pytest.approx(12_345, rel=1e-5)
