"""The campaign files that ship: those in campaigns/, and the templates of `init`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from designloop.loop.campaign import templates
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.scoring.objective import Objective
from designloop.loop.screening.filters import Context, build
from designloop.molecules.chemistry import descriptor, parse
from designloop.records import Candidate, Evaluation, Result

FOLDER = Path(__file__).parent.parent.parent.parent / "campaigns"
FILES = sorted(FOLDER.glob("*.yaml"))

BICALUTAMIDE = "CC(O)(CS(=O)(=O)c1ccc(F)cc1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1"
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def scores(campaign: Campaign, smiles: list[str]) -> list[float | None]:
    """Scores of some molecules, their oracles called here."""
    answers = {
        item.name: campaign.oracles[item.name].answers(smiles, output=item.output)
        for item in campaign.objective.properties
    }
    rows = [
        Evaluation(Candidate(one, "start"), {name: Result(found[one].value) for name, found in answers.items()})  # type: ignore[arg-type]  # an output is one number
        for one in smiles
    ]
    return [row.score for row in campaign.objective(rows)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_campaign_file_is_valid_and_its_oracles_answer(file: Path) -> None:
    campaign = load_campaign(file)
    assert campaign.name == file.stem, "so that `designloop run FILE` leaves FILE's name"
    build(campaign.filters, Context(campaign.folder, campaign.standardize, campaign.stereo))
    assert all(score is not None and 0 <= score <= 1 for score in scores(campaign, [ASPIRIN, BICALUTAMIDE]))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_starting_molecules_pass_the_filters_of_their_campaign(file: Path) -> None:
    campaign = load_campaign(file)
    filters = build(campaign.filters, Context(campaign.folder, campaign.standardize, campaign.stereo))
    for given in campaign.starting():
        mol = parse(given.smiles)
        assert mol is not None
        assert {one.name: one.refuses(mol, given.smiles) for one in filters} == {one.name: None for one in filters}


def test_there_are_campaigns_for_other_uses() -> None:
    assert {"quickstart", "quickstart_random", "latent_bo"} < {file.stem for file in FILES}
    assert len(FILES) >= 6


def test_the_numbers_of_quickstart_are_those_of_the_drug() -> None:
    campaign = load_campaign(FOLDER / "quickstart.yaml")
    drug = parse(BICALUTAMIDE)
    assert drug is not None
    assert [(one.name, one.smiles) for one in campaign.references()] == [("bicalutamide", BICALUTAMIDE)]
    solubility = descriptor("esol")(drug)
    weight = descriptor("molecular_weight")(drug)
    wanted: dict[str, Any] = {item.name: item.transform for item in campaign.objective.properties}
    assert (wanted["similarity"].low, wanted["similarity"].high) == (0.1, 0.6)
    assert (wanted["solubility"].low, wanted["solubility"].high) == pytest.approx(
        (solubility, solubility + 1.5), abs=0.005
    )
    assert (wanted["qed"].low, wanted["qed"].high) == (0.3, 0.8)
    assert (wanted["sa"].low, wanted["sa"].high) == (5, 2.5)
    assert (wanted["weight"].low, wanted["weight"].high) == pytest.approx((0.8 * weight, 1.2 * weight), abs=0.05)
    assert wanted["weight"](weight) > 0.999
    assert wanted["weight"]([0.8 * weight, 1.2 * weight]) == pytest.approx([0.5, 0.5], abs=0.005)
    text = (FOLDER / "quickstart.yaml").read_text()
    for number in (
        f"the drug's is {solubility:.2f}",
        f"the drug's is {descriptor('qed')(drug):.2f}",
        f"the drug's is {descriptor('sa_score')(drug):.2f}",
        f"the drug's {weight:.1f} g/mol",
    ):
        assert number in text
    assert scores(campaign, [BICALUTAMIDE]) == [0.0], "no more soluble than itself"


def test_the_control_of_quickstart_differs_by_its_strategy_only() -> None:
    full, control = (load_campaign(FOLDER / f"{name}.yaml").dump() for name in ("quickstart", "quickstart_random"))
    assert {key for key in full if full[key] != control[key]} == {"name", "strategy"}
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
def test_each_template_is_a_valid_campaign_of_the_given_name(template: str, tmp_path: Path) -> None:
    path = written(template, tmp_path)
    campaign = load_campaign(path)
    assert campaign.name == "mine"
    assert "designloop run mine.yaml" in path.read_text()
    assert all(score is not None for score in scores(campaign, [ASPIRIN, BICALUTAMIDE]))
    assert templates.summary(template).endswith(".")


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
    optional = set(Campaign.model_fields) - {"reference", "objective", "strategy", "budget", "name", "seed"}
    assert {key for key in optional if f"\n# {key}:" in text} == optional
    for section in ("filters", "evaluation", "budget"):
        assert everything[section] != short[section], "the examples were read"


def test_the_template_and_quickstart_want_the_same(tmp_path: Path) -> None:
    def wanted(objective: Objective) -> dict[str, Any]:
        return objective.model_dump()

    template = load_campaign(written(templates.DEFAULT, tmp_path))
    assert wanted(template.objective) == wanted(load_campaign(FOLDER / "quickstart.yaml").objective)


def test_an_unknown_template_is_answered_with_those_there_are() -> None:
    with pytest.raises(templates.TemplateError, match="did you mean 'own_oracle'"):
        templates.render("ownoracle", "x")
