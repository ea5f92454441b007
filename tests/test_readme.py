"""What the README shows is run: its campaign, its oracle, its commands, its Python; and its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from designloop import api
from designloop.cli import app
from designloop.loop import preflight
from designloop.loop.campaign import load_campaign

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]

BUDGET = "oracle_calls: 500"
SMALL = "oracle_calls: 24"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


CAMPAIGN, ENTRY = blocks("yaml")
ORACLE, PYTHON = blocks("python")
COMMANDS = [
    line.split("    #")[0].strip()
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("designloop ")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's campaign and oracle in it, its budget cut."""
    assert BUDGET in CAMPAIGN
    folder = tmp_path_factory.mktemp("readme")
    campaign = CAMPAIGN.replace(BUDGET, SMALL) + "batch_size: 12\nevaluation: {backend: inline}\n"
    (folder / "campaign.yaml").write_text(campaign)
    (folder / "my_oracle.py").write_text(ORACLE)
    (folder / "mine.smi").write_text("CC(=O)Oc1ccccc1C(=O)O aspirin\n")
    return folder


def test_the_campaign_file_has_twenty_lines() -> None:
    assert len(CAMPAIGN.splitlines()) <= 20


def test_the_oracle_has_ten_lines_of_code_and_its_campaign_runs(folder: Path) -> None:
    assert len([line for line in ORACLE.splitlines() if line.strip() and not line.startswith("#")]) <= 10
    entry = "\n".join(line for line in ENTRY.splitlines() if not line.startswith("#"))
    campaign = (folder / "campaign.yaml").read_text().replace("strategy:", f"{entry}\nstrategy:", 1)
    (folder / "with_mine.yaml").write_text(campaign)
    outcome = api.run(folder / "with_mine.yaml")
    assert outcome.summary.calls == 24
    assert not outcome.summary.failures
    assert "size" in outcome.best[0].properties


def test_every_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(api, "nearest_zinc", lambda smiles, say: [None] * len(smiles))
    monkeypatch.setattr(preflight, "SAMPLE", 20)
    here = [command for command in COMMANDS if "HEAD" not in command]
    assert len(here) >= 8
    campaign = (folder / "campaign.yaml").read_text()
    for command in here:
        if command.startswith("designloop init"):  # which the README's own campaign stands for
            (folder / "campaign.yaml").unlink()
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert done.exit_code == 0, f"{command}\n{done.output}"
        (folder / "campaign.yaml").write_text(campaign)
    assert (folder / "best.sdf").read_text().count("$$$$") >= 1


def test_the_python_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    exec(compile(PYTHON.replace("500", "24"), "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_the_address_is_one_that_a_campaign_takes(folder: Path) -> None:
    (command,) = [command for command in COMMANDS if "HEAD" in command]
    _, _, file, option, address = shlex.split(command)
    campaign = load_campaign(folder / file, {"evaluation.address": address})
    assert option == "--address"
    assert campaign.evaluation.address == "HEAD:6379"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    named = re.findall(r"`((?:tests|designloop|oracles|campaigns|docs)/[\w/.]+?)`", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [name for name in named if "NAME" not in name and not (ROOT / name).exists()]
    assert not missing
