"""Files of molecules as people have them; every bad line is told by its number, none is dropped in silence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from designloop.molecules.errors import MoleculeError
from designloop.molecules.reading import LineProblem, read_molecules
from designloop.testing.odd_files import PATHS, FileCase, damaged, file_faults, mol_block, sdf, well_formed
from designloop.testing.odd_tables import ODD_FILES, REFUSED_FILES

NOT_READ = "not a SMILES that RDKit can read"


def write(folder: Path, name: str, data: bytes | str | pa.Table) -> Path:
    path = folder / name
    if isinstance(data, bytes):
        path.write_bytes(data)
    elif isinstance(data, str):
        path.write_text(data, encoding="utf-8", newline="")
    else:
        pq.write_table(data, path)
    return path


def test_smi_with_names_windows_newlines_and_bad_lines(tmp_path: Path) -> None:
    text = "CCO ethanol\r\nbad one\r\n\r\n# a remark\r\nC1CC open ring\r\nCC\ttwo words\r\n  CN  \r\nCO a\tb"
    read = read_molecules(write(tmp_path, "a.smi", text))
    assert read.smiles == ["CCO", "CC", "CN", "CO"]
    assert read.names == ["ethanol", "two words", "", "a\tb"]
    assert read.lines == [1, 6, 7, 8]
    assert read.problems == [LineProblem(2, "bad", NOT_READ), LineProblem(5, "C1CC", NOT_READ)]


def test_a_name_behind_a_space_and_more_behind_a_tab(tmp_path: Path) -> None:
    read = read_molecules(write(tmp_path, "a.smi", "CCO ethanol\t46.07\n"))
    assert (read.smiles, read.names) == (["CCO"], ["ethanol\t46.07"])


@pytest.mark.parametrize("name", ["a.smi", "a.smiles", "a.txt", "A.SMI"])
@pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf", b"SMILES name\n", b"\xef\xbb\xbfsmiles\n"])
def test_smi_with_or_without_byte_order_mark_and_header(tmp_path: Path, name: str, head: bytes) -> None:
    read = read_molecules(write(tmp_path, name, head + b"CCO a\nCC b\n"))
    assert (read.smiles, read.names, read.problems) == (["CCO", "CC"], ["a", "b"], [])
    assert read.lines == ([2, 3] if b"\n" in head else [1, 2])


def test_a_molecule_in_the_first_line_is_no_header(tmp_path: Path) -> None:
    assert read_molecules(write(tmp_path, "a.smi", "C\nsmiles\n")).problems == [LineProblem(2, "smiles", NOT_READ)]


def test_csv_with_windows_newlines_bad_and_empty_and_short_rows(tmp_path: Path) -> None:
    text = 'name,Smiles\r\neth,CCO\r\n\r\nbad,xx\r\nnone,\r\nshort\r\n"multi\r\nline", CC \r\n"a, b",C\r\n'
    read = read_molecules(write(tmp_path, "a.csv", text))
    assert read.smiles == ["CCO", "CC", "C"]
    assert read.names == ["eth", "multi\r\nline", "a, b"]
    assert read.lines == [2, 8, 9]
    assert read.problems == [
        LineProblem(4, "xx", NOT_READ),
        LineProblem(5, "", "empty"),
        LineProblem(6, "", "empty"),
    ]


@pytest.mark.parametrize("column", ["smiles", "SMILES", " Smiles ", "canonical_smiles", "structure", "smi"])
def test_csv_columns_by_their_usual_names(tmp_path: Path, column: str) -> None:
    read = read_molecules(write(tmp_path, "a.csv", f"\ufeffID,{column}\n7,CCO\n"))
    assert (read.smiles, read.names) == (["CCO"], ["7"])


def test_tsv_and_old_macintosh_newlines(tmp_path: Path) -> None:
    assert read_molecules(write(tmp_path, "a.tsv", "title\tsmiles\ne, t\tCCO\n")).names == ["e, t"]
    assert read_molecules(write(tmp_path, "a.csv", "smiles,name\rCCO,1\rCC,2\r")).smiles == ["CCO", "CC"]


def test_parquet_with_nulls(tmp_path: Path) -> None:
    table = pa.table({"SMILES": ["CCO", None, "xx", "CC"], "id": [1, 2, 3, None]})
    read = read_molecules(write(tmp_path, "a.parquet", table))
    assert (read.smiles, read.names, read.lines) == (["CCO", "CC"], ["1", ""], [1, 4])
    assert read.problems == [LineProblem(2, "", "empty"), LineProblem(3, "xx", NOT_READ)]


def test_parquet_in_a_folder_named_like_a_partition(tmp_path: Path) -> None:
    (tmp_path / "run=3").mkdir()
    read = read_molecules(write(tmp_path, "run=3/a.parquet", pa.table({"smiles": ["CCO"]})))
    assert (read.smiles, read.names) == (["CCO"], [""])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("chembl.csv", '"ChEMBL ID";"Name";"Smiles"\n"CHEMBL545";"eth, anol";"CCO"\n"CHEMBL116";"";"CC"\n'),
        ("excel.csv", "sep=;\nID;SMILES;IC50\nCHEMBL545;CCO;1,5\nCHEMBL116;CC;2\n"),
        ("excel_comma.csv", "sep=,\r\nid,smiles\r\nCHEMBL545,CCO\r\nCHEMBL116,CC\r\n"),
        ("tabs.csv", "compound_id\tIsomeric SMILES\tpIC50\nCHEMBL545\tCCO\t6.1\nCHEMBL116\tCC\t5\n"),
        ("commas.tsv", "Compound ID,Canonical_Smiles\nCHEMBL545,CCO\nCHEMBL116,CC\n"),
        ("plain.csv", "Compound,SMILES\nCHEMBL545,CCO\nCHEMBL116,CC\n"),
        ("empty_rows.csv", "name,smiles,x\nCHEMBL545,CCO,1\n,,\n , ,\n\nCHEMBL116,CC,2\n,,\n"),
        ("named.csv", "smiles\nCCO CHEMBL545\nCC CHEMBL116\n"),
        ("cxsmiles.csv", "smiles,name\nCCO |$;;R1$|,CHEMBL545\nCC |c:0| CHEMBL116,\n"),
        ("cxsmiles.smi", "CCO |$;;R1$| CHEMBL545\nCC |c:0| CHEMBL116\n"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_tables_as_people_have_them(tmp_path: Path, name: str, text: str, packed: bool) -> None:
    path = write(tmp_path, name + ".gz" * packed, gzip.compress(text.encode(), mtime=0) if packed else text)
    read = read_molecules(path)
    assert (read.smiles, read.problems) == (["CCO", "CC"], [])
    expected = (
        ["eth, anol", ""] if name == "chembl.csv" and read.names[0] == "eth, anol" else ["CHEMBL545", "CHEMBL116"]
    )
    assert read.names == expected


@pytest.mark.parametrize("text", ["CCO\nCC\n", "CCO,1\nCC,2\n", "1;CCO\n2;CC\n", "CCO\t1.5\n\nCC\t2\n"])
def test_a_table_without_a_header_is_read_where_its_rows_hold_smiles(tmp_path: Path, text: str) -> None:
    read = read_molecules(write(tmp_path, "a.csv", text))
    assert (read.smiles, read.names, read.problems) == (["CCO", "CC"], ["", ""], [])
    assert read.lines == [1, 3 if "\n\n" in text else 2]


def test_a_row_that_holds_all_but_a_molecule_is_told(tmp_path: Path) -> None:
    read = read_molecules(write(tmp_path, "a.csv", "smiles;name\nCCO;a\n;b\n"))
    assert read.problems == [LineProblem(3, "", "empty")]


def test_other_columns_travel_along_where_they_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,pIC50,smiles,note\n1,6.5,CCO,\n2,,xx,lost\n3,7,CC\n")
    assert read_molecules(path).columns == {}
    read = read_molecules(path, columns=True)
    assert (read.smiles, read.names) == (["CCO", "CC"], ["1", "3"])
    assert read.columns == {"pIC50": ["6.5", "7"], "note": ["", ""]}
    table = pa.table({"smiles": ["CCO", "CC"], "pIC50": [6.5, None]})
    assert read_molecules(write(tmp_path, "a.parquet", table), columns=True).columns == {"pIC50": ["6.5", ""]}


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode(), mtime=0)])
def test_sdf(tmp_path: Path, pack: Callable[[str], bytes]) -> None:
    broken = mol_block("CCC").replace(" C ", " Zz", 1)
    text = sdf(
        f"{mol_block('C[C@H](O)c1ccccc1', 'first')}>  <pIC50>  (1)\n6.5\n\n>  <note>\ntwo\nlines\n",
        f"{mol_block('CCO')}>  <ChEMBL ID>\nCHEMBL545\n",
        broken,
        mol_block("CC", "last"),
    )
    packed = pack(text)
    read = read_molecules(write(tmp_path, "a.sdf" if packed == text.encode() else "a.sdf.gz", packed), columns=True)
    assert read.smiles == ["C[C@H](O)c1ccccc1", "CCO", "CC"]
    assert read.names == ["first", "CHEMBL545", "last"]
    line = text[: text.index("Zz")].count("$$$$\n") and text[: text.index(broken)].count("\n") + 1
    assert read.problems == [LineProblem(line, f"the record of line {line}", "not a mol block that RDKit can read")]
    assert read.columns == {
        "pIC50": ["6.5", "", ""],
        "note": ["two\nlines", "", ""],
        "ChEMBL ID": ["", "CHEMBL545", ""],
    }


def test_zero_bytes_among_the_text_are_a_bad_line(tmp_path: Path) -> None:
    read = read_molecules(write(tmp_path, "a.smi", b"C\0C x\nCC\n\0\0\n"))
    assert read.smiles == ["CC"]
    assert [problem.line for problem in read.problems] == [1, 3]


@pytest.mark.parametrize("case", REFUSED_FILES, ids=lambda case: case.name)
def test_what_is_no_file_of_molecules_is_told(tmp_path: Path, case: FileCase) -> None:
    assert file_faults(case, tmp_path) == []


@pytest.mark.parametrize("case", ODD_FILES, ids=lambda case: case.name)
def test_what_cannot_be_used_in_a_file_is_told_by_its_line(tmp_path: Path, case: FileCase) -> None:
    assert file_faults(case, tmp_path) == []


@pytest.mark.parametrize("case", PATHS, ids=lambda case: ascii(case.name[:20]))
def test_what_is_no_file_that_can_be_read_is_told(tmp_path: Path, case: FileCase) -> None:
    assert file_faults(case, tmp_path) == []


def test_files_in_every_way_of_writing_them_hold_the_same_molecules(tmp_path: Path) -> None:
    cases = list(well_formed())[::5]
    assert {(case.name, case.label): faults for case in cases if (faults := file_faults(case, tmp_path))} == {}


def test_whatever_is_left_of_a_damaged_file_is_read_or_refused_by_its_name(tmp_path: Path) -> None:
    cases = list(damaged(repeats=2))[::4]
    assert {(case.name, case.label): faults for case in cases if (faults := file_faults(case, tmp_path))} == {}


def test_a_reader_that_is_wrong_is_seen(tmp_path: Path) -> None:
    plain = FileCase("a.smi", b"CCO a\nC1CC\n", ["CCO"], ["a"], "a.smi:2: 'C1CC' is not a SMILES")
    assert file_faults(plain, tmp_path) == []
    for wrong, kind in (
        (replace(plain, smiles=None), "silent: it is read"),
        (replace(plain, smiles=["CC"]), "silent: it holds"),
        (replace(plain, names=["b"]), "silent: its names"),
        (replace(plain, told=""), "silent: of lines left out"),
        (replace(plain, content=b""), "message: it is refused"),
        (FileCase("a.smi", b"", told="of another kind"), "message: it does not say"),
    ):
        (tmp_path / "a.smi").unlink()
        faults = file_faults(wrong, tmp_path)
        assert len(faults) == 1
        assert faults[0].startswith(kind)


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(
        MoleculeError, match=r"gone\.smi is not a file; give a \.smi, \.csv, \.tsv, \.sdf or \.parquet file"
    ):
        read_molecules(str(tmp_path / "gone.smi"))
    with pytest.raises(MoleculeError, match="is not a file"):
        read_molecules(tmp_path)
