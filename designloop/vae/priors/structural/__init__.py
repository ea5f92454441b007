"""Structural causal models as priors: units that cause each other along a graph."""
