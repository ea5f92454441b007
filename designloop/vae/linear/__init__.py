"""Linear VAEs, whose every number has a closed form, and what they say of lattice fields."""
