"""The ask/tell machine, and what is bred in it."""
