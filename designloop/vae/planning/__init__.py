"""Motions of a robot by shortest paths over a latent space of its configurations.

    latents z_i, neighbours joined;   weight of an edge = length under the metric · (1 + mean cost along its motion)
    path = argmin Σ weights (Dijkstra);   an edge whose motion has infinite cost, a collision, is none

An edge's motion goes through what the segment of latent space decodes to. Start and end keep the configurations that
were asked for: straight motions in joint space join them to the nodes that decode nearest to them. What is planned is a
polygon in joint space, and that is what was checked. The VAE is fitted once to the robot; obstacles come in with the
cost, so that another scene takes another roadmap and no training. The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.planning.chart import STEP as STEP
    from designloop.vae.planning.chart import Array as Array
    from designloop.vae.planning.chart import Chart as Chart
    from designloop.vae.planning.chart import Cost as Cost
    from designloop.vae.planning.chart import angle_chart as angle_chart
    from designloop.vae.planning.chart import cosines_and_sines as cosines_and_sines
    from designloop.vae.planning.growth import grow_roadmap as grow_roadmap
    from designloop.vae.planning.paths import plan as plan
    from designloop.vae.planning.paths import shortcut as shortcut
    from designloop.vae.planning.paths import straight_motions as straight_motions
    from designloop.vae.planning.roadmaps import Roadmap as Roadmap
    from designloop.vae.planning.roadmaps import extend_roadmap as extend_roadmap
    from designloop.vae.planning.roadmaps import roadmap as roadmap

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "chart": ["Array", "Chart", "Cost", "STEP", "angle_chart", "cosines_and_sines"],
        "growth": ["grow_roadmap"],
        "paths": ["plan", "shortcut", "straight_motions"],
        "roadmaps": ["Roadmap", "extend_roadmap", "roadmap"],
    },
)
