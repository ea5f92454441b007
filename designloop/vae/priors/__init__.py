"""Priors p(z): each says where latents come from before any datum is seen. One file a family."""
