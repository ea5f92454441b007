"""Whether a folder is this campaign's, and what is recorded of each time it was opened."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from designloop.paths import exists, is_folder, real
from designloop.tables.durable import TEMPORARY, sync_folder
from designloop.tables.errors import TableError
from designloop.tables.head import FILE as HEAD
from designloop.tables.lock import lock_folder
from designloop.tables.manifest import FOLDERS, CampaignRecord, Opening, read_campaign, round_numbers

ChangedKeys = Callable[[Mapping[str, Any], Any], Sequence[object]]
"""Called with the stored settings and the campaign; gives what differs and may not, a line each."""


def now() -> str:
    """The time, UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


_OURS = ("campaign.json", *FOLDERS)
"""What a campaign's folder holds from its first opening on."""


def refuse_foreign(folder: Path) -> None:
    """Return if results may be written into a folder: it is missing, is empty, or holds a campaign.

    Raises:
        TableError: it is a file, or holds what is no campaign's, which is named.
    """
    if not is_folder(folder):
        if exists(folder):
            raise TableError(f"{folder} is a file, expected the folder of results. Set `output:` to another name.")
        return
    if sum((folder / name).exists() for name in _OURS) > 1:
        return
    left = {".lock", "campaign.json" + TEMPORARY}  # by a first opening that was interrupted, with empty folders
    strangers = [
        path.name
        for path in sorted(folder.iterdir())
        if path.name not in left and not (path.name in FOLDERS and path.is_dir() and not any(path.iterdir()))
    ]
    if strangers:
        shown = ", ".join(strangers[:5]) + (f" and {len(strangers) - 5} more" if len(strangers) > 5 else "")
        raise TableError(
            f"{folder} is no campaign's folder and is not empty, found {shown}. "
            "Set `output:` to a folder that is not there yet; by default it is NAME/ beside the campaign file."
        )


def places_aside(folder: Path) -> Iterator[Path]:
    """NAME.1, NAME.2, …: where what there was of a campaign is moved, one after the other."""
    return (folder.with_name(f"{folder.name}.{number}") for number in count(1))


def set_aside(campaign: TableCampaign) -> Path | None:
    """Move the campaign's earlier folder to NAME.1, NAME.2, … and return where; None where there was none.

    Args:
        campaign: one whose folder is not foreign.

    Raises:
        TableBusy: a process is writing to it.
        TableError: it is another campaign's; or the campaign's own file or ledger lies in it, and would be moved too.
    """
    folder = campaign.output_folder
    if not (folder / "campaign.json").exists() and not (folder / "manifests").exists():
        return None
    for what, path in (("campaign file", campaign.folder), ("ledger", campaign.ledger_path)):
        if real(path).is_relative_to(real(folder)):
            raise TableError(
                f"--fresh would move {folder} aside, and the {what} with it. "
                "Set `output:` to a folder of its own, or move the earlier results away yourself."
            )
    lock = lock_folder(folder)
    try:
        stored = None
        with suppress(TableError):  # what is damaged or of a newer release is begun anew by --fresh
            stored = read_campaign(folder)
        if stored is not None:
            _refuse_another(folder, stored, campaign)
        aside = next(path for path in places_aside(folder) if not path.exists())
        folder.rename(aside)
        sync_folder(folder.parent)
        return aside
    finally:
        lock.close()


def goes_on(
    folder: Path,
    stored: CampaignRecord,
    campaign: TableCampaign,
    changed_keys: ChangedKeys,
    accept_changed_oracles: bool,
) -> bool:
    """Whether a campaign goes on from what is stored; else it has changed before its first round, and begins anew.

    Raises:
        TableError: it is no longer the one that was begun, and rounds of that one are committed.
    """
    try:
        _check_same(folder, stored, campaign, changed_keys, accept_changed_oracles)
    except TableError:
        if stored.name != campaign.name or round_numbers(folder) or (folder / HEAD).exists():
            raise
        return False
    return True


def _check_same(
    folder: Path,
    stored: CampaignRecord,
    campaign: TableCampaign,
    changed_keys: ChangedKeys,
    accept_changed_oracles: bool,
) -> None:
    """Returns if a campaign is still the one that was begun.

    Raises:
        TableError: another campaign, other settings, or other oracles that were not accepted.
    """
    begun = stored.openings[-1]
    _refuse_another(folder, stored, campaign)
    if changed := [str(key) for key in changed_keys(begun.dump, campaign)]:
        raise TableError(
            "\n  ".join([f"the campaign {stored.name!r} was begun with other settings:", *changed])
            + "\nSet them back to go on, give the campaign another name, or begin anew with --fresh (which moves the "
            "earlier results aside)."
        )
    if list(campaign.oracles) != stored.properties:
        raise TableError(
            f"the campaign {stored.name!r} was begun with other properties: found {', '.join(campaign.oracles)}, "
            f"expected {', '.join(stored.properties)}. Set them back to go on, or begin anew with --fresh."
        )
    if (changed := _changed_oracles(begun, campaign)) and not accept_changed_oracles:
        raise TableError(
            f"since the campaign {stored.name!r} was begun, the oracle behind these properties has changed (its "
            f"version, parameters, files, or RDKit): {', '.join(changed)}. Put the earlier one back; or go on with "
            "values of both kinds by --accept-changed-oracles, which is recorded; or begin anew with --fresh, which "
            "moves the earlier results aside."
        )


def _refuse_another(folder: Path, stored: CampaignRecord, campaign: TableCampaign) -> None:
    """Returns if a folder's campaign has this one's name."""
    if stored.name != campaign.name:
        raise TableError(
            f"{folder} holds the campaign {stored.name!r}, expected {campaign.name!r}. Set `output:` to another folder."
        )


def add_opening(
    stored: CampaignRecord | None, campaign: TableCampaign, environment: Mapping[str, Any] | None, after_round: int
) -> CampaignRecord:
    """Return the campaign's record with this opening added, where it differs from the last one.

    Args:
        environment: None is that of the last opening.
        after_round: the last round committed; -1 for none.
    """
    before = stored.openings[-1] if stored else None
    if environment is None:
        environment = before.environment if before else {}
    opening = Opening(
        after_round=after_round,
        when=now(),
        fingerprint=campaign.fingerprint,
        dump=_as_json(campaign.dump()),
        oracles={name: oracle.fingerprint for name, oracle in campaign.oracles.items()},
        accepted=_changed_oracles(before, campaign) if before else [],
        environment=_as_json(environment),
    )
    ledger = Path(os.path.relpath(campaign.ledger_path, campaign.output_folder)).as_posix()
    if stored is None or before is None:
        return CampaignRecord(uuid.uuid4().hex, campaign.name, ledger, [opening])
    same = replace(before, after_round=after_round, when=opening.when, accepted=[]) == opening
    return replace(stored, ledger=ledger, openings=stored.openings if same else [*stored.openings, opening])


def _changed_oracles(begun: Opening, campaign: TableCampaign) -> list[str]:
    """Properties whose oracle is not what it was."""
    return [name for name, oracle in campaign.oracles.items() if begun.oracles.get(name) != oracle.fingerprint]


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """The value as it will be read back, so that it can be compared with what was."""
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain


class Fingerprinted(Protocol):
    """An oracle, as far as the table needs one."""

    @property
    def fingerprint(self) -> str: ...


class TableCampaign(Protocol):
    """A campaign, as far as the table needs one; ``designloop.loop.campaign.campaign.Campaign`` is one."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def output_folder(self) -> Path: ...
    @property
    def ledger_path(self) -> Path: ...
    @property
    def oracles(self) -> Mapping[str, Fingerprinted]: ...
    def dump(self) -> Mapping[str, Any]:
        """The settings as JSON values."""
        ...
