"""`load_campaign`: defaults, what a file refers to, and everything that is wrong with it in one go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from designloop.loop.campaign.campaign import load_campaign
from designloop.molecules.shipped import DEFAULT_MODEL
from designloop.strategies.base import available
from designloop.words import listed
from tests.loop.campaign.writing import Write, problems, with_property

STRATEGIES = listed(available())


def test_a_short_file_has_the_defaults(write: Write) -> None:
    path = write()
    campaign = load_campaign(path)
    assert campaign.name == "test"
    assert (campaign.seed, campaign.model, campaign.device, campaign.batch_size) == (0, DEFAULT_MODEL, "cpu", 20)
    assert (campaign.standardize, campaign.stereo) == ("parent", "ignore")
    assert campaign.starting() == campaign.references() == []
    assert campaign.objective.aggregate == "geometric_mean"
    assert campaign.strategy.name == "property_loss"
    assert campaign.filters == type(campaign.filters)()
    assert (campaign.evaluation.backend, campaign.evaluation.timeout, campaign.evaluation.retries) == ("ray", 60, 1)
    assert campaign.evaluation.worker_count >= 1
    assert campaign.budget.model_dump(exclude_none=True) == {"oracle_calls": 100, "patience": 10, "per_oracle": {}}
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
    assert campaign.model_file == DEFAULT_MODEL


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
        f"expected the name of a strategy: {STRATEGIES}; did you mean 'property_loss'?",
    ]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", "1.5", "found 1.5 (a number), expected a whole number of at least 0"),
        ("seed", "true", "found true (true or false), expected a whole number of at least 0"),
        ("batch_size", "'50'", "found '50' (text), expected a whole number of at least 1; write 50 without quotes"),
        ("batch_size", "1_000", "expected a whole number of at least 1; write 1000 without quotes"),
        ("batch_size", "'5e1'", "found '5e1' (text), expected a whole number of at least 1; write 50 without quotes"),
        ("evaluation", "{timeout: '1_234_567.5'}", "expected a number above 0; write 1234567.5 without quotes"),
        ("evaluation", "{timeout: '.inf'}", "found '.inf' (text), expected a number above 0"),
        ("device", "gpu", "found 'gpu' (text), expected one of cpu, cuda or auto; did you mean 'cpu'?"),
        ("standardize", "no", "expected one of parent, uncharge or none; did you mean 'none'?"),
        ("evaluation", "{timeout: 60s}", "found '60s' (text), expected a number above 0; write 60, without a unit"),
        ("evaluation", "{backend: dask}", "found 'dask' (text), expected one of ray or inline"),
        ("evaluation", "[ray]", "found the list ['ray'], expected a mapping with the keys backend, workers"),
        ("evaluation", "{worker: 4}", "found the unknown key 'worker', expected backend, workers, address, chunk"),
        ("evaluation", "{timeout: .inf}", "found .inf (a number), expected a finite number above 0"),
        ("strategy", "random", f"found 'random' (text), expected a mapping such as {{name: {available()[0]}, …}}"),
        (
            "strategy",
            "{noise: 1}",
            f"found nothing, expected the name of a strategy: {STRATEGIES}",
        ),
        (
            "strategy",
            "{name: random, noize: 1}",
            "found the unknown key 'noize', expected name, source, skip_bad, temperature or noise",
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
    complaints = problems(write(f"{key}: {value}\n"))
    assert len(complaints) == 1
    assert message in complaints[0]
    assert complaints[0].startswith(f"test.yaml:1:{1 if 'unknown key' not in message else 0}"[:-1])


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
    complaints = problems(write(with_property(text)))
    assert len(complaints) == len(messages), complaints
    assert not [message for message in messages if not any(message in problem for problem in complaints)], complaints


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
    complaints = problems(write("seed: 1\n"), {"budget": {"rounds": 0, "per_oracle": {"qed": 0, "sa": 1}}})
    assert set(complaints) == {
        "override: budget.oracle_calls: found nothing, expected a whole number of at least 1",
        "override: budget.per_oracle.qed: found 0 (a whole number), expected a whole number of at least 1",
        "override: budget.per_oracle.sa: found the unknown oracle 'sa', expected a property or its oracle: qed",
        "override: budget.rounds: found 0 (a whole number), expected a whole number of at least 1, or null",
    }


def test_a_file_without_the_main_things_says_which(tmp_path: Path) -> None:
    (tmp_path / "test.yaml").write_text("seed: 1\n")
    assert problems(tmp_path / "test.yaml") == [
        "test.yaml:1:1: objective: found nothing, expected a mapping with the keys aggregate, reference_point, "
        "properties",
        "test.yaml:1:1: budget: found nothing, expected a mapping with the keys oracle_calls, rounds, hours, patience, "
        "per_oracle",
    ]


def test_one_round_is_a_warning(write: Write) -> None:
    assert load_campaign(write("batch_size: 100\n")).warnings == (
        "batch_size: all 100 oracle calls fit into one round of 100, so that nothing is learned from",
    )


def test_a_number_that_is_none_is_told_to_be_finite(write: Write) -> None:
    (complaint,) = problems(write("evaluation: {timeout: .nan}\n"))
    assert "evaluation.timeout: found .nan (a number), expected a finite number above 0" in complaint


def test_an_oracle_file_that_ends_its_process_is_a_problem_at_its_place(write: Write) -> None:
    deadly = "import os\nos._exit(5)\n"
    path = write(
        with_property("- {name: x, oracle: './deadly.py:f', transform: {type: step, low: 1}}"), deadly__py=deadly
    )
    (complaint,) = problems(path)
    assert complaint.startswith("test.yaml:3:25: objective.properties[x].oracle: deadly.py:?: the process that imports")
    assert "exits with code 5" in complaint


def test_an_oracle_that_names_a_folder_and_a_parameter_that_lacks_are_told_in_plain_words(write: Write) -> None:
    (complaint,) = problems(write(with_property("- {name: x, oracle: './:f', transform: {type: step, low: 1}}")))
    assert "'./:f' names a folder, expected a file; write ./my_oracle.py:FUNCTION" in complaint
    path = write(
        with_property("- {name: x, oracle: './plain.py:f', transform: {type: step, low: 1}}"),
        plain__py="def f(smiles, model):\n    return {}\n",
    )
    (complaint,) = problems(path)
    assert "params.model: found nothing, expected a value; give it under params, as model: …" in complaint


def test_a_campaign_is_checked_without_torch_or_ray(write: Write) -> None:
    code = f"""
import sys
from designloop.loop.campaign.campaign import load_campaign
load_campaign({str(write())!r})
print(*sorted({{"torch", "ray", "botorch", "sklearn", "matplotlib"}} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
