"""Oracles that run: attempts, backends, Ray, and the child process that an oracle lives in."""
