"""`load_campaign`: defaults, what a file refers to, and everything that is wrong with it in one go."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
import yaml

from designloop.loop.campaign.campaign import Campaign, CampaignError, GivenMolecule, load_campaign
from designloop.loop.campaign.changes import as_begun, changed_keys, changes, unknown_filters
from designloop.loop.config.problems import SHOWN_OF_ONE_KEY
from designloop.loop.screening.filters import Context, Filters, build
from designloop.tables.manifest import read_campaign

MINIMAL = """\
objective:
  properties:
    - name: qed
      oracle: qed
      transform: {type: linear, low: 0.3, high: 0.8}
budget:
  oracle_calls: 100
"""

ORACLE = """\
from designloop.oracles import oracle

@oracle(outputs=["a", "b"], costly=True)
def two(smiles, scale: float):
    return {one: {"a": scale, "b": 0.0} for one in smiles}

@oracle(sees_stereo=True)
def chiral(smiles):
    return {one: float(one.count("@")) for one in smiles}
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A campaign file called test.yaml, and what lies beside it."""

    def write(text: str = "", **beside: str) -> Path:
        (tmp_path / "test.yaml").write_text(dedent(text) + (MINIMAL if "objective:" not in text else ""))
        (tmp_path / "mine.py").write_text(ORACLE)
        for name, content in beside.items():
            (tmp_path / name.replace("__", ".")).write_text(dedent(content))
        return tmp_path / "test.yaml"

    return write


def problems(path: Path, overrides: Mapping[str, Any] | None = None) -> list[str]:
    """What is wrong with a file, each line without the folder."""
    with pytest.raises(CampaignError) as caught:
        load_campaign(path, overrides)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def with_property(text: str) -> str:
    return "objective:\n  properties:\n" + indent(dedent(text), "    ").rstrip() + "\nbudget: {oracle_calls: 10}\n"


# --- what a file says ----------------------------------------------------------------------------------------------


def test_a_short_file_has_the_defaults(write: Write) -> None:
    path = write()
    campaign = load_campaign(path)
    assert campaign.name == "test"
    assert (campaign.seed, campaign.model, campaign.device, campaign.batch_size) == (0, "zinc250k", "cpu", 100)
    assert (campaign.standardize, campaign.stereo) == ("parent", "ignore")
    assert campaign.starting() == campaign.references() == []
    assert campaign.objective.aggregate == "geometric_mean"
    assert campaign.strategy.name == "property_loss"
    assert campaign.filters == type(campaign.filters)()
    assert (campaign.evaluation.backend, campaign.evaluation.timeout, campaign.evaluation.retries) == ("ray", 60, 1)
    assert campaign.evaluation.worker_count >= 1
    assert campaign.budget.model_dump(exclude_none=True) == {"oracle_calls": 100, "per_oracle": {}}
    assert campaign.path == path
    assert campaign.folder == path.parent
    assert campaign.output_folder == path.parent / "test"
    assert campaign.ledger_path == path.parent / "test.ledger.sqlite"
    assert list(campaign.oracles) == ["qed"]
    assert campaign.warnings == ()


def test_paths_are_relative_to_the_file_wherever_one_is(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("output: results/one\nledger: ../shared.sqlite\n")
    monkeypatch.chdir(path.parent.parent)
    campaign = load_campaign(Path(path.parent.name) / "test.yaml")
    assert campaign.path == path
    assert campaign.output_folder == path.parent / "results/one"
    assert campaign.ledger_path == path.parent.parent / "shared.sqlite"
    assert campaign.resolve("known.smi") == path.parent / "known.smi"
    assert campaign.model_file == "zinc250k"


def test_a_key_whose_value_was_commented_out_is_as_good_as_absent(write: Write) -> None:
    assert load_campaign(write("starting_molecules:\n#  - CC\nfilters:\nseed: ~\n")).seed == 0


def test_a_campaign_is_frozen(write: Write) -> None:
    campaign = load_campaign(write())
    with pytest.raises(ValueError, match="frozen"):
        campaign.seed = 1  # type: ignore[misc]


def test_overrides_are_read_like_the_file(write: Write) -> None:
    path = write()
    campaign = load_campaign(path, {"budget.oracle_calls": 7, "objective.properties.0.weight": 2.0, "seed": 3})
    assert (campaign.budget.oracle_calls, campaign.objective.properties[0].weight, campaign.seed) == (7, 2.0, 3)
    assert problems(path, {"budget.oracle_calls": "many", "sede": 1}) == [
        "override: budget.oracle_calls: found 'many' (text), expected a whole number of at least 1",
        "override: sede: found the unknown key 'sede', expected a key that there is; did you mean 'seed'?",
    ]


def test_an_oracle_of_ones_own_is_loaded_from_beside_the_file(write: Write) -> None:
    text = """\
    - {name: x, oracle: './mine.py:two', params: {scale: 2}, output: a, transform: {type: step, low: 1}}
    - {name: y, oracle: './mine.py:two', params: {scale: 2}, output: b, transform: {type: step, low: 1}}
    - {name: z, oracle: qed, transform: {type: step, low: 1}}
    """
    campaign = load_campaign(write(with_property(text)))
    assert list(campaign.oracles) == ["x", "y", "z"]
    assert campaign.oracles["x"] == campaign.oracles["y"]
    assert dict(campaign.oracles["x"].params) == {"scale": 2.0}
    assert [campaign.evaluation.chunk_of(oracle) for oracle in campaign.oracles.values()] == [1, 1, 25]


def test_stereo_is_kept_where_an_oracle_sees_it(write: Write) -> None:
    path = write(with_property("- {name: x, oracle: './mine.py:chiral', transform: {type: step, low: 1}}"))
    assert load_campaign(path).stereo == "keep"
    said = load_campaign(path, {"stereo": "ignore"})
    assert said.stereo == "ignore"
    assert said.warnings == (
        "stereo: of stereoisomers only the first is scored, though the oracle of x tells them apart",
    )


def test_a_cap_by_oracle_is_one_for_each_of_its_properties(write: Write) -> None:
    path = write(
        with_property(
            """\
            - {name: a, oracle: qed, transform: {type: step, low: 1}}
            - {name: b, oracle: qed, transform: {type: step, low: 2}}
            - {name: c, oracle: logp, transform: {type: step, low: 2}}
            """
        )
    )
    campaign = load_campaign(path, {"budget.per_oracle": {"qed": 5, "b": 4}})
    assert campaign.budget.per_oracle == {"a": 5, "b": 4}


# --- molecules -----------------------------------------------------------------------------------------------------


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
        GivenMolecule("CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Oc1ccccc1C(=O)O", 2),
        GivenMolecule("CNCCc1ccccc1", "C[NH2+]CCc1ccccc1", 4),
        GivenMolecule("C[C@H](N)c1ccccc1", "C[C@H](N)c1ccccc1", 5),
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
        GivenMolecule("CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Oc1ccccc1C(=O)O", 2, "aspirin"),
        GivenMolecule("CCO", "CCO", 3),
    ]


def test_references_may_have_names(write: Write) -> None:
    references = load_campaign(write("reference:\n  ethanol: CCO\n  NO: NO\n")).references()
    assert [(one.name, one.smiles, one.line) for one in references] == [("ethanol", "CCO", 2), ("NO", "NO", 3)]
    assert load_campaign(write("reference: [CCO]\n")).references() == [GivenMolecule("CCO", "CCO", 1)]


def test_bad_lines_of_a_file_of_molecules_are_named_by_number(write: Write) -> None:
    path = write("starting_molecules: mine.smi\n", mine__smi="CCO ethanol\nc1ccc nothing\nCC\nC(C)(C)(C)(C)C\n")
    assert problems(path) == [
        f"mine.smi:{line}: starting_molecules: found '{text}' (not a SMILES that RDKit can read), "
        "expected a SMILES that RDKit can read; mend or delete the line"
        for line, text in ((2, "c1ccc"), (4, "C(C)(C)(C)(C)C"))
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
    found = problems(write(f"starting_molecules:\n  - {text}\n"))
    assert len(found) == 1
    assert found[0].replace("test.yaml:2:4", "test.yaml:1:1").startswith(f"test.yaml:{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("starting_molecules: [Na+]", "found 'Na+', expected a SMILES that RDKit can read; quote the SMILES: '[Na+]'"),
        ("starting_molecules: CCO", "a molecule goes into a list: starting_molecules: ['CCO']"),
        ("starting_molecules: absent.smi", "absent.smi is not a file"),
        ("reference: {drug: CC #N\n  }", "found 'CC', cut off at ` #`"),
        ("filters: {require_smarts: [CC #N\n  ]}", "filters.require_smarts[0]: found 'CC', cut off at ` #`"),
        ("filters: {exclude: absent.smi}", "filters.exclude: found 'absent.smi', which is no file in"),
        ("filters: {require_smarts: 5}", "filters.require_smarts: found 5 (a whole number), expected a list"),
        ("filters: {forbid_smarts: CC #N\n  }", "filters.forbid_smarts: found 'CC', cut off at ` #`"),
        ("model: zink250k", "found 'zink250k', expected a shipped model (zinc250k) or a file"),
        ("output: .", "output: found '.', which holds the campaign file"),
        ("name: my campaign", "for example name: my_campaign"),
    ],
)
def test_what_a_file_refers_to_is_looked_at(write: Write, text: str, message: str) -> None:
    found = problems(write(f"{text}\n"))
    assert len(found) == 1
    assert message in found[0]


def test_more_starting_molecules_than_calls_are_refused(write: Write) -> None:
    path = write("starting_molecules: [C, CC, CCC]\n")
    assert problems(path, {"budget.oracle_calls": 2}) == [
        "test.yaml:1:21: starting_molecules: found 3 molecules, expected no more than the 2 of budget.oracle_calls, "
        "to which they are charged; give fewer, or raise budget.oracle_calls"
    ]
    assert len(load_campaign(path, {"budget.oracle_calls": 3}).starting()) == 3


# --- mistakes ------------------------------------------------------------------------------------------------------


def test_five_mistakes_of_five_kinds_are_five_messages(write: Write) -> None:
    path = write(
        """\
        seed: 1
        batch_size: lots
        seed: 2
        objective:
          properties:
            - name: like
              oracle: similarity
              params: {referense: CCO}
              transform: {type: double_sigmoid, low: 0.6, high: 0.1}
        strategy: {name: property_los}
        budget: {oracle_calls: 100}
        """
    )
    assert problems(path) == [
        "test.yaml:2:13: batch_size: found 'lots' (text), expected a whole number of at least 1",
        "test.yaml:3:1: seed: found the key 'seed' a second time (first on line 1), expected each key once; "
        "keep one of the two",
        "test.yaml:8:16: objective.properties[like].params.referense: found 'referense', "
        "expected one of reference, fingerprint, aggregate, chirality; did you mean 'reference'?",
        "test.yaml:9:46: objective.properties[like].transform.low: found low 0.6 and high 0.1, "
        "expected low below high; swap them",
        "test.yaml:10:18: strategy.name: found 'property_los' (text), "
        "expected the name of a strategy: latent_bo, property_loss or random; did you mean 'property_loss'?",
    ]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", "1.5", "found 1.5 (a number), expected a whole number of at least 0"),
        ("seed", "true", "found true (true or false), expected a whole number of at least 0"),
        ("batch_size", "'50'", "found '50' (text), expected a whole number of at least 1; write 50 without quotes"),
        ("batch_size", "1_000", "expected a whole number of at least 1; write 1000 without quotes"),
        ("device", "gpu", "found 'gpu' (text), expected one of cpu, cuda or auto; did you mean 'cpu'?"),
        ("standardize", "no", "expected one of parent, uncharge or none; did you mean 'none'?"),
        ("evaluation", "{timeout: 60s}", "found '60s' (text), expected a number above 0; write 60, without a unit"),
        ("evaluation", "{backend: dask}", "found 'dask' (text), expected one of ray or inline"),
        ("evaluation", "[ray]", "found the list ['ray'], expected a mapping with the keys backend, workers"),
        ("evaluation", "{worker: 4}", "found the unknown key 'worker', expected backend, workers, address, chunk"),
        ("evaluation", "{timeout: .inf}", "found .inf (a number), expected a finite number above 0"),
        ("strategy", "random", "found 'random' (text), expected a mapping such as {name: latent_bo, …}"),
        (
            "strategy",
            "{noise: 1}",
            "found nothing, expected the name of a strategy: latent_bo, property_loss or random",
        ),
        (
            "strategy",
            "{name: random, noize: 1}",
            "found the unknown key 'noize', expected name, source, temperature or noise",
        ),
        ("filters", "{alerts: [PAIN]}", "found alert set 'PAIN', expected one of"),
        ("filters", "{heavy_atoms: [50, 10]}", "found [50, 10], expected [lowest, highest]; did you mean [10, 50]?"),
        ("filters", "{ring_size: [3, x]}", "found 'x' (text), expected a whole number, or null"),
        (
            "filters",
            "{ringsize: [3, 7]}",
            "found the unknown key 'ringsize', expected a key that there is; did you mean",
        ),
        ("filters", "{unstable: nope}", "found 'nope' (text), expected true or false"),
        ("name", "[x]", "found the list ['x'], expected text; quote the SMILES: '[x]'"),
    ],
)
def test_a_wrong_value_is_answered_in_plain_words(write: Write, key: str, value: str, message: str) -> None:
    found = problems(write(f"{key}: {value}\n"))
    assert len(found) == 1
    assert message in found[0]
    assert found[0].startswith(f"test.yaml:1:{1 if 'unknown key' not in message else 0}"[:-1])


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "- name: qed",
            ["oracle: found nothing, expected text", "transform: found nothing, expected a mapping such as"],
        ),
        (
            "- {name: a, oracle: qedd, transform: {type: step, low: 1}}",
            ["oracle: no oracle is called 'qedd'; did you mean"],
        ),
        ("- {name: a, oracle: './absent.py:f', transform: {type: step, low: 1}}", ["absent.py"]),
        ("- {name: a, oracle: './mine.py:absent', transform: {type: step, low: 1}}", ["absent"]),
        (
            "- {name: a, oracle: './mine.py:two', params: {scale: x}, transform: {type: step, low: 1}}",
            ["params.scale: found 'x', expected"],
        ),
        (
            "- {name: a, oracle: './mine.py:two', params: {scale: 1}, transform: {type: step, low: 1}}",
            ["output: oracle 'two' has several outputs (a, b)"],
        ),
        (
            "- {name: a, oracle: './mine.py:two', params: {scale: 1}, output: c, transform: {type: step, low: 1}}",
            ["output: oracle 'two' has no output 'c'"],
        ),
        (
            "- {name: a, oracle: similarity, params: {reference: [Na+]}, transform: {type: step, low: 1}}",
            ["params.reference: found 'Na+', expected a valid SMILES; quote the SMILES: '[Na+]'"],
        ),
        (
            "- {name: a, oracle: similarity, params: {reference: CC #N\n    }, transform: {type: step, low: 1}}",
            ["params.reference: found 'CC', cut off at ` #`"],
        ),
        (
            "- {name: a, oracle: substructure, params: {smarts: CC #N\n    }, transform: {type: step, low: 1}}",
            ["params.smarts: found 'CC', cut off at ` #`"],
        ),
        ("- {name: score, oracle: qed, transform: {type: step, low: 1}}", ["name: found the reserved name 'score'"]),
        (
            "- {name: a, oracle: qed, transform: {type: step, low: 1}, weight: heavy}\n"
            "- {name: a, oracle: qed, transform: {type: step}}",
            [
                "weight: found 'heavy' (text), expected a number of at least 0",
                "name: found the name 'a' a second time",
                "transform: found neither low nor high, expected at least one of them",
            ],
        ),
        (
            "- {name: a, oracle: qed, transform: {type: step, low: 1}}\n- qed",
            ["found 'qed' (text), expected a mapping with"],
        ),
    ],
)
def test_mistakes_of_properties(write: Write, text: str, messages: list[str]) -> None:
    found = problems(write(with_property(text)))
    assert len(found) == len(messages), found
    assert not [message for message in messages if not any(message in problem for problem in found)], found


def test_a_comment_behind_a_word_that_is_no_molecule_is_a_comment(write: Write) -> None:
    text = """\
    - name: a
      oracle: similarity # how like
      params:
        fingerprint: ecfp4 # of radius 2
        reference: CCO
      transform: {type: step, low: 1} # all or nothing
    """
    assert load_campaign(write(with_property(text))).oracles["a"].params["fingerprint"] == "ecfp4"


def test_budgets(write: Write) -> None:
    found = problems(write("seed: 1\n"), {"budget": {"rounds": 0, "per_oracle": {"qed": 0, "sa": 1}}})
    assert set(found) == {
        "override: budget.oracle_calls: found nothing, expected a whole number of at least 1",
        "override: budget.per_oracle.qed: found 0 (a whole number), expected a whole number of at least 1",
        "override: budget.per_oracle.sa: found the unknown oracle 'sa', expected a property or its oracle: qed",
        "override: budget.rounds: found 0 (a whole number), expected a whole number of at least 1, or null",
    }


def test_a_file_without_the_main_things_says_which(tmp_path: Path) -> None:
    (tmp_path / "test.yaml").write_text("seed: 1\n")
    assert problems(tmp_path / "test.yaml") == [
        "test.yaml:1:1: objective: found nothing, expected a mapping with the keys aggregate, properties",
        "test.yaml:1:1: budget: found nothing, expected a mapping with the keys oracle_calls, rounds, hours, patience, "
        "per_oracle",
    ]


def test_one_round_is_a_warning(write: Write) -> None:
    assert load_campaign(write("batch_size: 100\n")).warnings == (
        "batch_size: all 100 oracle calls fit into one round of 100, so that nothing is learned from",
    )


# --- what a campaign is, and what has changed ----------------------------------------------------------------------


def test_a_dump_is_read_back_as_the_same_campaign(write: Write) -> None:
    campaign = load_campaign(
        write("starting_molecules: [CCO]\nreference: {x: CC}\nstrategy: {name: random, noise: 2}\n")
    )
    dump = campaign.dump()
    assert yaml.safe_load(yaml.safe_dump(dump)) == dump, "JSON values only"
    assert dump["strategy"] == {"name": "random", "source": "prior", "temperature": 0.8, "noise": 2.0}
    read = Campaign.model_validate({key: value for key, value in dump.items() if key not in ("files", "molecules")})
    assert {**read.dump(), "molecules": dump["molecules"]} == dump, "molecules are read with the file"
    assert changes(dump, campaign) == []


@pytest.mark.parametrize(
    ("override", "keys"),
    [
        ({"seed": 1}, ["seed"]),
        ({"batch_size": 5}, ["batch_size"]),
        ({"objective.properties.0.weight": 2.0}, ["objective.properties[qed].weight"]),
        ({"objective.properties.0.transform.low": 0.2}, ["objective.properties[qed].transform.low"]),
        ({"strategy.elites": 50}, ["strategy.elites"]),
        ({"filters.alerts": ["PAINS"]}, ["filters.alerts"]),
        ({"starting_molecules": ["CCO"]}, ["starting_molecules"]),
    ],
)
def test_what_decides_the_table_may_not_change(write: Write, override: dict[str, Any], keys: list[str]) -> None:
    path = write("strategy: {name: property_loss}\n")
    before, now = load_campaign(path), load_campaign(path, override)
    assert [one.key for one in changed_keys(before.dump(), now)] == keys
    assert now.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    "override",
    [
        {"budget.oracle_calls": 1000, "budget.hours": 2.0, "budget.per_oracle": {"qed": 5}},
        {"evaluation": {"workers": 3, "backend": "inline", "chunk": 2, "timeout": 5, "retries": 0, "address": "auto"}},
    ],
)
def test_how_much_is_spent_and_how_fast_may_change(write: Write, override: dict[str, Any]) -> None:
    path = write()
    before, now = load_campaign(path), load_campaign(path, override)
    assert changed_keys(before.dump(), now) == []
    assert [change for change in changes(before.dump(), now) if change.allowed]
    assert now.fingerprint == before.fingerprint


def test_the_content_of_a_file_of_molecules_is_part_of_the_campaign(write: Write) -> None:
    before = load_campaign(write("starting_molecules: mine.smi\n", mine__smi="CC\n"))
    dump, fingerprint = before.dump(), before.fingerprint
    now = load_campaign(write("starting_molecules: mine.smi\n", mine__smi="CCC\n"))
    assert [one.key for one in changed_keys(dump, now)] == ["files.mine.smi"]
    assert now.fingerprint != fingerprint


MINE = "CC ethane\nCCO\n"


@pytest.mark.parametrize(
    "key", ["starting_molecules: {}", "filters: {{exclude: {}}}", "strategy: {{name: random, source: {}}}"]
)
@pytest.mark.parametrize("written", ["# mine\n\nCC ethane\n  CCO\n", "CC ethane\r\nCCO", "\ufeffCC ethane\rCCO\r"])
@pytest.mark.parametrize("is_old", [False, True])
def test_how_a_file_of_molecules_is_written_is_no_change(write: Write, key: str, written: str, is_old: bool) -> None:
    before = load_campaign(write(key.format("mine.smi") + "\n", mine__smi=MINE))
    dump, fingerprint = before.dump(), before.fingerprint
    if is_old:  # from before digests of what files say were kept
        del dump["molecules"]
    path = write(key.format("mine.smi") + "\n")
    (path.parent / "mine.smi").write_bytes(written.encode())
    now = load_campaign(path)
    assert changes(dump, now) == []
    assert now.fingerprint == fingerprint
    (path.parent / "mine.smi").write_bytes((written + "\nCCN").encode())
    assert [one.key for one in changed_keys(dump, load_campaign(path))] == ["files.mine.smi"]


@pytest.mark.parametrize("now", ["starting_molecules: [C(C), 'OCC']\n", "starting_molecules: other.smi\n"])
def test_the_same_starting_molecules_in_other_words_or_places_are_no_change(write: Write, now: str) -> None:
    before = load_campaign(write("starting_molecules: mine.smi\n", mine__smi=MINE))
    dump, fingerprint = before.dump(), before.fingerprint
    after = load_campaign(write(now, other__smi="CC\nOCC\n"))
    assert changed_keys(dump, after) == []
    assert after.fingerprint == fingerprint
    turned = load_campaign(write("starting_molecules: [CCO, CC]\n"))
    assert {"starting_molecules"} <= {one.key for one in changed_keys(dump, turned)}, "their order is that of round 0"


@pytest.mark.parametrize("reference", ["reference: [CCN]\n", "reference: theirs.smi\n", ""])
def test_references_may_come_and_go(write: Write, reference: str) -> None:
    before = load_campaign(write("reference: mine.smi\n", mine__smi=MINE))
    dump, fingerprint = before.dump(), before.fingerprint
    now = load_campaign(write(reference, theirs__smi="CCCN\n"))
    assert changed_keys(dump, now) == []
    assert now.fingerprint == fingerprint


def test_the_oracles_are_part_of_the_fingerprint_and_not_of_the_keys(write: Write) -> None:
    path = write(with_property("- {name: x, oracle: './mine.py:chiral', transform: {type: step, low: 1}}"))
    before = load_campaign(path)
    dump = before.dump()
    (path.parent / "mine.py").write_text(ORACLE.replace('"@"', '"@@"'))
    now = load_campaign(path)
    assert changed_keys(dump, now) == []
    assert now.fingerprint != before.fingerprint


def test_a_key_that_an_older_version_did_not_know_is_at_its_default(write: Write) -> None:
    campaign = load_campaign(write())
    old = campaign.dump()
    del old["stereo"], old["objective"]["aggregate"]
    assert changes(old, campaign) == []
    old["key_of_a_later_version"] = 1
    assert "key_of_a_later_version" in [one.key for one in changed_keys(old, campaign)]


@pytest.mark.parametrize("name", [name for name in Filters.model_fields if getattr(Filters(), name) is not None])
def test_a_filter_that_an_older_version_did_not_know_is_off_on_resume(write: Write, name: str) -> None:
    campaign = load_campaign(write())
    old = campaign.dump()
    del old["filters"][name]
    resumed = as_begun(old, campaign)
    assert unknown_filters(old, campaign) == [name]
    assert name not in [one.name for one in build(resumed.filters, Context(campaign.folder))]
    assert changes(old, resumed) == changes(resumed.dump(), resumed) == []


def test_a_filter_that_the_file_names_is_a_change_where_the_campaign_was_begun_without_it(write: Write) -> None:
    campaign = load_campaign(write("filters: {known_rings: 1}\n"))
    old = campaign.dump()
    del old["filters"]["known_rings"]
    assert as_begun(old, campaign) is campaign
    assert [str(one) for one in changed_keys(old, campaign)] == ["filters.known_rings: found 1, expected nothing"]


def test_a_campaign_of_schema_1_goes_on_without_the_filters_that_it_does_not_know(write: Write) -> None:
    stored = read_campaign(Path(__file__).parents[2] / "data/campaign_schema_1/aspirin")
    assert stored is not None
    campaign = load_campaign(write())
    assert build(as_begun(stored.openings[-1].dump, campaign).filters, Context(campaign.folder)) == []


def test_a_change_says_what_is_there_and_what_was_as_a_file_would_write_it(write: Write) -> None:
    before = load_campaign(write("seed: 3\nstarting_molecules: [CCO]\n"))
    now = load_campaign(write(f"starting_molecules: [{', '.join('C' * (n + 1) for n in range(30))}]\n"))
    seed, molecules = map(str, changed_keys(before.dump(), now))
    assert seed == "seed: found 0, expected 3"
    assert re.fullmatch(
        r'starting_molecules: found \["C", "CC", .{47}… \(\d+ characters\), expected \["CCO"\]', molecules
    )


def test_a_number_that_is_none_is_told_to_be_finite(write: Write) -> None:
    (found,) = problems(write("evaluation: {timeout: .nan}\n"))
    assert "evaluation.timeout: found .nan (a number), expected a finite number above 0" in found


def test_an_oracle_file_that_ends_its_process_is_a_problem_at_its_place(write: Write) -> None:
    deadly = "import os\nos._exit(5)\n"
    path = write(
        with_property("- {name: x, oracle: './deadly.py:f', transform: {type: step, low: 1}}"), deadly__py=deadly
    )
    (found,) = problems(path)
    assert found.startswith("test.yaml:3:25: objective.properties[x].oracle: deadly.py:?: the process that imports")
    assert "exits with code 5" in found


def test_an_oracle_that_names_a_folder_and_a_parameter_that_lacks_are_told_in_plain_words(write: Write) -> None:
    (found,) = problems(write(with_property("- {name: x, oracle: './:f', transform: {type: step, low: 1}}")))
    assert "'./:f' names a folder, expected a file; write ./my_oracle.py:FUNCTION" in found
    path = write(
        with_property("- {name: x, oracle: './plain.py:f', transform: {type: step, low: 1}}"),
        plain__py="def f(smiles, model):\n    return {}\n",
    )
    (found,) = problems(path)
    assert "params.model: found nothing, expected a value; give it under params, as model: …" in found


def test_a_campaign_is_checked_without_torch_or_ray(write: Write) -> None:
    code = f"""
import sys
from designloop.loop.campaign.campaign import load_campaign
load_campaign({str(write())!r})
print(*sorted({{"torch", "ray", "botorch", "sklearn", "matplotlib"}} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
