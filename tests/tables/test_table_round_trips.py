"""Rows and states of a candidate table come back bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from designloop.records import ACQUISITION, UNIFORM, Candidate, Evaluation, Result, Round, Scored, State, Status
from designloop.tables import open_candidates
from designloop.tables.errors import TableError
from designloop.tables.manifest import FOLDERS
from tests.tables.fakes import FakeCampaign, molecule, open_table

pytestmark = pytest.mark.usefixtures("quick_disk")


_text = st.text(max_size=8)
_finite = st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_arrays = st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i1", "u8", "u2", "u1", "?", ">f4"]).flatmap(
    lambda kind: npst.arrays(kind, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)


@st.composite
def _row(draw: st.DrawFn, number: int) -> Scored:
    def result() -> Result:
        statuses: list[Status] = ["ok", "ok", "ok", "not_run", "failed", "timeout"]
        status = draw(st.sampled_from(statuses))
        value = draw(_finite) if status == "ok" else None
        return Result(
            value, status, None if status == "ok" else draw(_text), draw(st.floats(0, 1e6)), draw(st.integers(1, 9))
        )

    candidate = Candidate(
        molecule(number),
        draw(_text),
        draw(st.none() | _text),
        tuple(draw(st.lists(_text, max_size=2))),
        draw(st.integers(0, 999)),
        draw(st.none() | _text),
        chosen=draw(st.sampled_from([None, ACQUISITION, UNIFORM])),
        predicted_mean=draw(st.none() | _finite),
        predicted_sd=draw(st.none() | _finite),
    )
    evaluation = Evaluation(candidate, {"weight": result(), "logP": result()})
    desirability = {
        name: draw(st.floats(0, 1)) if result.status == "ok" else None for name, result in evaluation.results.items()
    }
    return Scored(evaluation, desirability, draw(_finite) if evaluation.status == "ok" else None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rows_and_state_come_back_bit_for_bit(tmp_path_factory, data):
    campaign = FakeCampaign(tmp_path_factory.mktemp("trip"))
    rows = [data.draw(_row(number)) for number in range(data.draw(st.integers(0, 3)))]
    state = State(
        data.draw(st.dictionaries(st.text(min_size=1, max_size=5), _arrays, max_size=3)),
        data.draw(st.dictionaries(_text, _json, max_size=3)),
    )
    with open_table(campaign) as table:
        table.commit(Round(0, rows, {"loss": data.draw(st.floats())}, state))
    with open_table(campaign) as table:
        back = table.last_state()
        assert back is not None
        assert repr(back.data) == repr(state.data)  # by repr, as a NaN is not equal to itself
        assert set(back.arrays) == set(state.arrays)
        for name, array in state.arrays.items():
            assert back.arrays[name].shape == array.shape
            assert back.arrays[name].tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()
            assert back.arrays[name].flags.writeable
    stored = open_candidates(campaign.output_folder).to_arrow().to_pylist()
    for position, (row, stored_row) in enumerate(zip(rows, stored, strict=True)):
        candidate, results = row.candidate, row.evaluation.results
        expected = {
            "position": position,
            "call": position + 1,
            "smiles": candidate.smiles,
            "selfies": candidate.selfies,
            "proposer": candidate.proposer,
            "parents": list(candidate.parents),
            "model_round": candidate.model_round,
            "chosen": candidate.chosen,
            "predicted_mean": candidate.predicted_mean,
            "predicted_sd": candidate.predicted_sd,
            "written": candidate.written,
            "status": row.status,
            "score": row.score,
            "weight": results["weight"].value,
            "weight_desirability": row.desirability["weight"],
            "logP": results["logP"].value,
            "logP_desirability": row.desirability["logP"],
        }
        assert repr({name: stored_row[name] for name in expected}) == repr(expected)


def test_a_state_that_would_not_come_back_is_refused(campaign):
    for state, message in [
        (State(data={"elites": [("CCO", 0.5)]}), r"state.data\['elites'\]\[0\] is a tuple"),
        (State(data={"by round": {1: 2}}), "has the key 1 of type int"),
        (State(data={"n": np.int64(3)}), "is a int64"),
        (State({"z": np.array(["C"])}), "is numpy <U1"),
        (State({"z": [1.0]}), "is list"),  # type: ignore[dict-item]
    ]:
        with open_table(campaign) as table, pytest.raises(TableError, match=message):
            table.commit(Round(0, [], state=state))


def test_the_folder_is_made_with_those_above_it(tmp_path):
    campaign = FakeCampaign(tmp_path / "a" / "b")
    with open_table(campaign) as table:
        assert {path.name for path in table.folder.iterdir()} == {*FOLDERS, "campaign.json", ".lock"}
