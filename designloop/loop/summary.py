"""What a campaign's folder tells about it, in numbers: how far it is, how well it does, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.campaign.known_values import describe_replicates
from designloop.loop.config.yaml_file import read_yaml
from designloop.loop.ends import End
from designloop.loop.evaluation.incidents import LOSSES, describe_known, describe_workers
from designloop.loop.laboratory.readings import (
    SCORED_BEFORE,
    corrections_in,
    lacking,
    measured_in,
    measured_properties,
    readings_in,
)
from designloop.loop.reasons import commonest
from designloop.loop.round_metrics import REMARKS
from designloop.loop.scoring.objective import NADIR
from designloop.paths import exists, is_folder, real
from designloop.strategies.base import PROPOSER_SHARE
from designloop.tables import QueryError, open_candidates
from designloop.tables.failed_rows import failed_rows
from designloop.tables.ledger_reading import damage_in
from designloop.tables.manifest import EMPTY_DIGEST, RoundInfo
from designloop.tables.suggestions import Suggestion, pending_of


@dataclass(frozen=True, slots=True)
class Failures:
    """Molecules for which one property has no value."""

    property: str
    status: str
    """failed or timeout"""
    molecules: int
    examples: Sequence[str]
    """``N x error (molecule)``, the commonest few that differ."""


@dataclass(frozen=True)
class Summary:
    """A campaign as far as it is committed."""

    name: str
    folder: Path
    rounds: Sequence[RoundInfo]
    budget: int
    """Oracle calls it may spend."""
    failures: Sequence[Failures]
    refused_starting: Sequence[str]
    """Starting molecules that a filter refuses, each with the filter's name and what it found."""
    goals: Mapping[str, float]
    """Property -> reference point in desirabilities, of what is traded off; none where one score is maximised."""
    end: End | None
    """None while it has not ended."""
    changes: Sequence[str]
    """What was changed after the campaign had begun, a sentence each."""
    reference_moves: bool = False
    """Whether the reference point that the search goes by follows the front by rule."""
    remarks: Sequence[str] = ()
    """What oracles did that is no failure and should be mended, a line an oracle; and what is damaged in the files."""
    pending: Sequence[Suggestion] = ()
    """Molecules that were suggested and of which nothing was told yet."""
    corrections: Sequence[str] = ()
    """Molecules of which other results were told later, a sentence each."""
    measured: Sequence[str] = ()
    """Properties that are measured in a laboratory: the campaign then goes on by `suggest` and `tell`."""
    lacking: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Molecule -> measured properties of which nothing was told yet, of those of the table."""
    told_in_part: Sequence[Suggestion] = ()
    """Those that were suggested of which that holds."""

    @property
    def calls(self) -> int:
        return self.rounds[-1].calls if self.rounds else 0

    @property
    def molecules(self) -> int:
        """Of the table: those charged, and those whose values were given."""
        return sum(info.rows for info in self.rounds if info.kind != "amendment")

    @property
    def mean_of(self) -> int:
        """How many molecules ``mean_top_10`` is the mean of."""
        last = next((info.metrics for info in reversed(self.rounds) if "mean_top_10" in info.metrics), {})
        return int(last.get("mean_of", 10))

    @property
    def failed(self) -> int:
        """Molecules of the table that have no score, but for those that lack a measurement."""
        # Rows of an amendment may have had a score before, where a measured value was corrected.
        gained = [int(info.metrics.get("ok", 0)) - int(info.metrics.get(SCORED_BEFORE, 0)) for info in self.rounds]
        return self.molecules - sum(gained) - len(self.lacking)

    @property
    def known(self) -> str:
        """How many values were known to the ledger, and since when; empty if none was."""
        return describe_known([info.metrics for info in self.rounds])

    @property
    def workers(self) -> str:
        """How many workers and nodes were lost or silent, and chunks sent again; empty where none was."""
        return describe_workers([info.metrics for info in self.rounds])

    @property
    def losses(self) -> list[str]:
        """The workers that were lost, a line a round, node and kind."""
        return [
            f"round {info.number}: {line}"
            for info in self.rounds
            for line in str(info.metrics.get(LOSSES, "")).splitlines()
        ]

    @property
    def replicates(self) -> list[str]:
        """How well several measured values of one molecule agree: a line each property that has any."""
        return describe_replicates(readings_in(self.rounds))

    @property
    def has_results(self) -> bool:
        """Whether any molecule has a score, and the campaign did not stop because round after round gave none."""
        return self.best is not None and (self.end is None or self.end.reason != "no_results")

    def closing(self) -> list[str]:
        """What is to be said when a run of it is over, a line each."""
        lines = []
        if self.end is not None:
            lines.append(f"Ended ({self.end.reason}): {self.end.message}.")
        if not self.molecules:
            lines.append("No molecule was admitted, so there are no results.")
        if self.failed:
            lines.append(f"{self.failed:,} of {self.molecules:,} molecules failed; the commonest reasons:")
            lines += [
                f"  {kind.property} {kind.status}: {example}" for kind in self.failures for example in kind.examples
            ]
        lines += [f"{sentence}." for sentence in (self.known, self.workers) if sentence]
        return lines

    @property
    def digest(self) -> str:
        """Digest of the table; equal digests mean identical tables."""
        return self.rounds[-1].digest if self.rounds else EMPTY_DIGEST

    @property
    def best(self) -> float | None:
        return self._standing("best")

    @property
    def mean_top_10(self) -> float | None:
        return self._standing("mean_top_10")

    @property
    def hypervolume(self) -> float | None:
        """Of the front, above the reference point; None without goals to trade off or without a score."""
        return None if self.best is None else self.last("hypervolume")

    @property
    def front_size(self) -> int:
        """Molecules of the front."""
        return int(self.last("front_size") or 0)

    @property
    def proposer_shares(self) -> dict[str, float]:
        """Proposer -> its share of the pool after the last round that tells of any; none where none does."""
        named = [
            {
                name.removeprefix(PROPOSER_SHARE): float(value)
                for name, value in info.metrics.items()
                if name.startswith(PROPOSER_SHARE)
            }
            for info in self.rounds
        ]
        return next(filter(None, reversed(named)), {})

    def metric(self, name: str) -> dict[int, float]:
        """Round -> a metric, of the rounds that have it."""
        return {info.number: float(info.metrics[name]) for info in self.rounds if name in info.metrics}

    def last(self, name: str) -> float | None:
        """A metric of the last round that has it; None where none has."""
        return next(reversed(self.metric(name).values()), None)

    def _standing(self, name: str) -> float | None:
        """A metric of the best as the last round that counts scores has it; None once all of these were withdrawn."""
        counting = next((info for info in reversed(self.rounds) if "ok" in info.metrics), None)
        return float(counting.metrics[name]) if counting is not None and name in counting.metrics else None


def summarize(folder: Path) -> Summary:
    """The summary of the campaign in an output folder; safe while the campaign runs.

    Raises:
        QueryError: there is no campaign in it.
        TableError: a file is missing or damaged.
    """
    (stored,) = open_candidates(folder).campaigns()
    failures, remarks = _failures(folder, stored.rounds)
    # Results can be looked at without a ledger.
    of_ledger = damage_in(stored.ledger_path) if stored.ledger_path.exists() else []
    told, measured = readings_in(stored.rounds), measured_in(stored.record.openings[-1].dump)
    lacks = lacking(told, measured)
    refused = str(stored.rounds[0].metrics.get("refused_starting", "")) if stored.rounds else ""
    return Summary(
        name=stored.record.name,
        folder=folder,
        rounds=stored.rounds,
        budget=int(stored.record.openings[-1].dump["budget"]["oracle_calls"]),
        failures=failures,
        refused_starting=refused.split("; ") if refused else [],
        goals=stored.record.goals,
        reference_moves=stored.record.openings[-1].dump.get("objective", {}).get("reference_point") == NADIR,
        end=End.parse(stored.finish.reason) if stored.finish else None,
        changes=[
            f"after round {opening.after_round}: the oracle of {name} had changed, which was accepted"
            for opening in stored.record.openings
            for name in opening.accepted
        ],
        remarks=[*_remarks(stored.rounds), *stored.remarks, *remarks, *of_ledger],
        pending=pending_of(stored.suggestions, told),
        corrections=corrections_in(stored.rounds),
        measured=measured,
        lacking=lacks,
        told_in_part=[item for item in stored.suggestions if item.candidate.smiles in lacks],
    )


def results_folder(campaign: Campaign | Path | str) -> Path:
    """The folder of a campaign's results: of a campaign, of its file, or the folder itself.

    Raises:
        CampaignError: the file is no YAML; if there are no results, all that is wrong with it.
        QueryError: the campaign has not run yet.
    """
    if isinstance(campaign, Campaign):
        path, folder = campaign.path, campaign.output_folder
        what, remedy = str(path), f"designloop run {path}"
        if not exists(path):  # it was built of a mapping
            what, remedy = f"the campaign {campaign.name!r}", "designloop.run(campaign) runs it"
    else:
        path = Path(campaign)
        if is_folder(path):
            return path
        what, remedy = str(path), f"designloop run {path}"
        if not exists(path) and exists(results := path.with_suffix("") / "campaign.json"):
            raise QueryError(
                f"there is no file {path}; the results of the campaign of that name, which had no file or has lost it, "
                f"are in {results.parent}: give that folder"
            )
        settings = read_yaml(path).data  # not loaded as a campaign: results can be read when an oracle is gone
        folder = real(path.absolute().parent / str(settings.get("output") or settings.get("name") or path.stem))
    if not any(exists(folder / name) for name in ("campaign.json", "manifests")):
        if not isinstance(campaign, Campaign):
            campaign = load_campaign(path)  # a file with mistakes in it is told those first
        if measured_properties(campaign):
            remedy = f"designloop suggest {path}"
        raise QueryError(f"{what} has not run yet, there are no results in {folder}; {remedy}")
    return folder


def results_below(folder: Path) -> list[Path]:
    """Finds all folders of results in a folder and up to two levels below it.

    Raises:
        QueryError: there is none.
    """
    places = ("campaign.json", "*/campaign.json", "*/*/campaign.json")
    folders = sorted(path.parent for place in places for path in folder.glob(place))
    if not folders:
        raise QueryError(f"{folder} and the folders below it hold no results; name a campaign file or its folder")
    return folders


def _failures(folder: Path, rounds: Sequence[RoundInfo]) -> tuple[list[Failures], list[str]]:
    """What failed, by property and status, and a sentence for each file of details that is damaged."""
    failed, damaged = failed_rows(folder, rounds)
    grouped: dict[tuple[str, str], dict[str, str | None]] = {}
    for row in failed:
        for name, (status, error) in row.failures.items():
            grouped.setdefault((name, status), {})[row.candidate.smiles] = error
    failures = [
        Failures(*key, len(errors), commonest([(error, molecule) for molecule, error in errors.items()]))
        for key, errors in grouped.items()
    ]
    return failures, damaged


def _remarks(rounds: Sequence[RoundInfo]) -> list[str]:
    """Of each oracle the first one; a campaign that was resumed has heard it again."""
    first: dict[str, str] = {}
    for line in [line for info in rounds for line in str(info.metrics.get(REMARKS, "")).splitlines()]:
        first.setdefault(line.partition(" answered ")[0], line)
    return list(first.values())
