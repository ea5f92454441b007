"""The small encoders and decoders: shapes, missing entries, and that nothing of them leaks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from designloop.vae.networks import MLPDecoder, MLPEncoder, mlp


def test_activations_stand_between_the_maps_and_not_behind_the_last() -> None:
    net = mlp([3, 5, 7, 2], nn.Tanh)
    assert [type(layer) for layer in net] == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]
    assert [tuple(layer.weight.shape) for layer in net if isinstance(layer, nn.Linear)] == [(5, 3), (7, 5), (2, 7)]
    assert len(mlp([3, 2])) == 1
    x = torch.randn(4, 3)
    assert torch.equal(mlp([3])(x), x)


def test_encoder_gives_a_posterior_of_the_shape_that_is_told() -> None:
    encoder = MLPEncoder(6, 2, [8, 8])
    posterior = encoder(torch.randn(5, 6))
    assert posterior.mean.shape == posterior.scale.shape == (5, 2)
    assert bool((posterior.scale > 0).all())


def test_scales_stay_within_what_can_be_told_apart_from_nothing() -> None:
    encoder = MLPEncoder(1, 1)
    with torch.no_grad():
        encoder.net[0].weight.copy_(torch.tensor([[0.0], [1.0]]))  # type: ignore[operator]
        encoder.net[0].bias.zero_()  # type: ignore[operator]
        scale = encoder(torch.tensor([[-1e6], [0.0], [1e6]])).scale.squeeze(1)
    torch.testing.assert_close(scale.log(), torch.tensor([-10.0, 0.0, 5.0]))


@pytest.mark.parametrize("reads_mask", [False, True])
def test_missing_entries_are_not_seen_whatever_they_hold(reads_mask: bool) -> None:
    encoder = MLPEncoder(4, 2, [8], reads_mask=reads_mask)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, False, True, True], [True] * 4, [False] * 4])
    found = [encoder(torch.where(mask, x, torch.full_like(x, held)), mask) for held in (0.0, 7.0, torch.nan, torch.inf)]
    for other in found[1:]:
        assert torch.equal(other.mean, found[0].mean)
        assert torch.equal(other.scale, found[0].scale)
    found[2].mean.sum().backward()
    assert all(bool(weight.grad.isfinite().all()) for weight in encoder.parameters() if weight.grad is not None)
    whole = encoder(x)
    torch.testing.assert_close(whole.mean[1], found[0].mean[1])
    zeroed = encoder(torch.where(mask, x, torch.zeros_like(x)))
    # Only an encoder that reads the mask tells a missing entry from a zero.
    assert torch.allclose(zeroed.mean[0], found[0].mean[0]) is not reads_mask


def test_decoder_keeps_leading_axes() -> None:
    decoder = MLPDecoder(2, 6, [8])
    z = torch.randn(7, 5, 2)
    assert decoder(z).shape == (7, 5, 6)
    torch.testing.assert_close(decoder(z, {"condition": torch.zeros(5)})[3], decoder(z[3]))
