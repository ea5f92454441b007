"""What a molecule must be before any oracle is asked of it: standard form, newness, filters."""
