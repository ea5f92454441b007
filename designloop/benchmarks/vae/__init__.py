"""The criteria of the VAE library, method by method."""
