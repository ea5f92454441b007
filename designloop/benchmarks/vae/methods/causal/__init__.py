"""Causal representations: counterfactuals and graphs of regulators."""
