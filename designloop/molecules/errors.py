"""What goes wrong with molecules."""

from __future__ import annotations


class MoleculeError(ValueError):
    """A molecule, or a chemical word such as a descriptor's name, that cannot be used; the message says what to do."""
