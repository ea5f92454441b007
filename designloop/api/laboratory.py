"""The two verbs of a campaign with a laboratory in it: what to measure is suggested, what was measured is told."""

from __future__ import annotations

from collections.abc import Sequence
from csv import DictWriter
from dataclasses import dataclass, replace
from math import fsum
from pathlib import Path

from designloop.api.inputs import (
    MOST_MOLECULES,
    InputError,
    Say,
    load_if_file,
    require_folder_of,
    require_sum,
    require_whole,
    writing,
)
from designloop.api.opening import open_ledger, opened
from designloop.api.reference_scores import score_references
from designloop.loop import passing, preflight
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.known_values import describe_readings
from designloop.loop.laboratory.pricing import PRICE, PriceError
from designloop.loop.laboratory.readings import (
    asked_of,
    describe_lacking,
    measured_properties,
    readings_in,
    waiting_of,
    with_values,
)
from designloop.loop.laboratory.results_file import (
    BESIDE,
    ID,
    PREDICTED,
    STRUCTURE,
    RefusedRow,
    ResultsError,
    ResultsReader,
    id_in_files,
)
from designloop.loop.scoring.objective import FAILED
from designloop.loop.summary import results_folder
from designloop.paths import exists
from designloop.tables.file_columns import name_beside
from designloop.tables.manifest import round_numbers
from designloop.tables.suggestions import Suggestion, describe_pending, pending_of, read_suggestions
from designloop.words import counted, silent


@dataclass(frozen=True, slots=True)
class Suggested:
    """What is to be measured."""

    suggestions: Sequence[Suggestion]
    """The new ones; where what is pending was asked for, all of which something is still to be told."""
    pending: int
    """Suggestions of which something is still to be told, these included."""
    measured: Sequence[str]
    """The properties to be measured."""
    folder: Path
    campaign: str
    """Its name, which files of suggestions put before ids, so that a file is told to the campaign that it is of."""
    remark: str = ""
    """Why there are fewer than were wanted; empty where there are not."""
    unit: str = ""
    """Of their prices."""

    @property
    def cost(self) -> float | None:
        """What they cost together, as far as they have prices; None where none has."""
        prices = [item.price for item in self.suggestions if item.price is not None]
        return fsum(prices) if prices else None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a file of results."""

    new: Sequence[str]
    """Ids of the suggestions that were told for the first time, and charged."""
    completed: Sequence[str]
    """Ids of those that were told in part before, and of which more is told now; nothing was charged for them."""
    corrected: Sequence[str]
    """Ids of those whose earlier results were superseded; nothing was charged for them."""
    repeated: Sequence[str]
    """Ids of those of which the very same was told before; nothing was done for them."""
    refused: Sequence[RefusedRow]
    """Rows that were not taken, each with its reason."""
    blank: int
    """Rows that say nothing yet."""
    pending: int
    """Suggestions of which something is still to be told."""
    rounds: Sequence[int]
    """Numbers of the rounds that were committed."""
    folder: Path
    remarks: Sequence[str] = ()
    """On values that were taken, but lie far from all that was measured before, or beside a row without a value, or are
    of several isomers of one molecule."""
    corrections: Sequence[str] = ()
    """What each corrected molecule was told now, and before."""
    unread: Sequence[str] = ()
    """Columns of the file that are no property's, nor of those that a file of suggestions has."""
    pictures: Sequence[Path] = ()
    """Those drawn anew; none where no round was committed."""

    def __str__(self) -> str:
        parts = [f"{len(self.new):,} new"]
        amended = {"completed": self.completed, "corrected": self.corrected}
        parts += [f"{len(ids):,} {what} (an amendment: nothing was charged)" for what, ids in amended.items() if ids]
        parts += [f"{len(self.repeated):,} told before"] if self.repeated else []
        parts += [f"{counted(len(self.refused), 'row')} refused"] if self.refused else []
        committed = f"; committed as round {' and '.join(map(str, self.rounds))}" if self.rounds else ""
        return f"Results: {', '.join(parts)}{committed}. {describe_pending(self.pending)}."


def suggest(
    campaign: Campaign | Path | str,
    n: int | None = None,
    *,
    spend: float | None = None,
    csv: Path | str | None = None,
    fresh: bool = False,
    say: Say = silent,
) -> Suggested:
    """Chooses molecules to measure, by the strategy and the filters of a campaign, and keeps them as pending.

    Nothing is charged before `tell`, but no more is suggested than the budget can pay for.

    Args:
        n: how many; by default the campaign's batch size.
        spend: the most that they may cost together, in the unit of the campaign's prices; by default what
            ``prices.spend`` says.
        csv: a file to write them to, which is filled in and told; never one that is there.
        fresh: begin anew; earlier results, and what was suggested, are moved aside.
        say: told what a person should know.
    Raises:
        CampaignError: all that is wrong with the file.
        InputError: the campaign has no measured property, ``n`` is no number of molecules, ``spend`` no sum, the prices
            cannot be used, or the file is there, or cannot be made.
        TableError, TableBusy: the results cannot be written to, or not now.
        BrokenOracle: an oracle of a computed property works on no molecule that it was tried on.
    """
    from designloop.loop.ends import what_is_left, why_it_ends
    from designloop.loop.laboratory.suggesting import describe_measured, suggest_molecules
    from designloop.loop.laboratory.telling import Teller
    from designloop.report.drawing import Drawing

    campaign = _with_laboratory(load_if_file(campaign))
    wanted = campaign.batch_size if n is None else require_whole("n", n, 1, MOST_MOLECULES)
    spend = _sum_to_spend(campaign, spend)
    _refuse_existing(csv)
    if fresh or not round_numbers(campaign.output_folder):
        preflight.check_strategy(campaign)
    with opened(campaign, say, fresh=fresh) as (campaign, table, book):
        given = read_suggestions(table.folder, table.campaign_id)
        if not given:
            for line in passing.describe_own(passing.judge_own(campaign)):
                book.say(line)
            open_ledger(table, book)
            preflight.refuse_broken(campaign, table.ledger)
            score_references(campaign, table, book.say, anyway=False)
        if not table.rounds() and (said := describe_readings(campaign.known_values(), len(campaign.starting()))):
            for line in [said, *describe_lacking(campaign)]:
                book.say(line)
            if Teller(campaign, table, given, book.say).tell_known() is not None:
                Drawing(table.folder).draw()
        pending = pending_of(given, table.charged())
        measured, remark = measured_properties(campaign), ""
        spent, last = asked_of(campaign, table), table.next_round() - 1
        end = why_it_ends(campaign.budget, table.rounds(), spent, last, campaign.batch_size)
        left = what_is_left(campaign.budget, table.calls(), spent, len(pending))
        if end:
            remark = f"The campaign has ended ({end})."
        elif left.molecules < wanted:
            remark = (
                f"{left.words}, of which {left.spent:,} are spent and {len(pending):,} wait for results; raise "
                f"`{left.key}` for more."
            )
        new: list[Suggestion] = []
        if asked := 0 if end else min(wanted, left.molecules):
            try:
                new, take = suggest_molecules(campaign=campaign, table=table, given=given, wanted=asked, spend=spend)
            except PriceError as error:
                raise InputError(str(error)) from error
            for line in describe_measured(campaign, table, new):
                book.say(line)
            if len(new) < asked:
                remark = f"No more than {len(new):,} are new and allowed: {take}."
                if spend is not None and len(new) < take.admitted:
                    remark = f"No more than {len(new):,} are chosen within {_amount(campaign, spend)}: {take}."
        unit = campaign.prices.unit if campaign.prices else ""
        waiting = len(waiting_of(given, table, campaign)) + len(new)
        suggested = Suggested(new, waiting, measured, table.folder, campaign.name, remark, unit)
        chosen = counted(len(new), "molecule is", "molecules are")
        book.note(f"{chosen} suggested, {describe_pending(suggested.pending)}")
    if csv is not None and new:
        try:
            write_suggestions(suggested, csv)
        except InputError as error:
            again = f"`designloop suggest {campaign.path.name} --pending --csv FILE` writes them"
            raise InputError(f"{error}. {describe_pending(suggested.pending)}: {again}") from error
    return suggested


def pending(campaign: Campaign | Path | str, *, csv: Path | str | None = None, say: Say = silent) -> Suggested:
    """Gives the suggestions of which nothing, or not every property, was told yet, and chooses no new ones.

    Args:
        csv: a file to write them to; never one that is there.
    Raises:
        InputError: the campaign has no measured property, or the file is there, or cannot be made.
        QueryError: nothing was suggested yet.
    """
    campaign = _with_laboratory(load_if_file(campaign))
    _refuse_existing(csv)
    results_folder(campaign)
    with opened(campaign, say) as (campaign, table, _):
        waiting = waiting_of(read_suggestions(table.folder, table.campaign_id), table, campaign)
        unit = campaign.prices.unit if campaign.prices else ""
        measured = measured_properties(campaign)
        suggested = Suggested(waiting, len(waiting), measured, table.folder, campaign.name, unit=unit)
    if csv is not None and waiting:
        write_suggestions(suggested, csv)
    return suggested


def tell(
    campaign: Campaign | Path | str, results: Path | str, *, accept_changed_oracles: bool = False, say: Say = silent
) -> Told:
    """Takes what was measured: each molecule that is told for the first time is charged, and the strategy learns.

    Args:
        results: a CSV file with the columns ``id`` or ``smiles`` or both, one column a measured property, and, where
            something has no value for good, ``failed`` with the reason. Several rows of a molecule are replicates.
            What was told before is superseded by other values, and so are those that the campaign started from. Where
            something failed, that holds of the properties whose cells are blank and of which no value was told before;
            where all were told, the values are withdrawn.
        accept_changed_oracles: go on although the oracle of a computed property is not the one it was; recorded.
        say: told what a person should know.
    Raises:
        CampaignError: all that is wrong with the campaign file.
        InputError: the campaign has no measured property, or the file of results cannot be read as a whole.
        QueryError: nothing was suggested yet.
        TableError, TableBusy, LedgerBusy: the results cannot be written to, or not now.
        EvaluationError: there are no workers for the computed properties; the same call goes on.
    """
    from designloop.loop.laboratory.far_off import describe_far_off
    from designloop.loop.laboratory.telling import Teller, known_as_suggestions, sort_news
    from designloop.loop.runner import rounds_left
    from designloop.report.drawing import Drawing

    campaign = _with_laboratory(load_if_file(campaign))
    results_folder(campaign)
    with opened(campaign, say, accept_changed_oracles=accept_changed_oracles) as (campaign, table, book):
        suggestions = read_suggestions(table.folder, table.campaign_id)
        tellable = [*known_as_suggestions(campaign, table), *suggestions]
        told = readings_in(table.rounds())
        reader = ResultsReader(
            tellable,
            measured_properties(campaign),
            campaign.standardize,
            campaign.stereo,
            told=with_values(told),
            campaign=campaign.name,
        )
        try:
            file = reader.read(Path(results))
        except ResultsError as error:
            raise InputError(str(error)) from error
        news = sort_news(told, tellable, file.readings)
        remarks = [*file.remarks, *describe_far_off([*news.new, *news.amended], news.readings, told)]
        open_ledger(table, book)
        rounds = Teller(campaign, table, suggestions, book.say).tell(news)
        if rounds:
            score_references(campaign, table, book.say, anyway=True)  # one of them may have been measured
            next(rounds_left(campaign, table), None)  # where the campaign has ended, that is marked
        outcome = Told(
            new=[item.id for item in news.new],
            completed=[item.id for item in news.completed],
            corrected=[item.id for item in news.corrected],
            repeated=[item.id for item in news.repeated],
            refused=file.refused,
            blank=file.blank,
            pending=len(waiting_of(suggestions, table, campaign)),
            rounds=[committed.number for committed in rounds],
            folder=table.folder,
            remarks=remarks,
            corrections=[said for item in news.amended for said in news.corrections[item.id]],
            unread=file.unread,
        )
        for refused in file.refused:
            book.note(f"refused {refused}")
        for line in (*outcome.corrections, *remarks):
            book.note(line)
        book.note(str(outcome))
        # Last, as a disk that is full must not keep anybody from hearing the rest.
        return replace(outcome, pictures=Drawing(table.folder).draw()) if rounds else outcome


def write_suggestions(suggested: Suggested, path: Path | str) -> Path:
    """Writes suggestions as CSV: a row a molecule, with blank columns for what is to be measured.

    Raises:
        InputError: the file is there, or cannot be written.
    """
    path = Path(path)
    _refuse_existing(path)
    computed = [name for item in suggested.suggestions for name in item.predicted]
    predicted = [f"{name}{end}" for name in dict.fromkeys(computed) for end in PREDICTED]
    first = [ID, STRUCTURE, *suggested.measured, FAILED, *predicted]
    # What is to be filled in keeps its name, whatever it is.
    named = name_beside(BESIDE if suggested.cost is not None else [name for name in BESIDE if name != PRICE], first)
    columns = [*first, *named.values()]
    with writing(path), path.open("x", encoding="utf-8", newline="") as file:
        writer = DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for item in suggested.suggestions:
            numbers = {
                f"{name}{end}": number
                for name, moments in item.predicted.items()
                for end, number in zip(PREDICTED, moments, strict=True)
            }
            beside = {
                PRICE: "" if item.price is None else f"{item.price:.10g}",
                "why": item.reason,
                "proposer": item.candidate.proposer,
                "parents": " ".join(item.candidate.parents),
                "nearest": item.nearest or "",
                "similarity": "" if item.similarity is None else f"{item.similarity:.3f}",
            }
            writer.writerow(
                {
                    ID: id_in_files(suggested.campaign, item.id),
                    STRUCTURE: item.candidate.smiles,
                    **{name: f"{number:.4g}" for name, number in numbers.items()},
                    **{column: beside[name] for name, column in named.items()},
                }
            )
    return path


def _with_laboratory(campaign: Campaign) -> Campaign:
    """The campaign, if any of its properties is measured."""
    if not measured_properties(campaign):
        raise InputError(
            f"no property of {campaign.name} is measured in a laboratory, so nothing is to be suggested or told: give "
            "one `oracle: measured`, or run it by `designloop run`"
        )
    return campaign


def _sum_to_spend(campaign: Campaign, spend: float | None) -> float | None:
    """The most that a batch may cost; None where nothing limits it."""
    if spend is None:
        return campaign.prices.spend if campaign.prices else None
    if campaign.prices is None:
        raise InputError(
            f"found spend={spend!r}, but {campaign.name} has no prices; say under `prices:` where they come from: a "
            "file, an oracle, or `otherwise`, one price for all"
        )
    return require_sum("spend", spend)


def _amount(campaign: Campaign, spend: float) -> str:
    """A sum with its unit."""
    return f"{spend:,.10g} {campaign.prices.unit if campaign.prices else ''}".rstrip()


def refuse_laboratory(campaign: Campaign) -> None:
    """Returns if a machine can evaluate all properties of a campaign.

    Raises:
        InputError: some are measured in a laboratory.
    """
    if measured := measured_properties(campaign):
        file = campaign.path.name
        raise InputError(
            f"{', '.join(measured)}: measured in a laboratory, so no machine can run this campaign. "
            f"`designloop suggest {file}` says what to measure, and `designloop tell {file} RESULTS.csv` takes it"
        )


def _refuse_existing(path: Path | str | None) -> None:
    """Returns if a file can be made of this name, where one is given; asked before anything is chosen to be written."""
    if path is None:
        return
    if exists(path):
        raise InputError(f"{path} is there already, and may hold results: name another file")
    require_folder_of(Path(path))
