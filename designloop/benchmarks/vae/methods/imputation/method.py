"""The criteria of imputation: closed forms, tables with entries missing in all three ways, and breast cancer."""

from __future__ import annotations

from collections.abc import Sequence

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row
from designloop.benchmarks.vae.methods.imputation.breast_cancer import breast_cancer_rows
from designloop.benchmarks.vae.methods.imputation.curved_tables import curved_rows
from designloop.benchmarks.vae.methods.imputation.linear_tables import linear_rows
from designloop.benchmarks.vae.methods.imputation.self_masked import self_masked_rows

TITLE = "Data Denoising and Imputation"
FILE = "designloop/vae/inference/imputation.py"
PAGE = "imputation.md"

CURVED = 5
"""Seeds of the curved tables, of which each is filled in nine ways."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """Measures linear tables, breast cancer, self-masked tables, and curved ones."""
    rows = list(linear_rows(seeds))
    say("imputation: linear tables done")
    rows += breast_cancer_rows()
    say("imputation: breast cancer done")
    rows += self_masked_rows(seeds)
    say("imputation: self-masked tables done")
    return [*rows, *curved_rows(seeds[:CURVED])]
