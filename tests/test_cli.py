"""Every command: what it prints, what it leaves, and what it exits with; `run` has a file of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest

import designloop
from designloop import api
from designloop.api import results as api_results
from designloop.display import RunDisplay
from designloop.loop import passing
from designloop.loop.progress import Scoring
from designloop.loop.screening.filters import FilterContext, Filters, build
from designloop.molecules.chemistry import require, standard_form
from tests.campaigns import write_campaign
from tests.commands import ASPIRIN, COMMANDS, designloop_, fails, succeeds


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of filters from a few molecules will do."""
    monkeypatch.setattr(passing, "SAMPLE", 20)


# --- the face -------------------------------------------------------------------------------------------------------


def test_the_version_is_the_packages() -> None:
    assert succeeds("--version") == f"designloop {designloop.__version__}\n"


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "designloop", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"designloop {designloop.__version__}\n"


def test_help_tells_of_every_command() -> None:
    printed = succeeds("--help")
    assert [name for name in COMMANDS if name not in printed] == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["no_such_command"], "no_such_command"),
        (["run"], "campaign"),
        (["run", "x.yaml", "--no-such-option"], "--no-such-option"),
        (["top", "x", "-n", "0"], "-n"),
        (["run", "x.yaml", "--workers", "0"], "--workers"),
        (["run", "x.yaml", "--backend", "rya"], "--backend"),
        (["sample", "--seed", "-1"], "--seed"),
        (["sample", "--seed", str(2**64)], "--seed"),
    ],
)
def test_a_misspelt_command_line_is_bad_input(words: list[str], named: str) -> None:
    assert named in fails(2, *words).lower()


# --- before a campaign ----------------------------------------------------------------------------------------------


def test_init_writes_a_file_that_validates(tmp_path: Path) -> None:
    printed = succeeds("init", tmp_path / "mine.yaml")
    assert f"designloop validate {tmp_path / 'mine.yaml'}" in printed
    assert designloop.load_campaign(tmp_path / "mine.yaml").name == "mine"


def test_init_never_writes_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "my_oracle.py").write_text("mine")
    assert "my_oracle.py is there already" in fails(2, "init", tmp_path / "mine.yaml", "--template", "own_oracle")
    assert not (tmp_path / "mine.yaml").exists(), "nothing is written half"
    assert (tmp_path / "my_oracle.py").read_text() == "mine"


def test_init_lists_its_templates_and_hints_at_a_misspelt_one(tmp_path: Path) -> None:
    assert "quickstart" in succeeds("init", "--list")
    assert "quickstart" in fails(2, "init", tmp_path / "mine.yaml", "--template", "quikstart")


def test_validate_prints_the_plan(tmp_path: Path, tiny_model: Path) -> None:
    printed = succeeds("validate", write_campaign(tmp_path, tiny_model, {"starting_molecules": [ASPIRIN]}))
    for word in ("carbons", "linear", "PAINS", "of ZINC 250k", "of yours", "45 oracle calls", "Ready: designloop run"):
        assert word in printed


def test_validate_says_all_that_is_wrong_with_a_file_at_once(tmp_path: Path, tiny_model: Path) -> None:
    mistakes = {
        "objective.properties.0.params": {"fials": "N"},
        "batch_size": "many",
        "strategy": {"name": "randm"},
        "starting_molecules": ["C", "CC"],
        "budget.oracle_calls": 1,
    }
    path = write_campaign(tmp_path, tiny_model, mistakes)
    path.write_text(path.read_text() + "name: again\n")
    printed = fails(2, "validate", path)
    for word in ("'fails'", "batch_size", "'random'", "starting_molecules", "name: found the key", "5 problems"):
        assert word in printed
    assert all(line.startswith(f"Error: {path}:") or line.startswith(f"{path}:") for line in printed.splitlines()[:5])


def test_validate_names_an_oracle_that_works_on_nothing(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"objective.properties.0.params": {"raises": True}})
    done = designloop_("validate", path)
    assert done.exit_code == 2
    assert "no licence left" in done.output
    assert "Not ready" in done.output


def test_score_shows_molecules_of_ones_own_and_what_the_filters_say(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "mine.smi").write_text(f"{ASPIRIN} aspirin\nNNc1ccc([N+](=O)[O-])cc1CCC odd\n")
    printed = succeeds("score", write_campaign(tmp_path, tiny_model), tmp_path / "mine.smi")
    assert "aspirin" in printed
    assert "refused by alerts" in printed


def test_score_names_every_bad_line(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "mine.smi").write_text(f"{ASPIRIN}\nC1CC\nnonsense\n")
    printed = fails(2, "score", write_campaign(tmp_path, tiny_model), tmp_path / "mine.smi")
    assert f"{tmp_path / 'mine.smi'}:2: 'C1CC' is not a SMILES" in printed
    assert f"{tmp_path / 'mine.smi'}:3: 'nonsense' is not a SMILES" in printed
    assert "--skip-bad" in printed


def test_score_takes_smiles_and_writes_csv(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    printed = succeeds("score", path, ASPIRIN, "CCO", "--csv", tmp_path / "scored.csv")
    assert ASPIRIN in printed
    lines = (tmp_path / "scored.csv").read_text().splitlines()
    assert lines[0] == "smiles,written,name,line,score,refused,error,carbons,carbons_desirability"
    assert lines[1].startswith(f"{ASPIRIN},{ASPIRIN},,1,0.3")
    assert lines[2].startswith("CCO,CCO,,2,")


def test_score_names_a_file_that_is_not_there(tmp_path: Path, tiny_model: Path) -> None:
    assert "is not a file" in fails(2, "score", write_campaign(tmp_path, tiny_model), tmp_path / "mine.csv")


def test_score_leaves_out_bad_lines_when_told(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "mine.smi").write_text(f"{ASPIRIN}\nC1CC\nC[Mg]Br\n")
    done = designloop_("score", write_campaign(tmp_path, tiny_model), tmp_path / "mine.smi", "--skip-bad")
    assert done.exit_code == 0
    assert "2 of 3 molecules are left out" in done.stderr
    assert "mine.smi:2: 'C1CC'" in done.stderr
    assert "mine.smi:3: 'C[Mg]Br' is an organometallic" in done.stderr
    assert ASPIRIN in done.stdout


def test_a_dry_run_tells_the_bill_and_spends_nothing(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    printed = succeeds("run", path, "--dry-run")
    assert "45 oracle calls are left, in 3 rounds" in printed
    assert "on 1 worker." in succeeds("run", path, "--dry-run", "--workers", 1, "--backend", "ray")
    assert "on 3 workers." in succeeds("run", path, "--dry-run", "--workers", 3, "--backend", "ray")
    assert "on 1 worker." in succeeds("run", path, "--dry-run"), "inline, which has one process"
    assert "on top is known once a round of this campaign has run" in printed
    assert not (tmp_path / "small").exists()


def test_what_a_run_would_refuse_a_dry_run_and_validate_refuse_as_well(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished.parent, tmp_path / "copy")
    path = tmp_path / "copy" / finished.name
    path.write_text(path.read_text() + "seed: 12\n")
    refused = fails(2, "run", path)
    assert "begun with other settings:\n  seed: found 12" in refused
    assert fails(2, "run", path, "--dry-run") == refused
    validated = designloop_("validate", path)
    assert validated.exit_code == 2
    assert "problem: the campaign 'small' was begun with other settings" in validated.stdout
    anew = succeeds("run", path, "--dry-run", "--fresh")
    assert "45 oracle calls are left, in 3 rounds" in anew
    assert path.with_suffix("").is_dir(), "nothing was moved aside"
    oracle = path.parent / "my_oracle.py"
    oracle.write_text(oracle.read_text() + "# changed\n")
    path.write_text(path.read_text().replace("seed: 12\n", ""))
    assert "the oracle behind these properties has changed" in fails(2, "run", path, "--dry-run")
    assert "0 oracle calls are left" in succeeds("run", path, "--dry-run", "--accept-changed-oracles")


# --- what it found --------------------------------------------------------------------------------------------------


def test_status_tells_of_failures_refusals_and_the_digest(finished: Path) -> None:
    for words in (finished, finished.with_suffix("")):
        printed = succeeds("status", words)
        assert "45 of 45 oracle calls" in printed
        assert "failed" in printed
        assert "starting molecule that a filter refuses: OB(O)c1ccccc1CC1CC1 (elements" in printed
        assert api.status(finished).digest in printed


@pytest.mark.parametrize("words", [["status"], ["top"], ["compare"], ["query", "SELECT 1"]])
def test_a_campaign_that_never_ran_is_told_to_be_run(tmp_path: Path, tiny_model: Path, words: list[str]) -> None:
    path = write_campaign(tmp_path, tiny_model)
    printed = fails(2, *words, path)
    assert f"{path} has not run yet" in printed
    assert f"designloop run {path}" in printed
    wrong = write_campaign(tmp_path, tiny_model, {"batch_size": "many"})
    assert "batch_size: found 'many'" in fails(2, *words, wrong)


def test_a_damaged_file_of_a_round_is_told_by_status_as_by_run(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished.parent, tmp_path / "copy")
    path = tmp_path / "copy" / finished.name
    for number, damage in enumerate((lambda file: file.write_bytes(file.read_bytes()[:100]), Path.unlink), 1):
        rows = tmp_path / "copy" / "small" / "rounds" / f"0000{number}.parquet"
        content = rows.read_bytes()
        damage(rows)
        printed = fails(2, "status", path)
        assert f"{rows} is {'damaged' if number == 1 else 'missing'}" in printed
        assert "Restore it from a backup" in printed
        assert fails(2, "run", path) == printed
        rows.write_bytes(content)


def test_what_can_be_done_without_is_told_by_every_verb_which_answers(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_results, "nearest_zinc", lambda smiles, say: [None] * len(smiles))
    shutil.copytree(finished.parent, tmp_path / "copy")
    path = tmp_path / "copy" / finished.name
    whole = api.status(path)
    (tmp_path / "copy" / "small" / "details" / "00001.parquet").write_bytes(b"")
    (tmp_path / "copy" / "small" / "finished.json").unlink()
    (tmp_path / "copy" / "small" / "references.json").write_text("{}")
    assert "remark: " in (printed := succeeds("status", path))
    assert "details/00001.parquet is damaged" in printed
    assert "not ended" in printed
    for words in (["top", path], ["compare", path], ["query", "FROM rounds", path]):
        assert "finished.json is missing: how the campaign ended is not known" in designloop_(*words).stderr
    assert "references.json is damaged" in designloop_("top", path).stderr
    ended = succeeds("run", path)
    assert "the references are scored again" in ended
    again = api.status(path)
    assert (again.digest, again.end) == (whole.digest, whole.end)
    assert designloop_("top", path).stderr == ""


def test_a_full_disk_ends_a_run_with_the_code_that_says_to_repeat_it(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished.parent, tmp_path / "copy")
    log = tmp_path / "copy" / "small" / "campaign.log"
    log.unlink()
    log.symlink_to("/dev/full")
    assert "campaign.log cannot be written to" in fails(4, "run", tmp_path / "copy" / finished.name)


def test_a_full_disk_is_no_wrong_path(finished: Path, tmp_path: Path) -> None:
    full = tmp_path / "full.csv"
    full.symlink_to("/dev/full")
    said = "full.csv cannot be written (No space left on device). See that the disk works and has room"
    for words in (["query", "FROM rounds", finished], ["top", finished], ["score", finished, ASPIRIN]):
        assert said in fails(4, *words, "--csv", full)


def test_status_of_a_folder_without_a_campaign_says_what_to_give(tmp_path: Path) -> None:
    assert "holds no campaign" in fails(2, "status", tmp_path)


def test_top_shows_and_writes_the_best(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_results, "nearest_zinc", lambda smiles, say: [None] * len(smiles))
    files = [f"--{ending}={tmp_path / 'best'}.{ending}" for ending in ("csv", "smi", "sdf", "svg")]
    printed = succeeds("top", finished, "-n", 3, "--diverse", *files)
    assert "caffeine" in printed
    assert "carbons" in printed
    assert len((tmp_path / "best.csv").read_text().splitlines()) == 4
    assert len((tmp_path / "best.smi").read_text().splitlines()) == 3
    assert (tmp_path / "best.sdf").read_text().count("$$$$") == 3
    assert (tmp_path / "best.svg").read_text().startswith("<svg")


def test_top_shows_what_a_filter_refuses_only_where_that_is_asked(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_results, "nearest_zinc", lambda smiles, say: [None] * len(smiles))
    boronic = "OB(O)c1ccccc1CC1CC1"
    assert boronic not in succeeds("top", finished, "-n", 100)
    (line,) = [line for line in succeeds("top", finished, "-n", 100, "--with-refused").splitlines() if boronic in line]
    assert "start, refused" in line


def test_compare_sets_campaigns_side_by_side(finished: Path) -> None:
    (line,) = [line for line in succeeds("compare", finished).splitlines() if line.startswith("small")]
    assert line.split()[1] == "45"


def test_query_answers_and_explains_its_errors(finished: Path, tmp_path: Path) -> None:
    printed = succeeds("query", "SELECT count(*) AS n, max(score) AS best FROM candidates", finished)
    assert printed.splitlines()[1].split()[0] == "45"
    assert "Did you mean smiles" in fails(2, "query", "SELECT smile FROM candidates", finished)
    assert succeeds("query", "SELECT 1 AS a, 2 AS a", finished).splitlines()[:2] == ["a  a_1", "1    2"]
    succeeds("query", "SELECT 1 AS a, 2 AS a", finished, "--csv", tmp_path / "twice.csv")
    assert (tmp_path / "twice.csv").read_text() == "a,a_1\n1,2\n"
    succeeds("query", "SELECT smiles, parents FROM candidates", finished, "--csv", tmp_path / "rows.csv")
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 46


def test_query_without_a_campaign_takes_those_below(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.parent)
    assert succeeds("query", "SELECT count(*) FROM candidates").splitlines()[1].strip() == "45"
    monkeypatch.chdir(tmp_path)
    assert "hold no results" in fails(2, "query", "SELECT 1")


# --- oracles and models ---------------------------------------------------------------------------------------------


def test_oracles_lists_all_and_tells_all_about_one(finished: Path) -> None:
    assert "sa_score" in succeeds("oracles")
    printed = succeeds("oracles", "similarity")
    assert "fingerprint" in printed
    assert "transform:" in printed
    assert "similarity" in fails(2, "oracles", "similarty")
    assert "Carbon atoms" in succeeds("oracles", f"{finished.parent / 'my_oracle.py'}:score")


def test_filtered_samples_pass_the_default_filters_each_once() -> None:
    rules = build(Filters(), FilterContext(Path.cwd()))
    first, again = (succeeds("sample", "-n", 5, "--filter") for _ in range(2))
    molecules = first.split()
    assert first == again
    assert len(set(molecules)) == 5
    assert all(standard_form(molecule) == molecule for molecule in molecules)
    assert not any(rule.refuses(require(molecule), molecule) for molecule in molecules for rule in rules)


def test_too_few_that_pass_are_told(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("designloop.loop.pretrained.Pretrained.draws", lambda self, n, seed: ["C"] * n)
    assert "0 of 960 draws pass the filters" in fails(2, "sample", "-n", 5, "--model", tiny_model, "--filter")


def test_a_long_round_is_told_of_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with RunDisplay(None, every_seconds=0.02) as shown:  # type: ignore[arg-type]  # a campaign is for the bar alone
        sleep(0.2)
        lines = capsys.readouterr().out.splitlines()
        shown.on_scored(Scoring(3, 37, 2, 100))
        sleep(0.1)
        line = capsys.readouterr().out.splitlines()[-1]
    assert 2 <= len(lines) <= 10
    before = "… nothing of this round is scored yet; 0 s into this round; no round"
    assert all(line.startswith(before) for line in lines)
    assert line.startswith("… round 3: 37 of 100 scored, 2 failed; 0 s into this round; no round")
    sleep(0.05)
    assert capsys.readouterr().out == "", "it ends with the run"


def test_sample_gives_the_same_molecules_for_the_same_seed(tiny_model: Path) -> None:
    first, again, other = (succeeds("sample", "-n", 5, "--model", tiny_model, "--seed", seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first.splitlines()) == 5


def test_reconstruct_says_what_came_back_and_what_cannot_be_expressed(tiny_model: Path) -> None:
    printed = succeeds("reconstruct", ASPIRIN, "[Na+].[Cl-]", "--model", tiny_model)
    assert "of 2 came back exactly" in printed
    assert "[Cl-1]" in printed
    assert "neither a shipped model" in fails(2, "reconstruct", ASPIRIN, "--model", "zinc")
    assert "found 'xyz', expected SMILES" in fails(2, "reconstruct", "xyz", "--model", tiny_model)


def test_pretrain_writes_a_model_that_a_campaign_can_name(tmp_path: Path, tiny_model: Path) -> None:
    write_campaign(tmp_path, tiny_model)
    printed = succeeds("pretrain", tmp_path / "run", "--corpus", tmp_path / "molecules.smi", "--steps", 1)
    assert f"model: {tmp_path / 'run' / 'model.safetensors'}" in printed
    assert len(succeeds("sample", "-n", 2, "--model", tmp_path / "run" / "model.safetensors").splitlines()) == 2


def test_benchmark_lists_what_there_is() -> None:
    assert "demo" in succeeds("benchmark")
    assert "demo" in fails(2, "benchmark", "dmo")
    assert "has no option --tasks" in fails(2, "benchmark", "demo", "--tasks", "qed")
