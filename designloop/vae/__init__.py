"""The shared core library: VAE = encoder + decoder + likelihood + prior, and one training loop for all of them.

Knows no molecule. A likelihood, a prior or a term of a loss is one small file that every model can be composed of. The
names are loaded when first used; the training loop is ``designloop.vae.training.fit.fit``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.vae.lazy import lazy

if TYPE_CHECKING:
    from designloop.vae.anomaly.conformal import conformal_p_values as conformal_p_values
    from designloop.vae.anomaly.detector import fit_detector as fit_detector
    from designloop.vae.anomaly.scores import anomaly_score as anomaly_score
    from designloop.vae.conditional import ConditionalDecoder as ConditionalDecoder
    from designloop.vae.conditional import ConditionalEncoder as ConditionalEncoder
    from designloop.vae.conditional import LogAmount as LogAmount
    from designloop.vae.conditional import LogExpression as LogExpression
    from designloop.vae.conditional import OneHot as OneHot
    from designloop.vae.conditional import Shares as Shares
    from designloop.vae.conditional import aggregate_prior as aggregate_prior
    from designloop.vae.conditional import label_log_probs as label_log_probs
    from designloop.vae.conditional import transferred as transferred
    from designloop.vae.disentanglement.beta import beta_curves as beta_curves
    from designloop.vae.disentanglement.hsic import HSIC as HSIC
    from designloop.vae.disentanglement.subspaces import Subspaces as Subspaces
    from designloop.vae.disentanglement.subspaces import counterfactual as counterfactual
    from designloop.vae.disentanglement.total_correlation import DensityRatio as DensityRatio
    from designloop.vae.disentanglement.total_correlation import TotalCorrelation as TotalCorrelation
    from designloop.vae.errors import VAEError as VAEError
    from designloop.vae.inference.evidence import Evidence as Evidence
    from designloop.vae.inference.evidence import annealed_evidence as annealed_evidence
    from designloop.vae.inference.evidence import importance_evidence as importance_evidence
    from designloop.vae.inference.imputation import Imputed as Imputed
    from designloop.vae.inference.imputation import completed as completed
    from designloop.vae.inference.imputation import imputed as imputed
    from designloop.vae.inference.pareto import pareto_k as pareto_k
    from designloop.vae.inference.refinement import refined as refined
    from designloop.vae.likelihoods.base import Likelihood as Likelihood
    from designloop.vae.likelihoods.bernoulli import Bernoulli as Bernoulli
    from designloop.vae.likelihoods.categorical import Categorical as Categorical
    from designloop.vae.likelihoods.gaussian import Gaussian as Gaussian
    from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian as HeteroscedasticGaussian
    from designloop.vae.likelihoods.negative_binomial import NegativeBinomial as NegativeBinomial
    from designloop.vae.likelihoods.poisson import Poisson as Poisson
    from designloop.vae.likelihoods.student_t import StudentT as StudentT
    from designloop.vae.likelihoods.tokens import TokenSequence as TokenSequence
    from designloop.vae.model import VAE as VAE
    from designloop.vae.model import Pass as Pass
    from designloop.vae.networks import MLPDecoder as MLPDecoder
    from designloop.vae.networks import MLPEncoder as MLPEncoder
    from designloop.vae.networks import RBFPrecisionDecoder as RBFPrecisionDecoder
    from designloop.vae.networks import rbf_centres as rbf_centres
    from designloop.vae.planning.chart import Chart as Chart
    from designloop.vae.planning.chart import angle_chart as angle_chart
    from designloop.vae.planning.chart import cosines_and_sines as cosines_and_sines
    from designloop.vae.planning.growth import grown as grown
    from designloop.vae.planning.paths import plan as plan
    from designloop.vae.planning.paths import shortcut as shortcut
    from designloop.vae.planning.paths import straight_motions as straight_motions
    from designloop.vae.planning.roadmaps import Roadmap as Roadmap
    from designloop.vae.planning.roadmaps import roadmap as roadmap
    from designloop.vae.posteriors.diagonal_normal import DiagonalNormal as DiagonalNormal
    from designloop.vae.posteriors.diagonal_normal import Posterior as Posterior
    from designloop.vae.priors.autoregressive import AutoregressiveNormal as AutoregressiveNormal
    from designloop.vae.priors.base import Prior as Prior
    from designloop.vae.priors.by_label import ByLabel as ByLabel
    from designloop.vae.priors.conditional import ConditionalNormal as ConditionalNormal
    from designloop.vae.priors.mixture import GaussianMixture as GaussianMixture
    from designloop.vae.priors.mixture import VampPrior as VampPrior
    from designloop.vae.priors.standard_normal import NoisedStandardNormal as NoisedStandardNormal
    from designloop.vae.priors.standard_normal import StandardNormal as StandardNormal
    from designloop.vae.priors.structural_causal import StructuralCausal as StructuralCausal
    from designloop.vae.training.losses import ELBO as ELBO
    from designloop.vae.training.losses import Loss as Loss
    from designloop.vae.training.losses import PropertyLoss as PropertyLoss
    from designloop.vae.training.losses import ReferenceKL as ReferenceKL
    from designloop.vae.training.losses import Term as Term
    from designloop.vae.training.losses import ramp as ramp
    from designloop.vae.weights import load_weights as load_weights
    from designloop.vae.weights import read_about as read_about
    from designloop.vae.weights import save_weights as save_weights

_HOME = {
    "AutoregressiveNormal": "priors.autoregressive",
    "Bernoulli": "likelihoods.bernoulli",
    "ByLabel": "priors.by_label",
    "Categorical": "likelihoods.categorical",
    "Chart": "planning.chart",
    "ConditionalDecoder": "conditional",
    "ConditionalEncoder": "conditional",
    "ConditionalNormal": "priors.conditional",
    "DensityRatio": "disentanglement.total_correlation",
    "DiagonalNormal": "posteriors.diagonal_normal",
    "ELBO": "training.losses",
    "Evidence": "inference.evidence",
    "Gaussian": "likelihoods.gaussian",
    "GaussianMixture": "priors.mixture",
    "HSIC": "disentanglement.hsic",
    "HeteroscedasticGaussian": "likelihoods.heteroscedastic_gaussian",
    "Imputed": "inference.imputation",
    "Likelihood": "likelihoods.base",
    "LogAmount": "conditional",
    "LogExpression": "conditional",
    "Loss": "training.losses",
    "MLPDecoder": "networks",
    "MLPEncoder": "networks",
    "NegativeBinomial": "likelihoods.negative_binomial",
    "NoisedStandardNormal": "priors.standard_normal",
    "OneHot": "conditional",
    "Pass": "model",
    "Poisson": "likelihoods.poisson",
    "Prior": "priors.base",
    "PropertyLoss": "training.losses",
    "RBFPrecisionDecoder": "networks",
    "ReferenceKL": "training.losses",
    "Roadmap": "planning.roadmaps",
    "Shares": "conditional",
    "StandardNormal": "priors.standard_normal",
    "StructuralCausal": "priors.structural_causal",
    "StudentT": "likelihoods.student_t",
    "Subspaces": "disentanglement.subspaces",
    "Term": "training.losses",
    "TokenSequence": "likelihoods.tokens",
    "TotalCorrelation": "disentanglement.total_correlation",
    "VAE": "model",
    "VAEError": "errors",
    "VampPrior": "priors.mixture",
    "aggregate_prior": "conditional",
    "angle_chart": "planning.chart",
    "annealed_evidence": "inference.evidence",
    "anomaly_score": "anomaly.scores",
    "beta_curves": "disentanglement.beta",
    "completed": "inference.imputation",
    "conformal_p_values": "anomaly.conformal",
    "cosines_and_sines": "planning.chart",
    "counterfactual": "disentanglement.subspaces",
    "fit_detector": "anomaly.detector",
    "grown": "planning.growth",
    "importance_evidence": "inference.evidence",
    "imputed": "inference.imputation",
    "label_log_probs": "conditional",
    "load_weights": "weights",
    "pareto_k": "inference.pareto",
    "plan": "planning.paths",
    "ramp": "training.losses",
    "rbf_centres": "networks",
    "read_about": "weights",
    "refined": "inference.refinement",
    "roadmap": "planning.roadmaps",
    "save_weights": "weights",
    "shortcut": "planning.paths",
    "straight_motions": "planning.paths",
    "transferred": "conditional",
}

__all__ = [
    "AutoregressiveNormal",
    "Bernoulli",
    "ByLabel",
    "Categorical",
    "Chart",
    "ConditionalDecoder",
    "ConditionalEncoder",
    "ConditionalNormal",
    "DensityRatio",
    "DiagonalNormal",
    "ELBO",
    "Evidence",
    "Gaussian",
    "GaussianMixture",
    "HSIC",
    "HeteroscedasticGaussian",
    "Imputed",
    "Likelihood",
    "LogAmount",
    "LogExpression",
    "Loss",
    "MLPDecoder",
    "MLPEncoder",
    "NegativeBinomial",
    "NoisedStandardNormal",
    "OneHot",
    "Pass",
    "Poisson",
    "Prior",
    "PropertyLoss",
    "RBFPrecisionDecoder",
    "ReferenceKL",
    "Roadmap",
    "Shares",
    "StandardNormal",
    "StructuralCausal",
    "StudentT",
    "Subspaces",
    "Term",
    "TokenSequence",
    "TotalCorrelation",
    "VAE",
    "VAEError",
    "VampPrior",
    "aggregate_prior",
    "angle_chart",
    "annealed_evidence",
    "anomaly_score",
    "beta_curves",
    "completed",
    "conformal_p_values",
    "cosines_and_sines",
    "counterfactual",
    "fit_detector",
    "importance_evidence",
    "imputed",
    "label_log_probs",
    "load_weights",
    "pareto_k",
    "plan",
    "ramp",
    "rbf_centres",
    "read_about",
    "refined",
    "roadmap",
    "save_weights",
    "shortcut",
    "straight_motions",
    "transferred",
]

__getattr__, __dir__ = lazy(__name__, _HOME, __all__)
