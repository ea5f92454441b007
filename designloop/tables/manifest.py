"""What is true of a campaign's folder: its campaign, its committed rounds, its end. Reading never writes.

campaign.json             id, settings, oracle fingerprints, environment; written first, a line more at each change
manifests/00007.json      commits round 7; names and checksums the round's files
head.json                 which round was committed last (``designloop.tables.head``); never ahead of the manifests
finished.json             why and after which round it ended; holds while no later round is committed
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from designloop.records import RoundKind
from designloop.tables.durable import FileRecord, publish_json, read_json
from designloop.tables.errors import DamagedFile, TableError

EMPTY_DIGEST = hashlib.sha256().hexdigest()
"""Digest of a table without rounds."""

END_UNKNOWN = "how the campaign ended is not known until `designloop run` has marked it anew"

FOLDERS = ("rounds", "details", "states", "manifests")
"""Sub-folders of a campaign's folder."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a campaign was when it was opened and anything had changed; the first is what it began as."""

    after_round: int
    """Last round committed before; -1 for none."""
    when: str
    fingerprint: str
    """The campaign's own."""
    dump: Mapping[str, Any]
    """The campaign's settings, as JSON values."""
    oracles: Mapping[str, str]
    """Property name -> fingerprint of its oracle."""
    accepted: Sequence[str] = ()
    """Properties whose oracle had changed, which was accepted."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Package versions, precision, thread count, CPU capability."""


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """``campaign.json``."""

    id: str
    """Drawn once; names this run of the campaign in ledgers."""
    name: str
    ledger: str
    """Path of the ledger, relative to the folder."""
    openings: Sequence[Opening]

    @property
    def properties(self) -> list[str]:
        """Names of the objective's properties, in its order."""
        return list(self.openings[0].oracles)

    @property
    def goals(self) -> dict[str, float]:
        """Property -> reference point in desirabilities, of those that are traded off; none of one score."""
        objective = self.openings[-1].dump.get("objective", {})
        if objective.get("aggregate") != "pareto":
            return {}
        counted = [item["name"] for item in objective["properties"] if item["weight"] > 0]
        reference = objective.get("reference_point", {})
        # By rule the search's own follows the front, and what is told stays above 0, so that rounds compare.
        return {name: reference.get(name, 0.0) if isinstance(reference, Mapping) else 0.0 for name in counted}

    @property
    def objective(self) -> str:
        """Twelve hex digits of the objective's settings and of the oracles behind it, as of the last opening."""
        last = self.openings[-1]
        text = json.dumps([last.dump.get("objective"), last.oracles], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


HYPERVOLUME = "hypervolume"
"""The metric of a round that trades properties off: the volume below the front so far."""


@dataclass(frozen=True, slots=True)
class RoundInfo:
    """A committed round."""

    campaign: str
    """The campaign's id."""
    number: int
    kind: RoundKind
    rows: int
    calls: int
    """Oracle calls of the campaign up to and with this round."""
    asked: Mapping[str, int]
    """Property name -> molecules of this round that its oracle was asked about."""
    metrics: Mapping[str, float | str]
    digest_before: str
    """Digest of the table up to this round: each manifest names the one before it."""
    digest: str
    """Digest of the table up to and with this round."""
    committed: str
    """UTC, ISO 8601."""
    files: Mapping[str, FileRecord]
    """Path in the folder -> what must be there."""


def asked_in(rounds: Iterable[RoundInfo], names: Iterable[str]) -> dict[str, int]:
    """Property name -> molecules that its oracle was asked about in some rounds; amendments ask about no new ones."""
    charged = [info for info in rounds if info.kind != "amendment"]
    return {name: sum(info.asked.get(name, 0) for info in charged) for name in names}


@dataclass(frozen=True, slots=True)
class Finish:
    """``finished.json``: how a campaign ended."""

    reason: str
    after_round: int
    when: str


def round_file(folder: Path, kind: str, number: int, suffix: str) -> Path:
    """Where a round's file lies, as in ``rounds/00007.parquet``."""
    return folder / kind / f"{number:05d}{suffix}"


def manifest_path(folder: Path, number: int) -> Path:
    return round_file(folder, "manifests", number, ".json")


def write_campaign(folder: Path, record: CampaignRecord) -> None:
    publish_json(folder / "campaign.json", asdict(record))


def write_round(folder: Path, info: RoundInfo) -> None:
    publish_json(manifest_path(folder, info.number), asdict(info))


def write_finish(folder: Path, finish: Finish) -> None:
    publish_json(folder / "finished.json", asdict(finish))


def read_campaign(folder: Path) -> CampaignRecord | None:
    """The campaign that the folder belongs to; None where there is no campaign.

    Raises:
        TableError: rounds without a campaign, or a damaged file.
    """
    path = folder / "campaign.json"
    try:
        body = read_json(path)
    except FileNotFoundError:
        if round_numbers(folder):
            raise TableError(
                f"{path} is missing, though {folder / 'manifests'} holds committed rounds. "
                "Restore it from a backup, or start again with --fresh."
            ) from None
        return None
    openings = [Opening(**opening) for opening in body.pop("openings")]
    return CampaignRecord(**body, openings=openings)


def read_finish(folder: Path) -> Finish | None:
    """The end that was marked last, whether or not rounds were committed since."""
    try:
        return Finish(**read_json(folder / "finished.json"))
    except FileNotFoundError:
        return None


def finish_or_remark(folder: Path) -> tuple[Finish | None, list[str]]:
    """The end that was marked last, and where the mark is damaged a sentence instead: a run marks it anew."""
    try:
        return read_finish(folder), []
    except DamagedFile as damage:
        return None, [f"{damage.what}: {END_UNKNOWN}"]


def round_numbers(folder: Path) -> list[int]:
    """Numbers of the committed rounds, ascending.

    Raises:
        DamagedFile: the folder of manifests is there and cannot be read.
    """
    try:
        names = [path.name for path in (folder / "manifests").iterdir()]
    except FileNotFoundError:
        return []
    except OSError as problem:
        advice = "Restore it from a backup, or start again with --fresh (the ledger keeps what was paid for)."
        raise DamagedFile(f"{folder / 'manifests'} cannot be read ({problem.strerror})", advice) from problem
    return sorted(int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdecimal())


def read_rounds(folder: Path, campaign: CampaignRecord, before: RoundInfo | None = None) -> list[RoundInfo]:
    """The committed rounds after the round ``before``, ascending; all without one.

    Raises:
        TableError: a manifest is missing between others, damaged, or another campaign's.
    """
    numbers = round_numbers(folder)
    if not _unbroken(numbers):
        # A listing made while rounds are committed may lack an earlier name and have a later one; a second cannot.
        numbers = round_numbers(folder)
    rounds: list[RoundInfo] = []
    for number in numbers:
        if before is None or number > before.number:
            info = _read_round(folder, number, campaign)
            last = rounds[-1] if rounds else before
            if info.digest_before != (last.digest if last else EMPTY_DIGEST):
                raise TableError(
                    f"{manifest_path(folder, number)} does not follow the manifest before it, "
                    f"{manifest_path(folder, number - 1)}, which is missing or another one. Restore it from a backup, "
                    "or start again with --fresh (the ledger keeps what was paid for)."
                )
            rounds.append(info)
    return rounds


def read_checked(folder: Path, info: RoundInfo, name: str, last: bool) -> bytes:
    """Content of one of a round's files, checked against the manifest.

    Args:
        last: the round is the campaign's last, so going back to the one before is a way out.
    Raises:
        DamagedFile: the file is missing, damaged or cannot be read.
    """
    path, expected = folder / name, info.files[name]
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        problem = "is missing"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    else:
        if FileRecord.of(content) == expected:
            return content
        problem = f"is damaged ({len(content):,} bytes found, {expected.size:,} expected, or other content)"
    manifest = manifest_path(folder, info.number)
    back = (
        f"or move {manifest} out of the folder, so that the campaign resumes after round {info.number - 1}"
        if last and info.number > 0
        else "or start again with --fresh (the ledger keeps what was paid for)"
    )
    what = f"{path} {problem}, though round {info.number} was committed with it"
    raise DamagedFile(what, f"Restore it from a backup, {back}.")


def _unbroken(numbers: Sequence[int]) -> bool:
    """Whether rounds follow each other from 0, or from 1 where no starting molecules were given."""
    return not numbers or (numbers[0] <= 1 and numbers[-1] - numbers[0] + 1 == len(numbers))


def _read_round(folder: Path, number: int, campaign: CampaignRecord) -> RoundInfo:
    path = manifest_path(folder, number)
    body = read_json(path)
    body["files"] = {name: FileRecord(**record) for name, record in body["files"].items()}
    info = RoundInfo(**body)
    if (info.campaign, info.number) != (campaign.id, number):
        raise TableError(
            f"{path} belongs to round {info.number} of campaign {info.campaign}, expected round {number} of "
            f"{campaign.id} ({campaign.name}). Move it out of the folder, and put back the file that belongs there."
        )
    return info
