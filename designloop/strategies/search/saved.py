"""The state of a search, written and read.

Version 2 holds the rounds seen, the archive, and the state of each part by its name. Version 1 carried no number, and
was another one for each strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from designloop.records import State
from designloop.strategies.archive.archive import Archive, Member, Standing, by_score
from designloop.strategies.base import StateError

VERSION = 2


@dataclass(frozen=True)
class Saved:
    """All that a search goes on from; without anything, the beginning of a campaign."""

    rounds_seen: int = 0
    archive: Archive = field(default_factory=Archive)
    parts: Mapping[str, State] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        state: State | None,
        limit: int,
        version_1: Callable[[State], Saved] | None = None,
        standing: Standing = by_score,
    ) -> Saved:
        """What was saved, the archive bounded by ``limit``.

        Args:
            version_1: reads states of the first version, for a strategy that had one.
            standing: what is best in the archive.

        Raises:
            StateError: it was written by a later version, or is none of a search.
        """
        version = 2 if state is None else state.data.get("version", 1)
        if version not in (1, VERSION):
            raise StateError(
                f"the strategy's state has version {version!r}, expected 1 to {VERSION}: a later designloop wrote it. "
                "Go on with that one, or begin anew with --fresh"
            )
        if state is None:
            return cls(archive=Archive(limit=limit, standing=standing))
        try:
            saved = version_1(state) if version == 1 and version_1 is not None else cls._version_2(state)
        except KeyError as error:
            raise StateError(
                f"the strategy's state lacks {error}: another strategy wrote it, or its files were changed. "
                "Restore the campaign's folder, or begin anew with --fresh"
            ) from error
        return cls(saved.rounds_seen, Archive(saved.archive.members, limit, standing).add(()), saved.parts)

    @classmethod
    def _version_2(cls, state: State) -> Saved:
        parts = {
            name: State(
                {key.split("/", 1)[1]: array for key, array in state.arrays.items() if key.startswith(f"{name}/")}, data
            )
            for name, data in state.data["parts"].items()
        }
        return cls(state.data["rounds_seen"], Archive(members_of(state.data["archive"])), parts)

    def state(self) -> State:
        """As a campaign stores it."""
        arrays: dict[str, np.ndarray] = {}
        for name, part in self.parts.items():
            arrays |= {f"{name}/{key}": array for key, array in part.arrays.items()}
        data = {
            "version": VERSION,
            "rounds_seen": self.rounds_seen,
            "archive": rows_of(self.archive),
            "parts": {name: dict(part.data) for name, part in self.parts.items()},
        }
        return State(arrays, data)


def rows_of(archive: Archive) -> list[list[Any]]:
    """An archive's members as JSON values; a fifth one stands where a value is the mean of several readings."""
    return [
        [
            member.smiles,
            member.selfies,
            member.score,
            list(member.values),
            *([list(member.readings)] * bool(member.readings)),
        ]
        for member in archive.members
    ]


def members_of(rows: Sequence[Sequence[Any]]) -> tuple[Member, ...]:
    """What ``rows_of`` gave."""
    return tuple(
        Member(smiles, selfies, score, tuple(values), readings=tuple(chain.from_iterable(readings)))
        for smiles, selfies, score, values, *readings in rows
    )


def property_loss_version_1(state: State) -> Saved:
    """Of ``property_loss``: its rows, the proposers' credit, the learned weights."""
    data = state.data
    model = {name: data[name] for name in ("model_round", "pretrained_reconstruction", "reconstruction")}
    parts = {"credit": State(data={"credit": data["credit"]}), "model": State(state.arrays, model)}
    return Saved(data["told"], Archive(members_of(data["seen"])), parts)


def latent_bo_version_1(state: State) -> Saved:
    """Refuses what the first ``latent_bo`` wrote: one region and one process on latents, which are no more.

    Raises:
        KeyError: another strategy wrote it.
        StateError: that one wrote it.
    """
    raise of_another_search(f"{len(state.data['smiles'])} molecules around one region ({state.data['region']})")


def of_another_search(found: str, part: str = "committee") -> StateError:
    """The refusal of a state whose parts are not those that this ``latent_bo`` is made of."""
    return StateError(
        f"the strategy's state has {found}, expected {part} and credit: the latent_bo of an earlier designloop "
        "wrote it, which searched in another way. Go on with that version, or begin anew with --fresh"
    )
