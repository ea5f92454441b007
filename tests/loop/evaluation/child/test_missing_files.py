"""Each way in which an oracle misses a file that its author sees, and what it is told to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from designloop.loop.evaluation.child.exchange import Reply
from designloop.loop.evaluation.child.missing_files import advised, remedy

WORK, OWN, CAMPAIGN = "work", "campaign/oracles", "campaign"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for folder in (WORK, f"{OWN}/data", f"{CAMPAIGN}/results"):
        (tmp_path / folder).mkdir(parents=True)
    for name in (f"{OWN}/model.json", f"{OWN}/data/grid.map", f"{OWN}/helper.py", f"{CAMPAIGN}/mine.csv", f"{WORK}/c"):
        (tmp_path / name).touch()
    return tmp_path


def missing(name: str) -> FileNotFoundError:
    return FileNotFoundError(2, "No such file or directory", name)


def chained() -> Exception:
    error = RuntimeError("cannot start")
    error.__cause__ = missing("model.json")
    error.__cause__.__context__ = error  # causes that go round in a circle
    return error


DECLARE = "lies beside the oracle's file, but the oracle runs in a folder of its own; declare it: @oracle(files=["


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (lambda work: missing("model.json"), f"model.json {DECLARE}'model.json'])"),
        (lambda work: missing("./data/../model.json"), f"model.json {DECLARE}'model.json'])"),
        (lambda work: missing("data/grid.map"), f"data/grid.map {DECLARE}'data/grid.map'])"),
        (lambda work: missing(f"{work}/model.json"), f"model.json {DECLARE}'model.json'])"),
        (lambda work: ModuleNotFoundError("No module", name="helper"), f"helper.py {DECLARE}'helper.py'])"),
        (lambda work: OSError("Bad input file model.json"), f"model.json {DECLARE}'model.json'])"),
        (lambda work: chained(), f"model.json {DECLARE}'model.json'])"),
        (lambda work: missing("mine.csv"), "mine.csv lies beside the campaign file, but"),
        (lambda work: missing("../mine.csv"), ""),
        (lambda work: missing("results/out.txt"), "the folder results lies beside the oracle or campaign, but"),
        (lambda work: missing("out.txt"), "out.txt was left by an earlier call, and each call finds the folder as it"),
        (lambda work: OSError("c.sh c.smi: cannot read c"), ""),
        (lambda work: missing("nowhere.json"), ""),
        (lambda work: missing("/etc/nowhere.json"), ""),
        (lambda work: PermissionError(13, "Permission denied", "c"), ""),
        (lambda work: ModuleNotFoundError("No module", name="numpyy"), ""),
        (lambda work: ValueError("bad value 1.5 of CCO"), ""),
        (lambda work: KeyError(), ""),
    ],
)
def test_the_remedy_fits_the_error(folders: Path, error: Callable[[Path], Exception], advice: str) -> None:
    work = folders / WORK
    sentence = remedy(error(work), work, folders / OWN, folders / CAMPAIGN, {"out.txt"})
    assert sentence.startswith(advice)
    assert bool(sentence) is bool(advice)


def test_what_the_call_that_failed_wrote_itself_was_not_left_by_an_earlier_one(folders: Path) -> None:
    work = folders / WORK
    (work / "in.smi").write_text("CCO")
    error = OSError("Command 'dock in.smi' returned non-zero exit status 4.")
    assert remedy(error, work, folders / OWN, folders / CAMPAIGN, {"in.smi"}) == ""


def test_where_the_authors_folders_are_not_nothing_is_said(folders: Path) -> None:
    assert remedy(missing("model.json"), folders / WORK, None, None) == ""
    assert remedy(missing("model.json"), folders / WORK, folders / "gone", folders / "gone") == ""


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'model.json' (o.py:3)",
            f"model.json {DECLARE}'model.json'])",
        ),
        (
            "[Errno 2] No such file or directory: '/tmp/designloop-7/ab/0/own/data/grid.map'",
            f"{DECLARE}'data/grid.map'])",
        ),
        ("ModuleNotFoundError: No module named 'helper' (o.py:3)", f"helper.py {DECLARE}'helper.py'])"),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'mine.csv'",
            "mine.csv lies beside the campaign file",
        ),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'unknown.csv'", ""),
        ("ValueError: model.json is no model", ""),
    ],
)
def test_a_worker_elsewhere_that_lacks_the_folders_gets_the_same_sentence(
    folders: Path, error: str, advice: str
) -> None:
    reply = advised(Reply(None, "raised", error), "./oracles/o.py:score", folders / CAMPAIGN)
    assert reply.error is not None
    assert reply.error.startswith(error)
    assert advice in reply.error
    assert (reply.error == error) == (not advice)
    assert advised(reply, "./oracles/o.py:score", folders / CAMPAIGN) == reply, "it is said once"
