"""The sequence VAE: what a row gives hangs on the row alone; files; noise levels; draws that follow their generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from designloop.molecules import corpus, sequence_vae
from designloop.molecules.errors import MoleculeError
from designloop.molecules.pretrain import take_weights
from designloop.molecules.sequence_vae import SequenceVAE, find, load, shorten, training_record
from designloop.testing.draws import generator
from tests.tiny import ARCHITECTURE, tiny_vae

SHORT, LONG = "[C][C][O]", "[C]" * 20 + "[N]"


def vae_with_reader() -> SequenceVAE:
    """One whose reader, which adds nothing at first, has learned something."""
    vae = tiny_vae(architecture=replace(ARCHITECTURE, reader=10))
    assert vae.encoder.reader is not None
    last = vae.encoder.reader.out[-1]
    assert isinstance(last, torch.nn.Linear)
    for layer in (vae.encoder.reader.to_features, vae.encoder.reader.to_width, last):
        torch.nn.init.normal_(layer.weight, generator=generator())
    return vae


@pytest.fixture(scope="module", params=["convolutions", "reader"])
def vae(request: pytest.FixtureRequest) -> SequenceVAE:
    return (tiny_vae() if request.param == "convolutions" else vae_with_reader()).double()


def test_shapes(vae: SequenceVAE) -> None:
    tokens = vae.tokens([SHORT, LONG])
    assert tokens.shape == (2, 22)
    posterior = vae.encode(tokens)
    assert posterior.mean.shape == posterior.scale.shape == (2, ARCHITECTURE.latent)
    assert bool((posterior.scale > 0).all())
    torch.testing.assert_close(
        posterior.mean.square().sum(-1), torch.full((2,), 8.0, dtype=torch.float64), rtol=1e-3, atol=0
    )
    plan = vae.decode(posterior.mean)
    assert plan.shape == (2, 25, ARCHITECTURE.features)
    assert vae.elbo(tokens, noise=vae.draw_noise(2, generator())).shape == (2,)
    assert vae.latents([]).shape == (0, 8)
    assert vae.latents([SHORT] * 5, batch=2).shape == (5, 8)
    assert vae.write(torch.zeros(0, 8, dtype=torch.float64)) == []
    assert vae.draw(0, generator(), 1.0) == []


@pytest.mark.parametrize("extra", [1, 2, 3, 10])
def test_padding_changes_nothing(vae: SequenceVAE, extra: int) -> None:
    tokens = vae.tokens([SHORT])
    padded = torch.nn.functional.pad(tokens, (0, extra))
    noise = vae.draw_noise(1, generator())
    torch.testing.assert_close(vae.encode(padded).mean, vae.encode(tokens).mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(vae.encode(padded).scale, vae.encode(tokens).scale, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(vae.elbo(padded, noise=noise), vae.elbo(tokens, noise=noise), rtol=1e-12, atol=1e-12)


def test_batch_mates_change_nothing(vae: SequenceVAE) -> None:
    strings = [SHORT, LONG, "[N]", "[C][=C][Cl]"]
    together = vae.latents(strings)
    alone = torch.cat([vae.latents([string]) for string in strings])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)
    z = torch.randn(9, 8, dtype=torch.float64, generator=generator())
    assert vae.write(z) == [vae.write(row.unsqueeze(0))[0] for row in z] == vae.write(z, batch=4)


def test_a_noise_level_widens_the_posterior_and_the_prior_and_is_told_to_the_decoder(vae: SequenceVAE) -> None:
    tokens = vae.tokens([SHORT, SHORT])
    level = {"noise": torch.tensor([0.0, 2.0], dtype=torch.float64)}
    plain, noised = vae.encode(tokens), vae.encode(tokens, None, level)
    torch.testing.assert_close(noised.mean, plain.mean)
    torch.testing.assert_close(noised.scale[0], plain.scale[0])
    torch.testing.assert_close(noised.scale[1].square(), plain.scale[1].square() + 4)
    z = torch.randn(2, 8, dtype=torch.float64, generator=generator())
    torch.testing.assert_close(vae.decode(z, level)[0], vae.decode(z)[0])
    assert not torch.allclose(vae.decode(z, level)[1], vae.decode(z)[1])
    out = vae(tokens, None, level, vae.draw_noise(2, generator()))
    assert bool(out.kl[1] < out.kl[0])


def test_the_decoder_sees_a_noised_latent_at_the_scale_of_a_clean_one() -> None:
    deaf = tiny_vae().double()
    with torch.no_grad():
        dict(deaf.decoder.named_parameters())["net.0.0.weight"][:, -1] = 0  # does not hear the level itself
    z = torch.randn(2, 8, dtype=torch.float64, generator=generator())
    level = {"noise": torch.full((2,), 2.0, dtype=torch.float64)}
    torch.testing.assert_close(deaf.decode(z * 5**0.5, level), deaf.decode(z))


def test_draws_follow_the_generator_alone(vae: SequenceVAE) -> None:
    before = torch.get_rng_state()
    first, again, other = (vae.draw(20, generator(seed), 4.0) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 20
    assert all(vae.codec.tokens(string).size <= 25 for string in first)
    assert torch.equal(torch.get_rng_state(), before)
    assert vae.draw(5, generator(), 4.0, temperature=0.0) == vae.draw(5, generator(), 4.0, temperature=0.0)


def test_writing_is_greedy_at_temperature_zero_and_drawn_above(vae: SequenceVAE) -> None:
    z = torch.zeros(30, 8, dtype=torch.float64)
    assert len(set(vae.write(z))) == 1
    assert len(set(vae.write(z, 0.0, generator(), temperature=1.0))) > 10


def test_strings_that_the_alphabet_lacks_are_told(vae: SequenceVAE) -> None:
    with pytest.raises(MoleculeError, match=r"needs the SELFIES symbol \[Si\]"):
        vae.tokens([SHORT, "[C][Si]"])
    with pytest.raises(MoleculeError, match="takes 25 SELFIES symbols, the model holds at most 24"):
        vae.latents(["[C]" * 25])


@pytest.mark.parametrize("make", [tiny_vae, vae_with_reader])
def test_every_weight_is_learned(make: Callable[[], SequenceVAE]) -> None:
    vae = make()
    tokens = vae.tokens([SHORT, LONG, "[N][=C][Branch1][C][O][C]"])
    context = {"noise": torch.tensor([0.0, 0.5, 2.0])}
    (-vae.elbo(tokens, None, context, noise=vae.draw_noise(3, generator()))).sum().backward()
    idle = [name for name, weight in vae.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert idle == []
    assert vae.encoder.embedding.weight.grad is not None
    assert float(vae.encoder.embedding.weight.grad[0].abs().sum()) == 0  # padding


def test_a_fresh_reader_changes_nothing_and_reads_both_ways() -> None:
    plain, other = tiny_vae(), tiny_vae(1, replace(ARCHITECTURE, reader=10))
    take_weights(other, plain, "plain")
    tokens = plain.tokens([SHORT, LONG])
    assert torch.equal(other.encode(tokens).mean, plain.encode(tokens).mean)
    assert torch.equal(other.encode(tokens).scale, plain.encode(tokens).scale)
    reader = other.encoder.reader
    assert reader is not None
    torch.nn.init.normal_(reader.to_features.weight, generator=generator())
    embedded = torch.randn(1, 6, ARCHITECTURE.embedding, generator=generator())
    touched = embedded.clone()
    touched[0, 2] += 1
    read, again = (reader(rows, torch.tensor([5]))[0][0] for rows in (embedded, touched))
    changed = (read != again).any(-1)
    assert changed[:5].tolist() == [True] * 5  # those before and behind what was touched


def test_a_reader_says_of_a_row_and_its_mirror_what_two_networks_of_torch_say() -> None:
    """Against ``nn.GRU`` in both directions on a packed sequence."""
    reader = vae_with_reader().double().encoder.reader
    assert reader is not None
    embedded = torch.randn(3, 7, ARCHITECTURE.embedding, dtype=torch.float64, generator=generator())
    lengths = torch.tensor([7, 4, 1])
    both = torch.nn.GRU(ARCHITECTURE.embedding, 10, batch_first=True, bidirectional=True, dtype=torch.float64)
    weights = dict(reader.along.state_dict())
    weights |= {f"{name}_reverse": value for name, value in reader.against.state_dict().items()}
    both.load_state_dict(weights)
    packed = torch.nn.utils.rnn.pack_padded_sequence(embedded, lengths, batch_first=True)
    states = torch.nn.utils.rnn.pad_packed_sequence(both(packed)[0], batch_first=True)[0]
    by_position, of_ends = reader(embedded, lengths)
    for row, length in enumerate(lengths.tolist()):
        wanted = reader.to_features(states[row, :length])
        torch.testing.assert_close(by_position[row, :length], wanted, rtol=1e-12, atol=1e-12)
        ends = torch.cat([states[row, length - 1, :10], states[row, 0, 10:]])
        torch.testing.assert_close(of_ends[row], reader.to_width(ends), rtol=1e-12, atol=1e-12)


def test_files_come_back_as_they_were_written(tmp_path: Path) -> None:
    vae, path = tiny_vae(3), tmp_path / "own.safetensors"
    vae.save(path, {"corpus": "mine", "curve": [1.5]})
    before = torch.get_rng_state()
    again = load(path)
    assert torch.equal(torch.get_rng_state(), before)
    assert again.codec == vae.codec
    assert again.architecture == vae.architecture
    assert not again.training
    for name, value in vae.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    assert again.draw(10, generator(), 2.0) == vae.draw(10, generator(), 2.0)
    assert training_record(path) == {"corpus": "mine", "curve": [1.5]}
    assert load(str(path)).codec == vae.codec


def test_half_files_are_half_as_large_and_hold_the_rounded_weights(tmp_path: Path) -> None:
    vae = tiny_vae(3)
    vae.save(tmp_path / "full.safetensors")
    vae.save(tmp_path / "half.safetensors", half=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    again = load(tmp_path / "half.safetensors")
    for name, value in vae.state_dict().items():
        restored = again.state_dict()[name]
        assert restored.dtype == torch.float32
        assert torch.equal(restored, value.half().float()), name
    assert training_record(tmp_path / "half.safetensors") == {}


def test_shipped_models_go_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence_vae, "PRETRAINED", tmp_path)
    with pytest.raises(
        MoleculeError, match=r"model 'gone' is neither a shipped model \(none\) nor a file; give one of"
    ):
        load("gone")
    tiny_vae().save(tmp_path / "mine.safetensors")
    tiny_vae().save(tmp_path / "another.safetensors")
    assert find("mine") == tmp_path / "mine.safetensors"
    assert load("mine").architecture == ARCHITECTURE
    with pytest.raises(MoleculeError, match=r"neither a shipped model \(another, mine\) nor a file"):
        find(tmp_path)  # a folder


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.safetensors", tmp_path / "bad.safetensors"
    tiny_vae().save(whole)
    for junk in (b"", b"junk" * 100, whole.read_bytes()[:-100]):
        path.write_bytes(junk)
        for read in (load, training_record):
            with pytest.raises(
                MoleculeError, match=r"bad\.safetensors is not a safetensors file \(.*; give a file that"
            ):
                read(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(
        MoleculeError, match=r"bad\.safetensors is not a sequence VAE \(no architecture in its header\)"
    ):
        load(path)
    with safe_open(whole, framework="pt") as file:
        header = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    save_file(tensors, path, header | {"architecture": '{"latent": 8}'})
    with pytest.raises(
        MoleculeError, match=r"bad\.safetensors is damaged: its content does not match its own checksum"
    ):
        load(path)
    del header["sha256"]
    save_file(tensors, path, header | {"architecture": '{"latent": 8, "depth": 3}'})
    with pytest.raises(MoleculeError, match=r"does not hold what its header says \(.*depth.*Train it again or install"):
        load(path)
    save_file(tensors, path, header | {"architecture": '{"latent": 8}'})
    with pytest.raises(MoleculeError, match="does not hold what its header says"):
        load(path)


def test_a_model_of_another_release_of_selfies_is_told(tmp_path: Path) -> None:
    vae, path = tiny_vae(), tmp_path / "old.safetensors"
    vae.codec = replace(vae.codec, selfies_version="1.0.4")
    vae.save(path)
    with pytest.warns(UserWarning, match=r"old\.safetensors was trained under selfies 1\.0\.4, installed is"):
        load(path)


def test_columns_of_padding_are_cut() -> None:
    assert shorten(np.array([[5, 1, 0, 0], [5, 5, 1, 0]])).tolist() == [[5, 1, 0], [5, 5, 1]]
    assert shorten(np.array([[5, 1]])).tolist() == [[5, 1]]


def test_refinement_moves_only_latents_that_miss_and_most_then_come_back() -> None:
    vae, rows = load(), corpus.held_out_rows()[:120]
    selfies = vae.codec.selfies_of(corpus.zinc_tokens().take(rows))
    before, after = vae.latents(selfies), vae.latents(selfies, refine=16)
    missed = np.array([written != string for written, string in zip(vae.write(before), selfies, strict=True)])
    still = np.array([written != string for written, string in zip(vae.write(after), selfies, strict=True)])
    assert 10 < missed.sum() < 60
    assert still.sum() < 0.3 * missed.sum()
    distance = (after - before).norm(dim=1).numpy()
    assert (distance[missed] > 0.5).all()
    assert (distance[~missed] < 1e-3).all()
    assert torch.allclose(after.square().mean(1), torch.ones(len(rows)), atol=1e-4)
