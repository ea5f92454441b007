"""Latent Bayesian optimization from 100 molecules and 500 calls more, beside TuRBO and LOL-BO in the same latents."""
