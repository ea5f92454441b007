"""The SELFIES sequence VAE: ``vae.VAE`` with a ``TokenSequence`` likelihood and a noise-conditioned decoder.

    z0 ~ N(0, I),  z = z0 + σ ε                     a latent and what is left of it under noise of level σ
    q(z | x, σ) = N(m(x), s(x)² + σ²)               the encoder's posterior, noised; mean |m|² = latent
    x ~ prod_t p(x_t | x_<t, plan_t(z, σ))          the decoder is told σ

σ is read from ``context["noise"]`` (batch,) and is 0 without it. At σ = 0 it is a VAE that reconstructs, at large σ a
language model, between them one that repairs what z cannot say (conditioning augmentation, Ho et al. 2022).
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from designloop.molecules.codec import Codec
from designloop.molecules.errors import MoleculeError
from designloop.molecules.sequence_networks import Architecture, PlanDecoder, SequenceEncoder, on_sphere
from designloop.molecules.shipped import DEFAULT_MODEL, PRETRAINED, PRIOR_NOISE
from designloop.paths import is_file
from designloop.vae.inference import refinement
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.tokens import TokenSequence
from designloop.vae.model import VAE
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal, require_diagonal
from designloop.vae.priors.standard_normal import NoisedStandardNormal

PRIOR_TEMPERATURE = 0.8
"""Of the decoder's draws by default; below 1 they are more like the corpus."""

REFINE_LENGTH = 1.5
"""Of the first step of a refinement; the posterior's own radius is about 9."""


class SequenceVAE(VAE):
    """A VAE over SELFIES with its codec; speaks strings as well as tensors.

    Args:
        codec: the frozen alphabet.
        architecture: the widths.
    """

    encoder: SequenceEncoder
    decoder: PlanDecoder
    likelihood: TokenSequence

    def __init__(self, codec: Codec, architecture: Architecture | None = None) -> None:
        arch = architecture or Architecture()
        length = codec.greatest_length + 1
        super().__init__(
            SequenceEncoder(codec.size, length, arch),
            PlanDecoder(length, arch),
            TokenSequence(codec.size, arch.features, arch.hidden, arch.embedding, longest=length),
            NoisedStandardNormal(arch.latent),
        )
        self.codec, self.architecture = codec, arch

    @property
    def device(self) -> torch.device:
        return self.likelihood.head.weight.device

    def encode(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        """q(z | x), (batch, latent); arguments as those of every VAE."""
        return require_diagonal(super().encode(x, mask, context), "SequenceVAE")

    def decode_along(self, x: Tensor, z: Tensor, context: Context | None = None) -> Tensor:
        """The plan of the positions that ``x`` has, and of those that the head's initial state is made of."""
        plan: Tensor = self.decoder(z, context, max(x.shape[1], self.likelihood.lookahead))
        return plan

    def tokens(self, selfies: list[str]) -> Tensor:
        """(batch, length) padded tokens of SELFIES strings, on the model's device.

        Raises:
            MoleculeError: a symbol that the alphabet lacks, or too long.
        """
        return torch.from_numpy(self.codec.pad([self.codec.tokens(string) for string in selfies])).to(self.device)

    @torch.no_grad()
    def latents(self, selfies: list[str], refine: int = 0, batch: int = 64) -> Tensor:
        """(n, latent) posterior means; the arguments are those of ``posteriors``."""
        return self.posteriors(selfies, refine, batch).mean

    @torch.no_grad()
    def posteriors(self, selfies: list[str], refine: int = 0, batch: int = 64) -> DiagonalNormal:
        """q(z | x) of SELFIES strings, (n, latent).

        Args:
            refine: most gradient steps that a mean takes which would not decode to its own string
                (``vae.inference.refine``); 0 gives what the encoder says.
            batch: strings that are read at once, of about one length: of some hundreds half would be padding.
        """
        mean = self.likelihood.head.weight.new_zeros(len(selfies), self.architecture.latent)
        scale = torch.ones_like(mean)
        # By length, so that little of a batch is padding.
        order = sorted(range(len(selfies)), key=lambda row: len(selfies[row]))
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            x = self.tokens([selfies[row] for row in rows])
            said = self.encode(x)
            mean[rows] = refinement.refine(
                self, x, said.mean, steps=refine, length=REFINE_LENGTH, project=on_sphere,
                arrived=self.likelihood.recovers_of_logits,
            )  # fmt: skip
            scale[rows] = said.scale
        return DiagonalNormal(mean, scale)

    @torch.no_grad()
    def write(
        self,
        z: Tensor,
        noise: Tensor | float = 0.0,
        generator: torch.Generator | None = None,
        temperature: float = 0.0,
        batch: int = 512,
    ) -> list[str]:
        """SELFIES decoded from latents, one a row; greedy at temperature 0.

        Args:
            z: (n, latent).
            noise: (n,) or one number: the level of noise that the decoder is told.
        """
        level = torch.as_tensor(noise, dtype=z.dtype, device=z.device).expand(z.shape[0])
        out: list[str] = []
        for start in range(0, z.shape[0], batch):
            plan = self.decode(z[start : start + batch], {"noise": level[start : start + batch]})
            drawn = self.likelihood.sample(plan, generator, temperature=temperature)
            out += self.codec.selfies_of(drawn.cpu().numpy())
        return out

    @torch.no_grad()
    def draw(
        self,
        n: int,
        generator: torch.Generator,
        noise: float = PRIOR_NOISE,
        temperature: float = PRIOR_TEMPERATURE,
    ) -> list[str]:
        """SELFIES of ``n`` draws from the prior at noise level ``noise``."""
        return self.write(self.draw_latents(n, generator, noise), noise, generator, temperature)

    @torch.no_grad()
    def draw_latents(self, n: int, generator: torch.Generator, noise: float = PRIOR_NOISE) -> Tensor:
        """(n, latent) draws from the prior, noise of level ``noise`` in them."""
        level = torch.full((n,), noise, device=self.device, dtype=self.likelihood.head.weight.dtype)
        return self.prior.sample(1, {"noise": level}, generator)[0]

    # ---- files

    def save(self, path: Path, record: dict[str, object] | None = None, half: bool = False) -> None:
        """Writes weights, architecture and codec as one safetensors file; ``half`` rounds the weights to float16."""
        tensors = {
            name: (value.half() if half and value.is_floating_point() else value).contiguous().cpu()
            for name, value in self.state_dict().items()
        }
        metadata = {
            "architecture": json.dumps(asdict(self.architecture)),
            "codec": self.codec.to_json(),
            "record": json.dumps(record or {}),
        }
        save_file(tensors, path, metadata | {CHECKSUM: checksum(tensors, metadata)})


def load(model: str | Path = DEFAULT_MODEL, device: str | torch.device = "cpu") -> SequenceVAE:
    """A sequence VAE from a file, or a shipped one by name.

    Args:
        model: name of a file in ``molecules/pretrained``, or a path to one that ``pretrain`` wrote.

    Raises:
        MoleculeError: no such file, or not one of ours.
    """
    path = find(model)
    metadata = _header(path)
    if "architecture" not in metadata or "codec" not in metadata:
        raise MoleculeError(
            f"{path} is not a sequence VAE (no architecture in its header); "
            "give a file that `designloop pretrain` wrote"
        )
    try:
        with torch.random.fork_rng(devices=[]):  # fresh weights are drawn before they are replaced
            vae = SequenceVAE(Codec.from_json(metadata["codec"]), Architecture(**json.loads(metadata["architecture"])))
        tensors = load_file(path)
        if CHECKSUM in metadata and metadata.pop(CHECKSUM) != checksum(tensors, metadata):
            raise MoleculeError(
                f"{path} is damaged: its content does not match its own checksum; restore it from a backup, or train "
                "the model again with `designloop pretrain`"
            )
        vae.load_state_dict({name: value.float().to(device) for name, value in tensors.items()})
    except SafetensorError as error:
        raise MoleculeError(f"{path} is damaged ({error}); restore it from a backup, or train it again") from error
    except (TypeError, KeyError, RuntimeError) as error:
        raise MoleculeError(
            f"{path} does not hold what its header says ({str(error).splitlines()[0]}); "
            "was it written by another version of designloop? Train it again or install that version"
        ) from error
    installed = version("selfies")
    if vae.codec.selfies_version != installed:
        warnings.warn(
            f"{path} was trained under selfies {vae.codec.selfies_version}, installed is {installed}: "
            f"it may write some molecules otherwise than it learned; install selfies=={vae.codec.selfies_version}",
            stacklevel=2,
        )
    return vae.to(device).eval()


CHECKSUM = "sha256"
"""Key of the checksum in a file's header; the shipped files, and those of earlier versions, have none."""


def checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Hex digits of the content of a safetensors file: what its header says, and every tensor bit by bit."""
    total = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name, tensor in sorted(tensors.items()):
        total.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def codec_of(model: str | Path) -> Codec:
    """The alphabet that is frozen with a model.

    Raises:
        MoleculeError: no such file, or not one of ours.
    """
    path = find(model)
    try:
        return Codec.from_json(_header(path)["codec"])
    except (KeyError, TypeError, ValueError) as error:
        raise MoleculeError(
            f"{path} does not say its alphabet ({error}); give a file that `designloop pretrain` wrote"
        ) from error


def training_record(model: str | Path = DEFAULT_MODEL) -> dict[str, object]:
    """What was written beside the weights when the model was trained."""
    record: dict[str, object] = json.loads(_header(find(model)).get("record", "{}"))
    return record


def _header(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself.

    Raises:
        MoleculeError: it is none, or was cut short.
    """
    try:
        with safe_open(path, framework="np") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise MoleculeError(
            f"{path} is not a safetensors file ({error}); give a file that `designloop pretrain` wrote"
        ) from error


def find(model: str | Path) -> Path:
    """The file of a model.

    Raises:
        MoleculeError: lists the shipped names.
    """
    shipped = PRETRAINED / f"{model}.safetensors"
    path = shipped if is_file(shipped) else Path(model)
    if not is_file(path):
        names = ", ".join(sorted(p.stem for p in PRETRAINED.glob("*.safetensors"))) or "none"
        raise MoleculeError(
            f"model {str(model)!r} is neither a shipped model ({names}) nor a file; give one of these names or a path"
        )
    return path


def shorten(tokens: np.ndarray) -> np.ndarray:
    """Token rows without the columns that are padding in all of them."""
    return tokens[:, : int((tokens != TokenSequence.PAD).any(0).nonzero()[0].max()) + 1]
