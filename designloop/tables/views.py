"""The three views as Arrow tables, made of what some campaigns' folders hold at one moment."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from designloop.pareto import pareto_ranks
from designloop.paths import is_folder
from designloop.tables.errors import DamagedFile, QueryError, TableError
from designloop.tables.files import refuse_lost_manifests, rows_numbers
from designloop.tables.head import read_head, what_is_lost
from designloop.tables.ledger_reading import read_ledger
from designloop.tables.ledger_records import Run, StoredValue
from designloop.tables.manifest import (
    CampaignRecord,
    Finish,
    RoundInfo,
    finish_or_remark,
    read_campaign,
    read_checked,
    read_rounds,
)
from designloop.tables.rows import stored_rows
from designloop.tables.schema import (
    CANDIDATES,
    DESIRABILITY,
    RESULTS,
    ROUNDS,
    RUNS,
    STORED,
    property_columns,
    stored_schema,
)
from designloop.tables.suggestions import Suggestion, read_suggestions


@dataclass(frozen=True, slots=True)
class StoredCampaign:
    """What a folder held when it was read."""

    folder: Path
    label: str
    """What the column ``campaign`` says: the campaign's name, or its folder where several opened ones share it."""
    record: CampaignRecord
    rounds: Sequence[RoundInfo]
    finish: Finish | None
    """How it ended; None while it has not."""
    remarks: Sequence[str] = ()
    """What is damaged in the folder and keeps nobody from reading the rest, a sentence each."""
    suggestions: Sequence[Suggestion] = ()
    """What was suggested to be measured, in that order."""

    @property
    def objective(self) -> str:
        """Twelve hex digits of what the scores mean: equal ones compare."""
        return self.record.objective

    @property
    def ledger_path(self) -> Path:
        return Path(os.path.normpath(self.folder / self.record.ledger))


@dataclass(slots=True)
class FolderReader:
    """Reads a campaign's folder again and again; what is committed never changes, so each round is read once."""

    folder: Path
    _rounds: list[RoundInfo] = field(default_factory=list)
    _rows: list[pa.Table] = field(default_factory=list)
    _id: str | None = None

    def read(self) -> tuple[CampaignRecord, Sequence[RoundInfo], Finish | None, list[str], Sequence[Suggestion]]:
        """Read what the folder holds now, with a sentence on each damaged file.

        Raises:
            QueryError: there is no campaign.
            TableError: a file is missing or damaged.
        """
        record = read_campaign(self.folder)
        if record is None:
            raise QueryError(f"{self.folder} holds no campaign. {_campaigns_near(self.folder)}")
        if record.id != self._id:  # begun anew since
            self._id, self._rounds, self._rows = record.id, [], []
        head, remarks = read_head(self.folder)
        numbers = rows_numbers(self.folder)  # both before the manifests: a running campaign may commit meanwhile
        new = read_rounds(self.folder, record, before=self._rounds[-1] if self._rounds else None)
        refuse_lost_manifests(self.folder, numbers, [*self._rounds, *new])
        names = [next(name for name in info.files if name.startswith("rounds/")) for info in new]
        rows = [
            stored_rows(read_checked(self.folder, info, name, last=info is new[-1]))
            for info, name in zip(new, names, strict=True)
        ]
        self._rounds = [*self._rounds, *new]
        self._rows = [*self._rows, *rows]
        finish, of_finish = finish_or_remark(self.folder)
        remarks += [*what_is_lost(self.folder, record.id, head, self._rounds), *of_finish]
        last = self._rounds[-1].number if self._rounds else -1
        suggestions: Sequence[Suggestion] = ()
        try:
            suggestions = read_suggestions(self.folder, record.id)
        except TableError as damage:
            what = damage.what if isinstance(damage, DamagedFile) else str(damage).rstrip(".")
            remarks.append(f"{what}: what is pending is not known, nor by which id anything was suggested")
        ended = finish if finish and finish.after_round == last else None
        return record, tuple(self._rounds), ended, remarks, suggestions

    def rows(self, rounds: int) -> list[pa.Table]:
        """Rows of the first so many rounds, a table a round, as stored."""
        return self._rows[:rounds]


def labels(folders: Sequence[Path], names: Sequence[str]) -> list[str]:
    """A distinct label for each campaign: its name, or its folder from the folder they all lie in.

    Where a folder is called as another campaign is, all have their folders.

    Args:
        folders: distinct.
        names: of their campaigns.
    """
    uses = Counter(names)
    above = Path(os.path.commonpath([folder.parent for folder in folders]))
    places = [folder.relative_to(above).as_posix() for folder in folders]
    mixed = [name if uses[name] == 1 else place for name, place in zip(names, places, strict=True)]
    return mixed if len(set(mixed)) == len(mixed) else places


def candidates_view(campaigns: Sequence[StoredCampaign], rows: Sequence[Sequence[pa.Table]]) -> pa.Table:
    """View ``candidates``: each campaign's rows, amendments in place, properties of all campaigns as columns."""
    spelling: dict[str, str] = {}
    parts = []
    # Campaigns of before there was this column may have a property of its name, which then has it.
    has_ids = not any("suggestion" in map(str.lower, campaign.record.properties) for campaign in campaigns)
    for campaign, tables in zip(campaigns, rows, strict=True):
        properties = campaign.record.properties
        stored = pa.concat_tables([stored_schema(properties, campaign.record.id).empty_table(), *tables])
        columns = [column.name for column in (*STORED, *property_columns(properties))]
        merged = _apply_amendments(stored, columns).replace_schema_metadata(None)
        # SQL does not tell upper from lower case, so one spelling of a property's name has to do for all campaigns.
        merged = merged.rename_columns([spelling.setdefault(name.lower(), name) for name in columns])
        label = pa.repeat(pa.scalar(campaign.label, pa.string()), len(merged))
        objective = pa.repeat(pa.scalar(campaign.objective, pa.string()), len(merged))
        name_part = pa.repeat(pa.scalar(campaign.label.replace(" ", "_"), pa.string()), len(merged))
        ranks = pareto_ranks_of(merged, [spelling[name.lower()] for name in campaign.record.goals])
        given = {item.candidate.smiles: item.id for item in campaign.suggestions}
        suggested = pa.array([given.get(smiles) for smiles in merged["smiles"].to_pylist()], pa.string())
        made = {"pareto_rank": ranks} | ({"suggestion": suggested} if has_ids else {})
        for place, (name, column) in enumerate(made.items(), merged.column_names.index("score") + 1):
            merged = merged.add_column(place, name, column)
        places = pc.cast(pc.add(merged["position"], 1), pa.string())
        numbers = pc.coalesce(pc.cast(merged["call"], pa.string()), pc.binary_join_element_wise("s", places, ""))
        ids = pc.binary_join_element_wise(name_part, numbers, "-")
        for place, (name, column) in enumerate((("campaign", label), ("objective", objective), ("id", ids))):
            merged = merged.add_column(place, name, column)
        parts.append(merged)
    return pa.concat_tables(parts, promote_options="default")


def pareto_ranks_of(rows: pa.Table, goals: Sequence[str]) -> pa.Array:
    """The ranks of some rows among each other; null without goals, without a score and for what a filter refuses."""
    counted = pc.and_(pc.is_valid(rows["score"]), rows["allowed"]).to_numpy() if goals else np.zeros(len(rows), bool)
    ranks = np.zeros(len(rows), dtype=np.int32)
    ranks[counted] = pareto_ranks(desirabilities_of(rows.filter(pa.array(counted)), goals))
    return pa.array(ranks, pa.int32(), mask=~counted)


def desirabilities_of(rows: pa.Table, goals: Sequence[str]) -> np.ndarray:
    """(rows, goals) desirabilities of rows that have a score."""
    columns = [rows[name + DESIRABILITY].to_numpy() for name in goals]
    return np.column_stack(columns) if columns else np.zeros((len(rows), 0))


def rounds_view(campaigns: Sequence[StoredCampaign]) -> pa.Table:
    """View ``rounds``: a row a committed round, a column a metric."""
    infos = [(campaign.label, info) for campaign in campaigns for info in campaign.rounds]
    objectives = [campaign.objective for campaign in campaigns for _ in campaign.rounds]
    fixed: dict[str, Iterable[Any]] = {
        "campaign": [label for label, _ in infos],
        "objective": objectives,
        "round": [info.number for _, info in infos],
        "kind": [info.kind for _, info in infos],
        "rows": [info.rows for _, info in infos],
        "calls": [info.calls for _, info in infos],
        "committed": [datetime.fromisoformat(info.committed).astimezone(UTC).replace(tzinfo=None) for _, info in infos],
        "digest": [info.digest for _, info in infos],
    }
    table = _table(ROUNDS, fixed)
    lowered = [{name.lower(): value for name, value in info.metrics.items()} for _, info in infos]
    spelling: dict[str, str] = {}
    for _, info in infos:
        for name in info.metrics:
            spelling.setdefault(name.lower(), name)
    for key, name in spelling.items():
        values = [metrics.get(key) for metrics in lowered]
        text = any(isinstance(value, str) for value in values)
        column = pa.array(
            [str(v) if text and v is not None else v for v in values], pa.string() if text else pa.float64()
        )
        table = table.append_column(name, column)
    return table


def runs_view(campaigns: Sequence[StoredCampaign]) -> tuple[pa.Table, list[str]]:
    """View ``runs``, a row an oracle run and output, of the ledgers of all campaigns; and what is damaged in them.

    Raises:
        LedgerError: a ledger is missing or cannot be read.
    """
    label_of = {campaign.record.id: campaign.label for campaign in campaigns}
    paths = dict.fromkeys(campaign.ledger_path for campaign in campaigns)
    ledgers = [read_ledger(path) for path in paths]
    outputs = [(run, *output) for ledger in ledgers for run in ledger.runs for output in _outputs(run)]
    table = _table(
        RUNS,
        {
            "campaign": [label_of.get(run.campaign, run.campaign) for run, *_ in outputs],
            "oracle": [run.oracle for run, *_ in outputs],
            "fingerprint": [run.fingerprint for run, *_ in outputs],
            "smiles": [run.smiles for run, *_ in outputs],
            "output": [output for _, output, *_ in outputs],
            "status": [status for _, _, status, _, _ in outputs],
            "value": [value for _, _, _, value, _ in outputs],
            "error": [error for *_, error in outputs],
            "attempt": [run.attempt for run, *_ in outputs],
            "seconds": [run.seconds for run, *_ in outputs],
            "purpose": [run.purpose for run, *_ in outputs],
        },
    )
    return table, [remark for ledger in ledgers for remark in ledger.remarks]


def empty_runs() -> pa.Table:
    """View ``runs`` without rows."""
    return _table(RUNS, {column.name: [] for column in RUNS})


def _apply_amendments(stored: pa.Table, columns: Sequence[str]) -> pa.Table:
    """The charged rows, each with the results of the last amendment of its molecule."""
    amendment = pc.equal(stored["kind"], "amendment")
    if not pc.any(amendment).as_py():
        return stored.select(columns)
    smiles = stored["smiles"].to_pylist()
    latest = {molecule: row for row, molecule in enumerate(smiles)}
    charged = [row for row, later in enumerate(amendment.to_pylist()) if not later]
    places = {column.name for column in CANDIDATES} - set(RESULTS)
    first = stored.take(charged)
    last = stored.take([latest[smiles[row]] for row in charged])
    return pa.table({name: (first if name in places else last)[name] for name in columns})


def _outputs(run: Run) -> list[tuple[str | None, str | None, float | None, str | None]]:
    """(output, status, value, error) for each output of a run; one without a name for a run without named outputs."""
    value: StoredValue | None = run.value
    if not isinstance(value, Mapping):
        return [(None, run.status, value, run.error)]
    failed = run.status if run.status != "ok" else "failed"
    return [
        (name, failed, None, output) if isinstance(output, str) else (name, "ok", output, None)
        for name, output in value.items()
    ]


def _table(columns: Sequence[Any], values: Mapping[str, Iterable[Any]]) -> pa.Table:
    return pa.table({c.name: pa.array(values[c.name], c.type) for c in columns})


def _campaigns_near(folder: Path) -> str:
    """Say what to open instead."""
    if not is_folder(folder):
        return "There is no such folder; give a campaign's output folder, by default NAME/ beside its file."
    near = sorted(path.parent.name for path in folder.glob("*/campaign.json"))
    if near:
        return f"Open one of the campaigns in it: {', '.join(near[:10])}."
    return "Give a campaign's output folder, by default NAME/ beside its file; it is there once the campaign has begun."
