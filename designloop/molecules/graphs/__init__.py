"""Molecules as graphs that are edited: small changes of one, and parts of two joined. RDKit and numpy only."""
