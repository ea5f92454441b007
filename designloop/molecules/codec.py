"""SMILES <-> SELFIES <-> token tensors, under one frozen alphabet.

Token 0 is padding and token 1 the end mark; every molecule is its SELFIES symbols followed by one end mark. The
alphabet, the greatest length, the version of ``selfies`` and its semantic constraints (which are global state in that
library) belong to the codec and travel with the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.metadata import version

import numpy as np
import selfies
from rdkit import Chem, rdBase

from designloop.molecules.errors import MoleculeError
from designloop.molecules.parsing import TEXT_CACHE_SIZE, parse_anew, shown

PAD, END = 0, 1
_SPECIAL = ("<pad>", "<end>")
GREATEST_LENGTH = 128
"""SELFIES symbols a molecule may have, the end mark apart (venetoclax takes 109)."""


@dataclass(frozen=True)
class Codec:
    """A frozen alphabet with the SELFIES semantics under which it was made."""

    symbols: tuple[str, ...]
    """SELFIES symbols in token order; symbol i is token i + 2."""
    greatest_length: int = GREATEST_LENGTH
    constraints: Mapping[str, int] = field(default_factory=lambda: dict(selfies.get_preset_constraints("default")))
    """Bonds each atom may have, by symbol, as ``selfies.set_semantic_constraints`` takes them."""
    selfies_version: str = field(default_factory=lambda: version("selfies"))
    """Of the release; what ``selfies.__version__`` says was not always kept up with it."""

    def __post_init__(self) -> None:
        if len(set(self.symbols)) != len(self.symbols) or self.size > 256:
            raise MoleculeError(
                f"the alphabet has {len(self.symbols)} symbols, {len(set(self.symbols))} of them distinct; "
                "give at most 254 distinct ones, so that a token fits a byte"
            )

    @cached_property
    def _token_of(self) -> dict[str, int]:
        return {symbol: token for token, symbol in enumerate(self.symbols, start=len(_SPECIAL))}

    @cached_property
    def _symbol_of(self) -> tuple[str, ...]:
        return ("",) * len(_SPECIAL) + self.symbols

    @property
    def size(self) -> int:
        """Number of tokens, padding and end mark included."""
        return len(self.symbols) + len(_SPECIAL)

    # ---- SMILES -> SELFIES -> tokens

    @lru_cache(TEXT_CACHE_SIZE)  # noqa: B019  # a program has few codecs, and they live as long as it does
    def to_selfies(self, smiles: str) -> str:
        """SELFIES of RDKit's canonical isomeric SMILES of a molecule.

        Writing it anew first also mends what selfies refuses, such as nitro groups written ``O=N(=O)``.

        Raises:
            MoleculeError: not a molecule; a symbol that the alphabet lacks; longer than ``greatest_length``.
        """
        mol = parse_anew(smiles)
        if mol is None or mol.GetNumAtoms() == 0:
            raise MoleculeError(f"{shown(smiles)} is not a molecule that RDKit can read; check the SMILES")
        written = Chem.MolToSmiles(mol)
        with self.semantics():
            try:
                encoded = str(selfies.encoder(written))
            except selfies.EncoderError as error:
                raise MoleculeError(
                    f"{shown(smiles)} cannot be written as SELFIES ({_reason(error)}); "
                    "it can be scored, but the model cannot learn from it"
                ) from error
        self.tokens(encoded, of=smiles)
        return encoded

    def tokens(self, selfies_string: str, of: str | None = None) -> np.ndarray:
        """Token numbers of a SELFIES string, end mark last.

        Returns:
            (length + 1,) uint8.

        Raises:
            MoleculeError: names the symbol that the alphabet lacks, or the length; or it is no SELFIES string.
        """
        what = repr(of if of is not None else selfies_string)
        if not selfies_string:
            raise MoleculeError(f"{what} is empty; give a molecule with at least one atom")
        try:
            symbols = list(selfies.split_selfies(selfies_string))
        except ValueError:  # a bracket that is not closed
            symbols = []
        if "".join(symbols) != selfies_string:
            raise MoleculeError(f"{what} is not SELFIES, which is symbols in brackets like [C][=O]; encode the SMILES")
        if len(symbols) > self.greatest_length:
            raise MoleculeError(
                f"{what} takes {len(symbols)} SELFIES symbols, the model holds at most {self.greatest_length}; "
                "it can be scored, but the model cannot learn from it"
            )
        try:
            numbers = [self._token_of[symbol] for symbol in symbols]
        except KeyError as error:
            raise MoleculeError(
                f"{what} needs the SELFIES symbol {error.args[0]}, which is not in the model's alphabet of "
                f"{len(self.symbols)}; it can be scored, but the model cannot learn from it"
            ) from None
        return np.array([*numbers, END], dtype=np.uint8)

    def pad(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """One rectangle of token rows, padded at the end.

        Returns:
            (batch, longest row) int64.
        """
        out = np.full((len(rows), max((len(row) for row in rows), default=0)), PAD, dtype=np.int64)
        for index, row in enumerate(rows):
            out[index, : len(row)] = row
        return out

    # ---- tokens -> SELFIES -> SMILES

    def selfies_of(self, tokens: np.ndarray) -> list[str]:
        """SELFIES of token rows, each up to its end mark.

        Args:
            tokens: (batch, length) integers.
        """
        ended = tokens == END
        lengths = np.where(ended.any(1), ended.argmax(1), tokens.shape[1]).tolist()
        names = self._symbol_of
        return ["".join([names[t] for t in row[:n]]) for row, n in zip(tokens.tolist(), lengths, strict=True)]

    @lru_cache(TEXT_CACHE_SIZE)  # noqa: B019
    def to_smiles(self, selfies_string: str) -> str | None:
        """RDKit's canonical isomeric SMILES of a SELFIES string; None where it decodes to no atom at all.

        Raises:
            MoleculeError: not SELFIES.
        """
        with self.semantics():
            try:
                decoded = selfies.decoder(selfies_string)
            except selfies.DecoderError as error:
                said = str(error).splitlines()[0]
                raise MoleculeError(
                    f"{selfies_string!r} is not SELFIES ({said}); give symbols in brackets like [C][=O]"
                ) from error
        if not decoded:
            return None
        with rdBase.BlockLogs():
            mol = Chem.MolFromSmiles(decoded)
        return Chem.MolToSmiles(mol) if mol is not None and mol.GetNumAtoms() else None

    def to_smiles_many(self, strings: Sequence[str], pool: Executor | None = None) -> list[str | None]:
        """Canonical SMILES of many SELFIES strings, in a process pool where one is given."""
        if pool is None or len(strings) < 200:
            return [self.to_smiles(text) for text in strings]
        return list(pool.map(self.to_smiles, strings, chunksize=100))

    # ---- the semantics and the file

    @contextmanager
    def semantics(self) -> Iterator[None]:
        """Runs a block under this codec's semantic constraints, which are global state of ``selfies``."""
        before = selfies.get_semantic_constraints()
        if before == self.constraints:
            yield
            return
        selfies.set_semantic_constraints(dict(self.constraints))
        try:
            yield
        finally:
            selfies.set_semantic_constraints(before)

    def to_json(self) -> str:
        """The codec as JSON; ``from_json`` reads it."""
        return json.dumps(
            {
                "symbols": list(self.symbols),
                "greatest_length": self.greatest_length,
                "constraints": dict(self.constraints),
                "selfies_version": self.selfies_version,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Codec:
        """The codec that ``to_json`` wrote."""
        raw = json.loads(text)
        return cls(tuple(raw["symbols"]), raw["greatest_length"], raw["constraints"], raw["selfies_version"])

    def __hash__(self) -> int:
        return hash((self.symbols, self.greatest_length, self.selfies_version))


def _reason(error: selfies.EncoderError) -> str:
    """What selfies holds against a molecule, with the atom that it is about."""
    parser_says = getattr(error.__cause__, "reason", None)
    if parser_says is not None:
        return str(parser_says)
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return said[-1] if len(said) > 2 else said[0]  # "violates …", the SMILES, then the atoms
