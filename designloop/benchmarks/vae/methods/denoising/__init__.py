"""Denoising of photon-count images, beside filters behind Anscombe's transform."""
