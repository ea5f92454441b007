"""The predicates of the filters: each is built from a filter's settings, and says why it refuses a molecule.

They are asked of a molecule in standard form and must not change it. The registry that names them is in ``filters``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdkit import Chem

from designloop.loop.screening.excluded import ExcludedFile, read_excluded, refuse_bad_lines
from designloop.molecules.chemistry import (
    Mode,
    MoleculeError,
    Stereo,
    descriptor,
    first_alert,
    first_reactive,
    first_unknown_group_pair,
    first_unknown_ring_system,
    first_unstable,
    identity,
    ionisable_groups,
    outline_of,
)
from designloop.molecules.radicals import radical_atom
from designloop.paths import is_file

Ends = tuple[float | None, float | None]
"""Lowest and highest value allowed, both included; None where there is no end."""

Refuses = Callable[[Chem.Mol, str], str | None]
"""(molecule, its standard form) -> why it is refused, in a few words; None where it is allowed."""


@dataclass(frozen=True, slots=True)
class FilterContext:
    """What of a campaign a filter may need beside its own settings."""

    folder: Path
    """Where relative paths start: the campaign file's folder."""
    standardize: Mode = "parent"
    stereo: Stereo = "ignore"


def _outside(value: float, ends: Ends) -> bool:
    """Whether a value is out of range; one that is not a number always is."""
    low, high = ends
    return not ((low is None or value >= low) and (high is None or value <= high))


def _words(ends: Ends) -> str:
    low, high = ends
    if low == high:
        return f"{low:g}"
    return f"at most {high:g}" if low is None else f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


def elements(symbols: Sequence[str], _: FilterContext) -> Refuses:
    numbers = [Chem.GetPeriodicTable().GetAtomicNumber(symbol) for symbol in symbols]
    other = Chem.MolFromSmarts(f"[{';'.join(f'!#{number}' for number in numbers)}]").GetAtomWithIdx(0)
    allowed = frozenset(numbers)

    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        outline = outline_of(smiles)
        if outline is not None and outline.elements <= allowed:
            return None
        for atom in mol.GetAtomsMatchingQuery(other):
            return f"element {atom.GetSymbol()}, allowed are {' '.join(symbols)}"
        return None

    return refuses


def heavy_atoms(ends: Ends, _: FilterContext) -> Refuses:
    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        count = mol.GetNumHeavyAtoms()
        return f"{count} heavy atoms, allowed are {_words(ends)}" if _outside(count, ends) else None

    return refuses


def net_charge(ends: Ends, _: FilterContext) -> Refuses:
    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        charge = Chem.GetFormalCharge(mol)
        return f"net charge {charge:+d}, allowed is {_words(ends)}" if _outside(charge, ends) else None

    return refuses


def radicals(allowed: bool, _: FilterContext) -> Refuses | None:
    if allowed:
        return None

    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        return "unpaired electrons" if len(mol.GetAtomsMatchingQuery(radical_atom())) else None

    return refuses


def ring_size(ends: Ends, _: FilterContext) -> Refuses:
    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        outline = outline_of(smiles)
        for ring in mol.GetRingInfo().AtomRings() if outline is None else outline.rings:
            if _outside(len(ring), ends):
                return f"a ring of {len(ring)}, allowed are {_words(ends)}"
        return None

    return refuses


def at_most(name: str) -> Callable[[int, FilterContext], Refuses]:
    """Returns the builder of the filter that caps a descriptor."""

    def build(most: int, context: FilterContext) -> Refuses:
        return descriptors({name: (None, most)}, context)

    return build


def descriptors(ranges: Mapping[str, Ends], _: FilterContext) -> Refuses:
    wanted = [(name, descriptor(name), ends) for name, ends in ranges.items()]

    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        for name, compute, ends in wanted:
            try:
                value = compute(mol)
            except (ValueError, RuntimeError) as error:  # some of RDKit's lack parameters for some elements
                return f"{name} cannot be computed ({str(error).splitlines()[0] if str(error) else error!r})"
            if _outside(value, ends):
                return f"{name} {value:.4g}, allowed is {_words(ends)}"
        return None

    return refuses


def exclude(setting: Path | ExcludedFile, context: FilterContext) -> Refuses:
    path = setting.file if isinstance(setting, ExcludedFile) else setting
    absolute = context.folder / path
    if not is_file(absolute):
        raise MoleculeError(f"filters.exclude: no file {absolute}; the path is relative to the campaign's folder")
    excluded = read_excluded(absolute, context.standardize, context.stereo)
    if not (isinstance(setting, ExcludedFile) and setting.skip_bad):
        refuse_bad_lines(absolute, excluded)

    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        return f"listed in {path}" if identity(smiles, context.stereo) in excluded.identities else None

    return refuses


def require_smarts(smarts: Sequence[str], _: FilterContext) -> Refuses:
    queries = [(text, Chem.MolFromSmarts(text)) for text in smarts]

    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        for text, query in queries:
            if not mol.HasSubstructMatch(query):
                return f"no {text}"
        return None

    return refuses


def forbid_smarts(smarts: Sequence[str], _: FilterContext) -> Refuses:
    queries = [(text, Chem.MolFromSmarts(text)) for text in smarts]

    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        for text, query in queries:
            if mol.HasSubstructMatch(query):
                return f"has {text}"
        return None

    return refuses


def unstable(refused: bool, _: FilterContext) -> Refuses | None:
    return (lambda mol, smiles: first_unstable(mol, outline_of(smiles))) if refused else None


def reactive(refused: bool, _: FilterContext) -> Refuses | None:
    return (lambda mol, smiles: first_reactive(mol, outline_of(smiles))) if refused else None


def known_rings(fewest: int, _: FilterContext) -> Refuses:
    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        key = first_unknown_ring_system(mol, fewest, outline=outline_of(smiles))
        return None if key is None else f"ring system {key} in {_fewer(fewest)}"

    return refuses


def known_groups(fewest: int, _: FilterContext) -> Refuses:
    def refuses(mol: Chem.Mol, smiles: str) -> str | None:
        key = first_unknown_group_pair(mol, fewest, outline=outline_of(smiles))
        return None if key is None else f"groups {key} in {_fewer(fewest)}"

    return refuses


def _fewer(fewest: int) -> str:
    return "no known molecule" if fewest == 1 else f"fewer than {fewest} known molecules"


def ionisable(what: str) -> Callable[[int, FilterContext], Refuses]:
    """Builder of the filter that caps the groups that give or take a proton."""

    def build(most: int, _: FilterContext) -> Refuses:
        def refuses(mol: Chem.Mol, smiles: str) -> str | None:
            groups = ionisable_groups(mol, what, outline_of(smiles))
            return (
                f"{what} {len(groups)} ({', '.join(groups)}), allowed is at most {most}" if len(groups) > most else None
            )

        return refuses

    return build


def alerts(sets: Sequence[str], _: FilterContext) -> Refuses:
    return lambda mol, smiles: first_alert(mol, sets, outline_of(smiles))
