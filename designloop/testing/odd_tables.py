"""Files of molecules by hand: those that are refused, and those of which some lines are left out and told."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
from bz2 import compress as bzip2

import pyarrow as pa

from designloop.testing.odd_files import FileCase, mol_block, parquet, sdf


def _workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>" * 20)
    return file.getvalue()


_HTML = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>CCO</body></html>\n"
_XML = b"\xef\xbb\xbf<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>\n"
_ETHANOL = mol_block("CCO")
_NO_MOLECULE = "holds no molecule that RDKit can read"
_QUOTE = r"^:2: cannot be read as a table \(.*look for a quote in this row or behind it that is not closed"

REFUSED_FILES = (
    FileCase("junk.smi", bytes(range(256)), told=r":2: not UTF-8 text \(invalid start byte\); save it as UTF-8"),
    FileCase("latin.smi", b"CC\n" * 9000 + b"CC caf\xe9\n", told=r":9001: not UTF-8 text .*; save it as UTF-8"),
    FileCase("latin.csv", b"smiles,name\nCC,caf\xe9\n", told=":2: not UTF-8 text"),
    FileCase("latin.sdf", f"{_ETHANOL}> <n>\ncafé\n\n$$$$\n".encode("latin-1"), told=r":\d+: not UTF-8 text"),
    FileCase("japanese.tsv", "名前\tsmiles\nエタノール\tCCO\n".encode("shift-jis"), told=":1: not UTF-8 text"),
    FileCase("utf16.smi", "CCO a\n".encode("utf-16"), told=":1: not UTF-8 text"),
    FileCase("utf16.csv", "smiles,name\nCCO,a\n".encode("utf-16"), told=":1: not UTF-8 text"),
    FileCase("utf16_plain.csv", "smiles,name\nCCO,a\n".encode("utf-16-le"), told="of its first 36 bytes 18 are zero"),
    FileCase("utf16_big.smi", "CCO a\n".encode("utf-16-be"), told="are zero; save it as UTF-8"),
    FileCase("utf32.smi", "CCO a\n".encode("utf-32"), told=":1: not UTF-8 text|save it as UTF-8"),
    FileCase("empty.smi", b"", told=f"{_NO_MOLECULE}; give one SMILES a line"),
    FileCase("blank.smi", b"\n  \n", told=_NO_MOLECULE),
    FileCase("words.smi", b"no\nmolecule\n", told=f"{_NO_MOLECULE}; line 1 holds 'no'; give one SMILES a line"),
    FileCase("table.smi", b"smiles,name\nCCO,1\n", told="line 1 holds 'smiles,name'"),
    FileCase("empty.csv", b"", told=r"has the columns \(none\), expected one named smiles; rename it"),
    FileCase("blank.csv", b"\n\n \n", told=r"has the columns \(none\), expected one named smiles"),
    FileCase("head.csv", b"smiles\n", told=f"{_NO_MOLECULE}; give SMILES in a column smiles"),
    FileCase("a.csv", b"a,b\nCCO,1\n", told="has the columns a, b, expected one named smiles; rename it"),
    FileCase("semicolon.csv", b"a;b\nCCO;1\n", told="has the columns a;b, expected one named smiles"),
    FileCase(
        "pipes.csv",
        b"smiles|name\nCCO|a\n",
        told=r"part the columns by commas, .*a line sep=\| above",
    ),
    FileCase("spaces.csv", b"smiles name\nCCO a\n", told="expected one named smiles; part the columns by commas"),
    FileCase("colons.csv", b"id:SMILES\n1:CCO\n", told="part the columns by .*, or write a line sep=: above"),
    FileCase("single_quotes.csv", b"'smiles','n'\n'CCO','a'\n", told="write it without these quotes"),
    FileCase("inchis.csv", b'InChI,n\n"InChI=1S/CH4/h1H4",1\n', told="InChI is not read: add a column smiles"),
    FileCase("keys.csv", b"Standard InChI Key,n\nX,1\n", told="InChI is not read: add a column smiles"),
    FileCase("twice.csv", b"smiles,SMILES\nCCO,CCN\n", told="has more than one column named smiles; rename"),
    FileCase("report.csv", b"Report of May\n\nsmiles,n\nCCO,1\n", told="has the columns Report of May, expected"),
    FileCase("remark.csv", b"# by hand\nsmiles,n\nCCO,1\n", told="has the columns # by hand, expected"),
    FileCase("wide.csv", b",".join(b"column%d" % n for n in range(9999)) + b"\n1\n", told=r"has the columns .*…, expe"),
    FileCase("other_name.csv", b"mol_smiles,n\nCCO,1\n", told="has the columns mol_smiles, n, expected one named"),
    FileCase("two.csv", b"CCO,C\nCC,N\n", told="no header, and columns 1 and 2 hold SMILES; name one of them smiles"),
    FileCase("ids.csv", b"C1CC1;7;CCO\nN;8;CC\n", told="no header, and columns 1 and 3 hold SMILES"),
    FileCase("row_names.csv", b'"smiles","p"\n"1","CCO",6\n', told="line 2 holds '1' .in a row of 3 cells, expected 2"),
    FileCase("tail.csv", b"smiles,n\nCCO |$;R1,;$|,a\n", told="in a row of 3 cells, expected 2 at most: quote a text"),
    FileCase("quoted.csv", b"smiles,n\n'CCO',a\n", told=r'line 2 holds "\'CCO\'" \(stands in quotes; give it without'),
    FileCase("quote.csv", b'smiles\n"CC\n' + b"CC\n" * 60000, told=_QUOTE),
    FileCase("open_smiles.csv", b'smiles,n\n"CCO,a\nCC,b\n', told=_QUOTE),
    FileCase("open_name.csv", b'smiles,n\nCCO,"a\nCC,b\nCN,c\n', told=_QUOTE),
    FileCase("open_later.csv", b'smiles,n\nCCO,"a\nCC,b\nCN,"c\n', told=_QUOTE),
    FileCase("inchi.smi", b"InChI=1S/CH4/h1H4\n", told="is an InChI; give the SMILES"),
    FileCase("key.csv", b"smiles\nLFQSCWFLJHTTHZ-UHFFFAOYSA-N\n", told="is an InChIKey; give the SMILES"),
    FileCase("smarts.smi", b"[#6]1~[#6]~[#6]~1\n", told="is a SMARTS pattern, which matches molecules and is none"),
    FileCase("reactions.smi", b"CCO>>CC=O\n", told="is a reaction; give its molecules one by one"),
    FileCase("selfies.smi", b"[C][C][O][Branch1]\n", told=_NO_MOLECULE),
    FileCase("names.smi", b"aspirin\nibuprofen\n", told=_NO_MOLECULE),
    FileCase("names_first.smi", b"ethanol CCO\nethane CC\n", told=f"{_NO_MOLECULE}; line 1 holds 'ethanol'"),
    FileCase("long.smi", b"C" * 30_000 + b"\n", told="has 30,000 characters, expected a molecule of at most 5,000"),
    FileCase("endless.smi", b"x" * 3_000_000, told="has 3,000,000 characters"),
    FileCase("endless.csv", b"smiles\n" + b"x" * 3_000_000, told="field larger than field limit"),
    FileCase("json.csv", b'[{"smiles": "CCO"}]', told="has the columns .*, expected one named smiles"),
    FileCase("json.smi", b'{"smiles": ["CCO"]}', told=f"{_NO_MOLECULE}; line 1 holds"),
    FileCase("protein.smi", b"HEADER    X\nATOM      1  N   MET\nEND\n", told=_NO_MOLECULE),
    FileCase(
        "page.csv", _HTML, told="is a page of HTML or XML, as a download that failed leaves it; download it again"
    ),
    FileCase("page.smi", _HTML, told="is a page of HTML or XML"),
    FileCase("page.sdf", _HTML, told="is a page of HTML or XML"),
    FileCase("page.smi.gz", gzip.compress(_HTML, mtime=0), told="holds, unpacked, what is a page of HTML or XML"),
    FileCase("error.csv", _XML, told="is a page of HTML or XML"),
    *(
        FileCase(
            f"workbook{ending}", _workbook(), told="is a zip archive, as an Excel workbook is; save the sheet as CSV"
        )
        for ending in (".csv", ".tsv", ".smi", ".sdf", ".parquet")
    ),
    FileCase("old.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), told="is an old Excel workbook; save"),
    FileCase("article.smi", b"%PDF-1.7\n%\xe2\xe3\n", told="is a PDF"),
    FileCase("letter.smi", b"{\\rtf1\\ansi CCO}", told="is an RTF document; save it as plain text"),
    FileCase("pointer.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", told="run `git lfs pull`"),
    FileCase("packed.smi", gzip.compress(b"CCO\n" * 9, mtime=0), told="is packed with gzip; unpack it, or write .gz"),
    FileCase("packed.csv", bzip2(b"smiles\nCCO\n"), told="is packed with bzip2; unpack it"),
    FileCase("packed.sdf", lzma.compress(b"x" * 99), told="is packed with xz; unpack it"),
    FileCase("parquet.csv", parquet(pa.table({"smiles": ["CCO"]})), told="is a Parquet file; call it .parquet"),
    FileCase("twice.smi.gz", gzip.compress(gzip.compress(b"CCO\n")), told="unpacked, what is packed with gzip"),
    FileCase("cut.smi.gz", gzip.compress(b"CCO ethanol\n" * 99, mtime=0)[:-9], told="cannot be unpacked .*; pack it"),
    FileCase("cut.sdf.gz", gzip.compress(sdf(_ETHANOL).encode(), mtime=0)[:40], told="cannot be unpacked"),
    FileCase("plain.csv.gz", b"smiles\nCCO\n", told=r"cannot be unpacked \(Not a gzipped file"),
    FileCase("tail.smi.gz", gzip.compress(b"CCO\n", mtime=0) + b"junk junk", told="cannot be unpacked"),
    FileCase("latin.smi.gz", gzip.compress(b"CC\nCC caf\xe9\n", mtime=0), told=":2: not UTF-8 text"),
    FileCase("empty.smi.gz", b"", told=_NO_MOLECULE),
    FileCase("table.parquet.gz", gzip.compress(b"PAR1"), told="ends in '.gz', expected"),
    FileCase("junk.parquet", b"junk" * 99, told=r"is not a Parquet file .*; export it again"),
    FileCase("empty.parquet", b"", told="is not a Parquet file"),
    FileCase("cut.parquet", parquet(pa.table({"smiles": ["CCO"] * 99}))[:200], told="is not a Parquet file"),
    FileCase("a.parquet", parquet(pa.table({"x": ["CC"]})), told="has the columns x, expected one named smiles"),
    FileCase("none_at_all.parquet", parquet(pa.table({})), told=r"has the columns \(none\), expected one named smiles"),
    FileCase("numbers.parquet", parquet(pa.table({"smiles": [1.5]})), told="line 1 holds '1.5'"),
    FileCase("lists.parquet", parquet(pa.table({"smiles": [["CCO"]]})), told="line 1 holds \"\\['CCO'\\]\""),
    FileCase("none.parquet", parquet(pa.table({"smiles": pa.array([], pa.string())})), told=_NO_MOLECULE),
    FileCase("a.sdf", b"x", told=rf"{_NO_MOLECULE}; line 1 holds 'x' \(not a mol block .*; give records that end in"),
    FileCase("parts.sdf", b"$$$$\n$$$$\n", told=f"{_NO_MOLECULE}; give records that end in"),
    FileCase("no_atoms.sdf", sdf(mol_block("")).encode(), told=_NO_MOLECULE),
    FileCase("joined.sdf", f"{_ETHANOL}{_ETHANOL}$$$$\n".encode(), told="a record of 2 mol blocks: part them by lines"),
    FileCase("no_end.sdf", sdf(_ETHANOL.replace("M  END\n", "")).encode(), told=_NO_MOLECULE),
    FileCase("shifted.sdf", sdf("\n" + _ETHANOL).encode(), told=_NO_MOLECULE),
    FileCase("abbreviated.sdf", sdf(_ETHANOL.replace(" O  ", " Ph ")).encode(), told=_NO_MOLECULE),
    FileCase("reaction.sdf", f"$RXN\n\n\n\n  1  1\n$MOL\n{_ETHANOL}$MOL\n{_ETHANOL}".encode(), told=_NO_MOLECULE),
    FileCase("a.mol2", b"x", told=r"ends in '\.mol2', expected \.smi, \.csv, \.tsv, \.sdf or \.parquet; rename or"),
    FileCase("a.xlsx", _workbook(), told=r"ends in '\.xlsx', expected"),
    FileCase("a.csv.zip", _workbook(), told=r"ends in '\.zip', expected"),
    FileCase("plain", b"CCO", told="ends in '', expected"),
)
"""Files that are no file of molecules, and what is said of each."""

_NOT_READ = "is not a SMILES that RDKit can read"

ODD_FILES = (
    FileCase("na.csv", b"smiles,n\nNA,1\nnan,2\nNone,3\nN/A,4\n,5\n-,6\nCCO,7\n", ["CCO"], told=":6: '' is empty"),
    FileCase("units.csv", b"smiles,ic50\nstring,nM\nCCO,1\n", ["CCO"], told=f"csv:2: 'string' {_NOT_READ}"),
    FileCase("comma.csv", b"smiles,name\nCCO,1,2-diol\nCC,b\n", ["CC"], ["b"], "csv:2: 'CCO' is in a row of 3 cells"),
    FileCase("comma_first.csv", b"id,name,smiles\n1,but-1,4-diol,CCO\n2,b,CC\n", ["CC"], ["2"], "csv:2: .*4 cells"),
    FileCase("trailing.csv", b"smiles,name,\nCCO,a,\nCC,b,,,\n", ["CCO", "CC"], ["a", "b"]),
    FileCase("short.csv", b"name,smiles,x\nlost\nb,CC\n", ["CC"], ["b"], "csv:2: '' is empty"),
    FileCase("lines.csv", b'smiles,n\n"CC\nO",a\nCC,"b\nc"\n', ["CC"], None, r"csv:3: 'CC\\nO' is broken over lines"),
    FileCase("note.csv", b'smiles,note,name\nCCO,"x\n""y""\n",a\nCC,,b\n', ["CCO", "CC"], ["a", "b"]),
    FileCase("mixed_ends.csv", b"smiles,name\r\nCCO,a\nCC,b\rCN,c\n", ["CCO", "CC", "CN"], ["a", "b", "c"]),
    FileCase("quote_inside.csv", b'name,smiles\n5" tube,CCO\n', ["CCO"], ['5" tube']),
    FileCase("zeros.csv", b"smiles,n\nC\0C,a\nCC,b\n" + b"CC,x\n" * 9, ["CC"] * 10, None, r"U\+0000\) at place 2"),
    FileCase("dos_end.smi", b"CCO\nCC\n\x1a", ["CCO", "CC"], None, r"smi:3: .* holds a control character \(U\+001A"),
    FileCase("joined_marks.smi", b"CCO\n\xef\xbb\xbfCC\n", ["CCO"], None, r"smi:2: .*ZERO WIDTH NO-BREAK SPACE"),
    FileCase("cyrillic.smi", "CC\u041e\nCC\n".encode(), ["CC"], None, "smi:1: .*CYRILLIC CAPITAL LETTER O"),
    FileCase("accent.smi", "CC\u00e9\nCC\n".encode(), ["CC"], None, "smi:1: .*LATIN SMALL LETTER E WITH ACUTE"),
    FileCase("right_to_left.smi", "\u202eCCO\nCC\n".encode(), ["CC"], None, "smi:1: .*RIGHT-TO-LEFT OVERRIDE"),
    FileCase("invisible.csv", "smiles\nCC\u200bO\nCC\n".encode(), ["CC"], None, "csv:2: .*ZERO WIDTH SPACE"),
    FileCase("full_width.smi", "\uff23\uff23\uff2f\nCC\n".encode(), ["CC"], None, "smi:1: .*FULLWIDTH LATIN"),
    FileCase("hyphen.smi", "C\u2013C\nCC\n".encode(), ["CC"], None, "smi:1: .*EN DASH"),
    FileCase("line_signs.smi", "CCO\u2028CC\nCN\x85CO\nCC\n".encode(), ["CC"], None, "smi:1: .* is broken over lines"),
    FileCase("hard_blank.smi", "CCO\u00a0ethanol\n".encode(), ["CCO"], ["ethanol"]),
    FileCase("reaction.smi", b"CC>>CO\nCCO\n", ["CCO"], None, "smi:1: 'CC>>CO' is a reaction"),
    FileCase("pattern.smi", b"[#6]CC\nCCO\n", ["CCO"], None, "smi:1: .* is a SMARTS pattern"),
    FileCase("list.smi", b"[C,N]C\nCCO\n", ["CCO"], None, "smi:1: .* is a SMARTS pattern"),
    FileCase("r_group.smi", b"[R1]CC\nCCO\n", ["CCO"], None, f"smi:1: .* {_NOT_READ}"),
    FileCase("polymer.smi", b"*CC* polyethylene\n", ["*CC*"], ["polyethylene"]),
    FileCase("long_too.smi", b"C" * 30_000 + b"\nCC\n", ["CC"], None, "smi:1: .* has 30,000 characters"),
    FileCase("parts.smi.gz", gzip.compress(b"CCO\n") + gzip.compress(b"CC\n"), ["CCO", "CC"]),
    FileCase("padded.smi.gz", gzip.compress(b"CCO\n") + bytes(512), ["CCO"]),
    FileCase("open_end.sdf", _ETHANOL.encode(), ["CCO"]),
    FileCase("cut.sdf", (sdf(_ETHANOL) + _ETHANOL[:-30]).encode(), ["CCO"], None, "sdf:12: .* is not a mol block"),
    FileCase("dollars.sdf", sdf(_ETHANOL + "> <price>\n$$$$ high\n\n").encode(), ["CCO"]),
    FileCase("bytes.parquet", parquet(pa.table({"smiles": [b"CCO"]})), ["CCO"]),
    FileCase(
        "words.parquet", parquet(pa.table({"smiles": pa.array(["CCO", "CC"]).dictionary_encode()})), ["CCO", "CC"]
    ),
    FileCase("nulls.parquet", parquet(pa.table({"smiles": ["CCO", None]})), ["CCO"], None, "parquet:2: '' is empty"),
    FileCase("far.parquet", parquet(pa.table({"smiles": ["C"], "d": pa.array([2**50], pa.timestamp("ms"))})), ["C"]),
    FileCase(
        "doubled.parquet",
        parquet(pa.Table.from_arrays([pa.array(["CCO"]), pa.array(["x"])], ["smiles", "smiles"])),
        told="has more than one column named smiles; rename",
    ),
)
"""Files that are read, all but the lines that are told."""
