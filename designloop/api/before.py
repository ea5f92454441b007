"""The verbs before a campaign runs: templates, the plan, molecules of one's own, what it will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from designloop.api.inputs import InputError, Say, load_if_file, writing
from designloop.api.laboratory import refuse_laboratory
from designloop.api.opening import as_it_goes_on
from designloop.loop import preflight
from designloop.loop.campaign import templates as template
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.campaign import load_campaign as load_campaign
from designloop.loop.constant import find_constant
from designloop.loop.flat_values import find_flat_values
from designloop.loop.molecule_scores import OwnMolecule, read_own, score_own
from designloop.loop.passing import judge_own, refuse_wrong_filters
from designloop.loop.preflight import Estimate, Plan
from designloop.loop.summary import summarize
from designloop.loop.undeclared import undeclared_reads
from designloop.paths import exists, is_file
from designloop.tables import TableError
from designloop.tables.ledger import Ledger
from designloop.tables.opening import refuse_foreign
from designloop.words import counted, silent


def templates() -> dict[str, str]:
    """Returns the name of each template of ``init`` -> what it is for."""
    return {name: template.summary(name) for name in template.names()}


def init(path: Path | str = "campaign.yaml", start_from: str = template.DEFAULT) -> list[Path]:
    """Writes a commented campaign file, and what it needs beside it; never over a file that is there.

    Raises:
        TemplateError: there is no such template.
        InputError: a file exists, or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".yaml":
        raise InputError(f"{path} ends in {path.suffix!r}, expected .yaml; call it {path.stem}.yaml")
    texts = {path.with_name(name): text for name, text in template.render(start_from, path.stem).items()}
    if existing := [str(file) for file in texts if exists(file)]:
        raise InputError(f"{', '.join(existing)} is there already and is not overwritten; give another name or folder")
    with writing(path):
        for target, text in texts.items():
            target.write_text(text, encoding="utf-8")
    return list(texts)


def validate(campaign: Campaign | Path | str) -> Plan:
    """Plans a campaign: every oracle is run on a few molecules, every filter on ZINC, the model's draws and yours.

    Raises:
        CampaignError: all that is wrong with the file.
        LedgerBusy: the campaign, or another on its ledger, is running.
    """
    campaign = load_if_file(campaign)
    changed = []
    try:
        campaign = as_it_goes_on(campaign)
    except TableError as error:
        changed = [str(error)]
    with Ledger(campaign.ledger_path) as ledger:
        plan = preflight.plan(campaign, ledger)
        constant = find_constant(campaign, plan.checks, ledger)
        remarks = [*plan.remarks, *undeclared_reads(campaign), *constant, *find_flat_values(campaign)]
        return replace(plan, problems=[*plan.problems, *changed], remarks=remarks)


def score(
    campaign: Campaign | Path | str,
    molecules: Path | str | Sequence[str],
    *,
    skip_bad: bool = False,
    say: Say = silent,
) -> list[OwnMolecule]:
    """Scores molecules of one's own by every property, recorded in the ledger as checks.

    Args:
        molecules: a file of molecules, whose other columns travel along, or a list of SMILES.
        skip_bad: leave out what is no molecule that can be used.
        say: told what was left out, and why.
    Raises:
        MoleculeError: some cannot be used; each is named with its file and line.
    """
    campaign = load_if_file(campaign)
    written, left_out = read_own(molecules, campaign.standardize, skip_bad=skip_bad)
    if left_out:
        of_all = counted(len(left_out) + len(written), "molecule")
        say(f"{len(left_out):,} of {of_all} {'is' if len(left_out) == 1 else 'are'} left out:")
    for sentence in left_out:
        say(f"  {sentence}")
    with Ledger(campaign.ledger_path) as ledger:
        return score_own(campaign, ledger, written)


def dry_run(
    campaign: Campaign | Path | str, *, fresh: bool = False, accept_changed_oracles: bool = False, anyway: bool = False
) -> Estimate:
    """Estimates the calls and time to expect of `run`, called alike; every oracle that is not costly is run for it.

    Args:
        fresh: of a campaign that begins anew; nothing is moved aside.
        accept_changed_oracles: of one that goes on although an oracle is not the one it was.
        anyway: also where the filters refuse all of the user's own molecules.
    Raises:
        WrongFilter: they do, and the campaign has not begun.
        InputError: a property is measured in a laboratory.
        TableError: the folder of results holds other things, or the campaign with other settings or oracles, so that
            it would not go on.
    """
    campaign = load_if_file(campaign)
    refuse_laboratory(campaign)
    refuse_foreign(campaign.output_folder)
    begun = not fresh and is_file(campaign.output_folder / "campaign.json")
    if not fresh:
        campaign = as_it_goes_on(campaign, accept_changed_oracles=accept_changed_oracles)
    if not (anyway or begun):
        refuse_wrong_filters(judge_own(campaign), campaign.warnings)
    with Ledger(campaign.ledger_path) as ledger:
        return preflight.estimate(campaign, ledger, summarize(campaign.output_folder).rounds if begun else ())
