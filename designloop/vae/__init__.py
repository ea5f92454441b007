"""The shared core library: VAE = encoder + decoder + likelihood + prior, and one training loop for all of them.

    from designloop.vae import ELBO, VAE, Batch, Gaussian, MLPDecoder, MLPEncoder, StandardNormal, fit

Knows no molecule. A likelihood, a prior or a term of a loss is one small file that every model can be composed of. Here
are the parts that most VAEs are made of, their training, and what any fitted one is asked; more of the parts are in
``posteriors``, ``priors``, ``networks``, ``image_networks`` and ``inference``. Each application has its own module:
``anomaly``, ``causal``, ``conditional``, ``denoising``, ``disentanglement``, ``expression``, ``geometry``, ``linear``,
``multimodal``, ``planning``, ``tables`` of mixed kinds, ``timeseries``, and ``simulators`` of data whose truth is
known. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae import anomaly as anomaly
    from designloop.vae import causal as causal
    from designloop.vae import conditional as conditional
    from designloop.vae import denoising as denoising
    from designloop.vae import disentanglement as disentanglement
    from designloop.vae import expression as expression
    from designloop.vae import geometry as geometry
    from designloop.vae import image_networks as image_networks
    from designloop.vae import inference as inference
    from designloop.vae import linear as linear
    from designloop.vae import multimodal as multimodal
    from designloop.vae import networks as networks
    from designloop.vae import planning as planning
    from designloop.vae import posteriors as posteriors
    from designloop.vae import priors as priors
    from designloop.vae import simulators as simulators
    from designloop.vae import tables as tables
    from designloop.vae import timeseries as timeseries
    from designloop.vae.doors import label_codes as label_codes
    from designloop.vae.errors import VAEError as VAEError
    from designloop.vae.inference.active_units import active_units as active_units
    from designloop.vae.inference.evidence import importance_evidence as importance_evidence
    from designloop.vae.inference.expectations import expectations as expectations
    from designloop.vae.inference.imputation import impute as impute
    from designloop.vae.inference.imputation import sample_missing as sample_missing
    from designloop.vae.likelihoods.base import Likelihood as Likelihood
    from designloop.vae.likelihoods.bernoulli import Bernoulli as Bernoulli
    from designloop.vae.likelihoods.categorical import Categorical as Categorical
    from designloop.vae.likelihoods.gaussian import Gaussian as Gaussian
    from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian as HeteroscedasticGaussian
    from designloop.vae.likelihoods.negative_binomial import NegativeBinomial as NegativeBinomial
    from designloop.vae.likelihoods.poisson import Poisson as Poisson
    from designloop.vae.likelihoods.product import Product as Product
    from designloop.vae.likelihoods.self_masking import SelfMasking as SelfMasking
    from designloop.vae.likelihoods.student_t import StudentT as StudentT
    from designloop.vae.likelihoods.tokens import TokenSequence as TokenSequence
    from designloop.vae.model import VAE as VAE
    from designloop.vae.model import ForwardPass as ForwardPass
    from designloop.vae.networks import MLPDecoder as MLPDecoder
    from designloop.vae.networks import MLPEncoder as MLPEncoder
    from designloop.vae.posteriors.base import Posterior as Posterior
    from designloop.vae.posteriors.diagonal_normal import DiagonalNormal as DiagonalNormal
    from designloop.vae.priors.base import Prior as Prior
    from designloop.vae.priors.learned import LearnedPrior as LearnedPrior
    from designloop.vae.priors.standard_normal import StandardNormal as StandardNormal
    from designloop.vae.training.batches import Batch as Batch
    from designloop.vae.training.epochs import fit_epochs as fit_epochs
    from designloop.vae.training.fit import fit as fit
    from designloop.vae.training.losses import ELBO as ELBO
    from designloop.vae.training.losses import IWELBO as IWELBO
    from designloop.vae.training.losses import PropertyLoss as PropertyLoss
    from designloop.vae.training.losses import PropertyRegression as PropertyRegression
    from designloop.vae.training.losses import ReferenceKL as ReferenceKL
    from designloop.vae.training.losses import Term as Term
    from designloop.vae.training.schedules import cosine as cosine
    from designloop.vae.training.schedules import ramp as ramp
    from designloop.vae.weights import load_weights as load_weights
    from designloop.vae.weights import save_weights as save_weights

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "doors": ["label_codes"],
        "errors": ["VAEError"],
        "inference.active_units": ["active_units"],
        "inference.evidence": ["importance_evidence"],
        "inference.expectations": ["expectations"],
        "inference.imputation": ["sample_missing", "impute"],
        "likelihoods.base": ["Likelihood"],
        "likelihoods.bernoulli": ["Bernoulli"],
        "likelihoods.categorical": ["Categorical"],
        "likelihoods.gaussian": ["Gaussian"],
        "likelihoods.heteroscedastic_gaussian": ["HeteroscedasticGaussian"],
        "likelihoods.negative_binomial": ["NegativeBinomial"],
        "likelihoods.poisson": ["Poisson"],
        "likelihoods.product": ["Product"],
        "likelihoods.self_masking": ["SelfMasking"],
        "likelihoods.student_t": ["StudentT"],
        "likelihoods.tokens": ["TokenSequence"],
        "model": ["ForwardPass", "VAE"],
        "networks": ["MLPDecoder", "MLPEncoder"],
        "posteriors.base": ["Posterior"],
        "posteriors.diagonal_normal": ["DiagonalNormal"],
        "priors.base": ["Prior"],
        "priors.learned": ["LearnedPrior"],
        "priors.standard_normal": ["StandardNormal"],
        "training.batches": ["Batch"],
        "training.epochs": ["fit_epochs"],
        "training.fit": ["fit"],
        "training.losses": ["ELBO", "IWELBO", "PropertyLoss", "PropertyRegression", "ReferenceKL", "Term"],
        "training.schedules": ["cosine", "ramp"],
        "weights": ["load_weights", "save_weights"],
    },
    modules=[
        "anomaly",
        "causal",
        "conditional",
        "denoising",
        "disentanglement",
        "expression",
        "geometry",
        "image_networks",
        "inference",
        "linear",
        "multimodal",
        "networks",
        "planning",
        "posteriors",
        "priors",
        "simulators",
        "tables",
        "timeseries",
    ],
    elsewhere={
        "image_networks": ["ConvDecoder", "ConvEncoder"],
        "inference": ["Evidence", "Imputation", "NewtonEncoder", "annealed_evidence", "refine", "with_newton"],
        "networks": ["FullEncoder", "MarkovEncoder", "RBFPrecisionDecoder", "mlp", "rbf_centres"],
        "posteriors": ["FullNormal", "MarkovNormal", "Mixture"],
        "priors": [
            "AutoregressiveNormal",
            "ByLabel",
            "ConditionalNormal",
            "GaussianMixture",
            "NoisedStandardNormal",
            "RandomWalk",
            "StructuralCausal",
            "VampPrior",
        ],
        "weights": ["read_about"],
    },
)
