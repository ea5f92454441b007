"""The command `run`: what it prints, what it leaves, and what it exits with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from designloop import api
from designloop.loop import passing
from designloop.loop.evaluation.backends import InlineBackend, WorkerLoss
from designloop.loop.evaluation.child.exchange import Reply
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.tables.ledger import Ledger
from tests.campaigns import write_campaign
from tests.commands import ASPIRIN, designloop_, fails, succeeds


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of filters from a few molecules will do."""
    monkeypatch.setattr(passing, "SAMPLE", 20)


def test_run_prints_each_round_the_reference_above_the_best_and_where_all_lies(
    tmp_path: Path, tiny_model: Path
) -> None:
    path = write_campaign(tmp_path, tiny_model, {"reference": {"aspirin": ASPIRIN}})
    printed = succeeds("run", path)
    lines = printed.splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("round")] == ["round 1", "round 2", "round 3"]
    header = next(number for number, line in enumerate(lines) if line.startswith("#"))
    assert "aspirin" in lines[header + 1]
    assert lines[header + 2].startswith("1 ")
    assert str(tmp_path / "small") in printed
    assert (tmp_path / "small" / "best.svg").is_file()
    assert (tmp_path / "small" / "progress.svg").is_file()
    assert "round 3" in (tmp_path / "small" / "campaign.log").read_text()


def test_run_on_a_finished_campaign_prints_its_result_and_how_to_raise_the_budget(finished: Path) -> None:
    printed = succeeds("run", finished)
    assert "raise `budget.oracle_calls`" in printed
    assert "caffeine" in printed
    (failures,) = api.status(finished).failures
    assert f"{failures.molecules} of 45 molecules failed; the commonest reasons:\n  carbons failed: " in printed
    assert "Proposing and learning take about 0 s on top" in succeeds("run", finished, "--dry-run")
    assert not any(line.startswith("round") for line in printed.splitlines())


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
    assert [entry.name for entry in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_run_says_which_starting_molecules_are_refused_before_it_pays(tmp_path: Path, tiny_model: Path) -> None:
    changes = {
        "starting_molecules": [ASPIRIN, "CCCCCC"],
        "filters": {"require_smarts": ["c"]},
        "budget.oracle_calls": 3,
    }
    lines = succeeds("run", write_campaign(tmp_path, tiny_model, changes)).splitlines()
    line = (
        "1 of 2 starting molecules is refused: heavy_atoms 1; it is scored and learned from all the same; "
        "`designloop status` lists it"
    )
    assert lines.index(line) < next(index for index, line in enumerate(lines) if line.startswith("round 0"))
    assert line in (tmp_path / "small" / "campaign.log").read_text()


def test_run_and_status_tell_of_answers_that_nobody_asked_for(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"budget.oracle_calls": 40})
    oracle = (tmp_path / "my_oracle.py").read_text()
    (tmp_path / "my_oracle.py").write_text(oracle.replace("for s in smiles if", "for s in [*smiles, 'X'] if"))
    remark = "oracle 'score' answered for 'X', which was not asked; such answers are dropped"
    assert succeeds("run", path).count(remark) == (tmp_path / "small" / "campaign.log").read_text().count(remark) == 1
    assert succeeds("status", path).count(remark) == 1


NOTHING_WORKS = {
    "objective.properties.0.params": {"fails": "c"},
    "filters": {"require_smarts": ["c"]},
    "reference": ["CC1CCCCC1CCCO", "CC(=O)Oc1ccccc1C(=O)O"],
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
    for text in (done.stdout, (tmp_path / "small" / "campaign.log").read_text()):
        assert "no answer for this molecule" in text.partition(last)[0], "while it runs"
        assert "no answer for this molecule" in text.partition(last)[2], "and at its end"
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
    printed = succeeds("run", path, "--fresh")
    log = (tmp_path / "small" / "campaign.log").read_text()
    for known in ("20 of 20", "5 of 5", "45 of 45"):
        line = f"{known} values were known to the ledger, of {today}"
        assert line in printed
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
        self.losses: list[WorkerLoss] = []

    def wait(self) -> list[tuple[int, Reply]]:
        if not self.losses:
            self.losses.append(WorkerLoss("node", "10.0.0.5 (ef56ab12)", 2, "no heartbeats"))
            self.resent = 2
        return super().wait()


def test_a_lost_node_is_said_once_and_stands_in_the_log_in_status_and_in_the_metrics(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("designloop.loop.evaluation.evaluator.InlineBackend", Losing)
    path = write_campaign(tmp_path, tiny_model)
    line = "node 10.0.0.5 (ef56ab12) was lost with 1 worker (no heartbeats); 2 chunks were sent again"
    total = "1 worker died, 1 node was lost, 2 chunks were sent again"
    printed = succeeds("run", path)
    log = (tmp_path / "small" / "campaign.log").read_text()
    for text in (printed, log):
        assert text.count(line) == 1
        assert f"{total}." in text
    assert f"{total}\nround 1: {line}" in succeeds("status", path)
    query = "SELECT lost_nodes, lost_workers, resent_chunks, losses FROM rounds ORDER BY round"
    rows = [tuple(row.values()) for row in api.query(query, [path]).to_pylist()]
    assert rows == [(1, 1, 2, line), (0, 0, 0, None), (0, 0, 0, None)]


def test_a_broken_oracle_is_found_before_anything_is_charged(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"objective.properties.0.params": {"raises": True}})
    printed = fails(2, "run", path)
    assert "no licence left" in printed
    assert "Nothing was charged" in printed
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
    printed = succeeds("run", path)
    assert "resuming after round 1" in printed
    assert api.status(path).calls == 45


def test_a_defect_of_ours_shows_where_it_is(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("this cannot be")

    monkeypatch.setattr("designloop.api.status", broken)
    done = designloop_("status", finished)
    assert done.exit_code == 1
    assert isinstance(done.exception, AssertionError)
