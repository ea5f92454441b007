"""Time series: the criteria of the state-space VAE."""
