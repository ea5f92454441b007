"""The loop with a laboratory in it: what to measure is suggested, what was measured is told."""
