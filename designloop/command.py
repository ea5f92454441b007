"""What every command of the command line has in common: where it is registered, and how its errors are told."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from designloop import signals
from designloop.exit_codes import DEFECT, DONE, INTERRUPTED, RESUMABLE, TERMINATED, exit_code
from designloop.standard_streams import UnwritableOutput
from designloop.words import shorten

app = typer.Typer(
    help="A campaign file goes in; a VAE proposes, oracles score, the scores teach it; a table of molecules comes out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class _Command(TyperCommand):
    """A command that tells of a wrong option or argument what was found there."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the words of a command line."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = _with_value(error)
            raise


def _with_value(error: typer.BadParameter) -> str:
    """What is wrong with an option, and its value, which releases of Typer that check by pydantic leave out."""
    from pydantic import ValidationError

    if not isinstance(error.__cause__, ValidationError):
        return str(error.message)
    actual = shorten(str(error.__cause__.errors()[0]["input"]))
    said = str(error.message).removeprefix("Value error, ")
    if repr(actual) in said:
        return said
    expected = said.removeprefix("Input should be ")
    return f"found {actual!a}, " + (f"expected {expected}" if expected != said else said[0].lower() + said[1:])


def _sentence(error: Exception) -> str:
    """An error in plain words; one of the operating system with the file that it is about before what is wrong."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename} cannot be used ({error.strerror}); check the path"
    return str(error)


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
            typer.echo(f"Error: {_sentence(error)}", err=True)
        raise typer.Exit(code or 0)

    return app.command(function.__name__.replace("_", "-"), cls=_Command)(guarded)


def run_app() -> None:
    """Runs the command of this process; once it is done, a terminal that goes away does not change its exit code."""
    try:
        app()
    finally:
        signals.ignore_hang_up()
