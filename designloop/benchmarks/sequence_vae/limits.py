"""Which molecules are those that campaigns are about, where models are judged by how many come back."""

from __future__ import annotations

DRUG_SIZE = 40
"""Heavy atoms of the drugs, at most."""

LONG = 50
"""SELFIES symbols above which a molecule of ZINC is long."""
