"""The shared core library: VAE = encoder + decoder + likelihood + prior, and one training loop for all of them.

    from designloop.vae import ELBO, VAE, Batch, Gaussian, MLPDecoder, MLPEncoder, StandardNormal, fit

Knows no molecule. A likelihood, a prior or a term of a loss is one small file that every model can be composed of. Here
are the parts of a VAE, its training, and what any fitted one is asked; each application has a module of its own:
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
    from designloop.vae import linear as linear
    from designloop.vae import multimodal as multimodal
    from designloop.vae import planning as planning
    from designloop.vae import simulators as simulators
    from designloop.vae import tables as tables
    from designloop.vae import timeseries as timeseries
    from designloop.vae.doors import label_codes as label_codes
    from designloop.vae.errors import VAEError as VAEError
    from designloop.vae.image_networks import ConvDecoder as ConvDecoder
    from designloop.vae.image_networks import ConvEncoder as ConvEncoder
    from designloop.vae.inference.active_units import active_units as active_units
    from designloop.vae.inference.evidence import Evidence as Evidence
    from designloop.vae.inference.evidence import annealed_evidence as annealed_evidence
    from designloop.vae.inference.evidence import importance_evidence as importance_evidence
    from designloop.vae.inference.expectations import expectations as expectations
    from designloop.vae.inference.imputation import Imputation as Imputation
    from designloop.vae.inference.imputation import impute as impute
    from designloop.vae.inference.imputation import sample_missing as sample_missing
    from designloop.vae.inference.newton import NewtonEncoder as NewtonEncoder
    from designloop.vae.inference.newton import with_newton as with_newton
    from designloop.vae.inference.refinement import refine as refine
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
    from designloop.vae.networks import FullEncoder as FullEncoder
    from designloop.vae.networks import MarkovEncoder as MarkovEncoder
    from designloop.vae.networks import MLPDecoder as MLPDecoder
    from designloop.vae.networks import MLPEncoder as MLPEncoder
    from designloop.vae.networks import RBFPrecisionDecoder as RBFPrecisionDecoder
    from designloop.vae.networks import mlp as mlp
    from designloop.vae.networks import rbf_centres as rbf_centres
    from designloop.vae.posteriors.base import Posterior as Posterior
    from designloop.vae.posteriors.diagonal_normal import DiagonalNormal as DiagonalNormal
    from designloop.vae.posteriors.full_normal import FullNormal as FullNormal
    from designloop.vae.posteriors.markov_normal import MarkovNormal as MarkovNormal
    from designloop.vae.posteriors.mixture import Mixture as Mixture
    from designloop.vae.priors.autoregressive import AutoregressiveNormal as AutoregressiveNormal
    from designloop.vae.priors.autoregressive import RandomWalk as RandomWalk
    from designloop.vae.priors.base import Prior as Prior
    from designloop.vae.priors.by_label import ByLabel as ByLabel
    from designloop.vae.priors.conditional import ConditionalNormal as ConditionalNormal
    from designloop.vae.priors.learned import LearnedPrior as LearnedPrior
    from designloop.vae.priors.mixture import GaussianMixture as GaussianMixture
    from designloop.vae.priors.mixture import VampPrior as VampPrior
    from designloop.vae.priors.standard_normal import NoisedStandardNormal as NoisedStandardNormal
    from designloop.vae.priors.standard_normal import StandardNormal as StandardNormal
    from designloop.vae.priors.structural.linear import StructuralCausal as StructuralCausal
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
    from designloop.vae.weights import read_about as read_about
    from designloop.vae.weights import save_weights as save_weights

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "doors": ["label_codes"],
        "errors": ["VAEError"],
        "image_networks": ["ConvDecoder", "ConvEncoder"],
        "inference.active_units": ["active_units"],
        "inference.evidence": ["Evidence", "annealed_evidence", "importance_evidence"],
        "inference.expectations": ["expectations"],
        "inference.imputation": ["Imputation", "sample_missing", "impute"],
        "inference.newton": ["NewtonEncoder", "with_newton"],
        "inference.refinement": ["refine"],
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
        "networks": [
            "FullEncoder",
            "MarkovEncoder",
            "MLPDecoder",
            "MLPEncoder",
            "RBFPrecisionDecoder",
            "mlp",
            "rbf_centres",
        ],
        "posteriors.base": ["Posterior"],
        "posteriors.diagonal_normal": ["DiagonalNormal"],
        "posteriors.full_normal": ["FullNormal"],
        "posteriors.markov_normal": ["MarkovNormal"],
        "posteriors.mixture": ["Mixture"],
        "priors.autoregressive": ["AutoregressiveNormal", "RandomWalk"],
        "priors.base": ["Prior"],
        "priors.by_label": ["ByLabel"],
        "priors.conditional": ["ConditionalNormal"],
        "priors.learned": ["LearnedPrior"],
        "priors.mixture": ["GaussianMixture", "VampPrior"],
        "priors.standard_normal": ["NoisedStandardNormal", "StandardNormal"],
        "priors.structural.linear": ["StructuralCausal"],
        "training.batches": ["Batch"],
        "training.epochs": ["fit_epochs"],
        "training.fit": ["fit"],
        "training.losses": ["ELBO", "IWELBO", "PropertyLoss", "PropertyRegression", "ReferenceKL", "Term"],
        "training.schedules": ["cosine", "ramp"],
        "weights": ["load_weights", "read_about", "save_weights"],
    },
    modules=[
        "anomaly",
        "causal",
        "conditional",
        "denoising",
        "disentanglement",
        "expression",
        "geometry",
        "linear",
        "multimodal",
        "planning",
        "simulators",
        "tables",
        "timeseries",
    ],
)
