"""Disentanglement: closed forms, and cell lines under drugs."""
