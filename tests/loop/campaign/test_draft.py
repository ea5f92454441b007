"""A draft reads what can be read of a campaign file, refuses nothing, and knows no key that a campaign does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from designloop.loop.campaign.campaign import Budget, Campaign
from designloop.loop.campaign.draft import BudgetDraft, Draft, FiltersDraft, ObjectiveDraft, PropertyDraft
from designloop.loop.scoring.objective import Objective, Property
from designloop.loop.screening.filters import Filters


@pytest.mark.parametrize(
    ("draft", "model"),
    [
        (Draft, Campaign),
        (ObjectiveDraft, Objective),
        (PropertyDraft, Property),
        (FiltersDraft, Filters),
        (BudgetDraft, Budget),
    ],
)
def test_a_draft_has_only_keys_of_what_it_is_a_draft_of(draft: type[BaseModel], model: type[BaseModel]) -> None:
    assert draft.model_fields.keys() <= model.model_fields.keys()


def test_what_is_as_declared_is_there_whatever_stands_beside_it() -> None:
    draft = Draft.model_validate(
        {
            "starting_molecules": ["C", 5, "CC", None],
            "reference": {"drug": "CCO", "none": 1},
            "batch_size": "lots",
            "model": "zinc250k",
            "budget": {"oracle_calls": 0, "per_oracle": {"qed": "many"}},
            "objective": {"properties": [3, {"name": 1, "oracle": "qed", "params": None, "transform": "?"}]},
            "filters": {"require_smarts": 5, "forbid_smarts": "c1ccccc1", "elements": 7},
            "a key of nobody's": 1,
        }
    )
    assert draft.starting_molecules == ["C", None, "CC", None]
    assert draft.reference == {"drug": "CCO", "none": None}
    assert (draft.batch_size, draft.model, draft.output) == (None, "zinc250k", None)
    assert draft.budget == BudgetDraft(oracle_calls=None, per_oracle={"qed": "many"})
    assert draft.properties == [(1, PropertyDraft(name=None, oracle="qed", params={}))]
    assert draft.filters is not None
    assert list(draft.filters.smarts) == [("forbid_smarts", "c1ccccc1")]


def test_a_list_may_be_a_tuple_where_it_comes_from_python() -> None:
    assert Draft.model_validate({"starting_molecules": ("C", "CC")}).starting_molecules == ["C", "CC"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(list(Draft.model_fields)), values))
def test_nothing_is_refused(data: dict[str, Any]) -> None:
    draft = Draft.model_validate(data)
    assert draft.properties == [] or "objective" in data
