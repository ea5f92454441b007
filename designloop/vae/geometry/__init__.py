"""Riemannian geometry of latent space: functions of any fitted VAE. Names are loaded when first used.

A metric is a callable (``metric``, ``sequences``); curves (``curves``), geodesics (``geodesics``, ``graph``),
exponential and logarithm maps (``maps``) and means (``means``) take any metric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.geometry.curves import Spline as Spline
    from designloop.vae.geometry.curves import energy as energy
    from designloop.vae.geometry.curves import length as length
    from designloop.vae.geometry.curves import segment_lengths as segment_lengths
    from designloop.vae.geometry.curves import speed as speed
    from designloop.vae.geometry.curves import straight as straight
    from designloop.vae.geometry.curves import through as through
    from designloop.vae.geometry.geodesics import Geodesics as Geodesics
    from designloop.vae.geometry.geodesics import distance as distance
    from designloop.vae.geometry.geodesics import geodesics_by_graph as geodesics_by_graph
    from designloop.vae.geometry.geodesics import geodesics_by_spline as geodesics_by_spline
    from designloop.vae.geometry.graph import Graph as Graph
    from designloop.vae.geometry.graph import Paths as Paths
    from designloop.vae.geometry.graph import graph_distances as graph_distances
    from designloop.vae.geometry.graph import grid_graph as grid_graph
    from designloop.vae.geometry.graph import points_graph as points_graph
    from designloop.vae.geometry.graph import shortest_paths as shortest_paths
    from designloop.vae.geometry.graph import stencil as stencil
    from designloop.vae.geometry.maps import exponential_map as exponential_map
    from designloop.vae.geometry.maps import initial_velocities as initial_velocities
    from designloop.vae.geometry.maps import logarithm_map as logarithm_map
    from designloop.vae.geometry.maps import shoot as shoot
    from designloop.vae.geometry.means import Clusters as Clusters
    from designloop.vae.geometry.means import frechet_mean as frechet_mean
    from designloop.vae.geometry.means import k_means as k_means
    from designloop.vae.geometry.metric import ExpectedEuclidean as ExpectedEuclidean
    from designloop.vae.geometry.metric import FisherRao as FisherRao
    from designloop.vae.geometry.metric import Metric as Metric
    from designloop.vae.geometry.metric import expected_euclidean_metric as expected_euclidean_metric
    from designloop.vae.geometry.metric import log_volume as log_volume
    from designloop.vae.geometry.metric import metric_tensor as metric_tensor
    from designloop.vae.geometry.metric import pullback_metric as pullback_metric
    from designloop.vae.geometry.metric import pushforward as pushforward
    from designloop.vae.geometry.metric import volume as volume
    from designloop.vae.geometry.sequences import ConditionalFisherRao as ConditionalFisherRao
    from designloop.vae.geometry.sequences import SequenceFisherRao as SequenceFisherRao
    from designloop.vae.geometry.sequences import sequences_at as sequences_at

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "curves": ["Spline", "energy", "length", "segment_lengths", "speed", "straight", "through"],
        "geodesics": ["Geodesics", "distance", "geodesics_by_graph", "geodesics_by_spline"],
        "graph": ["Graph", "Paths", "graph_distances", "grid_graph", "points_graph", "shortest_paths", "stencil"],
        "maps": ["exponential_map", "initial_velocities", "logarithm_map", "shoot"],
        "means": ["Clusters", "frechet_mean", "k_means"],
        "metric": [
            "ExpectedEuclidean",
            "FisherRao",
            "Metric",
            "expected_euclidean_metric",
            "log_volume",
            "metric_tensor",
            "pullback_metric",
            "pushforward",
            "volume",
        ],
        "sequences": ["ConditionalFisherRao", "SequenceFisherRao", "sequences_at"],
    },
)
