"""Approximate posteriors q(z | x): one file a family."""
