"""All rounds of a campaign as rows, each committed as one atom.

A round's files are written and fsynced first; then its manifest is renamed into place. What has no manifest did not
happen: a reader does not see it, and the next ``open`` removes what is left of it. After a process, a machine or a
disk failed, at whatever moment, the table is as it was before the round or as it is after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import pyarrow as pa

from designloop.records import MEASURED, Round, State
from designloop.tables.durable import FileRecord, Piece, disk_errors, make_folder, sync_folder, write_file
from designloop.tables.errors import DamagedFile, TableError
from designloop.tables.files import details_file, relative, remove_leftovers, remove_old_states, rows_file, state_files
from designloop.tables.head import read_head, what_is_lost, write_head
from designloop.tables.ledger import Ledger
from designloop.tables.lock import ProcessLock, lock_folder
from designloop.tables.manifest import (
    EMPTY_DIGEST,
    FOLDERS,
    CampaignRecord,
    Finish,
    RoundInfo,
    asked_in,
    finish_or_remark,
    read_campaign,
    read_checked,
    read_rounds,
    round_numbers,
    write_campaign,
    write_finish,
    write_round,
)
from designloop.tables.opening import (
    ChangedKeys,
    TableCampaign,
    add_opening,
    goes_on,
    now,
    refuse_foreign,
    set_aside,
)
from designloop.tables.rows import (
    LOST_DETAILS,
    check_rows,
    count_asked,
    details_table,
    digest,
    rows_table,
    stored_rows,
    to_parquet,
)
from designloop.tables.schema import check_metrics, check_properties
from designloop.tables.state_files import state_from, state_pieces

ANEW = "no round was committed yet under the settings that it was opened with before, so it begins with the new ones"
"""What is said of a campaign whose settings have changed before its first round."""


class CandidateTable:
    """The one writer of a campaign's folder; a context manager. Used by one thread at a time."""

    def __init__(self, folder: Path, record: CampaignRecord, ledger_path: Path, lock: ProcessLock) -> None:
        """Reads what is committed; ``open`` is the way to make one."""
        self.folder = folder
        self.ledger_path = ledger_path
        self.moved_aside: Path | None = None
        """Where ``open(fresh=True)`` moved the earlier table."""
        self.remarks: list[str] = []
        """What is damaged in the folder and keeps nobody from going on, a sentence each."""
        self._record = record
        self._lock = lock
        self._rounds = read_rounds(folder, record)
        self._scores: dict[str, float | None] = {}
        self._refused: set[str] = set()
        self._given: set[str] = set()
        self._torn = False
        head, of_head = read_head(folder)
        self.remarks += [*of_head, *what_is_lost(folder, record.id, head, self._rounds), *finish_or_remark(folder)[1]]
        remove_leftovers(folder, self._rounds)
        for info in self._rounds:
            last = info is self._rounds[-1]
            rows_name, details_name = (
                relative(folder, file(folder, info.number)) for file in (rows_file, details_file)
            )
            wanted = ["smiles", "score", "allowed", "proposer"]
            rows = stored_rows(read_checked(folder, info, rows_name, last=last), wanted).to_pylist()
            self._add(info.kind, [(row["smiles"], row["score"], row["allowed"], row["proposer"]) for row in rows])
            try:
                read_checked(folder, info, details_name, last=last)
            except DamagedFile as damage:
                self.remarks.append(f"{damage.what}: {LOST_DETAILS}")
            # The last state is checked when it is read, the others are not needed.

    @classmethod
    def open(
        cls,
        campaign: TableCampaign,
        *,
        changed_keys: ChangedKeys,
        fresh: bool = False,
        accept_changed_oracles: bool = False,
        environment: Mapping[str, Any] | None = None,
    ) -> CandidateTable:
        """Open the campaign's table, new or as its last committed round left it.

        Args:
            changed_keys: says which settings differ from the stored ones and may not.
            fresh: move an earlier table of this campaign aside, to NAME.1, NAME.2, …, and begin anew.
            accept_changed_oracles: go on although an oracle's fingerprint has changed; recorded.
            environment: what the campaign runs on, as JSON values; recorded. The first one stays ``table.environment``.
        Raises:
            TableBusy: another process is running this campaign.
            TableError: the folder is another campaign's, or holds other things; the campaign has changed, or a file is
                missing or damaged.
        """
        check_properties(list(campaign.oracles))
        folder = campaign.output_folder
        unwritable = f"{folder} cannot be written to"
        with disk_errors(unwritable, "Make it writable, or set `output:` to another folder."):
            refuse_foreign(folder)
            aside = set_aside(campaign) if fresh else None
            for subfolder in (folder, *(folder / name for name in FOLDERS)):
                make_folder(subfolder)
            lock = lock_folder(folder)
        try:
            stored, anew = read_campaign(folder), ""
            if stored is not None and not goes_on(folder, stored, campaign, changed_keys, accept_changed_oracles):
                stored, anew = None, ANEW
            record = add_opening(stored, campaign, environment, max(round_numbers(folder), default=-1))
            with disk_errors(unwritable):
                if record != stored:
                    write_campaign(folder, record)
                table = cls(folder, record, campaign.ledger_path, lock)
            table.moved_aside = aside
            table.remarks += [anew] if anew else []
            return table
        except BaseException:
            lock.close()
            raise

    def __enter__(self) -> CandidateTable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the ledger, where it was opened, and lets other processes write; twice does no harm."""
        if "ledger" in self.__dict__:
            self.ledger.close()
        self._lock.close()

    @property
    def campaign_id(self) -> str:
        """Drawn when the table was begun; the campaign's name in ledgers."""
        return self._record.id

    @property
    def environment(self) -> Mapping[str, Any]:
        """What the campaign was begun on: what a resumed one has to use again to stay identical."""
        return self._record.openings[0].environment

    @property
    def properties(self) -> list[str]:
        """Names of the objective's properties, in its order."""
        return self._record.properties

    @property
    def finished(self) -> Finish | None:
        """How the campaign ended; None while it has not, or has been taken up again."""
        finish, _ = finish_or_remark(self.folder)
        return finish if finish and finish.after_round == self._last_number() else None

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, opened for writing in this campaign's name when first used; its remarks become the table's.

        Raises:
            LedgerBusy: another campaign is writing to it.
            LedgerError: it is damaged as a whole.
        """
        begun = not self.ledger_path.exists() or self.ledger_path.stat().st_size == 0
        opened = Ledger(self.ledger_path, self.campaign_id)
        if begun and self.calls():
            self.remarks.append(
                f"the ledger {self.ledger_path} is missing or empty, though {self.calls():,} calls were made: a new "
                "one is begun. The table keeps its rows, but whoever asks for those molecules again pays again"
            )
        self.remarks += opened.remarks
        return opened

    def rounds(self) -> list[RoundInfo]:
        """The committed rounds, ascending."""
        return list(self._rounds)

    def next_round(self) -> int:
        """Number of the next round; 0, that of the starting molecules, for a table without rounds."""
        return self._last_number() + 1

    def charged(self) -> list[str]:
        """Standard forms of all molecules in the table, charged or given with values, in the order of its rows."""
        return list(self._scores)

    def scores(self) -> dict[str, float | None]:
        """Standard form -> score of all molecules in the table, in the order of its rows; None where there is none."""
        return dict(self._scores)

    def ranked_scores(self) -> dict[str, float | None]:
        """Those of ``scores`` that can be among the best: not of starting molecules that a filter refuses."""
        return {smiles: score for smiles, score in self._scores.items() if smiles not in self._refused}

    def calls(self) -> int:
        """Oracle calls spent: distinct molecules charged."""
        return len(self._scores) - len(self._given)

    def per_oracle_calls(self) -> dict[str, int]:
        """Property name -> molecules that its oracle was asked about; amendments ask about no new ones."""
        return asked_in(self._rounds, self.properties)

    def digest(self) -> str:
        """Hex digest of all rows: equal digests mean identical tables."""
        return self._rounds[-1].digest if self._rounds else EMPTY_DIGEST

    def last_state(self) -> State | None:
        """The strategy's state as the last committed round left it; None before the first.

        Raises:
            TableError: a file of it is missing or damaged.
        """
        if not self._rounds:
            return None
        info = self._rounds[-1]
        arrays, data = (relative(self.folder, path) for path in state_files(self.folder, info.number))
        return state_from(*(read_checked(self.folder, info, name, last=True) for name in (arrays, data)))

    def commit(self, done: Round) -> RoundInfo:
        """Commit a round, durably and all at once, and return its record.

        Raises:
            TableError: the round does not fit the table; nothing was written.
            DiskError: the disk failed; whether the round counts is decided by the next ``open``, and this table takes
                no more rounds.
        """
        self._check(done)
        pieces, data = state_pieces(done.state)
        rows = rows_table(done, self.properties, self.campaign_id, self.calls())
        details = details_table(done.scored, self.properties)
        self._torn = True  # until all is written; also when interrupted
        with disk_errors(f"round {done.number} could not be committed to {self.folder}", all_are_the_disks=True):
            files = self._write_files(done.number, pieces, data, rows, details)
            info = RoundInfo(
                campaign=self.campaign_id,
                number=done.number,
                kind=done.kind,
                rows=len(done.scored),
                calls=self.calls() + (0 if done.kind == "amendment" else sum(row.is_charged for row in done.scored)),
                asked=count_asked(done.scored, self.properties),
                metrics={
                    name: metric if isinstance(metric, str) else float(metric) for name, metric in done.metrics.items()
                },
                digest_before=self.digest(),
                digest=digest(rows, self.properties, self.digest()),
                committed=now(),
                files=files,
            )
            write_round(self.folder, info)
            write_head(self.folder, info)
        self._rounds.append(info)
        self._add(
            done.kind,
            [(row.smiles, row.score, row.candidate.allowed, row.candidate.proposer) for row in done.scored],
        )
        with suppress(OSError):  # the round is committed; what cannot be removed now is removed by the next open
            remove_old_states(self.folder, done.number)
        self._torn = False
        return info

    def finish(self, reason: str) -> None:
        """Marks the end of the campaign; a round committed later takes the mark away.

        Raises:
            DiskError: the disk failed.
        """
        self._check_writable()
        with disk_errors(f"the end of the campaign could not be marked in {self.folder}", all_are_the_disks=True):
            write_finish(self.folder, Finish(reason, self._last_number(), now()))
            if self._rounds:
                write_head(self.folder, self._rounds[-1], ended=True)

    def _add(self, kind: str, rows: Iterable[tuple[str, float | None, bool, str]]) -> None:
        """Takes in the (smiles, score, allowed, proposer) of a round; an amendment changes scores alone."""
        for smiles, score, allowed, proposer in rows:
            self._scores[smiles] = score
            if kind == "amendment":
                continue
            if not allowed:
                self._refused.add(smiles)
            if proposer == MEASURED:
                self._given.add(smiles)

    def _last_number(self) -> int:
        return self._rounds[-1].number if self._rounds else -1

    def _check_writable(self) -> None:
        if not self._lock.held:
            raise TableError(f"the table in {self.folder} is closed. Open it again to go on.")
        if self._torn:
            raise TableError(
                "an earlier commit did not end well, so this table takes no more. Close it and open it again."
            )

    def _check(self, done: Round) -> None:
        """Refuses a round that does not fit what is committed."""
        self._check_writable()
        expected = {0, 1} if not self._rounds else {self.next_round()}
        if done.number not in expected:
            raise TableError(
                f"found round {done.number}, expected {' or '.join(map(str, sorted(expected)))}. Commit rounds in turn."
            )
        check_rows(done, self.properties)
        check_metrics(done.metrics)
        for name, value in done.metrics.items():
            if not isinstance(value, str | Real):
                raise TableError(
                    f"the metric {name!r} is {value!r}, expected a number or text. Leave out what has no value."
                )
        smiles = [row.smiles for row in done.scored]
        if len(set(smiles)) < len(smiles):
            twice = next(repeated for place, repeated in enumerate(smiles) if repeated in smiles[:place])
            raise TableError(
                f"round {done.number} holds {twice} twice. A molecule is charged once; screen the round first."
            )
        for molecule in smiles:
            if (molecule in self._scores) != (done.kind == "amendment"):
                raise TableError(
                    f"round {done.number} of kind {done.kind} holds {molecule}, which was "
                    + (
                        "charged before. Screen the round first."
                        if molecule in self._scores
                        else "never charged. Amend rows that are there."
                    )
                )

    def _write_files(
        self, number: int, pieces: Sequence[Piece], data: bytes, rows: pa.Table, details: pa.Table
    ) -> dict[str, FileRecord]:
        """Write all files of a round but its manifest; return a record of each."""
        arrays_path, data_path = state_files(self.folder, number)
        # Megabytes of state are hashed, written and fsynced outside the interpreter's lock, while the rows are packed;
        # and the disk is waited for once, not file by file.
        with ThreadPoolExecutor(4) as beside:
            writing = {
                arrays_path: beside.submit(write_file, arrays_path, pieces),
                data_path: beside.submit(write_file, data_path, [data]),
            }
            for path, table in ((rows_file(self.folder, number), rows), (details_file(self.folder, number), details)):
                writing[path] = beside.submit(write_file, path, [to_parquet(table)])
            written = {path: future.result() for path, future in writing.items()}
            list(beside.map(sync_folder, sorted({path.parent for path in written})))
        return {relative(self.folder, path): record for path, record in written.items()}
