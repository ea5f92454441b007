"""What becomes of a campaign when a file that it left is damaged: told, healed or refused, never another answer.

Each file of a finished campaign is cut short, overwritten, emptied, removed or changed in a single bit, in a copy, and
the verbs are asked again. An answer must be the one that the whole campaign gives; or be accompanied by a sentence that
names the file; or be refused by one of our own errors that does.

    tried = list(try_damages(folder, damages(folder, of=("small", "small.ledger.sqlite"), each=3), questions, scratch))
    assert not [one for one in tried if one.is_wrong]
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from designloop.loop.config.problems import CampaignError
from designloop.molecules.errors import MoleculeError
from designloop.tables import QueryError, TableError
from designloop.tables.ledger import LedgerError

OURS = (CampaignError, LedgerError, MoleculeError, QueryError, TableError)
"""Errors that are no traceback."""

Outcome = Literal["same", "told", "refused", "changed in silence", "another error"]


def cut_short(content: bytes, rng: random.Random) -> bytes:
    """The beginning of the file, as a full disk or a torn copy leaves it."""
    return content[: rng.randrange(len(content))] if content else b""


def one_bit(content: bytes, rng: random.Random) -> bytes:
    """A bit turned, as memory and disks do it."""
    return _replaced(content, rng.randrange(len(content)), 1 << rng.randrange(8)) if content else b"\0"


def one_digit(content: bytes, rng: random.Random) -> bytes:
    """A digit made another, as an editor does it; a bit turned where there is no digit."""
    places = [place for place, byte in enumerate(content) if byte in b"0123456789"]
    if not places:
        return one_bit(content, rng)
    place = rng.choice(places)
    other = rng.choice([byte for byte in b"0123456789" if byte != content[place]])
    return content[:place] + bytes([other]) + content[place + 1 :]


def not_utf_8(content: bytes, rng: random.Random) -> bytes:
    """A byte that no UTF-8 text holds, in the place of another."""
    place = rng.randrange(len(content) or 1)
    return content[:place] + b"\xff" + content[place + 1 :]


def zeros(content: bytes, rng: random.Random) -> bytes:
    """A block of zeros in the place of what was written, as a power cut leaves it."""
    begin = rng.randrange(len(content) or 1)
    size = min(rng.choice([16, 512, 4096]), len(content) - begin)
    return content[:begin] + bytes(size) + content[begin + size :]


def garbage(content: bytes, rng: random.Random) -> bytes:
    """As many bytes of something else."""
    return rng.randbytes(len(content) or 100)


def longer(content: bytes, rng: random.Random) -> bytes:
    """The file, and a part of it again."""
    return content + content[rng.randrange(len(content) or 1) :]


def empty(content: bytes, rng: random.Random) -> bytes:
    """Nothing, as an interrupted copy leaves it."""
    return b""


KINDS: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    each.__name__: each for each in (cut_short, one_bit, one_digit, not_utf_8, zeros, garbage, longer, empty)
}
"""Name -> what is done to a file's content."""

REMOVED, FOLDER = "removed", "a_folder_instead"
"""Two more kinds: the file is gone; a folder lies where it was, which cannot be read by whoever it is that asks."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing done to one file."""

    file: str
    """Its path in the campaign's folder."""
    kind: str
    seed: int = 0

    def do(self, folder: Path) -> None:
        """Damages the file in a folder."""
        path = folder / self.file
        if self.kind in (REMOVED, FOLDER):
            path.unlink()
            if self.kind == FOLDER:
                path.mkdir()
        else:
            path.write_bytes(KINDS[self.kind](path.read_bytes(), random.Random(f"{self.file} {self.kind} {self.seed}")))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb gave."""

    value: object
    """To be compared."""
    told: Sequence[str] = ()
    """What it said beside it."""


Question = Callable[[Path], Answer]
"""Asks a verb about a copy of the folder."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What one damage did to one question."""

    damage: Damage
    question: str
    outcome: Outcome
    said: str
    """The sentences or the error; for what is wrong, how."""

    @property
    def is_wrong(self) -> bool:
        """Whether it is what must not be."""
        return self.outcome in ("changed in silence", "another error")


def damages(folder: Path, of: Sequence[str], each: int = 1) -> list[Damage]:
    """Every kind of damage to every file, those at a random place ``each`` times.

    Args:
        folder: where the campaign lies.
        of: files and folders in it whose files are damaged.
    """
    paths = [path for name in of for path in (folder / name, *(folder / name).rglob("*"))]
    files = sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file())
    once = (REMOVED, FOLDER, empty.__name__)
    kinds = [(kind, seed) for kind in (*KINDS, REMOVED, FOLDER) for seed in range(1 if kind in once else each)]
    return [Damage(file, kind, seed) for file in files for kind, seed in kinds]


def try_damages(
    folder: Path, wanted: Sequence[Damage], questions: Mapping[str, Question], scratch: Path
) -> Iterator[Tried]:
    """What each damage does to each question.

    Args:
        folder: where the whole campaign lies; it is only copied.
        scratch: where copies are made and removed again; it is the same place for all, since answers may name it.
    """
    copy = scratch / folder.name
    whole: dict[str, Answer] = {}
    for name, ask in questions.items():
        shutil.copytree(folder, copy)
        whole[name] = ask(copy)
        shutil.rmtree(copy)
    for damage in wanted:
        for name, ask in questions.items():
            shutil.copytree(folder, copy)
            try:
                damage.do(copy)
                yield _tried(damage, name, ask, copy, whole[name])
            finally:
                shutil.rmtree(copy)


def _tried(damage: Damage, name: str, ask: Question, folder: Path, whole: Answer) -> Tried:
    """What is to be said of the answer that a damaged folder gives."""
    try:
        answer = ask(folder)
    except OURS as error:
        said = str(error)
        named: Outcome = "refused" if damage.file in said else "another error"
        return Tried(damage, name, named, said)
    except Exception as error:
        return Tried(damage, name, "another error", f"{type(error).__name__}: {error}")
    said = "; ".join(remark for remark in answer.told if remark not in whole.told)
    if answer.value == whole.value:
        return Tried(damage, name, "told" if said else "same", said)
    if damage.file in said:
        return Tried(damage, name, "told", said)
    return Tried(damage, name, "changed in silence", f"{answer.value} instead of {whole.value}")


def _replaced(content: bytes, place: int, bits: int) -> bytes:
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]
