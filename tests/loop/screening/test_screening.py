"""Screening: in standard form, new, and allowed by the filters, before any oracle is asked."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

from designloop.loop.screening.diversity import Diversity
from designloop.loop.screening.filters import Filters, without
from designloop.loop.screening.screening import DRAWS_PER_WANTED, Refused, Screening, Take
from designloop.molecules.chemistry import (
    Mode,
    Stereo,
    canonical,
    fingerprints,
    parse,
    standard_form,
    tanimoto,
    without_stereo,
)
from designloop.molecules.corpus import zinc
from designloop.records import Candidate

ANY: dict[str, Any] = without(Filters(), Filters.model_fields).model_dump()
"""Settings of filters that allow everything."""


@dataclass
class FakeCampaign:
    filters: Filters = field(default_factory=lambda: Filters.model_validate(ANY))
    diversity: Diversity = field(default_factory=Diversity)
    standardize: Mode = "parent"
    stereo: Stereo = "ignore"
    folder: Path = Path()


@dataclass
class FakeTable:
    molecules: Sequence[str] = ()

    def charged(self) -> Iterable[str]:
        return self.molecules


def screening(*charged: str, stereo: Stereo = "ignore", standardize: Mode = "parent", **settings: object) -> Screening:
    apart = Diversity.model_validate({key: settings.pop(key) for key in Diversity.model_fields if key in settings})
    filters = Filters.model_validate({**ANY, **settings})
    return Screening(FakeCampaign(filters, apart, standardize, stereo), FakeTable(charged))


def draw(*smiles: str, proposer: str = "prior") -> Iterator[Candidate]:
    return (Candidate(molecule, proposer, selfies=f"selfies of {molecule}") for molecule in smiles)


def smiles_of(candidates: Iterable[Candidate]) -> list[str]:
    return [candidate.smiles for candidate in candidates]


def test_the_order_is_kept_and_what_the_model_wrote_too():
    admitted = screening().take(draw("OCC", "C[NH3+]", "CC(=O)[O-]"), 3)
    assert smiles_of(admitted) == ["CCO", "CN", "CC(=O)O"]
    assert [candidate.selfies for candidate in admitted] == [
        f"selfies of {s}" for s in ("OCC", "C[NH3+]", "CC(=O)[O-]")
    ]


def test_twins_cost_one_call_and_a_salt_is_its_parent():
    allowed = screening("CCN(C)C")
    admitted = allowed.take(draw("CC[NH+](C)C", "OC(=O)CN", "[O-]C(=O)C[NH3+]", "OC(=O)CN.Cl", "[13CH3]CO", "CCO"), 10)
    assert smiles_of(admitted) == ["NCC(=O)O", "CCO"]
    assert allowed.last_take.reasons == {"invalid": 0, "known": 1, "repeat": 3}


def test_stereoisomers_are_one_unless_stereo_is_kept():
    pair = ["C[C@H](O)CC", "C[C@@H](O)CC"]
    assert len(screening().take(draw(*pair), 2)) == 1
    assert len(screening(stereo="keep").take(draw(*pair), 2)) == 2
    flat = "CCC(C)O"
    assert screening(flat).take(draw(*pair), 2) == []
    assert len(screening(flat, stereo="keep").take(draw(*pair), 2)) == 2


def test_standardize_none_keeps_salts_apart():
    allowed = screening(standardize="none")
    assert smiles_of(allowed.take(draw("CCN.Cl", "CCN", "CC[NH3+]"), 3)) == ["CCN.Cl", "CCN", "CC[NH3+]"]


def test_what_was_admitted_is_known_to_the_next_take():
    allowed = screening()
    assert smiles_of(allowed.take(draw("CCO", "CCN"), 1)) == ["CCO"]
    assert smiles_of(allowed.take(draw("CCO", "CCN"), 1)) == ["CCN"]
    assert allowed.last_take.reasons["known"] == 1


def test_asking_admits_nothing():
    allowed = screening("CCN")
    for _ in range(2):
        assert smiles_of(allowed(list(draw("OCC", "CCN", "CCO", "C1CC", "CO")))) == ["CCO", "CO"]
    assert allowed.last_take == Take(0)
    assert smiles_of(allowed.take(draw("CCO"), 1)) == ["CCO"]
    assert allowed(list(draw("CCO"))) == []


@pytest.mark.parametrize("limit", [{"per_scaffold": 1}, {"min_distance": 0.5}, {"batch": 0.5}], ids=str)
def test_what_a_take_has_admitted_leaves_the_next_as_little_room_as_what_was_charged(limit: dict[str, Any]) -> None:
    """What is asked while a batch is chosen is answered as `take` will: no choice is made that it then refuses."""
    allowed = screening(**limit)
    kin, other = ["Cc1ccccc1CCO", "Cc1ccccc1CCCO"], "O=C1CCCN1CCF"
    answers = list[list[str]]()

    def stream() -> Iterator[Candidate]:
        for smiles in (*kin, other):
            answers.append(smiles_of(allowed([Candidate(smiles, "bred")])))
            yield Candidate(smiles, "bred")

    assert smiles_of(allowed.take(stream(), 3)) == [kin[0], other]
    assert answers == [[kin[0]], [], [other]]
    after = smiles_of(allowed([Candidate(kin[1], "bred")]))
    assert after == ([kin[1]] if "batch" in limit else []), "the next batch need not be apart from this one"


def test_what_the_user_has_is_not_crowded_by_what_else_the_user_has() -> None:
    """How unlike molecules are is asked of what is proposed: a better analogue of one's own must not be hidden."""
    kin = ["Cc1ccccc1CCO", "Cc1ccccc1CCCO", "O=C=O"]
    limits: dict[str, Any] = {"per_scaffold": 1, "min_distance": 0.5, "heavy_atoms": [5, 20]}
    allowed = screening(**limits)
    taken = allowed.take((Candidate(smiles, "start") for smiles in kin), 3, keep_refused=True)
    assert [row.allowed for row in taken] == [True, True, False], "filters do hide what they refuse"
    assert allowed([Candidate("Cc1ccccc1CCF", "bred")]) == [], "and both leave what is proposed no room"
    only_allowed = screening(**limits)
    assert smiles_of(only_allowed.take((Candidate(smiles, "start") for smiles in kin), 3)) == [kin[0]]


def test_take_draws_no_more_than_it_needs():
    stream = draw("CC", "CCC", "C1CC", "CCCC", "CCCCC")
    assert smiles_of(screening().take(stream, 3)) == ["CC", "CCC", "CCCC"]
    assert smiles_of(stream) == ["CCCCC"]


def test_take_ends_after_fifty_draws_for_each_wanted():
    allowed = screening()
    endless = (Candidate("CCO", "prior") for _ in itertools.count())
    assert len(allowed.take(endless, 20)) == 1
    take = allowed.last_take
    assert (take.drawn, take.admitted, take.ended) == (DRAWS_PER_WANTED * 20, 1, False)
    assert take.meagre
    assert not take.exhausted
    assert str(take) == "1,000 drawn, 1 of 20 admitted; refused: repeat 999"


def test_a_tenth_is_not_meagre():
    allowed = screening()
    endless = (Candidate("C" * (number % 2 + 1), "prior") for number in itertools.count())
    assert len(allowed.take(endless, 20)) == 2
    assert not allowed.last_take.meagre


def test_a_stream_that_ends_with_nothing_is_exhausted():
    allowed = screening("CCO")
    assert allowed.take(draw("CCO"), 5) == []
    nothing_new = allowed.last_take
    assert (nothing_new.ended, nothing_new.exhausted, nothing_new.meagre) == (True, True, False)
    assert allowed.take(draw("CCO", "CN"), 5)
    something = allowed.last_take
    assert (something.ended, something.exhausted) == (True, False)
    assert allowed.take(draw(), 5) == []
    assert str(allowed.last_take) == "0 drawn, 0 of 5 admitted; refused: none"


def test_reasons_are_counted_in_the_order_in_which_they_are_asked():
    allowed = screening("OCCCCc1ccccc1", heavy_atoms=[5, 20], alerts="PAINS", per_scaffold=1, unstable=True)
    drawn = draw(
        "C1CC",  # no molecule
        "c1ccccc1CCCCO",  # charged before
        "CCO",  # small
        "COOCCCCC",  # a peroxide
        "O=C1C=CC(=O)C=C1",  # a quinone
        "c1ccccc1CCCCN",  # its scaffold is full
        "C1CCCCC1CCCO",
        "OCCCC1CCCCC1",
    )
    assert smiles_of(allowed.take(drawn, 10)) == ["OCCCC1CCCCC1"]
    assert allowed.counts() == {
        "drawn": 8,
        "admitted": 1,
        "refused_invalid": 1,
        "refused_known": 1,
        "refused_repeat": 1,
        "refused_heavy_atoms": 1,
        "refused_unstable": 1,
        "refused_alerts": 1,
        "refused_per_scaffold": 1,
    }
    assert list(allowed.counts())[-4:] == [
        f"refused_{n}" for n in ("per_scaffold", "heavy_atoms", "unstable", "alerts")
    ]


def test_scaffolds_fill_up_over_the_campaign_but_chains_have_none():
    allowed = screening("Cc1ccccc1", per_scaffold=2)
    assert smiles_of(allowed(list(draw("CCc1ccccc1", "CCCc1ccccc1", "CCO", "CCN", "CCC")))) == [
        "CCc1ccccc1",
        "CCO",
        "CCN",
        "CCC",
    ]
    assert smiles_of(allowed.take(draw("CCc1ccccc1", "CCCc1ccccc1"), 2)) == ["CCc1ccccc1"]
    assert allowed.take(draw("CCCCc1ccccc1"), 1) == []
    assert allowed.counts()["refused_per_scaffold"] == 1


def test_starting_molecules_that_are_refused_are_named_with_the_filter():
    allowed = screening(heavy_atoms=[5, 50], elements=["C", "N", "O"])
    start = [
        Candidate("CC(C)Cc1ccc(C(C)C(=O)O)cc1", "start", written="ibuprofen sodium"),
        Candidate("CCO", "start", written="C(O)C"),
        Candidate("Clc1ccccc1", "start", written="Clc1ccccc1"),
        Candidate("CC(C)Cc1ccc(C(C)C(=O)O)cc1", "start", written="again"),
    ]
    assert [candidate.written for candidate in allowed.take(start, 4)] == ["ibuprofen sodium"]
    refused = allowed.last_take.refused_starting
    assert [(refused_molecule.written, refused_molecule.reason) for refused_molecule in refused] == [
        ("C(O)C", "heavy_atoms"),
        ("Clc1ccccc1", "elements"),
        ("again", "repeat"),
    ]
    text = allowed.counts()["refused_starting"]
    assert str(text).startswith(
        "C(O)C (heavy_atoms: 3 heavy atoms, allowed are 5 to 50); Clc1ccccc1 (elements: element Cl"
    )
    assert "refused_starting" not in screening().counts()


def test_nothing_is_taken_that_is_too_near_to_what_was_scored() -> None:
    allowed = screening("CCCCCCCCO", min_distance=0.4)
    drawn = ["CCCCCCCO", "c1ccccc1CCN", "c1ccccc1CCCN", "C1CCNCC1", "CC1CCNCC1", "OC1CCCCC1"]
    taken = smiles_of(allowed.take(draw(*drawn), 10))
    prints = fingerprints(["CCCCCCCCO", *taken])
    pairs = tanimoto(prints, prints)[np.triu_indices(len(prints), 1)]
    assert pairs.max() <= 0.6
    refused = [smiles for smiles in drawn if standard_form(smiles) not in taken]
    assert refused, "some are near"
    for smiles in refused:
        assert tanimoto(fingerprints([smiles]), prints).max() > 0.6, "each for its neighbour alone"
    assert allowed.counts()["refused_min_distance"] == len(refused)
    assert smiles_of(allowed(list(draw("CCCCCCO")))) == []
    again = screening("CCCCCCCCO", *taken, min_distance=0.4)
    assert smiles_of(again(list(draw(*refused)))) == [], "the same after a restart"


def test_what_is_known_is_not_bound_by_the_filters_and_marked() -> None:
    allowed = screening(heavy_atoms=[5, 50], per_scaffold=1)
    start = [
        Candidate(smiles, "start", written=smiles)
        for smiles in ("Cc1ccccc1", "CCO", "CCc1ccccc1", "no molecule", "OCC", "CCCCCC")
    ]
    taken = allowed.take(start, len(start), keep_refused=True)
    assert [(candidate.smiles, candidate.allowed) for candidate in taken] == [
        ("Cc1ccccc1", True),
        ("CCO", False),
        ("CCc1ccccc1", True),
        ("CCCCCC", True),
    ]
    take = allowed.last_take
    assert [(refused.written, refused.reason) for refused in take.refused_starting] == [
        ("CCO", "heavy_atoms"),
        ("no molecule", "invalid"),
        ("OCC", "repeat"),
    ]
    assert take.kept == 1
    assert take.drawn == take.admitted + sum(take.reasons.values())
    assert allowed.take(draw("CCO", "CCCc1ccccc1", "CCC"), 3) == [], "known, its scaffold full, too small"


def test_a_filter_is_asked_once_a_molecule(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(
        "designloop.loop.screening.predicates.first_unstable", lambda mol, outline: asked.append(Chem.MolToSmiles(mol))
    )
    allowed = screening("CCN", unstable=True)
    allowed(list(draw("CCO", "OCC", "CCN")))
    allowed.take(draw("C(O)C", "CC[NH3+]", "CC[O-]"), 3)
    assert asked == ["CCO"], "what is known already needs no filter"


ACROSS_PROCESSES = """
from pathlib import Path
from types import SimpleNamespace
from designloop.loop.screening.diversity import Diversity
from designloop.loop.screening.filters import Filters
from designloop.loop.screening.screening import Screening
from designloop.molecules.corpus import zinc
from designloop.records import Candidate

campaign = SimpleNamespace(
    filters=Filters(), diversity=Diversity(per_scaffold=2), standardize="parent", stereo="ignore", folder=Path(".")
)
allowed = Screening(campaign, SimpleNamespace(charged=lambda: []))
for candidate in allowed.take((Candidate(smiles, "file") for smiles in zinc()[::1000]), 150):
    print(candidate.smiles)
print(allowed.counts())
"""


def test_another_hash_seed_changes_nothing():
    outputs = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", ACROSS_PROCESSES], env=environment, capture_output=True, text=True, check=True
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 151


@pytest.mark.parametrize("stereo", ["ignore", "keep"])
def test_bookkeeping_costs_at_most_five_times_reading_the_molecule(stereo):
    """Measured 2.5 times parse and canonicalise, with fresh caches and without the filters' own predicates."""
    smiles = zinc()[1:901]
    standard_form("CC[NH3+].[Cl-]")  # its tables are made at the first use
    ratios = []
    for part in (smiles[:300], smiles[300:600], smiles[600:]):
        start = process_time()
        for molecule in part:
            Chem.MolToSmiles(Chem.MolFromSmiles(molecule))
        reading = process_time() - start
        for cached in (parse, canonical, standard_form, without_stereo):
            cached.cache_clear()
        allowed = screening(stereo=stereo)
        start = process_time()
        allowed.take(draw(*part), len(part))
        ratios.append((process_time() - start) / reading)
    assert min(ratios) < 5


def test_refused_starting_molecules_are_told_by_reason_in_one_line() -> None:
    reasons = ("heavy_atoms", "heavy_atoms", "require_smarts")
    take = Take(6, 6, 3, True, {}, tuple(Refused("C", reason, "why") for reason in reasons))
    message = "3 of 6 starting molecules are refused: heavy_atoms 2, require_smarts 1; `designloop status` lists them"
    assert take.starting_line == message
    kept = replace(take, admitted=6, kept=3)
    assert kept.starting_line == message.replace("1;", "1; all are scored and learned from all the same;")
    some = replace(take, admitted=5, kept=2)
    assert some.starting_line == message.replace("1;", "1; 2 of them are scored and learned from all the same;")
