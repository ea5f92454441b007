"""Functions whose optimum is known, searched by the parts of latent Bayesian optimization and by BoTorch's own loops."""
