"""Makes ``data/known_parts.tsv.xz``: ``python -m designloop.molecules.count_parts`` (some minutes on two cores).

A line for every part (see ``known_parts``) that ZINC's training rows or the approved drugs hold: kind, key, molecules
of ZINC, drugs; tabs between them, sorted.
"""

from __future__ import annotations

import lzma
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from designloop.molecules.chemistry import require, standard_forms
from designloop.molecules.corpus import training_smiles
from designloop.molecules.drugs import organic_drugs
from designloop.molecules.known_parts import TABLE, Part, parts

_CHUNK = 2000


def count(forms: Sequence[str]) -> Counter[Part]:
    """Part -> how many of the molecules hold it; they are given in standard form."""
    counter: Counter[Part] = Counter()
    remembered: dict[str, frozenset[Part]] = {}
    for form in forms:
        counter.update(parts(require(form), remembered))
    return counter


def count_as_written(smiles: Sequence[str]) -> Counter[Part]:
    """``count`` of the standard forms of some molecules, those without a charge taken as they are written.

    Parts know neither stereo nor hydrogens, and a neutral molecule's standard form has no other atoms or bonds.
    """
    charged = [written for written in smiles if "+" in written or "-]" in written]
    form_of = dict(zip(charged, standard_forms(charged), strict=True))
    forms = (form_of.get(written, written) for written in smiles)
    return count([form for form in forms if form is not None])


def main() -> None:
    """Writes the table anew."""
    zinc: Counter[Part] = Counter()
    smiles = training_smiles()
    chunks = [smiles[start : start + _CHUNK] for start in range(0, len(smiles), _CHUNK)]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=get_context("forkserver")) as pool:
        for counted in pool.map(count_as_written, chunks):
            zinc.update(counted)
    drugs = count(list(organic_drugs()))
    lines = [
        f"{kind}\t{key}\t{zinc[kind, key]}\t{drugs[kind, key]}\n" for kind, key in sorted(zinc.keys() | drugs.keys())
    ]
    TABLE.write_bytes(lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))
    sys.stdout.write(f"{TABLE}: {len(lines):,} parts, {TABLE.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
