"""Cross-modality: RNA and open peaks of simulated cells, each translated to the other."""
