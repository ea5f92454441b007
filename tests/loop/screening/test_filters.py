"""The filters of a campaign file: their settings, their order, and what each refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from designloop.loop.screening.filters import (
    BuiltBy,
    Filter,
    FilterContext,
    Filters,
    build,
    shares_passing,
    without,
)
from designloop.molecules.chemistry import MoleculeError, require, standard_form
from designloop.molecules.corpus import zinc

OFF = dict.fromkeys(["elements", "heavy_atoms", "net_charge", "ring_size", "known_rings", "known_groups"], None) | {
    "radicals": True,
    "unstable": False,
    "reactive": False,
    "alerts": [],
}
"""Settings that switch every default off."""

PHENETHYLAMIDE = "O=C(NCCc1ccccc1)C1CCOCC1"


def only(folder: Path = Path(), /, **settings: object) -> Filter:
    """The one filter that some settings switch on."""
    (rule,) = build(Filters.model_validate({**OFF, **settings}), FilterContext(folder))
    return rule


def verdict(rule: Filter, smiles: str) -> str | None:
    return rule.refuses(require(smiles), smiles)


def test_defaults():
    filters = Filters()
    assert filters.elements == ("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
    assert (filters.heavy_atoms, filters.ring_size, filters.net_charge) == ((10, 50), (3, 7), (0, 0))
    assert (filters.radicals, filters.unstable, filters.alerts) == (False, True, ("PAINS", "NIH"))
    assert (filters.exclude, filters.largest_ring, filters.undefined_stereo) == (None, None, None)
    assert (filters.reactive, filters.known_rings, filters.known_groups) == (True, 1, 1)
    assert (filters.strong_acid, filters.acid, filters.base) == (None, None, None)
    assert filters.require_smarts == filters.forbid_smarts == ()
    assert filters.descriptors == {}


def test_all_off():
    assert build(Filters.model_validate(OFF), FilterContext(Path())) == []


def test_every_filter_can_be_switched_off_by_name():
    settings = {"descriptors": {"logp": [1, 4]}, "require_smarts": "c", "forbid_smarts": "N", "strong_acid": 0}
    filters = Filters.model_validate({**settings, "undefined_stereo": 1})
    assert build(without(filters, Filters.model_fields), FilterContext(Path())) == []
    names = [rule.name for rule in build(without(filters, ["unstable"]), FilterContext(Path()))]
    assert names == [rule.name for rule in build(filters, FilterContext(Path())) if rule.name != "unstable"]


def test_filters_are_asked_in_the_order_of_the_registry():
    settings = {"descriptors": {"logp": [1, 4]}, "require_smarts": "c", "undefined_stereo": 1, "largest_ring": 6}
    names = [rule.name for rule in build(Filters.model_validate(settings), FilterContext(Path()))]
    fields = list(Filters.model_fields)
    assert names == sorted(names, key=fields.index)
    assert names[0] == "elements"
    assert names[-1] == "alerts"


def test_every_field_is_a_filter_and_says_what_it_is():
    for name, field in Filters.model_fields.items():
        assert field.description, name
        assert any(isinstance(mark, BuiltBy) for mark in field.metadata), name


@pytest.mark.parametrize(
    ("settings", "allowed", "refused", "why"),
    [
        ({"elements": ["C", "N", "O"]}, PHENETHYLAMIDE, "Fc1ccccc1", "element F, allowed are C N O"),
        ({"elements": ["C"]}, "CC", "*CC", r"element \*"),
        ({"heavy_atoms": [10, 50]}, PHENETHYLAMIDE, "CCO", "3 heavy atoms, allowed are 10 to 50"),
        ({"heavy_atoms": [None, 3]}, "CCO", "CCCO", "4 heavy atoms, allowed are at most 3"),
        ({"heavy_atoms": [3, None]}, "CCO", "CO", "allowed are at least 3"),
        ({"net_charge": 0}, "C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CCO", r"net charge \+1, allowed is 0"),
        ({"net_charge": [-1, 1]}, "C[N+](C)(C)CCO", "C[N+](C)(C)CC[N+](C)(C)C", r"net charge \+2, allowed is -1 to 1"),
        ({"radicals": False}, "CC", "C[CH]C", "unpaired electrons"),
        ({"ring_size": [3, 7]}, "C1CC1", "C1CCCCCCC1", "a ring of 8, allowed are 3 to 7"),
        ({"ring_size": [5, 6]}, PHENETHYLAMIDE, "C1CC1", "a ring of 3"),
        ({"largest_ring": 6}, "C1CC1", "C1CCCCCC1", "largest_ring 7, allowed is at most 6"),
        ({"forbid_smarts": "[Cl]"}, PHENETHYLAMIDE, "CCl", r"has \[Cl\]"),
        ({"forbid_smarts": ["[Cl]", "[Br]"]}, "CCF", "CBr", r"has \[Br\]"),
        ({"require_smarts": ["c1ccccc1", "C(=O)N"]}, PHENETHYLAMIDE, "c1ccccc1", r"no C\(=O\)N"),
        ({"unstable": True}, PHENETHYLAMIDE, "COOC", "peroxide"),
        ({"reactive": True}, PHENETHYLAMIDE, "C=C1C=CC=C1", "fulvene"),
        (
            {"known_rings": 1},
            PHENETHYLAMIDE,
            "CC1OCNO1",
            "ring system C1NOCO1 in no known molecule",
        ),
        ({"known_rings": 9}, PHENETHYLAMIDE, "O=C1CCO1", r"ring system O=C1CCO1 in fewer than 9 known molecules"),
        (
            {"known_groups": 1},
            PHENETHYLAMIDE,
            "CS(=O)(=O)CNS(C)(=O)=O",
            r"groups C\{S=\}-N\{S=\} in no known molecule",
        ),
        ({"strong_acid": 0}, PHENETHYLAMIDE, "CC(=O)O", r"strong_acid 1 \(carboxylic_acid\), allowed is at most 0"),
        ({"acid": 0}, PHENETHYLAMIDE, "O=C1CSC(=O)N1", r"acid 1 \(thiazolidinedione\)"),
        ({"base": 1}, "CCN", "NCCCCN", r"base 2 \(amine, amine\), allowed is at most 1"),
        ({"undefined_stereo": 0}, "C[C@H](O)CC", "CC(O)CC", "undefined_stereo 1, allowed is at most 0"),
        ({"descriptors": {"logp": [1, 4]}}, "CCc1ccccc1", "OCCO", "logp -1.029, allowed is 1 to 4"),
        ({"descriptors": {"tpsa": [None, 90], "MolWt": [100, 500]}}, PHENETHYLAMIDE, "CCO", "MolWt 46.07"),
        ({"alerts": "PAINS"}, PHENETHYLAMIDE, "O=C1C=CC(=O)C=C1", "quinone_A"),
    ],
    ids=str,
)
def test_filter(settings, allowed, refused, why):
    rule = only(**settings)
    assert rule.name == next(iter(settings))
    assert verdict(rule, allowed) is None
    assert re.search(why, str(verdict(rule, refused)))


def test_a_descriptor_that_cannot_be_computed_refuses():
    rule = only(descriptors={"BCUT2D_MWLOW": [0, 100]})
    assert verdict(rule, PHENETHYLAMIDE) is None
    assert "BCUT2D_MWLOW" in str(verdict(rule, "[He]"))


def test_exclude(tmp_path):
    (tmp_path / "known.smi").write_text("C[NH2+]CCO.[Cl-] made in 2019\nC[C@H](O)Cl\nCCC\n")
    rule = only(tmp_path, exclude="known.smi")
    assert verdict(rule, "CNCCO") == "listed in known.smi"
    assert verdict(rule, "C[C@@H](O)Cl") == "listed in known.smi"
    assert verdict(rule, "CCCC") is None
    (keep,) = build(Filters.model_validate({**OFF, "exclude": "known.smi"}), FilterContext(tmp_path, stereo="keep"))
    assert verdict(keep, "C[C@H](O)Cl") == "listed in known.smi"
    assert verdict(keep, "C[C@@H](O)Cl") is None


def test_exclude_refuses_or_leaves_out_what_is_no_molecule(tmp_path):
    (tmp_path / "known.smi").write_text("CCC\nnothing\n[Mg]CC\n")
    with pytest.raises(MoleculeError, match=r"2 lines hold no .* by \{file: …, skip_bad: true\}") as caught:
        only(tmp_path, exclude="known.smi")
    assert all(f"known.smi:{line}: " in str(caught.value) for line in (2, 3))
    rule = only(tmp_path, exclude={"file": "known.smi", "skip_bad": True})
    assert verdict(rule, "CCC") == "listed in known.smi"
    (tmp_path / "known.smi").write_text("CCCC\n")
    rule = only(tmp_path, exclude={"file": "known.smi"})
    assert (verdict(rule, "CCC"), verdict(rule, "CCCC")) == (None, "listed in known.smi"), "the file is read anew"


def test_exclude_without_a_file(tmp_path):
    with pytest.raises(MoleculeError, match=r"no file .*gone\.smi; the path is relative"):
        only(tmp_path, exclude="gone.smi")


@pytest.mark.parametrize(
    ("settings", "where", "message"),
    [
        ({"alerts": ["PAIN"]}, ("alerts", 0), "did you mean 'PAINS'"),
        ({"elements": ["CL"]}, ("elements", 0), "did you mean 'Cl'"),
        ({"elements": ["Xx"]}, ("elements", 0), "expected the symbol of an element"),
        ({"heavy_atoms": [50, 10]}, ("heavy_atoms",), r"did you mean \[10, 50\]"),
        ({"heavy_atoms": [None, None]}, ("heavy_atoms",), "at least one number"),
        ({"heavy_atoms": 10}, ("heavy_atoms",), "valid tuple"),
        ({"net_charge": True}, ("net_charge",), "valid tuple"),
        ({"descriptors": {"logpp": [1, 4]}}, ("descriptors", "logpp", "[key]"), "did you mean 'logp'"),
        ({"require_smarts": ["c1cc"]}, ("require_smarts", 0), "expected a SMARTS"),
        ({"forbid_smarts": [""]}, ("forbid_smarts", 0), "expected a SMARTS"),
        ({"radical": True}, ("radical",), "not permitted"),
    ],
    ids=str,
)
def test_a_mistake_is_one_error_at_its_place(settings, where, message, capfd):
    with pytest.raises(ValidationError, match=message) as caught:
        Filters.model_validate(settings)
    assert [error["loc"] for error in caught.value.errors()] == [where]
    assert capfd.readouterr().err == ""


def test_words_of_yaml():
    """YAML 1.2 reads `no` as text."""
    assert Filters.model_validate({"radicals": "no", "alerts": None}) == Filters(radicals=False, alerts=())


def test_filters_are_frozen_and_survive_json():
    filters = Filters.model_validate({"descriptors": {"logp": [1, None]}, "exclude": "known.smi", "net_charge": 1})
    assert Filters.model_validate_json(filters.model_dump_json()) == filters
    with pytest.raises(ValidationError, match="frozen"):
        filters.unstable = False  # type: ignore[misc]


def test_shares():
    filters = build(Filters(), FilterContext(Path()))
    shares = shares_passing(filters, [PHENETHYLAMIDE, "CCO", "no molecule", "COOCCCCCCCCC"])
    assert shares["all"] == 0.25  # the first
    assert shares["elements"] == 0.75  # all but what is no molecule
    assert (
        shares["heavy_atoms"] == shares["unstable"] == shares["alerts"] == 0.5
    )  # the second is small, the last a peroxide
    assert list(shares) == [*(rule.name for rule in filters), "all"]
    with pytest.raises(MoleculeError, match="no molecules"):
        shares_passing(filters, [])


def test_nine_of_ten_of_zinc_pass_the_defaults():
    shares = shares_passing(build(Filters(), FilterContext(Path())), zinc()[::500])
    assert 0.85 < shares["all"] < 0.95
    assert all(shares[name] > 0.985 for name in shares if name not in ("alerts", "unstable", "all"))


@pytest.mark.parametrize("name", ["bicalutamide", "atorvastatin", "aspirin", "imatinib", "sildenafil", "apixaban"])
def test_drugs_pass_the_defaults(name):
    drugs = (Path(__file__).parent.parent.parent / "molecules" / "approved_drugs.smi").read_text().splitlines()
    (smiles,) = (line.split("\t")[0] for line in drugs if f"\t{name}\t" in line)
    standard = standard_form(smiles)
    for rule in build(Filters(), FilterContext(Path())):
        assert verdict(rule, standard) is None, rule.name
