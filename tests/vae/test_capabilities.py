"""What a part leaves out its base class answers for, in one sentence, whichever part it is and whatever is asked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from designloop import vae
from designloop.vae.capabilities import offers, require
from designloop.vae.disentanglement import Subspaces
from designloop.vae.errors import CapabilityError
from designloop.vae.likelihoods.base import Likelihood
from designloop.vae.priors.base import Prior


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


LIKELIHOODS: dict[str, Likelihood] = {
    "Bernoulli": vae.Bernoulli(),
    "Categorical": vae.Categorical(3),
    "Gaussian": vae.Gaussian(2),
    "HeteroscedasticGaussian": vae.HeteroscedasticGaussian(),
    "NegativeBinomial": vae.NegativeBinomial(2, size=None),
    "Poisson": vae.Poisson(),
    "Product": vae.Product({"numbers": (vae.Gaussian(1), 1), "binary": (vae.Bernoulli(), 1)}),
    "SelfMasking": vae.SelfMasking(vae.Gaussian(2), torch.ones(2)),
    "StudentT": vae.StudentT(2),
    "TokenSequence": vae.TokenSequence(4, 2, 3, 2),
}
PRIORS: dict[str, Prior] = {
    "AdditiveNoise": vae.causal.AdditiveNoise(torch.zeros(2, 2)),
    "AutoregressiveNormal": vae.priors.AutoregressiveNormal(2),
    "ByLabel": vae.priors.ByLabel([vae.StandardNormal(2)]),
    "ConditionalNormal": vae.priors.ConditionalNormal(2, nn.Embedding(1, 4)),
    "GaussianMixture": vae.priors.GaussianMixture(2, 2, rng()),
    "LearnedGraph": vae.causal.LearnedGraph(2),
    "LearnedPrior": vae.LearnedPrior(torch.ones(1), torch.zeros(1, 2), torch.eye(2)[None]),
    "RandomWalk": vae.priors.RandomWalk(2),
    "NoisedStandardNormal": vae.priors.NoisedStandardNormal(2),
    "StandardNormal": vae.StandardNormal(2),
    "StructuralCausal": vae.priors.StructuralCausal(torch.zeros(2, 2)),
    "Subspaces": Subspaces([vae.StandardNormal(2)]),
    "VampPrior": vae.priors.VampPrior(vae.MLPEncoder(2, 2), torch.zeros(1, 2), 2),
}
OPTIONAL = {
    base: [name for name, method in vars(base).items() if hasattr(method, "remedy")] for base in (Likelihood, Prior)
}


def cases() -> Iterator[tuple[str, Likelihood | Prior, str]]:
    for base, parts in ((Likelihood, LIKELIHOODS), (Prior, PRIORS)):
        for part_name, part in parts.items():
            yield from ((part_name, part, name) for name in OPTIONAL[base])


def test_every_part_of_the_face_is_among_the_cases() -> None:
    classes = [value for value in (getattr(vae, name) for name in vae.__all__) if inspect.isclass(value)]
    for base, parts in ((Likelihood, LIKELIHOODS), (Prior, PRIORS)):
        theirs = {part.__name__ for part in classes if issubclass(part, base)} - {base.__name__}
        assert theirs <= set(parts)
        assert all(type(part).__name__ == name and isinstance(part, base) for name, part in parts.items())
    assert {
        Likelihood: ["entry_log_prob", "mean", "variance", "fisher", "logits"],
        Prior: ["log_prob", "kl_units"],
    } == OPTIONAL


@pytest.mark.parametrize(
    ("part_name", "part", "name"), [pytest.param(*case, id=f"{case[0]}-{case[2]}") for case in cases()]
)
def test_a_part_has_the_method_or_says_that_it_has_not(part_name: str, part: Likelihood | Prior, name: str) -> None:
    base = Likelihood if isinstance(part, Likelihood) else Prior
    own = getattr(type(part), name) is not getattr(base, name)
    assert offers(part, name) is own
    if own:
        require(part, name)
        return
    sentence = "^" + re.escape(f"{part_name} offers no {name}; {getattr(base, name).remedy}") + "$"
    with pytest.raises(CapabilityError, match=sentence):
        require(part, name)
    with pytest.raises(CapabilityError, match=sentence):
        getattr(part, name)(torch.zeros(1, 2), torch.zeros(1, 2))


def test_what_is_required_is_asked_in_order() -> None:
    require(LIKELIHOODS["Gaussian"])
    with pytest.raises(CapabilityError, match="TokenSequence offers no variance; draw from it by sample"):
        require(LIKELIHOODS["TokenSequence"], "variance", "mean")


def test_a_base_class_is_no_part() -> None:
    for base in (Likelihood, Prior):
        with pytest.raises(TypeError, match="abstract"):
            base()  # type: ignore[abstract]
