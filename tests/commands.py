"""The command line as tests call it."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from designloop.cli import app

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
