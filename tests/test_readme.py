"""What the pages tell a reader to type is typed here: campaigns, an oracle, commands, Python; links and figures too."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from designloop import api, benchmarks
from designloop.api import results as api_results
from designloop.benchmarks.pmo.bars import OURS, WITHOUT_LUCK
from designloop.benchmarks.pmo.entries import Runs
from designloop.benchmarks.pmo.published import TITLES, published
from designloop.benchmarks.pmo.tasks import CALLS as CALLS_OF_PMO
from designloop.cli import app
from designloop.loop import passing
from designloop.loop.campaign.campaign import load_campaign

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
README = (ROOT / "README.md").read_text(encoding="utf-8")

CALLS = 24

CHEAP = f"""
strategy: {{name: property_loss, generations: 1, learning: {{steps: 0}}}}
batch_size: {CALLS // 2}
evaluation: {{backend: inline}}
budget: {{oracle_calls: {CALLS}}}
"""


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


FILES = {
    named[1]: block
    for language in ("yaml", "python")
    for block in blocks(language)
    if (named := re.match(r"# (\S+\.(?:yaml|py))\n", block))
}
"""Name of each file that the README shows -> its text."""

CAMPAIGNS = [name for name in FILES if name.endswith(".yaml")]

PYTHON = [block for block in blocks("python") if block not in FILES.values()]


def commands(text: str) -> list[str]:
    """Every designloop command of a page, those inside sentences included."""
    typed = [line.split(" #")[0].strip() for block in blocks("sh", text) for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    quoted = [" ".join(text.split()) for text in re.findall(r"`(designloop\s[^`]*)`", prose)]
    return [command for command in [*typed, *quoted] if command.startswith("designloop ") and "…" not in command]


def cut(campaign: str) -> str:
    """The same campaign for a few calls."""
    return re.sub(r"^(strategy|batch_size|budget):.*\n(?:  .*\n)*", "", campaign, flags=re.MULTILINE) + CHEAP


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's files in it, the budgets cut."""
    folder = tmp_path_factory.mktemp("readme")
    for name, text in FILES.items():
        (folder / name).write_text(cut(text) if name in CAMPAIGNS else text)
    return folder


def test_the_campaign_file_has_twenty_lines_and_the_oracle_ten() -> None:
    lines = {name: [line for line in text.splitlines()[1:] if line.strip()] for name, text in FILES.items()}
    assert len(lines["campaign.yaml"]) == 20
    assert len(lines["my_oracle.py"]) <= 10
    assert len(lines["sized.yaml"]) <= 12


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_the_campaign_files_are_valid_as_they_stand(name: str, tmp_path: Path) -> None:
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    campaign = load_campaign(tmp_path / name)
    assert not campaign.warnings
    assert cut(FILES[name]).count("oracle_calls") == 1


def test_every_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(api_results, "nearest_zinc", lambda smiles, say: [None] * len(smiles))
    monkeypatch.setattr(passing, "SAMPLE", 20)
    typed = [line.split(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    typed = [line for line in typed if line.startswith(("designloop ", "python ")) and "…" not in line]
    here = [command for command in typed if "HEAD" not in command and not command.startswith("designloop benchmark")]
    assert {command.split()[1] for command in here} >= set("validate run status top query oracles".split())
    for line in here:
        if line.startswith("python "):
            subprocess.run([sys.executable, *shlex.split(line)[1:]], check=True)
            continue
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, f"{line}\n{done.output}"
    for name in CAMPAIGNS:
        summary = api.status(folder / name)
        assert summary.calls == CALLS
        assert not summary.failures
    assert {path.name for path in folder.glob("best.*")} == {"best.csv", "best.smi", "best.sdf", "best.svg"}


def test_a_campaign_leaves_the_files_that_are_listed(folder: Path) -> None:
    path = folder / "campaign.yaml"
    if not (folder / "campaign").exists():
        api.run(path)
    listed = re.findall(r"`(NAME[^`]+)`", README.partition("## What a campaign leaves")[2].partition("\n\n`run")[0])
    files = [name.replace("NAME", "campaign") for name in listed]
    assert len(files) >= 10
    assert [name for name in files if not (folder / name).exists()] == []
    mine = {entry.name for entry in (folder / "campaign").iterdir()}
    assert {name.split("/")[1] for name in files if "/" in name} == mine


def test_the_python_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    (source,) = PYTHON
    exec(compile(source.replace("500", str(CALLS)), "README.md", "exec"), {})
    assert "'mean'" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_one_that_there_is(page: Path) -> None:
    group = typer.main.get_command(app)
    for line in commands(page.read_text(encoding="utf-8")):
        words = shlex.split(line)[1:]
        if words[0].startswith("-"):
            continue
        command = group.commands[words[0]]  # type: ignore[attr-defined]
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        unknown = [word for word in words[1:] if word.startswith("-") and word not in options]
        assert not unknown, f"{line}: no option {unknown[0]}"
        if words[0] == "benchmark" and len(words) > 1 and words[1].islower():
            assert words[1] in [*benchmarks.available(), "all"]


def test_every_make_target_is_there() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    wanted = [name for page in PAGES for name in re.findall(r"(?:^|`)make (\w+)", page.read_text(), re.MULTILINE)]
    assert {"demo", "test"} <= set(wanted) <= set(targets)


def test_every_claim_names_tests_that_there_are() -> None:
    claims = re.findall(r"`pytest ([^`]+)`", README)
    assert len(claims) >= 8
    for claim in claims:
        *files, option, words = shlex.split(claim)
        assert option == "-k"
        names = [name for file in files for name in re.findall(r"^def (test_\w+)", (ROOT / file).read_text(), re.M)]
        for word in words.split(" or "):
            assert any(word in name for name in names), f"pytest {claim}: no test has {word} in its name"


def test_the_address_is_one_that_a_campaign_takes(folder: Path) -> None:
    (command,) = {command for command in commands(README) if "HEAD" in command}
    _, _, file, option, address = shlex.split(command)
    campaign = load_campaign(folder / file, {"evaluation.address": address})
    assert option == "--address"
    assert campaign.evaluation.address == "HEAD:6379"
    (settings,) = blocks("yaml", (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8"))
    (folder / "cluster.yaml").write_text(FILES["campaign.yaml"] + settings)
    assert load_campaign(folder / "cluster.yaml").evaluation.address == "HEAD:6379"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"`[^`]*`", "", text)  # brackets of a SMILES are no link
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", prose) if "://" not in link]
    named = re.findall(r"`((?:tests|designloop|oracles|campaigns|docs)/[\w/.]+?)`", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    # What a campaign leaves is there once it has run; its file is there now.
    named = [re.sub(r"^(campaigns/\w+)/$", r"\1.yaml", name) for name in named]
    inside = re.findall(r"`((?:loop|strategies|molecules|vae|tables|report|display)/[\w/.]+)`", text)
    named += [f"designloop/{name}" for name in inside]
    missing += [name for name in named if "NAME" not in name and not (ROOT / name).exists()]
    assert not missing


def test_the_changelog_has_one_list_of_a_kind_for_each_release() -> None:
    releases = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1:]
    kinds = {text.partition("\n")[0]: re.findall(r"^### (.+)$", text, flags=re.MULTILINE) for text in releases}
    assert kinds
    assert {release: names for release, names in kinds.items() if len(names) != len(set(names))} == {}


def test_the_changelog_says_nothing_twice() -> None:
    entries = re.split(r"^(?=- |#)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    firsts = [entry.partition("\n")[0] for entry in entries if entry.startswith("- ")]
    assert sorted(firsts) == sorted(set(firsts))


# --- figures ----------------------------------------------------------------------------------------------------


def recorded(benchmark: str) -> Any:
    return json.loads((ROOT / "docs" / "benchmarks" / f"{benchmark}.json").read_text(encoding="utf-8"))["results"]


def test_the_sums_of_pmo_are_those_of_the_record_and_of_the_published_table() -> None:
    (said,) = re.findall(r"the sum of 19 tasks is\s+([\d.]+).*?where (.*?);", README, flags=re.DOTALL)
    runs = Runs.of_record(recorded("pmo")["tasks"])
    own = sum(fmean(runs.values(task, OURS, "auc_top10", CALLS_OF_PMO)) for task in WITHOUT_LUCK)
    assert float(said[0]) == round(own, 2)
    others = {
        heading.removesuffix(" (tenth)"): round(sum(published()[task][column] for task in WITHOUT_LUCK), 1)
        for column, heading in TITLES.items()
    }
    told: dict[str, float] = {}
    for figure, names in re.findall(
        r"([\d.]+)(?: is published)? of ([A-Z][\w ]*?)(?:,| and (?=[\d])|$)", " ".join(said[1].split())
    ):
        told |= dict.fromkeys(names.split(" and "), float(figure))
    assert len(told) == 5
    assert told == {name: others[name] for name in told}
    assert max(others.values()) == max(told.values()), "the best of the published ones is among them"


def test_what_latent_bo_is_said_to_make_is_what_the_record_has() -> None:
    text = " ".join(README.split())
    (said,) = re.findall(r"mean top-10 (\.\d+) by `latent_bo` and (\.\d+), on one of five seeds the other way", text)
    (with_core,) = re.findall(r"with a core to keep, (\.\d+) and (\.\d+) \(`keep-the-core`\)", text)
    for record, figures in (("latent_bo", said), ("keep_the_core", with_core)):
        arms = recorded(record)["arms"]
        tens = [
            [seed["mean_top_10"] for seed in arms[name]["seeds"].values()] for name in ("latent_bo", "property_loss")
        ]
        assert [round(fmean(of_seeds), 3) for of_seeds in tens] == list(map(float, figures))
        assert len(tens[0]) == 5
        if record == "latent_bo":
            assert sum(own < other for own, other in zip(*tens, strict=True)) == 1
            assert arms["property_loss"]["seconds"] < arms["latent_bo"]["seconds"] / 5
