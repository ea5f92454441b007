"""Simulators: data whose truth is known, each a pure function of a knob for difficulty and a generator.

    from designloop.vae.simulators import ring

Modules are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.simulators import anomalies as anomalies
    from designloop.vae.simulators import arm as arm
    from designloop.vae.simulators import cell_lines as cell_lines
    from designloop.vae.simulators import emitters as emitters
    from designloop.vae.simulators import lattice as lattice
    from designloop.vae.simulators import missing as missing
    from designloop.vae.simulators import multiome as multiome
    from designloop.vae.simulators import neurons as neurons
    from designloop.vae.simulators import regulators as regulators
    from designloop.vae.simulators import ring as ring
    from designloop.vae.simulators import surfaces as surfaces
    from designloop.vae.simulators import volatility as volatility

__getattr__, __dir__, __all__ = attach(
    __name__,
    {},
    modules=[
        "anomalies",
        "arm",
        "cell_lines",
        "emitters",
        "lattice",
        "missing",
        "multiome",
        "neurons",
        "regulators",
        "ring",
        "surfaces",
        "volatility",
    ],
)
