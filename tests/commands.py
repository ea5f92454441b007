"""The command line as tests call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from typer.testing import CliRunner, Result

from designloop.cli import app
from designloop.records import Scored
from designloop.strategies.random import RandomDraws

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
COMMANDS = (
    "init validate score run retry suggest tell status top compare query oracles strategies filters transforms "
    "descriptors sample reconstruct pretrain benchmark"
).split()


def designloop_(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def succeeds(*words: object) -> str:
    done = designloop_(*words)
    assert done.exit_code == 0, done.output
    return done.stdout


def fails(code: int, *words: object) -> str:
    """What a command says on standard error; plain words, no traceback."""
    done = designloop_(*words)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.stderr


def told_rows(monkeypatch: pytest.MonkeyPatch) -> list[Scored]:
    """A list that gets every row that the strategy `random` is told from now on."""
    rows: list[Scored] = []
    tell = RandomDraws.tell

    def listen(self: RandomDraws, scored: Sequence[Scored]) -> Mapping[str, float]:
        rows.extend(scored)
        return tell(self, scored)

    monkeypatch.setattr(RandomDraws, "tell", listen)
    return rows
