"""The verb that runs failed molecules again, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from designloop.api.inputs import InputError, Say, load_if_file
from designloop.api.laboratory import refuse_laboratory
from designloop.api.opening import open_ledger, opened
from designloop.loop import preflight
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.reasons import Reasons
from designloop.loop.summary import results_folder
from designloop.tables.failed_rows import failed_rows
from designloop.words import counted, silent


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of molecules that were run again."""

    failed_before: int
    """Molecules of the campaign that had failed or timed out."""
    molecules: Sequence[str]
    """Those of them that were run again, in standard form; none where none was asked for."""
    mended: Sequence[str]
    """Those of these that have a score now."""
    round: int | None
    """Number of the amendment that holds them; None where nothing was run."""
    folder: Path
    pictures: Sequence[Path] = ()
    """Those drawn anew; none where nothing was run."""

    def __str__(self) -> str:
        if not self.failed_before:
            return "No molecule of this campaign has failed, so there is nothing to try again."
        if not self.molecules:
            return (
                f"None of the {counted(self.failed_before, 'failed molecule')} failed for that reason; "
                "`designloop status` shows what the oracles said."
            )
        again = counted(len(self.molecules), "molecule that was", "molecules that were")
        mended = (
            f"{len(self.mended):,} of {again} run again {'has' if len(self.molecules) == 1 else 'have'} a score now"
        )
        return f"{mended} (round {self.round}, an amendment: nothing was charged)."


def retry(
    campaign: Campaign | Path | str,
    *,
    reason: str | None = None,
    accept_changed_oracles: bool = False,
    say: Say = silent,
) -> Retried:
    """Runs a campaign's failed and timed-out molecules again, starting molecules included, and charges nothing.

    Their rows take the place of the earlier ones, and the strategy learns from those that have a score now. A campaign
    with a retry is no longer identical to one without.

    Args:
        reason: only molecules whose failure, as in ``PROPERTY failed: ERROR``, holds this text.
        accept_changed_oracles: go on although an oracle is not the one it was, as it is not once it was mended;
            recorded.
        say: told what a person should know.
    Raises:
        CampaignError: all that is wrong with the file.
        InputError: ``reason`` is empty, or a property is measured in a laboratory.
        QueryError: the campaign has not run yet.
        TableError, TableBusy, LedgerBusy: the results cannot be written to, or not now.
        BrokenOracle: an oracle works on no known molecule; nothing was run again.
        EvaluationError: there are no workers; the same call goes on.
    """
    from designloop.loop.retrying import retry_candidates
    from designloop.loop.runner import rounds_left
    from designloop.report.drawing import Drawing

    if reason is not None and not reason.strip():
        raise InputError("the reason is empty, expected a part of what `designloop status` shows; or leave it out")
    campaign = load_if_file(campaign)
    refuse_laboratory(campaign)
    results_folder(campaign)
    with opened(campaign, say, accept_changed_oracles=accept_changed_oracles) as (campaign, table, book):
        all_failed, _ = failed_rows(table.folder, table.rounds())
        chosen = [row.candidate for row in all_failed if reason is None or row.matches(reason)]
        if not chosen:
            return Retried(len(all_failed), (), (), None, table.folder)
        open_ledger(table, book)
        preflight.refuse_broken(campaign, table.ledger)
        book.say(f"{len(chosen):,} of {len(all_failed):,} failed molecules are run again")
        amendment = retry_candidates(campaign=campaign, table=table, failed=chosen, say=book.say)
        for line in Reasons().after(amendment.scored):
            book.say(line)
        next(rounds_left(campaign, table), None)  # a campaign that had ended has ended still, and is marked so anew
        mended = [row.smiles for row in amendment.scored if row.score is not None]
        retried = Retried(
            len(all_failed), [row.smiles for row in amendment.scored], mended, amendment.number, table.folder
        )
        book.note(str(retried))
        return replace(retried, pictures=Drawing(table.folder).draw())
