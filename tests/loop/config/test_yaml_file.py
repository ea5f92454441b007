"""YAML as the campaign file needs it: version 1.2, each value with its place, and errors that say what to do."""

from __future__ import annotations

import math
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.loop.config.problems import CampaignError, Finding
from designloop.loop.config.yaml_file import parse_yaml, read_yaml
from designloop.loop.config.yaml_nodes import quoted, read_value


def data(text: str) -> Any:
    return parse_yaml(text, "file.yaml").data


def refused(text: str) -> str:
    with pytest.raises(CampaignError) as caught:
        parse_yaml(text, "file.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("1e-4", 1e-4),
        ("1.5E3", 1500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", -math.inf),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("+12", 12),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2001-01-01", "2001-01-01"),
        ("=", "="),
        ("~", None),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("C#N", "C#N"),
        ("[1, a]", [1, "a"]),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    found = data(f"key: {written}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(data("key: .nan")["key"])


def test_keys_are_text_as_written() -> None:
    assert data("NO: 1\n1: 2\nnull: 3\n<<: 4") == {"NO": 1, "1": 2, "null": 3, "<<": 4}


def test_an_anchor_stands_for_its_value_wherever_it_is_named() -> None:
    assert data("a: &x [C, N]\nb: *x") == {"a": ["C", "N"], "b": ["C", "N"]}


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), min_size=1))
def test_a_quoted_text_is_read_back(text: str) -> None:
    assert data(f"key: {quoted(text)}")["key"] == text


def test_keys_that_stand_twice_are_all_named_and_the_first_is_read() -> None:
    document = parse_yaml("a: 1\nb:\n  c: 2\n  c: 3\na: 4\n", "file.yaml")
    assert document.data == {"a": 1, "b": {"c": 2}}
    assert [str(problem) for problem in document.problems] == [
        "file.yaml:4:3: b.c: found the key 'c' a second time (first on line 3), expected each key once; "
        "keep one of the two",
        "file.yaml:5:1: a: found the key 'a' a second time (first on line 1), expected each key once; "
        "keep one of the two",
    ]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("[Na+].[Cl-]", "2:9"),
        ("[O-]c1ccccc1", "2:8"),
        ("*c1ccccc1", "2:4"),
        ("*C(=O)O", "2:6"),
        ("@C", "2:4"),
        ("{C}{C}", "2:7"),
        ("&C(=O)", "2:6"),
        ("!C", "2:4"),
        ("%C", "2:4"),
        ("`C`", "2:4"),
    ],
)
def test_a_smiles_that_is_yaml_is_to_be_quoted(value: str, place: str) -> None:
    message = refused(f"a:\n - {value}\nb: 1\n")
    assert message.startswith(f"file.yaml:{place}: this is no YAML: ")
    assert message.endswith(f"; quote the SMILES: {quoted(value)}")
    assert data(f"a:\n - {quoted(value)}\nb: 1\n") == {"a": [value], "b": 1}


def test_a_smarts_whose_hash_begins_a_comment_is_to_be_quoted_though_the_scanner_stumbles_later() -> None:
    assert refused("a:\n  - [#6]c1ccccc1\n  - CC\n").endswith("quote the SMILES: '[#6]c1ccccc1'")


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ('a: "F/C=C\\F"', "1:11", "quote the SMILES with single quotes"),
        ("a:\n\tb: 1", "2:1", "indent with spaces"),
        ("a: b: c", "1:5", "quote a text that holds a colon"),
        ("a: [1, 2", "1:9", "close the bracket"),
        ("a: 'b", "1:6", "check indentation, brackets and quotes"),
        ("a: &x [*x]", "1:4", "stands within its own anchor"),
        ("a: 1\n---\nb: 2", "2:1", "expected a single document"),
        ("? [a]\n: 1", "1:3", "a key must be text"),
        ("a: !!int x", "1:4", "means nothing here"),
        ("a: \x07", "1:4", "may not stand in YAML"),
        ("- a", "1:1", "`designloop init` writes a campaign file"),
        ("# nothing", "1:1", "the file is empty"),
    ],
)
def test_an_error_of_syntax_stands_alone_at_its_place_and_says_what_to_do(text: str, place: str, hint: str) -> None:
    message = refused(text)
    assert message.startswith(f"file.yaml:{place}: ")
    assert hint in message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"absent\.yaml: this file cannot be read \(No such file or directory\)"):
        read_yaml(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: café".encode("latin-1"))
    with pytest.raises(CampaignError, match="byte 9 is not UTF-8; save the file as UTF-8"):
        read_yaml(tmp_path / "latin.yaml")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_bytes(b"\xef\xbb\xbfname: x")
    assert read_yaml(tmp_path / "file.yaml").data == {"name": "x"}


BOMB = "a0: &a0 [C, C, C, C, C, C, C, C, C, C]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MAPPED_BOMB = "a0: &a0 {x: C, y: C}\n" + "".join(f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (BOMB, "4:", "the aliases up to here stand for more than 10,000 values; write values out"),
        (MAPPED_BOMB, "11:", "the aliases up to here stand for more than 10,000 values; write values out"),
        (f"a: &a [{'C, ' * 5000}C]\nb: [*a,\n  *a,\n  *a]\n", "3:3", "the aliases up to here stand for more than"),
        ("a: " + "[" * 100_000, "1:53", "stand more than 50 deep in each other here; write values out"),
        (
            "".join(f"{' ' * n}a:\n" for n in range(1000)),
            "50:50",
            "lists and mappings stand more than 50 deep in each other here",
        ),
        ("- " * 1000 + "a", "1:101", "stand more than 50 deep in each other here"),
        ("a: " + "{b: " * 1000, "1:", "stand more than 50 deep in each other here"),
        ("a: &x 1\nb: &x 2\n", "2:4", "found duplicate anchor 'x'; first occurrence"),
        ("a: *x\n", "1:4", "found undefined alias 'x'"),
        ("a: 1\nb: C\0C\n", "2:5", r"the character '\x00' may not stand in YAML"),
        ("a: 1\n\tb: 2\n", "2:1", "indent with spaces, not with tabs"),
        ("a: [" + (" " * 1000 + "x") * 1000, "1:", "this is no YAML: "),
    ],
)
def test_what_would_be_read_for_ever_or_not_at_all_is_told_at_once(text: str, place: str, what: str) -> None:
    began = perf_counter()
    message = refused(text)
    assert message.startswith(f"file.yaml:{place}")
    assert what in message
    assert perf_counter() - began < 5, "a bomb takes minutes or hours"


def test_deep_and_repeated_values_of_a_sensible_size_are_read() -> None:
    assert data("a: " + "[" * 48 + "C" + "]" * 48)["a"][0][0] != "C"
    found = data(f"a: &a [{'C, ' * 99}C]\n" + "".join(f"b{n}: *a\n" for n in range(90)))
    assert {len(value) for value in found.values()} == {100}


def test_a_file_too_large_for_a_campaign_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.write(b"a: ")
        file.truncate(100_000_000)
    with pytest.raises(
        CampaignError, match=r"large\.yaml: this file has more than 2 MB, .*; write molecules into a file"
    ):
        read_yaml(path)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_every_line_end_reads_the_same_and_counts(tmp_path: Path, ends: str, mark: bytes) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(mark + ends.join(["a: 1", "b:", "- C", ""]).encode())
    document = read_yaml(path)
    assert document.data == {"a": 1, "b": ["C"]}
    assert document.line(("b", 0)) == 3


@pytest.mark.parametrize(
    ("content", "place"),
    [("a: 1\nb: é".encode("latin-1"), "2:4: byte 8"), ("a: 1\n".encode("utf-16"), "1:1: byte 0")],
)
def test_what_is_not_utf_8_is_told_with_its_line(tmp_path: Path, content: bytes, place: str) -> None:
    (tmp_path / "file.yaml").write_bytes(content)
    with pytest.raises(CampaignError, match=rf"file\.yaml:{place} is not UTF-8; save the file as UTF-8"):
        read_yaml(tmp_path / "file.yaml")


@given(st.binary(max_size=200) | st.text(st.sampled_from("a&*:[]{},-#'\"\n\t !|>%@`?0"), max_size=60).map(str.encode))
def test_any_bytes_are_a_document_or_one_problem_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    files = {str(path)}
    try:
        found = read_yaml(path).data
    except CampaignError as error:
        found, files = {}, {problem.file for problem in error.problems}
    assert isinstance(found, dict)
    assert files == {str(path)}


TEXT = """\
name: x
list:
  - {name: one, value: 1}
  - value: 2
empty:
cut: CC #N
whole: CC#N
quoted: 'CC' #N
ion: [Na+]
"""


@pytest.mark.parametrize(
    ("path", "at_key", "place", "words"),
    [
        (("name",), False, (1, 7), "name"),
        (("name",), True, (1, 1), "name"),
        (("list", 0, "value"), False, (3, 24), "list[one].value"),
        (("list", 1, "value"), True, (4, 5), "list[1].value"),
        (("list", 0, "absent"), False, (3, 5), "list[one].absent"),
        (("empty",), False, (5, 1), "empty"),
        (("absent", "deep"), False, (1, 1), "absent.deep"),
    ],
)
def test_each_place_is_known(path: tuple[str | int, ...], at_key: bool, place: tuple[int, int], words: str) -> None:
    problem = parse_yaml(TEXT, "file.yaml").problem(Finding(path, "this", "that", at_key=at_key))
    assert (problem.line, problem.column) == place
    assert problem.key == words
    assert str(problem) == f"file.yaml:{place[0]}:{place[1]}: {words}: found this, expected that"


def test_unquoted_text_before_a_comment_is_cut() -> None:
    document = parse_yaml(TEXT, "file.yaml")
    assert [key for key in document.data if document.is_cut((key,))] == ["cut"]


def test_a_bracket_atom_is_a_list_of_one_text_as_written() -> None:
    document = parse_yaml(TEXT, "file.yaml")
    assert document.bracketed(("ion",)) == "[Na+]"
    assert document.bracketed(("list",)) is None
    assert document.bracketed(("absent",)) is None


def test_overrides_replace_what_is_written_and_have_no_place_in_the_file() -> None:
    document = parse_yaml(TEXT, "file.yaml").with_overrides({"list.1.value": 5, "new.deep": 6, "ion": "CC"})
    assert document.data["list"][1] == {"value": 5}
    assert document.data["new"] == {"deep": 6}
    assert str(document.problem(Finding(("list", 1, "value"), "5", "6"))) == (
        "override: list[1].value: found 5, expected 6"
    )
    assert document.line(("list", 1, "value")) is None
    assert document.bracketed(("ion",)) is None
    assert parse_yaml(TEXT, "file.yaml").data["list"][1] == {"value": 2}, "the document itself is as it was"


@pytest.mark.parametrize("key", ["name.deep", "list.7.value", "list.first"])
def test_an_override_that_leads_nowhere_is_refused(key: str) -> None:
    with pytest.raises(CampaignError, match=f"override: the key '{key}' leads nowhere"):
        parse_yaml(TEXT, "file.yaml").with_overrides({key: 1})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("NO", "NO"),
        ("[Na+].[Cl-]", "[Na+].[Cl-]"),
        ("[1, 2]", [1, 2]),
        ("{a: 1}", {"a": 1}),
        ("", None),
    ],
)
def test_a_value_of_the_command_line_is_read_as_in_a_file(text: str, value: object) -> None:
    assert read_value(text) == value
