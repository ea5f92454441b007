"""A costly oracle is given one molecule before a campaign spends anything: what fails at once should cost one run."""

from __future__ import annotations

from collections.abc import Callable

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.molecule_scores import score_checks
from designloop.loop.preflight import KNOWN_MOLECULES, BrokenOracle
from designloop.molecules.chemistry import standard_form
from designloop.tables.ledger import Ledger


def try_costly(campaign: Campaign, ledger: Ledger, say: Callable[[str], None]) -> None:
    """Runs each costly oracle that has no result in the ledger yet on one molecule, which is said beforehand.

    The result is kept in the ledger, so that a starting molecule or reference is not paid for twice.

    Raises:
        BrokenOracle: one of them has no value for it; nothing else was run.
    """
    untried = [
        name for name, oracle in campaign.oracles.items() if oracle.costly and not ledger.seconds(oracle.fingerprint, 1)
    ]
    narrowed = campaign.with_only(untried)
    if narrowed is None:
        return
    smiles, what = _molecule(campaign)
    names = ", ".join(untried)
    say(
        f"{names}: costly, so tried on one molecule first, {what} ({smiles}); its result is kept, and --no-try goes on "
        "without"
    )
    (scored,) = score_checks(narrowed, ledger, [smiles])
    sentences = [
        f"property {name!r}: its costly oracle has no value for {what} ({smiles}); it says: {result.error}"
        for name, result in scored.evaluation.results.items()
        if result.value is None
    ]
    if sentences:
        advice = "Mend the oracle, put a molecule that it can score first, or go on without a try by --no-try."
        raise BrokenOracle("\n".join(sentences) + f"\nNothing else was run, and nothing was charged. {advice}")


def _molecule(campaign: Campaign) -> tuple[str, str]:
    """The molecule to try, and in words which one it is: one of the user's, where there is one."""
    if starting := campaign.starting():
        return starting[0].smiles, "the first starting molecule"
    if references := campaign.references():
        return references[0].smiles, "the first reference"
    name, smiles = next(iter(KNOWN_MOLECULES.items()))
    return standard_form(smiles, campaign.standardize), name
