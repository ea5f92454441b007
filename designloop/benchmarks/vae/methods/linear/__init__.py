"""Linear VAEs: closed forms, and lattice fields."""
