"""SMILES in, RDKit molecules out: the one door, cached and quiet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from rdkit import Chem, rdBase

from designloop.molecules.errors import MoleculeError
from designloop.words import shorten

MOLECULE_CACHE_SIZE = 5_000
"""Molecules kept in memory: an RDKit molecule of ZINC's size takes about 31 KB, so 150 MB when full."""

TEXT_CACHE_SIZE = 40_000
"""Texts kept by each cache of SMILES in, text out: about 12 MB when full."""

MOST_SHOWN = 300
"""Characters of a SMILES in a message."""

MOST_CHARACTERS = 5_000
"""Of a SMILES, insulin has 1,200. RDKit's time grows with the square of the length, and its stack with the length: a
chain of 30,000 atoms ends the process."""

_PATTERN = "is a SMARTS pattern, which matches molecules and is none; give a SMILES"

_OTHERS = (
    (re.compile("InChI=", re.IGNORECASE), "is an InChI; give the SMILES"),
    (re.compile(r"[A-Z]{14}-[A-Z]{10}-[A-Z]$"), "is an InChIKey; give the SMILES"),
    (re.compile(r"(?s:.*)(?<!-)>"), "is a reaction; give its molecules one by one"),
    (re.compile(r"(?s:.*)\[[^\]]*[#$!;&,]"), _PATTERN),
    (re.compile(r"(?s)([\"']).*\1$"), "stands in quotes; give it without"),
)
"""What a text that RDKit cannot read looks like -> what it is, and what to do."""


def why_no_smiles(smiles: str) -> str | None:
    """Says what keeps a text from being a SMILES, whatever RDKit makes of it; None where that is RDKit's to say.

    RDKit leaves out what is not ASCII at either end (of ``CC\\u041e``, which ends in a Cyrillic O, it makes ethane),
    reads ``[#6]`` of a SMARTS pattern as an atom without hydrogens, and dies of what is too long.
    """
    text = smiles.strip()
    if len(text) > MOST_CHARACTERS:
        return f"has {len(text):,} characters, expected a molecule of at most {MOST_CHARACTERS:,}; leave it out"
    if not (text.isascii() and text.isprintable()):
        place, sign = next((n, sign) for n, sign in enumerate(text, 1) if not (sign.isascii() and sign.isprintable()))
        name = unicodedata.name(sign, "a control character")
        return f"holds {name} (U+{ord(sign):04X}) at place {place}, as no SMILES does; write it anew"
    return _PATTERN if "[#" in text or "[$" in text else None


def what_instead(smiles: str) -> str | None:
    """Says what a text is that RDKit cannot read, where that can be seen; else None."""
    text = smiles.strip()
    return why_no_smiles(text) or next((words for form, words in _OTHERS if form.match(text)), None)


def shown(smiles: str) -> str:
    """The text in quotes as messages show it, cut where it is very long."""
    return repr(shorten(smiles, MOST_SHOWN))


def parse_anew(smiles: str) -> Chem.Mol | None:
    """The molecule that ``parse`` gives, as an object of its own that is kept nowhere: for files of many molecules."""
    text = smiles.strip()
    if not _can_be_one(text):
        return None
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(text)


def _can_be_one(text: str) -> bool:
    """Whether a text without blanks at either end can be one SMILES: words behind it would be its name."""
    return bool(text) and " " not in text and why_no_smiles(text) is None


@lru_cache(MOLECULE_CACHE_SIZE)
def parse(smiles: str) -> Chem.Mol | None:
    """The sanitised molecule, or None where the SMILES is empty or invalid.

    Cached: callers share the object and must not modify it. White space within the text is refused, as what follows
    a blank in a SMILES line is a name, not the molecule.
    """
    return parse_anew(smiles)


_HYDROGEN = re.compile(r"\[\d*H")
"""A hydrogen that is written as an atom, which is one of the molecule's until RDKit removes it."""

_AS_WRITTEN = Chem.SmilesParserParams()
_AS_WRITTEN.sanitize = _AS_WRITTEN.removeHs = False

_FLAT = (
    Chem.SanitizeFlags.SANITIZE_ALL
    ^ Chem.SanitizeFlags.SANITIZE_CLEANUPCHIRALITY
    ^ Chem.SanitizeFlags.SANITIZE_CLEANUPATROPISOMERS
)


def parse_flat(smiles: str) -> Chem.Mol | None:
    """The molecule that ``parse`` gives, but that its stereo is not perceived; not cached, and a fifth faster.

    For values that see no stereo, of molecules that are asked for once. What marks of stereo are left mean nothing.
    """
    text = smiles.strip()
    if not _can_be_one(text):
        return None
    with rdBase.BlockLogs():
        if _HYDROGEN.search(text):
            return Chem.MolFromSmiles(text)
        mol = Chem.MolFromSmiles(text, _AS_WRITTEN)
        if mol is None or Chem.SanitizeMol(mol, _FLAT, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return None
    return mol


def parse_all(smiles: Sequence[str]) -> list[Chem.Mol | None]:
    """One molecule for each SMILES, in the same order; None where one is invalid."""
    return [parse(text) for text in smiles]


def require(smiles: str) -> Chem.Mol:
    """The sanitised molecule.

    Raises:
        MoleculeError: when the SMILES is empty or invalid.
    """
    molecule = parse(smiles)
    if molecule is None:
        if (reason := what_instead(smiles)) is not None:
            raise MoleculeError(f"{shown(smiles)} {reason}")
        raise MoleculeError(
            f"found {shown(smiles)}, expected a valid SMILES such as 'CC(=O)Nc1ccc(O)cc1'; "
            "check brackets, ring closures and valences, or leave the molecule out"
        )
    return molecule


@lru_cache(TEXT_CACHE_SIZE)
def canonical(smiles: str) -> str | None:
    """RDKit's canonical isomeric SMILES, or None where the SMILES is empty or invalid."""
    molecule = parse(smiles)
    return None if molecule is None else Chem.MolToSmiles(molecule)
