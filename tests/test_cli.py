"""Every command: what it prints, what it leaves, and what it exits with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import designloop
from designloop import api
from designloop.cli import app
from designloop.loop import preflight
from designloop.loop.evaluation.backends import InlineBackend, Loss
from designloop.loop.evaluation.oracle_process import OracleProcess, Reply
from designloop.tables.ledger import Ledger
from tests.campaigns import write_campaign

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
COMMANDS = "init validate score run status top compare query oracles sample reconstruct pretrain benchmark".split()


def designloop_(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def succeeds(*words: object) -> str:
    done = designloop_(*words)
    assert done.exit_code == 0, done.output
    return done.stdout


def fails(code: int, *words: object) -> str:
    """What a command says on standard error; plain words, no traceback."""
    done = designloop_(*words)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.stderr


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of filters from a few molecules will do."""
    monkeypatch.setattr(preflight, "SAMPLE", 20)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The file of a campaign that has run: a reference, starting molecules of which one is refused, some failures."""
    folder = tmp_path_factory.mktemp("finished")
    changes = {
        "starting_molecules": [ASPIRIN, "OB(O)c1ccccc1CC1CC1"],
        "reference": {"caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O"},
        "objective.properties.0.params": {"fails": "S"},
    }
    path = write_campaign(folder, tiny_model, changes)
    api.run(path)
    return path


# --- the face -------------------------------------------------------------------------------------------------------


def test_the_version_is_the_packages() -> None:
    assert succeeds("--version") == f"designloop {designloop.__version__}\n"


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "designloop", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"designloop {designloop.__version__}\n"


def test_help_tells_of_every_command() -> None:
    told = succeeds("--help")
    assert [name for name in COMMANDS if name not in told] == []


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
    told = succeeds("init", tmp_path / "mine.yaml")
    assert f"designloop validate {tmp_path / 'mine.yaml'}" in told
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
    told = succeeds("validate", write_campaign(tmp_path, tiny_model, {"starting_molecules": [ASPIRIN]}))
    for word in ("carbons", "linear", "PAINS", "of ZINC 250k", "caffeine", "45 oracle calls", "Ready: designloop run"):
        assert word in told


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
    told = fails(2, "validate", path)
    for word in ("'fails'", "batch_size", "'random'", "starting_molecules", "name: found the key", "5 problems"):
        assert word in told
    assert all(line.startswith(f"Error: {path}:") or line.startswith(f"{path}:") for line in told.splitlines()[:5])


def test_validate_names_an_oracle_that_works_on_nothing(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"objective.properties.0.params": {"raises": True}})
    done = designloop_("validate", path)
    assert done.exit_code == 2
    assert "no licence left" in done.output
    assert "Not ready" in done.output


def test_score_shows_molecules_of_ones_own_and_what_the_filters_say(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "mine.smi").write_text(f"{ASPIRIN} aspirin\nNNc1ccc([N+](=O)[O-])cc1CCC odd\n")
    told = succeeds("score", write_campaign(tmp_path, tiny_model), tmp_path / "mine.smi")
    assert "aspirin" in told
    assert "refused by alerts" in told


def test_score_names_every_bad_line(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "mine.smi").write_text(f"{ASPIRIN}\nC1CC\nnonsense\n")
    told = fails(2, "score", write_campaign(tmp_path, tiny_model), tmp_path / "mine.smi")
    assert "line 2" in told
    assert "line 3" in told


def test_a_dry_run_tells_the_bill_and_spends_nothing(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    told = succeeds("run", path, "--dry-run")
    assert "45 oracle calls are left, in 3 rounds" in told
    assert "on 1 worker." in succeeds("run", path, "--dry-run", "--workers", 1)
    assert "on top is known once a round of this campaign has run" in told
    assert not (tmp_path / "small").exists()


# --- the campaign ---------------------------------------------------------------------------------------------------


def test_run_prints_each_round_the_reference_above_the_best_and_where_all_lies(
    tmp_path: Path, tiny_model: Path
) -> None:
    path = write_campaign(tmp_path, tiny_model, {"reference": {"aspirin": ASPIRIN}})
    told = succeeds("run", path)
    lines = told.splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("round")] == ["round 1", "round 2", "round 3"]
    header = next(number for number, line in enumerate(lines) if line.startswith("#"))
    assert "aspirin" in lines[header + 1]
    assert lines[header + 2].startswith("1 ")
    assert str(tmp_path / "small") in told
    assert (tmp_path / "small" / "best.svg").is_file()
    assert (tmp_path / "small" / "progress.svg").is_file()
    assert "round 3" in (tmp_path / "small" / "campaign.log").read_text()


def test_run_on_a_finished_campaign_prints_its_result_and_how_to_raise_the_budget(finished: Path) -> None:
    told = succeeds("run", finished)
    assert "raise `budget.oracle_calls`" in told
    assert "caffeine" in told
    (failures,) = api.status(finished).failures
    assert f"{failures.molecules} of 45 molecules failed; the commonest reasons:\n  carbons failed: " in told
    assert "Proposing and learning take about 0 s on top" in succeeds("run", finished, "--dry-run")
    assert not any(line.startswith("round") for line in told.splitlines())


def test_run_refuses_a_changed_campaign_by_key_and_fresh_moves_the_old_one_aside(
    tmp_path: Path, tiny_model: Path
) -> None:
    succeeds("run", write_campaign(tmp_path, tiny_model, {"budget.oracle_calls": 5}))
    changed = write_campaign(tmp_path, tiny_model, {"seed": 7, "budget.oracle_calls": 5})
    assert "\n  seed: found 7, expected 0\n" in fails(2, "run", changed)
    assert f"earlier results were moved to {tmp_path / 'small.1'}" in succeeds("run", changed, "--fresh")
    assert (tmp_path / "small.1" / "campaign.json").is_file()


def test_run_refuses_a_folder_of_other_things_by_name(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    path = write_campaign(tmp_path, tiny_model, {"output": "thesis"})
    for words in ([], ["--fresh"]):
        assert "is not empty, found chapter.tex" in fails(2, "run", path, *words)
    assert [one.name for one in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_run_says_which_starting_molecules_are_refused_before_it_pays(tmp_path: Path, tiny_model: Path) -> None:
    changes = {
        "starting_molecules": [ASPIRIN, "CCCCCC"],
        "filters": {"require_smarts": ["c"]},
        "budget.oracle_calls": 3,
    }
    lines = succeeds("run", write_campaign(tmp_path, tiny_model, changes)).splitlines()
    line = "1 of 2 starting molecules is refused: heavy_atoms 1; `designloop status` lists it"
    assert lines.index(line) < next(at for at, one in enumerate(lines) if one.startswith("round 0"))
    assert line in (tmp_path / "small" / "campaign.log").read_text()


def test_run_and_status_tell_of_answers_that_nobody_asked_for(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"budget.oracle_calls": 40})
    oracle = (tmp_path / "my_oracle.py").read_text()
    (tmp_path / "my_oracle.py").write_text(oracle.replace("for s in smiles if", "for s in [*smiles, 'X'] if"))
    told = "oracle 'score' answered for 'X', which was not asked; such answers are dropped"
    assert succeeds("run", path).count(told) == (tmp_path / "small" / "campaign.log").read_text().count(told) == 1
    assert succeeds("status", path).count(told) == 1


NOTHING_WORKS = {
    "objective.properties.0.params": {"fails": "c"},
    "filters": {"require_smarts": ["c"]},
    "reference": ["CCCCCCCC"],
    "batch_size": 3,
}
"""Changes to a campaign after which its oracle works on the reference alone."""


def test_a_run_that_gives_nothing_exits_with_3(tmp_path: Path, tiny_model: Path) -> None:
    done = designloop_("run", write_campaign(tmp_path, tiny_model, NOTHING_WORKS))
    assert done.exit_code == 3
    assert "without one good result" in done.output


@pytest.mark.parametrize("budget", [{"oracle_calls": 4}, {"hours": 1e-9}])
def test_whatever_budget_ends_it_a_run_without_results_exits_with_3_and_says_why(
    tmp_path: Path, tiny_model: Path, budget: dict[str, object]
) -> None:
    changes = {**NOTHING_WORKS, "budget": {"oracle_calls": 45, **budget}}
    path = write_campaign(tmp_path, tiny_model, changes)
    done = designloop_("run", path)
    assert done.exit_code == 3
    assert done.stdout.count("carbons failed: ") >= 2, "while it runs, and at its end"
    summary = api.status(path)
    assert summary.end is not None
    assert summary.end.reason == next(iter(budget))
    last = f"{summary.calls} of {summary.calls} molecules failed; the commonest reasons:"
    for told in (done.stdout, (tmp_path / "small" / "campaign.log").read_text()):
        assert "no answer for this molecule" in told.partition(last)[0], "while it runs"
        assert "no answer for this molecule" in told.partition(last)[2], "and at its end"
    assert designloop_("run", path).exit_code == 3, "also when it is asked once more"


def test_a_campaign_that_admits_no_molecule_exits_with_3(tmp_path: Path, tiny_model: Path) -> None:
    done = designloop_("run", write_campaign(tmp_path, tiny_model, {"filters": {"require_smarts": ["[U]"]}}))
    assert done.exit_code == 3
    assert "No molecule was admitted" in done.stdout
    assert "require_smarts 120" in done.stdout


def test_run_and_status_say_what_the_ledger_knew_and_since_when(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    assert "known to the ledger" not in succeeds("run", path)
    today = datetime.now(UTC).date().isoformat()
    told = succeeds("run", path, "--fresh")
    log = (tmp_path / "small" / "campaign.log").read_text()
    for known in ("20 of 20", "5 of 5", "45 of 45"):
        line = f"{known} values were known to the ledger, of {today}"
        assert line in told
        assert line in log
    assert f"45 of 45 values were known to the ledger, of {today}" in succeeds("status", path)
    query = "SELECT known_results, wanted_results, known_oldest FROM rounds ORDER BY round"
    rows = api.query(query, [path]).to_pylist()
    assert [(row["known_results"], row["wanted_results"]) for row in rows] == [(20, 20), (20, 20), (5, 5)]
    assert all(row["known_oldest"].startswith(today) for row in rows)


class Losing(InlineBackend):
    """A backend that loses a node over its first request, as a cluster's may."""

    def __init__(self, process: OracleProcess) -> None:
        super().__init__(process)
        self.resent = 0
        self.losses: list[Loss] = []

    def wait(self) -> list[tuple[int, Reply]]:
        if not self.losses:
            self.losses.append(Loss("node", "10.0.0.5 (ef56ab12)", 2, "no heartbeats"))
            self.resent = 2
        return super().wait()


def test_a_lost_node_is_said_once_and_stands_in_the_log_in_status_and_in_the_metrics(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("designloop.loop.evaluation.evaluator.InlineBackend", Losing)
    path = write_campaign(tmp_path, tiny_model)
    line = "node 10.0.0.5 (ef56ab12) was lost with 1 worker (no heartbeats); 2 chunks were sent again"
    total = "1 worker died, 1 node was lost, 2 chunks were sent again"
    told = succeeds("run", path)
    log = (tmp_path / "small" / "campaign.log").read_text()
    for text in (told, log):
        assert text.count(line) == 1
        assert f"{total}." in text
    assert f"{total}\nround 1: {line}" in succeeds("status", path)
    query = "SELECT lost_nodes, lost_workers, resent_chunks, losses FROM rounds ORDER BY round"
    rows = [tuple(row.values()) for row in api.query(query, [path]).to_pylist()]
    assert rows == [(1, 1, 2, line), (0, 0, 0, None), (0, 0, 0, None)]


def test_a_broken_oracle_is_found_before_anything_is_charged(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"objective.properties.0.params": {"raises": True}})
    told = fails(2, "run", path)
    assert "no licence left" in told
    assert "Nothing was charged" in told
    assert api.status(path).calls == 0


def test_a_ledger_in_use_can_be_waited_for(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    with Ledger(tmp_path / "small.ledger.sqlite"):
        fails(4, "run", path)
    succeeds("run", path)


def test_ctrl_c_exits_with_130_and_the_same_command_goes_on(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_campaign(tmp_path, tiny_model)
    with monkeypatch.context() as patch:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("designloop.display.RunDisplay.on_round", interrupt)
        assert "the same command goes on" in fails(130, "run", path)
    assert "interrupted" in (tmp_path / "small" / "campaign.log").read_text()
    told = succeeds("run", path)
    assert "resuming after round 1" in told
    assert api.status(path).calls == 45


def test_a_defect_of_ours_shows_where_it_is(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("this cannot be")

    monkeypatch.setattr("designloop.api.status", broken)
    done = designloop_("status", finished)
    assert done.exit_code == 1
    assert isinstance(done.exception, AssertionError)


# --- what it found --------------------------------------------------------------------------------------------------


def test_status_tells_of_failures_refusals_and_the_digest(finished: Path) -> None:
    for words in (finished, finished.with_suffix("")):
        told = succeeds("status", words)
        assert "45 of 45 oracle calls" in told
        assert "failed" in told
        assert "starting molecule refused" in told
        assert api.status(finished).digest in told


@pytest.mark.parametrize("words", [["status"], ["top"], ["compare"], ["query", "SELECT 1"]])
def test_a_campaign_that_never_ran_is_told_to_be_run(tmp_path: Path, tiny_model: Path, words: list[str]) -> None:
    path = write_campaign(tmp_path, tiny_model)
    told = fails(2, *words, path)
    assert f"{path} has not run yet" in told
    assert f"designloop run {path}" in told
    wrong = write_campaign(tmp_path, tiny_model, {"batch_size": "many"})
    assert "batch_size: found 'many'" in fails(2, *words, wrong)


def test_a_damaged_file_of_a_round_is_told_by_status_as_by_run(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished.parent, tmp_path / "copy")
    path = tmp_path / "copy" / finished.name
    for number, damage in enumerate((lambda one: one.write_bytes(one.read_bytes()[:100]), Path.unlink), 1):
        rows = tmp_path / "copy" / "small" / "rounds" / f"0000{number}.parquet"
        content = rows.read_bytes()
        damage(rows)
        told = fails(2, "status", path)
        assert f"{rows} is {'damaged' if number == 1 else 'missing'}" in told
        assert "Restore it from a backup" in told
        assert fails(2, "run", path) == told
        rows.write_bytes(content)


def test_what_can_be_done_without_is_told_by_every_verb_which_answers(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "nearest_zinc", lambda smiles, say: [None] * len(smiles))
    shutil.copytree(finished.parent, tmp_path / "copy")
    path = tmp_path / "copy" / finished.name
    whole = api.status(path)
    (tmp_path / "copy" / "small" / "details" / "00001.parquet").write_bytes(b"")
    (tmp_path / "copy" / "small" / "finished.json").unlink()
    (tmp_path / "copy" / "small" / "references.json").write_text("{}")
    assert "remark: " in (told := succeeds("status", path))
    assert "details/00001.parquet is damaged" in told
    assert "not ended" in told
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


def test_status_of_a_folder_without_a_campaign_says_what_to_give(tmp_path: Path) -> None:
    assert "holds no campaign" in fails(2, "status", tmp_path)


def test_top_shows_and_writes_the_best(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "nearest_zinc", lambda smiles, say: [None] * len(smiles))
    files = [f"--{ending}={tmp_path / 'best'}.{ending}" for ending in ("csv", "smi", "sdf", "svg")]
    told = succeeds("top", finished, "-n", 3, "--diverse", *files)
    assert "caffeine" in told
    assert "carbons" in told
    assert len((tmp_path / "best.csv").read_text().splitlines()) == 4
    assert len((tmp_path / "best.smi").read_text().splitlines()) == 3
    assert (tmp_path / "best.sdf").read_text().count("$$$$") == 3
    assert (tmp_path / "best.svg").read_text().startswith("<svg")


def test_compare_sets_campaigns_side_by_side(finished: Path) -> None:
    (line,) = [line for line in succeeds("compare", finished).splitlines() if line.startswith("small")]
    assert line.split()[1] == "45"


def test_query_answers_and_explains_its_errors(finished: Path, tmp_path: Path) -> None:
    told = succeeds("query", "SELECT count(*) AS n, max(score) AS best FROM candidates", finished)
    assert told.splitlines()[1].split()[0] == "45"
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
    told = succeeds("oracles", "similarity")
    assert "fingerprint" in told
    assert "transform:" in told
    assert "similarity" in fails(2, "oracles", "similarty")
    assert "Carbon atoms" in succeeds("oracles", f"{finished.parent / 'my_oracle.py'}:score")


def test_sample_gives_the_same_molecules_for_the_same_seed(tiny_model: Path) -> None:
    first, again, other = (succeeds("sample", "-n", 5, "--model", tiny_model, "--seed", seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first.splitlines()) == 5


def test_reconstruct_says_what_came_back_and_what_cannot_be_expressed(tiny_model: Path) -> None:
    told = succeeds("reconstruct", ASPIRIN, "[Na+].[Cl-]", "--model", tiny_model)
    assert "of 2 came back exactly" in told
    assert "[Cl-1]" in told
    assert "neither a shipped model" in fails(2, "reconstruct", ASPIRIN, "--model", "zinc")
    assert "found 'xyz', expected SMILES" in fails(2, "reconstruct", "xyz", "--model", tiny_model)


def test_pretrain_writes_a_model_that_a_campaign_can_name(tmp_path: Path, tiny_model: Path) -> None:
    write_campaign(tmp_path, tiny_model)
    told = succeeds("pretrain", tmp_path / "run", "--corpus", tmp_path / "molecules.smi", "--steps", 1)
    assert f"model: {tmp_path / 'run' / 'model.safetensors'}" in told
    assert len(succeeds("sample", "-n", 2, "--model", tmp_path / "run" / "model.safetensors").splitlines()) == 2


def test_benchmark_lists_what_there_is() -> None:
    assert "demo" in succeeds("benchmark")
    assert "demo" in fails(2, "benchmark", "dmo")
