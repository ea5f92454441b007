"""What a SMARTS says that its writer did not mean."""

from __future__ import annotations

from rdkit import Chem, rdBase

_AROMATIC = Chem.BondType.AROMATIC


def kekule_hint(smarts: str) -> str | None:
    """Says how to write a SMARTS whose aromatic ring is drawn with double bonds; None where no ring is.

    RDKit's molecules have aromatic bonds in such rings, so that `C1=CC=CC=C1` matches no benzene: in SMARTS, `=` and
    `C` are neither aromatic bonds nor aromatic atoms.
    """
    with rdBase.BlockLogs():
        query = Chem.MolFromSmarts(smarts)
        plain = None if query is None else _as_plain_molecule(query)
    if query is None or plain is None:
        return None
    meant = [
        bond
        for bond in query.GetBonds()
        if _is_double(bond) and plain.GetBondWithIdx(bond.GetIdx()).GetBondType() == _AROMATIC
    ]
    if not meant:
        return None
    with rdBase.BlockLogs():
        as_smiles = Chem.MolFromSmiles(smarts)
    written = "its aromatic atoms in small letters" if as_smiles is None else repr(Chem.MolToSmiles(as_smiles))
    return f"{smarts!r} matches no aromatic ring, as it is drawn with double bonds; write {written}"


def _is_double(bond: Chem.Bond) -> bool:
    """Whether a bond of a query is `=` and nothing else, which matches no aromatic bond."""
    return str(bond.GetSmarts()) == "="


def _plain_type(bond: Chem.Bond) -> Chem.BondType:
    return {"=": Chem.BondType.DOUBLE, "#": Chem.BondType.TRIPLE}.get(bond.GetSmarts(), Chem.BondType.SINGLE)


def _as_plain_molecule(query: Chem.Mol) -> Chem.Mol | None:
    """The molecule that a query looks like, its aromaticity perceived; None where RDKit can make none of it.

    An atom of several elements is its first, one of any element carbon; bonds that say nothing are single.
    """
    plain = Chem.RWMol()
    for atom in query.GetAtoms():
        plain.AddAtom(Chem.Atom(atom.GetAtomicNum() or 6))
        plain.GetAtomWithIdx(atom.GetIdx()).SetFormalCharge(atom.GetFormalCharge())
        plain.GetAtomWithIdx(atom.GetIdx()).SetIsAromatic(atom.GetIsAromatic())
    for bond in query.GetBonds():
        ends = bond.GetBeginAtom(), bond.GetEndAtom()
        is_aromatic = bond.GetSmarts() in ("", ":") and all(atom.GetIsAromatic() for atom in ends)
        plain.AddBond(*(atom.GetIdx() for atom in ends), _AROMATIC if is_aromatic else _plain_type(bond))
    molecule = plain.GetMol()
    try:
        Chem.SanitizeMol(molecule)
    except ValueError:
        return None
    return molecule
