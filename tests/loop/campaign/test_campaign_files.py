"""The campaign files that ship: those in campaigns/, and the templates of `init`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from designloop.loop.campaign import templates
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.screening.filters import FilterContext, build
from designloop.molecules.chemistry import descriptor, parse, require
from designloop.oracles.measured import is_measured
from designloop.records import Candidate, Evaluation, Result
from tests.services import scoring_service

FOLDER = Path(__file__).parent.parent.parent.parent / "campaigns"
FILES = sorted(FOLDER.glob("*.yaml"))

BICALUTAMIDE = "CC(O)(CS(=O)(=O)c1ccc(F)cc1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1"
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An oracle may write files where it is called, and is called here and not by a worker."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with scoring_service() as url:
        yield url


def load(file: Path, service: str) -> Campaign:
    """A campaign that ships; one that asks a service asks that of the tests."""
    asks = "url:" in file.read_text()
    return load_campaign(file, {"objective.properties.0.params.url": service} if asks else {})


def scores(campaign: Campaign, smiles: list[str]) -> list[float | None]:
    """Scores of some molecules, their oracles called here."""
    answers = {
        item.name: campaign.oracles[item.name].answers(smiles, output=item.output)
        for item in campaign.objective.properties
        if not is_measured(campaign.oracles[item.name])
    }
    measured = {item.name: Result(6.0) for item in campaign.objective.properties if item.name not in answers}
    rows = [
        Evaluation(
            Candidate(molecule, "start"),
            measured | {name: Result(outputs[molecule].value) for name, outputs in answers.items()},  # type: ignore[arg-type]  # an output is one number
        )
        for molecule in smiles
    ]
    return [row.score for row in campaign.objective(rows)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_campaign_file_is_valid_and_its_oracles_answer(file: Path, service: str) -> None:
    campaign = load(file, service)
    assert campaign.name == file.stem, "so that `designloop run FILE` leaves FILE's name"
    build(campaign.filters, FilterContext(campaign.folder, campaign.standardize, campaign.stereo))
    assert all(score is not None and 0 <= score <= 1 for score in scores(campaign, [ASPIRIN, BICALUTAMIDE]))


BINDERS_THAT_ARE_REFUSED = ["forbid_smarts", "forbid_smarts"]  # enzalutamide and apalutamide are thiocarbonyls
REFUSED = {"quickstart": BINDERS_THAT_ARE_REFUSED, "quickstart_random": BINDERS_THAT_ARE_REFUSED}
"""Campaign -> the filters that refuse starting molecules, where it means to learn from such all the same."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_starting_molecules_pass_the_filters_unless_it_is_meant_otherwise(file: Path) -> None:
    campaign = load_campaign(file)
    filters = build(campaign.filters, FilterContext(campaign.folder, campaign.standardize, campaign.stereo))
    refused = []
    for molecule in campaign.starting():
        mol = parse(molecule.smiles)
        assert mol is not None
        refused += [rule.name for rule in filters if rule.refuses(mol, molecule.smiles) is not None]
    assert refused == REFUSED.get(file.stem, [])


def test_there_are_campaigns_for_other_uses() -> None:
    assert {"quickstart", "quickstart_random", "latent_bo"} < {file.stem for file in FILES}
    assert len(FILES) >= 6


def test_the_numbers_of_quickstart_are_those_of_the_drug() -> None:
    campaign = load_campaign(FOLDER / "quickstart.yaml")
    drug = require(BICALUTAMIDE)
    assert [(reference.name, reference.smiles) for reference in campaign.references()] == [
        ("bicalutamide", BICALUTAMIDE)
    ]
    text = (FOLDER / "quickstart.yaml").read_text()
    for words, name, digits in (
        ("the drug's is {}", "esol", 2),
        ("the drug's is {}", "qed", 2),
        ("the drug's is {}", "sa_score", 2),
        ("{} g/mol", "molecular_weight", 1),
        ("logP {}", "logp", 1),
        ("{} Å²", "tpsa", 0),
        ("{} rotatable bonds", "rotatable_bonds", 0),
        ("{} donors", "hbd", 0),
    ):
        assert words.format(f"{descriptor(name)(drug):.{digits}f}") in text
    filters = build(campaign.filters, FilterContext(campaign.folder, campaign.standardize, campaign.stereo))
    assert {rule.name: rule.refuses(drug, BICALUTAMIDE) for rule in filters} == {rule.name: None for rule in filters}


def test_quickstart_asks_for_the_pharmacophore_and_leaves_head_room_beside_the_drug() -> None:
    """Ligands of the receptor with other scaffolds have it; a molecule that is only drug-like scores far less."""
    campaign = load_campaign(FOLDER / "quickstart.yaml")
    features = campaign.oracles["pharmacophore"]
    ligands = {
        BICALUTAMIDE: 6,
        "CC(O)(COc1ccc(C#N)cc1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1": 6,  # enobosarm
        "CC(O)C(Nc1ccc(C#N)c(Cl)c1C)c1nnc(o1)-c1ccc(C#N)cc1": 6,  # vosilasarm
        "N#Cc1ccc(N2CCC[C@@H]2[C@@H](O)C(F)(F)F)cc1C(F)(F)F": 5,  # ligandrol, which has one aromatic ring
        ASPIRIN: 0,
    }
    assert features.score(list(ligands)) == ligands
    drug, easy = scores(campaign, [BICALUTAMIDE, "O=C(COc1ccc2c(c1)CCO2)NCC(=O)Nc1ccc2c(c1)COCO2"])
    assert drug is not None
    assert easy is not None
    assert 0.5 < drug < 0.65, "better ones can be found, and the reference is no zero"
    assert easy < drug


def test_quickstart_keeps_its_ten_best_apart() -> None:
    campaign = load_campaign(FOLDER / "quickstart.yaml")
    filters, diversity = campaign.filters, campaign.diversity
    assert diversity.per_scaffold is not None
    assert 10 / diversity.per_scaffold >= 5
    assert diversity.min_distance is not None
    assert diversity.min_distance >= 0.4
    assert filters.strong_acid == filters.base == 0, "for which ESOL is not valid"
    assert (filters.reactive, filters.known_rings, filters.known_groups, filters.unstable) == (True, 1, 1, True)


def test_the_control_of_quickstart_differs_by_its_strategy_only_and_spends_its_whole_budget() -> None:
    full, control = (load_campaign(FOLDER / f"{name}.yaml").dump() for name in ("quickstart", "quickstart_random"))
    assert {key for key in full if full[key] != control[key]} == {"name", "strategy", "budget"}
    assert control["budget"] == {**full["budget"], "patience": 0}
    assert control["strategy"]["name"] == "random"


def test_latent_bo_is_a_small_budget_of_a_costly_oracle() -> None:
    campaign = load_campaign(FOLDER / "latent_bo.yaml")
    assert (campaign.budget.oracle_calls, campaign.batch_size, campaign.strategy.name) == (300, 20, "latent_bo")
    assert {item.oracle for item in campaign.objective.properties} == {"./costly_oracle.py:score"}
    assert len({oracle.fingerprint for oracle in campaign.oracles.values()}) == 1, "one run gives every output"
    assert all(oracle.costly and campaign.evaluation.chunk_of(oracle) == 1 for oracle in campaign.oracles.values())


# --- templates of `init` -------------------------------------------------------------------------------------------


def written(template: str, folder: Path) -> Path:
    for name, text in templates.render(template, "mine").items():
        (folder / name).write_text(text)
    return folder / "mine.yaml"


@pytest.mark.parametrize("template", templates.names())
def test_each_template_is_a_valid_campaign_of_the_given_name(template: str, service: str, tmp_path: Path) -> None:
    path = written(template, tmp_path)
    campaign = load(path, service)
    assert campaign.name == "mine"
    verb = "suggest" if any(map(is_measured, campaign.oracles.values())) else "run"
    assert f"designloop {verb} mine.yaml" in path.read_text()
    assert all(score is not None for score in scores(campaign, [ASPIRIN, BICALUTAMIDE]))
    assert templates.summary(template).endswith((".", "?"))
    assert "campaigns/" not in path.read_text()


def test_all_campaigns_are_templates_with_what_they_need() -> None:
    assert {file.stem for file in FILES} <= set(templates.names())
    assert set(templates.render("own_model", "mine")) == {"mine.yaml", "model_oracle.py", "solubility_model.json"}
    assert set(templates.render("rescue_solubility", "mine")) == {"mine.yaml", "insoluble.csv"}
    program = {"mine.yaml", "program_oracle.py", "polar_surface_program.py"}
    assert set(templates.render("command_line_program", "mine")) == program
    assert set(templates.render("http_service", "mine")) == {"mine.yaml", "service_oracle.py", "scoring_service.py"}
    assert set(templates.render("cns_profile", "mine")) == {"mine.yaml"}


def test_the_examples_of_own_oracles_give_the_values_that_are_meant(service: str) -> None:
    molecules = [ASPIRIN, BICALUTAMIDE]
    wanted = {"own_model": "esol", "command_line_program": "tpsa", "http_service": "logp"}
    for name, descriptor_name in wanted.items():
        oracle = next(iter(load(FOLDER / f"{name}.yaml", service).oracles.values()))
        answers = oracle.answers(molecules)
        expected = [descriptor(descriptor_name)(require(molecule)) for molecule in molecules]
        assert [answers[molecule].value for molecule in molecules] == pytest.approx(expected)


def test_the_template_explains_every_key_and_says_its_default(tmp_path: Path) -> None:
    path = written(templates.DEFAULT, tmp_path)
    (tmp_path / "known.smi").write_text("CC\n")
    (tmp_path / "mine.csv").write_text("smiles\nCC\n")
    text = path.read_text()
    # A key behind a # is `# key: …` or, inside a section that is, `#   key: …`.
    key = re.compile(r"^( *)# ?( *[a-z_]+:(?: .*)?)$", re.MULTILINE)
    path.write_text(key.sub(r"\1\2", text))
    everything = load_campaign(path).dump()
    path.write_text(key.sub(lambda line: line[0] if "# e.g." in line[0] else line[1] + line[2], text))
    defaults = load_campaign(path).dump()
    path.write_text(text)
    short = load_campaign(path).dump()
    assert defaults == short
    set_by_it = {"reference", "objective", "strategy", "filters", "diversity", "budget", "name", "seed"}
    optional = set(Campaign.model_fields) - set_by_it
    assert {key for key in optional if f"\n# {key}:" in text} == optional
    for section in ("filters", "evaluation", "budget"):
        assert everything[section] != short[section], "the examples were read"


def test_the_template_and_quickstart_want_the_same(tmp_path: Path) -> None:
    template, quickstart = (
        load_campaign(written(templates.DEFAULT, tmp_path)),
        load_campaign(FOLDER / "quickstart.yaml"),
    )
    assert template.objective.model_dump() == quickstart.objective.model_dump()
    assert template.filters == quickstart.filters


def test_an_unknown_template_is_answered_with_those_there_are() -> None:
    with pytest.raises(templates.TemplateError, match="did you mean 'own_oracle'"):
        templates.render("ownoracle", "x")
