"""The molecules of a campaign file: starting molecules and references, in the file or beside it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from rdkit import Chem

from designloop.loop.campaign.campaign import CampaignError, UserMolecule, load_campaign
from designloop.loop.campaign.changes import changed_keys
from designloop.loop.campaign.user_molecules import is_path
from designloop.loop.config.problems import SHOWN_OF_ONE_KEY
from designloop.molecules.reading_formats import READERS
from tests.loop.campaign.writing import Write, problems, with_property


def test_starting_molecules_are_in_standard_form_each_once(write: Write) -> None:
    text = """\
    starting_molecules:
      - CC(=O)Oc1ccccc1C(=O)O
      - '[Na+].O=C([O-])c1ccccc1OC(C)=O'
      - C[NH2+]CCc1ccccc1
      - C[C@H](N)c1ccccc1
      - C[C@@H](N)c1ccccc1
    """
    campaign = load_campaign(write(text))
    assert campaign.starting() == [
        UserMolecule("CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Oc1ccccc1C(=O)O", 2),
        UserMolecule("CNCCc1ccccc1", "C[NH2+]CCc1ccccc1", 4),
        UserMolecule("C[C@H](N)c1ccccc1", "C[C@H](N)c1ccccc1", 5),
    ]
    assert campaign.warnings == (
        "starting_molecules: counterions and solvents were stripped from 1 molecule",
        "starting_molecules: 2 molecules left out that stood there already: "
        "[Na+].O=C([O-])c1ccccc1OC(C)=O (the same as CC(=O)Oc1ccccc1C(=O)O), "
        "C[C@@H](N)c1ccccc1 (the same as C[C@H](N)c1ccccc1)",
    )
    assert len(load_campaign(campaign.path, {"stereo": "keep"}).starting()) == 4
    assert len(load_campaign(campaign.path, {"standardize": "none", "stereo": "keep"}).starting()) == 5


def test_starting_molecules_come_from_a_file(write: Write) -> None:
    path = write("starting_molecules: mine.csv\n", mine__csv="name,smiles\naspirin,CC(=O)Oc1ccccc1C(=O)O\n,CCO\n")
    assert load_campaign(path).starting() == [
        UserMolecule("CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Oc1ccccc1C(=O)O", 2, "aspirin"),
        UserMolecule("CCO", "CCO", 3),
    ]


def test_references_may_have_names(write: Write) -> None:
    references = load_campaign(write("reference:\n  ethanol: CCO\n  NO: NO\n")).references()
    assert [(reference.name, reference.smiles, reference.line) for reference in references] == [
        ("ethanol", "CCO", 2),
        ("NO", "NO", 3),
    ]
    assert load_campaign(write("reference: [CCO]\n")).references() == [UserMolecule("CCO", "CCO", 1)]


def test_bad_lines_of_a_file_of_molecules_are_named_by_number(write: Write) -> None:
    path = write("starting_molecules: mine.smi\n", mine__smi="CCO ethanol\nc1ccc nothing\nCC\nC(C)(C)(C)(C)C\n")
    assert problems(path) == [
        f"mine.smi:{line}: starting_molecules: found '{text}' (not a SMILES that RDKit can read), "
        f"expected a SMILES that RDKit can read; mend or delete the line{skip}"
        for line, text, skip in (
            (2, "c1ccc", ", or leave all such lines out by starting_molecules: {file: mine.smi, skip_bad: true}"),
            (4, "C(C)(C)(C)(C)C", ""),
        )
    ]


def test_of_many_bad_lines_only_the_first_are_printed_and_all_are_there(write: Write) -> None:
    path = write("starting_molecules: mine.smi\n", mine__smi="CC\n" + "c1cc\n" * 100)
    with pytest.raises(CampaignError) as caught:
        load_campaign(path)
    *_, more, total = str(caught.value).splitlines()
    assert more.endswith("mine.smi: starting_molecules: and 80 more like these")
    assert total == "100 problems to correct, then try again"
    assert len(caught.value.problems) == 100
    assert str(caught.value).count("\n") == SHOWN_OF_ONE_KEY + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[Na+]", "2:5: starting_molecules[0]: found the list ['Na+'], expected text; quote the SMILES: '[Na+]'"),
        (
            "c1ccc",
            "2:5: starting_molecules[0]: found 'c1ccc', expected a SMILES that RDKit can read; check its brackets",
        ),
        ("CC #N", "2:5: starting_molecules[0]: found 'CC', cut off at ` #`, expected a molecule in quotes where ` #`"),
        ("1", "2:5: starting_molecules[0]: found 1 (a whole number), expected text; quote it: '1'"),
        ("1e-4", "2:5: starting_molecules[0]: found 1e-4 (a number), expected text; quote it: '1e-4'"),
        ("", "1:1: starting_molecules[0]: found nothing, expected text"),
        ('"F/C=C\\N"', "2:5: starting_molecules[0]: found 'F/C=C\\x85', with an invisible character, expected a"),
        ("CCO ethanol", "2:5: starting_molecules[0]: found 'CCO ethanol', expected a SMILES that RDKit can read"),
    ],
)
def test_what_is_no_molecule_is_refused_at_its_place(write: Write, text: str, message: str) -> None:
    complaints = problems(write(f"starting_molecules:\n  - {text}\n"))
    assert len(complaints) == 1
    assert complaints[0].replace("test.yaml:2:4", "test.yaml:1:1").startswith(f"test.yaml:{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("starting_molecules: [Na+]", "found 'Na+', expected a SMILES that RDKit can read; quote the SMILES: '[Na+]'"),
        ("starting_molecules: CCO", "a molecule goes into a list: starting_molecules: ['CCO']"),
        ("starting_molecules: absent.smi", "absent.smi is not a file"),
        ("reference: {drug: CC #N\n  }", "found 'CC', cut off at ` #`"),
        ("filters: {require_smarts: [CC #N\n  ]}", "filters.require_smarts[0]: found 'CC', cut off at ` #`"),
        ("filters: {exclude: absent.smi}", "filters.exclude: found 'absent.smi', which is no file in"),
        ("filters: {exclude: {file: absent.smi}}", "filters.exclude.file: found 'absent.smi', which is no file in"),
        ("filters: {exclude: {skip_bad: true}}", "filters.exclude"),
        ("filters: {exclude: {file: test.yaml, skip_bda: true}}", "filters.exclude.skip_bda"),
        ("filters: {require_smarts: 5}", "filters.require_smarts: found 5 (a whole number), expected a list"),
        ("filters: {forbid_smarts: CC #N\n  }", "filters.forbid_smarts: found 'CC', cut off at ` #`"),
        ("model: zink250k", "found 'zink250k', expected a shipped model (zinc250k or zinc250k-joins) or a file"),
        ("output: .", "output: found '.', which holds the campaign file"),
        ("ledger: test/runs.sqlite", "ledger: found 'test/runs.sqlite', by which the ledger lies in the folder of"),
        ("output: a\nledger: ./a/../a/b/x.sqlite", "expected a place outside it: --fresh moves it aside as a whole"),
        ("output: test.ledger.sqlite", "output: found 'test.ledger.sqlite', by which the ledger lies in the folder"),
        ("name: my campaign", "for example name: my_campaign"),
    ],
)
def test_what_a_file_refers_to_is_looked_at(write: Write, text: str, message: str) -> None:
    complaints = problems(write(f"{text}\n"))
    assert len(complaints) == 1
    assert message in complaints[0]


def test_a_ledger_beside_the_folder_of_results_is_no_mistake(write: Write) -> None:
    campaign = load_campaign(write("output: results/a\nledger: results/a.sqlite\n"))
    assert campaign.ledger_path.parent == campaign.output_folder.parent


def test_a_campaign_that_was_begun_with_its_ledger_among_its_results_goes_on(write: Write) -> None:
    path = write("ledger: test/runs.sqlite\n")
    assert len(problems(path)) == 1
    (path.parent / "test").mkdir()
    (path.parent / "test" / "campaign.json").touch()
    assert load_campaign(path).ledger_path.parent == load_campaign(path).output_folder


def test_more_starting_molecules_than_calls_are_refused(write: Write) -> None:
    path = write("starting_molecules: [C, CC, CCC]\n")
    assert problems(path, {"budget.oracle_calls": 2}) == [
        "test.yaml:1:21: starting_molecules: found 3 molecules, expected no more than the 2 of budget.oracle_calls, "
        "to which they are charged; give fewer, or raise budget.oracle_calls"
    ]
    assert len(load_campaign(path, {"budget.oracle_calls": 3}).starting()) == 3


def test_more_starting_molecules_than_calls_of_an_oracle_are_refused(write: Write, tmp_path: Path) -> None:
    path = write("starting_molecules: [C, CC, CCC]\n")
    assert problems(path, {"budget.per_oracle": {"qed": 2}}) == [
        "test.yaml:1:21: starting_molecules: found 3 molecules of which 'qed' is asked, expected no more than the 2 "
        "calls that budget.per_oracle gives it; give fewer, their values (`values:`), or more calls"
    ]
    assert len(load_campaign(path, {"budget.per_oracle": {"qed": 3}}).starting()) == 3
    (tmp_path / "known.csv").write_text("smiles,value\nC,0.3\nCC,0.4\nCCC,\n")
    of_some = write("starting_molecules: {file: known.csv, values: {qed: value}}\n")
    assert len(load_campaign(of_some, {"budget.per_oracle": {"qed": 1}}).starting()) == 3, "it is asked of one"


MIXED = "CCO ethanol\nc1ccc nothing\nCC\nC(C)(C)(C)(C)C\n"


@pytest.mark.parametrize(
    ("text", "smiles"),
    [
        ("[CCO, CC]", ["CCO", "CC"]),
        ("mine.smi", ["CCO", "CC"]),
        ("{file: mine.smi}", ["CCO", "CC"]),
        ("{smiles: [CCO, CC]}", ["CCO", "CC"]),
        ("{smiles: [CCO, CC], skip_bad: true, only_allowed: true}", ["CCO", "CC"]),
    ],
)
def test_starting_molecules_are_a_list_a_path_or_either_with_what_is_said_of_them(
    write: Write, text: str, smiles: list[str]
) -> None:
    campaign = load_campaign(write(f"starting_molecules: {text}\n", mine__smi="CCO\nCC\n"))
    assert [molecule.smiles for molecule in campaign.starting()] == smiles
    assert campaign.only_allowed == ("only_allowed" in text)
    assert ("mine.smi" in campaign.files()) == ("mine.smi" in text)
    assert changed_keys(campaign.dump(), campaign) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{file: mine.smi, smiles: [CC]}", "starting_molecules: found both file and smiles, expected one of them"),
        ("{skip_bad: true}", "starting_molecules: found neither file nor smiles, expected one of them"),
        ("{smiles: []}", "starting_molecules: found neither file nor smiles, expected one of them"),
        ("{files: mine.smi}", "found the unknown key 'files'"),
        ("{aspirin: CCO}", "found the unknown key 'aspirin'"),
        ("{file: mine.smi, skip_bad: yes}", "starting_molecules.skip_bad: found 'yes' (text), expected true or false"),
        ("{file: absent.smi, skip_bad: true}", "absent.smi is not a file"),
        ("{file: CCO}", "a molecule goes into a list: smiles: ['CCO']"),
        ("{smiles: [CCO, c1cc]}", "starting_molecules.smiles[1]: found 'c1cc', expected a SMILES"),
        ("{smiles: [5, CC]}", "starting_molecules.smiles[0]: found 5 (a whole number), expected text; quote it: '5'"),
        ("{smiles: [c1cc], skip_bad: true}", "starting_molecules.smiles[0]: found 'c1cc', expected a SMILES"),
        ("{smiles: [CC #N\n  ], skip_bad: true}", "found 'CC', cut off at ` #`"),
    ],
)
def test_what_is_wrong_with_them_is_told_at_its_key(write: Write, text: str, message: str) -> None:
    complaints = problems(write(f"starting_molecules: {text}\n", mine__smi="CC\n"))
    assert any(message in complaint for complaint in complaints), complaints


def test_bad_lines_are_left_out_where_that_is_wanted_and_each_is_named(write: Write) -> None:
    path = write("starting_molecules: {file: mine.smi, skip_bad: true}\n", mine__smi=MIXED)
    campaign = load_campaign(path)
    assert [molecule.smiles for molecule in campaign.starting()] == ["CCO", "CC"]
    assert campaign.warnings == (
        "starting_molecules: 2 entries that are no molecule left out (line 2: 'c1ccc' (not a SMILES that RDKit can "
        "read); line 4: 'C(C)(C)(C)(C)C' (not a SMILES that RDKit can read))",
    )
    assert len(problems(write("starting_molecules: {file: mine.smi}\n"))) == 2, "only where that is wanted"


def test_of_many_that_are_left_out_each_line_is_named(write: Write) -> None:
    path = write("starting_molecules: {file: mine.smi, skip_bad: true}\n", mine__smi="CC\n" + "c1cc\n" * 13)
    (warning,) = load_campaign(path).warnings
    assert warning.startswith("starting_molecules: 13 entries that are no molecule left out (line 2: 'c1cc'")
    assert warning.endswith("; and lines 12, 13, 14)")


def test_in_a_list_too_what_is_bad_can_be_left_out(write: Write) -> None:
    path = write("starting_molecules:\n  skip_bad: true\n  smiles:\n    - CC\n    - c1cc\n")
    (warning,) = load_campaign(path).warnings
    assert warning == "starting_molecules: 1 entry that is no molecule left out (line 5: 'c1cc')"


def test_how_molecules_are_given_is_no_change_and_whether_refused_ones_are_rows_is(write: Write) -> None:
    before = load_campaign(write("starting_molecules: [CCO, CC]\n"))
    for same in ("{smiles: [CCO, CC]}", "{file: mine.smi, skip_bad: true}"):
        now = load_campaign(write(f"starting_molecules: {same}\n", mine__smi=MIXED))
        assert changed_keys(before.dump(), now) == changed_keys(now.dump(), before) == []
        assert now.fingerprint == before.fingerprint
    now = load_campaign(write("starting_molecules: {smiles: [CCO, CC], only_allowed: true}\n"))
    for one_way in (changed_keys(before.dump(), now), changed_keys(now.dump(), before)):
        assert {change.key.split(".")[0] for change in one_way} == {"starting_molecules"}
    assert now.fingerprint != before.fingerprint


@pytest.mark.parametrize("key", ["require_smarts", "forbid_smarts"])
def test_a_smarts_that_matches_no_aromatic_ring_is_told_of(write: Write, key: str) -> None:
    (warning,) = load_campaign(write(f"filters: {{{key}: ['C1=CC=CC=C1', c1ccccc1]}}\n")).warnings
    assert warning == (
        f"filters.{key}: 'C1=CC=CC=C1' matches no aromatic ring, as it is drawn with double bonds; write 'c1ccccc1'"
    )


@pytest.mark.parametrize("smarts", ["'C1=CC=CC=C1'", "[c1ccccc1, 'C1=CC=CC=C1']"])
def test_so_is_one_among_the_parameters_of_an_oracle(write: Write, smarts: str) -> None:
    item = f"- {{name: ring, oracle: substructure, params: {{smarts: {smarts}}}, transform: {{type: step, low: 1}}}}"
    (warning,) = load_campaign(write(with_property(item))).warnings
    assert warning.startswith("objective.properties[ring].params: 'C1=CC=CC=C1' matches no aromatic ring")


@pytest.mark.parametrize("ending", [*READERS, *(f"{ending}.gz" for ending in READERS if ending != ".parquet")])
def test_whatever_can_be_read_is_a_file_of_the_campaign(ending: str) -> None:
    assert is_path(f"mine{ending}")
    assert is_path(f"MINE{ending.upper()}")


@pytest.mark.parametrize("text", ["zinc250k", "CCO", "mine.gz", "mine.pdf", "sdf", "mine.parquet.gz"])
def test_what_cannot_be_read_is_a_name(text: str) -> None:
    assert not is_path(text)


def test_weights_are_a_file_of_the_campaign() -> None:
    assert is_path("mine.safetensors")


@pytest.mark.parametrize("name", ["mine.sdf", "mine.smi.gz"])
def test_a_file_of_any_format_is_part_of_the_campaign(write: Write, name: str) -> None:
    def contents(smiles: str) -> bytes:
        molecule = Chem.MolFromSmiles(smiles)
        return (
            f"{Chem.MolToMolBlock(molecule)}$$$$\n".encode()
            if name.endswith(".sdf")
            else gzip.compress(smiles.encode())
        )

    path = write(f"starting_molecules: {name}\n")
    (path.parent / name).write_bytes(contents("CCO"))
    before = load_campaign(path)
    assert [molecule.smiles for molecule in before.starting()] == ["CCO"]
    dump = before.dump()
    (path.parent / name).write_bytes(contents("CCN"))
    assert [change.key for change in changed_keys(dump, load_campaign(path))] == [f"files.{name}"]
