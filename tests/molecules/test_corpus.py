"""The shipped corpus and its split; a user's file tokenised once, bad lines told again from the cache."""

from __future__ import annotations

import gzip
import re
import time
from pathlib import Path

import numpy as np
import pytest

from designloop.molecules import corpus
from designloop.molecules.chemistry import identity, standard_form
from designloop.molecules.codec import END, PAD, Codec
from designloop.molecules.corpus import TokenRows, tokenise, tokenised_file
from designloop.molecules.errors import MoleculeError
from designloop.molecules.reading import LineProblem

CODEC = corpus.zinc_codec()

# ---- the split


def test_split_is_of_the_sizes_that_are_told_and_covers_the_corpus() -> None:
    held, train = corpus.held_out_rows(), corpus.training_rows()
    assert len(corpus.zinc()) == len(set(corpus.zinc())) == 249_456
    assert held.shape == (5000,)
    assert np.array_equal(np.sort(np.concatenate([held, train])), np.arange(249_456))
    assert corpus.held_out_smiles()[17] == corpus.zinc()[held[17]]
    assert corpus.training_smiles()[-1] == corpus.zinc()[train[-1]]
    assert not np.array_equal(held, np.sort(held))  # in the order they were drawn: its first 500 are a fair sample
    with pytest.raises(ValueError, match="read-only"):
        held[0] = 1


_ATOM, _RING, _OPEN, _CLOSE = range(4)
_TOKEN = re.compile(r"\[[^\]]*\]|Br|Cl|%\d\d|[BCNOPSFIbcnops\d().]")
_IN_BRACKETS = re.compile(r"\[\d*([A-Z][a-z]?|[bcnops])")


def neighbourhoods(smiles: str, read: dict[str, tuple[int, int]]) -> int:
    """A number that follows from which heavy atoms are bound to which: each one's element and its neighbours'.

    Neither charge nor hydrogens, bond orders nor stereo change it, nor the order in which a molecule is written; so the
    standard form of a molecule of one fragment has the same. It is read from the text, forty times as fast as by RDKit.

    Args:
        read: what each token is, filled as they come.
    """
    elements: list[int] = []
    sums: list[int] = []
    open_rings: dict[str, int] = {}
    branches: list[int] = []
    last = -1
    for token in _TOKEN.findall(smiles):
        if token not in read:
            kind = {"(": _OPEN, ")": _CLOSE}.get(token, _RING if token[-1].isdigit() else _ATOM)
            bracket = _IN_BRACKETS.match(token)
            symbol = (bracket.group(1) if bracket else token).capitalize()
            read[token] = (kind, int.from_bytes(symbol.encode(), "big") ** 5)
        kind, element = read[token]
        if kind == _ATOM:
            elements.append(element)
            sums.append(0 if last < 0 else elements[last])
            if last >= 0:
                sums[last] += element
            last = len(elements) - 1
        elif kind == _OPEN:
            branches.append(last)
        elif kind == _CLOSE:
            last = branches.pop()
        elif token in open_rings:
            first = open_rings.pop(token)
            sums[first] += elements[last]
            sums[last] += elements[first]
        else:
            open_rings[token] = last
    return hash(tuple(sorted(zip(elements, sums, strict=True))))


def test_no_molecule_is_on_both_sides_of_the_split() -> None:
    """Under the RDKit that is installed no held-out molecule and no training molecule are one, not even but for stereo.

    All 5,000 held-out molecules are brought to standard form. Of the 244,456 others only those are whose heavy atoms
    are bound alike to some held-out one's: no other can be the same compound, for no step of the standard form binds,
    parts or drops heavy atoms of a molecule of one fragment (asked here of all that are standardised).
    """
    lines, held, train = corpus.zinc(), corpus.held_out_rows(), corpus.training_rows()
    assert not any("." in smiles for smiles in lines)  # molecules of one fragment
    read: dict[str, tuple[int, int]] = {}
    invariants = np.array([neighbourhoods(smiles, read) for smiles in lines])
    alike = train[np.isin(invariants[train], invariants[held])]
    forms = {int(row): standard_form(lines[row]) for row in [*held, *alike, *train[::500]]}
    differing = [row for row, form in forms.items() if neighbourhoods(form, read) != invariants[row]]
    assert differing == []
    held_out = {identity(forms[row], "ignore") for row in held.tolist()}
    assert len(held_out) == 5000  # unique among themselves too
    assert [lines[row] for row in alike.tolist() if identity(forms[row], "ignore") in held_out] == []
    assert len(alike) > 100  # a sieve that lets nothing through would prove nothing


def test_the_sieve_sees_through_writing_charge_and_stereo_alone() -> None:
    read: dict[str, tuple[int, int]] = {}

    def of(smiles: str) -> int:
        return neighbourhoods(smiles, read)

    assert of("C[C@H](N)C(=O)O") == of("[O-]C(=O)[C@@H](C)[NH3+]") == of("OC(=O)C(N)C")
    assert of("c1ccccc1Cl") == of("ClC1=CC=CC=C1") == of("C%11=CC=CC(Cl)=C%11")
    assert len({of(smiles) for smiles in ("CCCO", "CC(C)O", "CCOC", "CCCS", "CCC[O]C", "C1CC1O", "CC(Br)O")}) == 7


# ---- token rows


def test_token_rows_are_found_by_their_ends_and_taken_with_padding() -> None:
    rows = TokenRows.of_flat(np.array([5, END, 6, 7, 8, END, 9, 9, END], np.uint8))
    assert len(rows) == 3
    assert rows.lengths.tolist() == [2, 4, 3]
    taken = rows.take(np.array([2, 0, 2]))
    assert taken.tolist() == [[9, 9, END], [5, END, PAD], [9, 9, END]]
    assert taken.dtype == np.int64
    assert rows.take(np.array([1, 2])).tolist() == [[6, 7, 8, END], [9, 9, END, PAD]]
    assert len(TokenRows.of_flat(np.zeros(0, np.uint8))) == 0


def test_zinc_tokens_stand_row_for_row_and_are_of_the_lengths_that_are_told() -> None:
    rows = corpus.zinc_tokens()
    assert len(rows) == len(corpus.zinc())
    assert np.percentile(rows.lengths - 1, [5, 50, 95, 99, 100]).tolist() == [24, 37, 52, 58, 72]
    assert int(rows.flat.max()) < CODEC.size
    assert int(rows.flat.min()) == END


def test_tokens_that_do_not_fit_the_corpus_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "zinc", lambda: ("C",))
    with pytest.raises(MoleculeError, match=r"holds 249456 rows, zinc250k\.smi\.xz 1; reinstall the package"):
        corpus.zinc_tokens.__wrapped__()


def test_a_pool_makes_the_same_tokens_and_tells_the_same_lines() -> None:
    smiles = list(corpus.zinc()[:1200])
    smiles[3], smiles[1100] = "C[Si]", "nothing"
    progress: list[int] = []
    alone = tokenise(smiles, CODEC, processes=1, on_done=progress.append)
    pooled = tokenise(smiles, CODEC, processes=2, on_done=progress.append)
    assert progress == [1000, 1200] * 2
    assert np.array_equal(alone.flat, pooled.flat)
    assert alone.problems == pooled.problems
    assert [(problem.line, problem.text) for problem in alone.problems] == [(4, "C[Si]"), (1101, "nothing")]
    assert len(alone) == 1198
    shipped = corpus.zinc_tokens()
    assert np.array_equal(alone.take(np.array([0, 1197])), shipped.take(np.array([0, 1199])))


def test_nothing_to_tokenise() -> None:
    assert len(tokenise([], CODEC)) == 0


# ---- a user's file and the cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("DESIGNLOOP_CACHE", str(folder))
    return folder


def test_where_the_cache_lies(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert corpus.cache_folder() == cache
    monkeypatch.delenv("DESIGNLOOP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert corpus.cache_folder() == tmp_path / "designloop"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert corpus.cache_folder() == Path.home() / ".cache" / "designloop"


def test_a_file_is_tokenised_once_and_its_problems_come_again(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.smi"
    path.write_text("CCO a\nxx\nC[Si](C)(C)C\n\n" + "\n".join(corpus.zinc()[:500]) + "\nC1CC\n")
    began = time.perf_counter()
    first = tokenised_file(path, CODEC)
    between = time.perf_counter()
    second = tokenised_file(path, CODEC)
    assert time.perf_counter() - between < 0.2 * (between - began)
    assert np.array_equal(first.flat, second.flat)
    assert np.array_equal(first.starts, second.starts)
    assert first.problems == second.problems
    assert [(problem.line, problem.text) for problem in second.problems] == [
        (2, "xx"),
        (3, "C[Si](C)(C)C"),
        (505, "C1CC"),
    ]
    assert second.problems[0] == LineProblem(2, "xx", "not a SMILES that RDKit can read")
    assert "needs the SELFIES symbol [Si]" in second.problems[1].reason
    assert [file.suffix for file in cache.iterdir()] == [".npz"]


def test_the_cache_is_asked_and_not_only_as_fast(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What decides whether a file is tokenised again: bytes, ending, alphabet, the releases of RDKit and selfies."""
    path, other = tmp_path / "a.smi", tmp_path / "a.txt"
    path.write_text("CCO\nCC\n")
    other.write_text("CCO\nCC\n")
    done: list[int] = []
    tokenised_file(path, CODEC, done.append)
    tokenised_file(path, CODEC, done.append)
    assert done == [2]
    path.write_text("CCO\nCN\n")
    tokenised_file(path, CODEC, done.append)
    tokenised_file(other, CODEC, done.append)
    tokenised_file(path, Codec(CODEC.symbols, greatest_length=100), done.append)
    tokenised_file(path, Codec(CODEC.symbols[::-1]), done.append)
    assert done == [2] * 5
    for name in ("rdkit", "selfies"):
        monkeypatch.setattr("designloop.molecules.cache.version", lambda asked, name=name: f"{asked == name}")
        tokenised_file(path, CODEC, done.append)
    assert done == [2] * 7
    assert len(list(cache.iterdir())) == 7


def test_a_packed_file_is_read_by_its_own_ending(cache: Path, tmp_path: Path) -> None:
    """The same bytes are a table under one name and lines under another."""
    table, lines = tmp_path / "a.csv.gz", tmp_path / "a.smi.gz"
    table.write_bytes(gzip.compress(b"name,smiles\nC,CCO\nCC,CCN\n"))
    lines.write_bytes(table.read_bytes())
    assert CODEC.selfies_of(tokenised_file(table, CODEC).take(np.arange(2))) == ["[C][C][O]", "[C][C][N]"]
    with pytest.raises(MoleculeError):  # its lines are "C,CCO", and its cache not the table's
        tokenised_file(lines, CODEC)


def test_a_damaged_copy_is_made_again(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.smi"
    path.write_text("CCO\nCC\n")
    whole = tokenised_file(path, CODEC)
    (kept,) = cache.iterdir()
    for damage in (kept.read_bytes()[:50], kept.read_bytes()[:-50], b"", b"junk" * 100):
        kept.write_bytes(damage)
        assert np.array_equal(tokenised_file(path, CODEC).flat, whole.flat)
        assert kept.read_bytes() != damage


def test_a_file_of_which_nothing_can_be_learned_is_told_and_not_kept(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "silanes.smi"
    path.write_text("C[Si](C)(C)C\nCC[Si]\n")
    with pytest.raises(MoleculeError, match=r"silanes\.smi: none of its 2 molecules can be expressed by the model's"):
        tokenised_file(path, CODEC)
    with pytest.raises(MoleculeError, match=r"gone\.smi is not a file; give a \.smi, \.csv or \.parquet file"):
        tokenised_file(tmp_path / "gone.smi", CODEC)
    path.write_text("nothing\n")
    with pytest.raises(MoleculeError, match="holds no molecule that RDKit can read; line 1 holds 'nothing'"):
        tokenised_file(path, CODEC)
    assert not cache.exists()
