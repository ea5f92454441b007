"""Functions whose optimum is known, searched by parts of latent Bayesian optimization and by BoTorch's own loops."""
