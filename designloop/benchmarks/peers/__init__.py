"""The VAE library beside its peers, each in an environment of its own."""
