"""What every command of the command line has in common: where it is registered, and how its errors are told."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

from designloop import signals
from designloop.exit_codes import DEFECT, DONE, INTERRUPTED, RESUMABLE, TERMINATED, exit_code
from designloop.standard_streams import UnwritableOutput

app = typer.Typer(
    help="A campaign file goes in; a VAE proposes, oracles score, the scores teach it; a table of molecules comes out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Registers a command whose errors are told in plain words, with the exit code that says what to do next."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            with signals.heeded():
                code = function(*args, **kwargs)
        except signals.Terminated:
            typer.echo("Ended by SIGTERM. What is committed stays; the same command goes on from there.", err=True)
            code = TERMINATED
        except KeyboardInterrupt:
            typer.echo("\nInterrupted. What is committed stays; the same command goes on from there.", err=True)
            code = INTERRUPTED
        except BrokenPipeError:  # whoever reads our output has seen enough, as in `designloop top … | head`
            code = DONE
        except UnwritableOutput as error:
            typer.echo(f"Error: {error}", err=True)
            code = RESUMABLE
        except Exception as error:
            code = exit_code(error)
            if code == DEFECT:
                raise  # with Python's own traceback, and its exit code 1
            typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(code or 0)

    return app.command(function.__name__.replace("_", "-"))(guarded)
