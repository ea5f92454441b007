"""What a sequence VAE can do: one file a question."""
