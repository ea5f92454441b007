from __future__ import annotations

import pytest

from designloop.loop.evaluation.attempts import cut, judge, read_value
from designloop.loop.evaluation.child.exchange import Reply
from designloop.tables.ledger_records import Intent


def intents(smiles, attempt=1):
    return tuple(Intent("f", molecule, attempt=attempt) for molecule in smiles)


def test_a_good_reply_settles_its_molecules():
    verdict = judge(intents("CNO"), Reply(((1.0, None), (2.0, None), (3.0, None)), seconds=0.6), [None], retries=1)
    assert [(run.status, run.value, run.attempt, run.again) for run in verdict.finished] == [
        ("ok", 1.0, 1, None),
        ("ok", 2.0, 1, None),
        ("ok", 3.0, 1, None),
    ]
    assert [run.seconds for run in verdict.finished] == pytest.approx([0.2] * 3)
    assert verdict.again == []


@pytest.mark.parametrize(("failure", "status"), [("raised", "failed"), ("died", "failed"), ("timeout", "timeout")])
def test_a_chunk_that_came_to_nothing_counts_as_no_attempt_and_its_molecules_run_alone(failure, status):
    verdict = judge(intents("CN"), Reply(None, failure, "no", 1.0), [None], retries=0)
    assert [(run.status, run.attempt, run.error) for run in verdict.finished] == [(status, 0, "no")] * 2
    assert verdict.again == [(Intent("f", "C", 2, 1),), (Intent("f", "N", 2, 1),)]
    assert [run.again for run in verdict.finished] == [Intent("f", "C", 2, 1), Intent("f", "N", 2, 1)]


def test_in_a_good_chunk_only_the_molecule_without_an_answer_runs_alone():
    verdict = judge(intents("CN"), Reply(((1.0, None), (None, "answered nan"))), [None], retries=0)
    assert [(run.status, run.attempt) for run in verdict.finished] == [("ok", 1), ("failed", 0)]
    assert verdict.again == [(Intent("f", "N", 2, 1),)]


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize("reply", [Reply(None, "timeout", "no", 1.0), Reply(((None, "answered nan"),))])
def test_a_molecule_alone_has_one_attempt_and_its_retries(reply, retries):
    chunk, attempts = intents("C"), []
    while True:
        verdict = judge(chunk, reply, [None], retries)
        attempts += [run.attempt for run in verdict.finished]
        if not verdict.again:
            break
        [chunk] = verdict.again
    assert attempts == list(range(1, retries + 2))
    assert verdict.finished[0].again is None


def test_an_oracle_that_does_not_load_fails_its_chunk_together():
    reply = Reply(None, "unloaded", "could not be loaded: no licence")
    verdict = judge(intents("CN"), reply, [None], retries=1)
    assert [run.attempt for run in verdict.finished] == [1, 1]
    assert verdict.again == [(Intent("f", "C", 2, 2), Intent("f", "N", 2, 2))]
    last = judge(verdict.again[0], reply, [None], retries=1)
    assert [(run.status, run.attempt, run.again) for run in last.finished] == [("failed", 2, None)] * 2
    assert last.again == []


def test_a_run_is_good_when_all_outputs_wanted_came():
    reply = Reply((({"a": 1.0, "b": "answered nan"}, None),))
    assert judge(intents("C"), reply, ["a"], 0).finished[0].status == "ok"
    [run] = judge(intents("C"), reply, ["a", "b"], 0).finished
    assert (run.status, run.error) == ("failed", "output 'b': answered nan")
    assert run.value == {"a": 1.0, "b": "answered nan"}, "what did come is kept"
    [run] = judge(intents("C"), reply, ["c"], 0).finished
    assert run.error is not None
    assert "answered no output 'c'" in run.error


def test_reading_one_property():
    assert read_value(1.5, None, None).value == 1.5
    assert read_value(None, "no licence", None).error == "no licence"
    assert read_value({"a": 2.0, "b": "answered inf"}, None, "a").value == 2.0
    assert read_value({"a": 2.0, "b": "answered inf"}, None, "b").error == "output 'b': answered inf"


def test_chunks_are_cut_from_all_molecules_whatever_is_known():
    smiles = [f"C{number}" for number in range(7)]
    to_run = {molecule: Intent("f", molecule) for molecule in smiles if molecule not in ("C1", "C3", "C4", "C5")}
    assert [[intent.smiles for intent in chunk] for chunk in cut(to_run, smiles, 3)] == [["C0", "C2"], ["C6"]]


def test_what_is_tried_again_after_a_restart_runs_alone():
    to_run = {"C": Intent("f", "C", 1, 1), "N": Intent("f", "N", 3, 2), "O": Intent("f", "O", 2, 1)}
    assert cut(to_run, ["C", "N", "O"], 3) == [(to_run["N"],), (to_run["C"], to_run["O"])]
