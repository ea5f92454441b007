"""Geometry of the latent space: closed forms, and data with a hole."""
