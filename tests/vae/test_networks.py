"""The small encoders and decoders: shapes, missing entries, and that nothing of them leaks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.networks import MLPDecoder, MLPEncoder, RBFPrecisionDecoder, mlp, rbf_centres


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
    result = [
        encoder(torch.where(mask, x, torch.full_like(x, held)), mask) for held in (0.0, 7.0, torch.nan, torch.inf)
    ]
    for other in result[1:]:
        assert torch.equal(other.mean, result[0].mean)
        assert torch.equal(other.scale, result[0].scale)
    result[2].mean.sum().backward()
    assert all(bool(weight.grad.isfinite().all()) for weight in encoder.parameters() if weight.grad is not None)
    whole = encoder(x)
    torch.testing.assert_close(whole.mean[1], result[0].mean[1])
    zeroed = encoder(torch.where(mask, x, torch.zeros_like(x)))
    # Only an encoder that reads the mask tells a missing entry from a zero.
    assert torch.allclose(zeroed.mean[0], result[0].mean[0]) is not reads_mask


def test_decoder_keeps_leading_axes() -> None:
    decoder = MLPDecoder(2, 6, [8])
    z = torch.randn(7, 5, 2)
    assert decoder(z).shape == (7, 5, 6)
    torch.testing.assert_close(decoder(z, {"condition": torch.zeros(5)})[3], decoder(z[3]))


# ---- a variance that grows away from the data


def two_clouds() -> torch.Tensor:
    z = 0.2 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z[100:] += 3.0
    return z


def rbf_decoder(**options: float) -> RBFPrecisionDecoder:
    centres, bandwidths = rbf_centres(two_clouds(), 2)
    return RBFPrecisionDecoder(MLPDecoder(2, 4).double(), centres, bandwidths, 4, **options).double()


def test_bandwidths_are_those_of_the_clusters() -> None:
    """Half of one over the squared mean distance to the centre (Arvanitidis et al. 2018), cloud by cloud."""
    z = two_clouds()
    centres, bandwidths = rbf_centres(z, 2)
    order = centres[:, 0].argsort()
    for cloud, index in zip((z[:100], z[100:]), order, strict=True):
        torch.testing.assert_close(centres[index], cloud.mean(0))
        torch.testing.assert_close(bandwidths[index], 0.5 / (cloud - cloud.mean(0)).norm(dim=1).mean() ** 2)
    torch.testing.assert_close(rbf_centres(z, 2, stretch=2.0)[1], bandwidths / 4)


def test_the_variance_grows_away_from_the_data_up_to_its_most() -> None:
    decoder = rbf_decoder(precision=50.0, least=0.01)
    way = torch.linspace(3.0, 30.0, 40, dtype=torch.float64)
    variance = decoder(torch.stack([way, way], 1))[:, 4:].exp()
    assert bool((variance.diff(dim=0) >= 0).all())
    torch.testing.assert_close(variance[-1], torch.full((4,), 100.0, dtype=torch.float64))
    near = decoder(decoder.centres)[:, 4:].exp()
    torch.testing.assert_close(near, torch.full((2, 4), 1 / 50.01, dtype=torch.float64), rtol=1e-3, atol=0)


def test_its_means_are_the_decoders_and_leading_axes_are_kept() -> None:
    decoder, z = rbf_decoder(), two_clouds()[:6]
    torch.testing.assert_close(decoder(z)[:, :4], decoder.mean(z))
    torch.testing.assert_close(decoder(z.view(2, 3, 2)).view(6, 8), decoder(z))
    slope = torch.func.vmap(torch.func.jacfwd(decoder))(z)
    torch.testing.assert_close(slope, torch.func.vmap(torch.func.jacrev(decoder))(z))


def test_a_cluster_of_one_point_has_a_width_too() -> None:
    z = torch.cat([two_clouds(), torch.tensor([[90.0, 90.0]], dtype=torch.float64)])
    assert bool(rbf_centres(z, 3)[1].isfinite().all())


def test_a_variance_that_cannot_be_is_refused() -> None:
    with pytest.raises(VAEError, match="5 centres among 2 different latents; ask for fewer"):
        rbf_centres(torch.tensor([[0.0], [1.0], [1.0]]), 5)
    with pytest.raises(VAEError, match="leave every cluster without width"):
        rbf_centres(torch.tensor([[0.0], [1.0], [1.0]]), 2)
    with pytest.raises(VAEError, match="least 0, expected positive numbers"):
        rbf_decoder(least=0)
    with pytest.raises(ShapeError, match=r"bandwidths has shape \(3,\), expected \(2,\)"):
        RBFPrecisionDecoder(MLPDecoder(2, 4), torch.zeros(2, 2), torch.ones(3), 4)
