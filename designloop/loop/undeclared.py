"""Whether a campaign's own oracles read what they do not declare, found out before their values are used."""

from __future__ import annotations

from collections.abc import Iterable

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.evaluation.child.exchange import PortableOracle, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.loop.evaluation.evaluator import seed_of
from designloop.loop.preflight import KNOWN_MOLECULES
from designloop.molecules.chemistry import standard_form
from designloop.oracles import Oracle
from designloop.tables.ledger import Ledger
from designloop.tables.ledger_records import Intent


def undeclared_reads(campaign: Campaign) -> list[str]:
    """A sentence for each oracle that reads a file it does not declare: each is run on one molecule.

    What is built in reads its own files only, and a costly oracle is not run to check a set-up.
    """
    return _sentences(campaign, campaign.oracles.values())


def reads_behind_known_values(campaign: Campaign, ledger: Ledger) -> list[str]:
    """The same for oracles whose values the ledger has: they may never run, and their old values be taken for new."""
    return _sentences(
        campaign, [oracle for oracle in campaign.oracles.values() if ledger.seconds(oracle.fingerprint, 1)]
    )


def _sentences(campaign: Campaign, oracles: Iterable[Oracle]) -> list[str]:
    tried = list(dict.fromkeys(oracle for oracle in oracles if not oracle.costly and not oracle.is_built_in))
    molecules = [*campaign.starting()[:1], *campaign.references()[:1]]
    smiles = molecules[0].smiles if molecules else standard_form(KNOWN_MOLECULES["aspirin"], campaign.standardize)
    process = OracleProcess(
        [PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes)) for oracle in tried],
        ProcessEnvironment.of_driver(campaign.folder),
    )
    try:
        sentences = []
        for oracle in tried:
            seeds = (seed_of(Intent(oracle.fingerprint, smiles)),) if oracle.stochastic else None
            reply = process.score(Request(oracle.fingerprint, (smiles,), seeds, campaign.evaluation.timeout))
            sentences += [f"oracle {oracle.name!r} {reply.reads}"] if reply.reads else []
        return sentences
    finally:
        process.close()
