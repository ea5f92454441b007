"""The reference molecules of a campaign, scored once and kept beside its table."""

from __future__ import annotations

from designloop.api.inputs import Say
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.molecule_scores import score_checks
from designloop.report.references import Reference, read_references, write_references
from designloop.tables import CandidateTable


def score_references(campaign: Campaign, table: CandidateTable, say: Say, anyway: bool) -> None:
    """Scores the references; what the ledger knows of them is not run again.

    Args:
        anyway: also where those that are kept are whole and the ones that are wanted: an oracle may have changed, or a
            laboratory may have told of one.
    """
    references = campaign.references()
    kept, damaged = read_references(table.folder)
    wanted = [(molecule.name or molecule.smiles, molecule.smiles) for molecule in references]
    if not (anyway or damaged) and [(molecule.name, molecule.smiles) for molecule in kept] == wanted:
        return
    if damaged and table.rounds():
        say(f"{damaged[0].partition(': the references')[0]}: the references are scored again")
    scored = score_checks(campaign, table.ledger, [molecule.smiles for molecule in references])
    units = campaign.units
    write_references(
        [Reference.of(reference.name, row, units) for reference, row in zip(references, scored, strict=True)],
        table.folder,
        units,
    )
