"""What a fitted VAE is asked: evidence, imputation, refinement. Functions of any VAE."""
