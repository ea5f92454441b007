"""Which round was committed last: by it a last manifest that was lost is told from a round that never was.

Likewise a mark of the end that was lost from a campaign that has not ended.

Of a manifest that lacks between others the chain of digests tells; of the last one nothing would, since a round
without a manifest did not happen. So each commit, once its manifest is in place, names it in ``head.json``. A crash
between the two leaves a head that is one round behind, which is no damage; a head that is ahead of the manifests is
left by no crash. Nothing else is read from it, so a campaign does without it, and the next commit writes a lost one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from designloop.tables.durable import publish_json, read_json
from designloop.tables.errors import DamagedFile
from designloop.tables.manifest import END_UNKNOWN, RoundInfo, manifest_path

FILE = "head.json"


@dataclass(frozen=True, slots=True)
class Head:
    """``head.json``."""

    campaign: str
    """The campaign's id."""
    round: int
    """Number of the round that was committed last."""
    digest: str
    """Digest of the table up to and with it."""
    ended: bool = False
    """Whether the end of the campaign was marked after it."""


def write_head(folder: Path, info: RoundInfo, ended: bool = False) -> None:
    """Names the round as the last one; its manifest, and the mark of the end where it ended, are in place."""
    publish_json(folder / FILE, asdict(Head(info.campaign, info.number, info.digest, ended)))


def read_head(folder: Path) -> tuple[Head | None, list[str]]:
    """The head, None where there is none, and what is to be said of a damaged one.

    A reader of a running campaign reads it before the manifests, which only grow.
    """
    try:
        return Head(**read_json(folder / FILE)), []
    except FileNotFoundError:
        return None, []
    except DamagedFile as damage:
        return None, [f"{damage.what}: nothing depends on it, and the next round that is committed writes it anew"]


def what_is_lost(folder: Path, campaign: str, head: Head | None, rounds: Sequence[RoundInfo]) -> list[str]:
    """A sentence where the head names a later round than the last manifest, or an end that is not marked.

    Args:
        campaign: the campaign's id; a head of another one, which ``--fresh`` replaces, says nothing.
        rounds: those that have manifests.
    """
    last = rounds[-1].number if rounds else -1
    if head is None or head.campaign != campaign or head.round < last:
        return []
    if head.round == last:
        if head.ended and not (folder / "finished.json").exists():
            return [f"{folder / 'finished.json'} is missing: {END_UNKNOWN}"]
        return []
    ends = f"ends with round {last}" if rounds else "is empty"
    return [
        f"round {head.round} was committed, but its manifest {manifest_path(folder, head.round)} is missing, so the "
        f"table {ends}. Put the manifest back from a backup; otherwise `designloop run` runs what follows again, and "
        "pays for nothing that the ledger knows"
    ]
