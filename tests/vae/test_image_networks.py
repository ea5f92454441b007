"""Convolutional encoders and decoders: shapes, masked pixels, and a VAE of images that learns."""

from __future__ import annotations

import pytest
import torch

from designloop.testing.draws import generator
from designloop.vae.denoising import anscombe
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.image_networks import ConvDecoder, ConvEncoder
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.model import VAE
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO


def test_images_become_latents_and_latents_images_of_their_shape() -> None:
    shape = (2, 8, 12)
    encoder, decoder = ConvEncoder(shape, 3, (4, 6), (16,)), ConvDecoder(3, shape, (6, 4), (16,))
    x = torch.randint(0, 9, (5, *shape))
    posterior = encoder(x)
    assert posterior.mean.shape == posterior.scale.shape == (5, 3)
    assert decoder(posterior.mean).shape == (5, *shape)
    assert ConvEncoder(shape, 3, (), ())(x).mean.shape == (5, 3), "no convolution is a linear encoder"


def test_pixels_are_transformed_before_all_else() -> None:
    x = torch.randint(0, 9, (5, 1, 4, 4)).float()
    torch.manual_seed(0)
    encoder = ConvEncoder((1, 4, 4), 2, (3,), (), anscombe)
    plain = ConvEncoder((1, 4, 4), 2, (3,), ())
    plain.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder(x).mean, plain(anscombe(x)).mean)


@pytest.mark.parametrize("reads_mask", [False, True])
def test_masked_pixels_are_not_seen_whatever_they_hold(reads_mask: bool) -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder((1, 4, 4), 2, (3,), (8,), anscombe, reads_mask=reads_mask)
    x, mask = torch.randint(0, 9, (5, 1, 4, 4)).float(), torch.rand(5, 1, 4, 4) < 0.5
    means = [encoder(x.masked_fill(~mask, held), mask).mean for held in (0.0, 7.0, torch.nan, -3.0)]
    assert all(torch.equal(mean, means[0]) for mean in means)
    whole = torch.ones_like(mask)
    assert torch.equal(encoder(x, whole).mean, encoder(x).mean)
    dark = torch.zeros_like(x)
    assert torch.equal(encoder(dark, mask).mean, encoder(dark).mean) is False, "a dark pixel is not a masked one"


def test_a_vae_of_images_learns_from_counts() -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder((1, 8, 8), 2, (4, 8), (16,), anscombe)
    vae = VAE(encoder, ConvDecoder(2, (1, 8, 8), (8, 4), (16,)), Poisson(), StandardNormal(2))
    level = torch.tensor([1.0, 8.0]).repeat(32)[:, None, None, None]
    x = torch.poisson(level.expand(-1, 1, 8, 8), generator=generator())
    losses: list[float] = []
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-2)
    fit(vae, ELBO(), [Batch(x)] * 60, optimizer, generator=generator(), on_step=lambda step: losses.append(step.loss))
    assert losses[-1] < 0.8 * losses[0]
    rates = vae.reconstruct(x).mean((1, 2, 3))
    assert bool((rates[::2] < 3).all())
    assert bool((rates[1::2] > 5).all())


def test_what_cannot_be_halved_is_told() -> None:
    with pytest.raises(ShapeError, match=r"shape has shape \(1, 6, 8\), expected \(channels, .*\) divisible by 4; pad"):
        ConvEncoder((1, 6, 8), 2, (4, 4))
    with pytest.raises(ShapeError, match="divisible by 8"):
        ConvDecoder(2, (1, 4, 8), (4, 4, 4))
    with pytest.raises(VAEError, match="channels is empty, expected at least one number"):
        ConvDecoder(2, (1, 4, 4), ())
